"""connection - one connection of the program: handshake, events both ways, the journal, and the faults on the way."""

import asyncio
import json
import time
import urllib.parse

from websockets.frames import Opcode

from . import bad
from .wire import Gone


class Connection:
    def __init__(self, number, wire, endpoint):
        self.number, self.wire, self.endpoint = number, wire, endpoint
        self.script, self.journal, self.plan = endpoint.script, endpoint.journal, endpoint.plan
        self.counts = {}  # of the points that it has come to
        self.tasks = set()
        self.lock = asyncio.Lock()  # one event at a time, also when a fault holds one up
        self.held = None  # an event that waits for the next one to overtake it
        self.silent = False
        self.path, self.query, self.headers = "", {}, {}
        self.dialect = None
        self.session = None  # what speaks the protocol, once it is open
        self.began = time.monotonic()
        wire.on_control = self.control

    def note(self, kind, **what):
        return self.journal.note(self.number, kind, **what)

    def control(self, kind, data):
        self.journal.add(time.monotonic_ns(), self.number, "in", kind, {"data": data.decode("latin-1")}, len(data))

    def spawn(self, coroutine):
        """A task that ends with the connection, at the latest."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.spent)
        return task

    def spent(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() and not isinstance(task.exception(), Gone):
            self.endpoint.trouble.append(task.exception())

    def finish(self):
        for task in list(self.tasks):
            task.cancel()

    # --- the handshake

    async def open(self, tls):
        """True when it is a WebSocket now."""
        await self.come_to("accept")
        await self.wire.start(tls)
        request = await self.wire.next()
        url = urllib.parse.urlsplit(request.path)
        self.path = url.path
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.note("request", path=request.path, headers=self.headers)
        return await self.answer(request)

    async def answer(self, request):
        faults = self.plan.due(self.number, self.counts, "request")
        for f in [f for f in faults if f.what not in HANDSHAKE]:
            await self.happen(f)
        how = next((f for f in faults if f.what in HANDSHAKE), None)
        if how:
            self.note("fault", what=how.what, at="request")
        if how and how.what == "status":
            self.refuse(*(how.value if isinstance(how.value, tuple) else (how.value,)))
            return False
        if refusal := self.endpoint.judge(self):
            self.refuse(*refusal)
            return False
        half = (how.value or 20) if how and how.what == "half" else 0
        if not self.wire.accept(request, SPOILT.get(how and how.what), half):
            return bool(half) and await self.nothing_more()
        self.note("open")
        await self.come_to("open")
        return True

    def refuse(self, status, headers=None, body=b""):
        if not body:
            body = json.dumps({"error": {"message": f"scripted refusal {status}", "type": "scripted", "code": status}})
        body = body if isinstance(body, bytes) else body.encode()
        self.note("refused", status=status)
        self.wire.refuse(status, list((headers or {}).items()), body)

    async def nothing_more(self):
        while True:
            await self.wire.next()

    # --- events

    async def events(self):
        """What comes, as (stamp, event). What is no event is recorded as a violation and left out."""
        while True:
            stamp, kind, data = await self.wire.next()
            event = None
            if kind is Opcode.TEXT:
                try:
                    event = json.loads(data)
                except ValueError as error:
                    self.endpoint.violation(self, f"not JSON: {error}: {data[:200]!r}")
            elif self.dialect.binary:
                event = self.dialect.from_binary(data)
            else:
                self.endpoint.violation(self, f"a binary message of {len(data)} bytes")
            if not isinstance(event, dict):
                if event is not None:
                    self.endpoint.violation(self, f"not an object: {data[:200]!r}")
                if self.dialect.ends_on_bad_json:
                    raise Gone("malformed JSON")
                self.journal.add(stamp, self.number, "in", "text", {"data": repr(data[:200])}, len(data))
                await self.session.not_an_event()
                continue
            name = self.dialect.name_of(event)
            self.journal.add(stamp, self.number, "in", name, event, len(data))
            self.endpoint.check(self, event)
            await self.come_to(f"received:{name}", "received")
            yield stamp, self.dialect.incoming(event)

    async def send(self, event):
        """An event as OpenAI's own server would send it; the dialect may turn it into others, or none."""
        for each in self.dialect.outgoing(event):
            async with self.lock:
                await self.send_one(each)

    async def send_one(self, event):
        name = self.dialect.name_of(event)
        faults = self.plan.due(self.number, self.counts, f"before:{name}", "before")
        events = [event]
        for f in faults:
            if f.what not in ON_EVENTS:
                await self.happen(f)
                continue
            self.note("fault", what=f.what, at=name)
            events = {"drop": lambda: [], "twice": lambda: events * 2, "swap": lambda: self.hold(events),
                      "edit": lambda f=f: as_list(f.value(event)), "fragments": lambda: events}[f.what]()
        in_frames = next((f.value for f in faults if f.what == "fragments"), 0)
        if events and self.held:
            events, self.held = [*events, *self.held], None
        if self.silent:
            return
        for each in events:
            self.emit(each, in_frames)
        await self.come_to(f"sent:{name}", "sent")
        if self.wire.over:
            raise Gone("the connection ended")

    def hold(self, events):
        self.held = events
        return []

    def emit(self, event, frames=0):
        """One message, as it is: a dict, a text, or bytes (a binary message)."""
        binary = isinstance(event, bytes)
        text = event if isinstance(event, (str, bytes)) else json.dumps(event, separators=(",", ":"))
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        stamp = self.wire.send(data, binary or self.dialect.binary_out, frames)
        if not isinstance(event, dict):
            kind, event = ("binary" if binary else "text"), {"size": len(data)}
        else:
            kind = self.dialect.name_of(event)
        if not self.wire.mute:
            self.journal.add(stamp, self.number, "out", kind, event, len(data))

    # --- faults

    async def come_to(self, *points):
        for fault in self.plan.due(self.number, self.counts, *points):
            await self.happen(fault)

    async def happen(self, fault):
        if fault.seconds:
            self.spawn(self.later(fault))
        else:
            await self.now(fault)

    async def later(self, fault):
        await asyncio.sleep(fault.seconds)
        await self.now(fault)

    async def now(self, fault):
        self.note("fault", what=fault.what, at=fault.at)
        what, value, wire = fault.what, fault.value, self.wire
        if what in ("rst", "fin", "hang"):
            getattr(wire, what)()
        elif what == "close":
            wire.close(*(value if isinstance(value, tuple) else (value or 1000,)))
        elif what == "deaf":
            wire.stop_reading()
        elif what == "mute":
            wire.mute = True
        elif what == "silence":
            self.silent = True
        elif what == "wait":
            await asyncio.sleep(value)
        elif what == "ping":
            wire.ping(value or b"ping")
        elif what == "bytes":
            wire.write(value)
        elif what in ("text", "binary"):
            await self.put(value if isinstance(value, bytes) else bad.EVENTS.get(value, value), what == "binary")
        elif what == "event":
            for event in as_list(value):
                self.emit(event)
        elif what == "flood":
            await self.flood(*value)
        else:
            raise ValueError(f"no fault '{what}' at '{fault.at}'")
        if what in ("rst", "fin", "hang") and self.wire.over:
            raise Gone(f"scripted {what}")

    async def put(self, value, binary):
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        stamp = self.wire.send(data, binary)
        self.journal.add(stamp, self.number, "out", "binary" if binary else "text", {"size": len(data)}, len(data))
        await self.wire.drain()

    async def flood(self, event, times):
        data = json.dumps(event).encode() if isinstance(event, dict) else event.encode()
        for _ in range(times):
            self.wire.send(data)
            await self.wire.drain()
            if self.wire.over:
                break


HANDSHAKE = ("status", "half", "wrong-accept", "subprotocol")
SPOILT = {"wrong-accept": ("Sec-WebSocket-Accept", "bm90IHdoYXQgeW91IGFza2Vk"), "subprotocol":
          ("Sec-WebSocket-Protocol", "unasked")}
ON_EVENTS = ("drop", "twice", "swap", "edit", "fragments")


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]

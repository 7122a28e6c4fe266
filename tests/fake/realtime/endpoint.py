"""endpoint - the server: it listens, gives each connection the session of its path, and keeps the books."""

import asyncio
import contextlib
import socket
import ssl
import threading

from . import certificate, dialects, marker, official, shapes
from .connection import Connection
from .faults import Fault, Plan
from .gemini import Gemini
from .journal import Journal
from .live import Live
from .script import HZ, Script
from .transcription import Transcription
from .translation import Translation
from .turns import Answer
from .voice import Voice
from .wire import Gone, Wire

SESSIONS = {"voice": Voice, "transcription": Transcription, "translation": Translation, "live": Live, "gemini": Gemini}
NO_SUCH_MODEL = b'{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}'
NO_KEY = (b'{"error":{"message":"Incorrect API key provided","type":"invalid_request_error",'
          b'"code":"invalid_api_key"}}')


class Endpoint:
    """`with Endpoint(replies=["Paris."]) as ep:`, then ep.url. The fields of Script, and:

    port    0: any; the same one again after down()
    tls     True: a good certificate; or a name out of certificate.KINDS ("expired", "wrong-host" ...)
    log     a file that is written to: JSON Lines of the journal
    host    "::1" for IPv6
    light   keeps neither the sound in the journal nor that around the turns: for many sessions, or long ones
    check   whether the program's events are held against the official types (see official.py)
    """

    def __init__(self, script=None, port=0, tls=None, log=None, check=True, light=False, host="127.0.0.1", **fields):
        self.script = script or Script(**fields)
        self.plan = self.script.plan = Plan(self.script.faults)
        self.journal, self.light = Journal(log, light), light
        self.host, self.port, self.tls = host, port, "good" if tls is True else tls
        self.checked = check
        self.violations = []  # what the program sent that no client may send
        self.trouble = []  # exceptions in here, which are faults of the endpoint
        self.turns = []  # every Turn of the user's, over all connections
        self.answers = []  # every Answer that was begun
        self.handles = {}  # of sessions that can be resumed: what was said in them
        self.connections = []
        self.loop, self.server = asyncio.new_event_loop(), None
        self.thread = threading.Thread(target=self.loop.run_forever, name="endpoint", daemon=True)

    # --- what a test asks

    @property
    def base(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}"

    @property
    def url(self):
        return self.base + next(iter(dialects.DIALECTS[self.script.dialect].paths))

    @property
    def cacert(self):
        """Path of the certificate authority that signed the certificate."""
        return certificate.authority()

    @property
    def events(self):
        return self.journal.select()

    def received(self, kind=None, **where):
        """Events that came from the program."""
        return [e.event for e in self.journal.select(kind, "in", **where)]

    def sent(self, kind=None, **where):
        return [e.event for e in self.journal.select(kind, "out", **where)]

    def wait_for(self, kind, n=1, **how):
        """The n-th entry of that type: see journal.Journal.wait_for."""
        return self.journal.wait_for(kind, n, **how)

    @property
    def answered(self):
        """Numbers of the markers in turns to which a whole answer was sent: what is there twice was answered twice."""
        return [n for a in self.answers if a.status == "completed" for t in a.turns for n in t.numbers]

    def heard(self, connection):
        """All sound that came on the n-th connection: PCM. Not when light."""
        session = self.connections[connection - 1].session
        return bytes(session.input.heard) if session else b""

    # --- what a test does

    def do(self, fault, connection=0):
        """Lets a fault happen now on the n-th connection, or on all that are there."""
        async def all_of_them():
            for c in self.connections:
                if not c.wire.over and connection in (0, c.number):
                    with contextlib.suppress(Gone):
                        await c.now(fault)
        self.call(all_of_them())

    def cut(self, connection=0):
        """RST on the connections that are there."""
        self.do(Fault("rst"), connection)

    def say(self, event, connection=0):
        """Sends an event of its own."""
        self.do(Fault("event", value=event), connection)

    def down(self):
        """Refuses connections (those that are there stay)."""
        self.call(self.unlisten())

    def up(self):
        self.call(self.listen())

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    # --- the server

    def __enter__(self):
        self.thread.start()
        self.call(self.listen())
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            assert not self.trouble, f"the endpoint itself failed: {self.trouble!r}"
            assert not self.violations, "the program broke the protocol:\n" + "\n".join(self.violations)

    def stop(self):
        if self.thread.is_alive():
            self.call(self.end())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
        if not self.loop.is_running():
            self.loop.close()

    async def listen(self):
        for tone in range(len(marker.TONES)):  # what takes time is done before anybody waits
            marker.symbol(tone, HZ, marker.LEVEL)
        self.context = certificate.context(self.tls) if self.tls else None
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.create_server((self.host, self.port), family=family, backlog=256)
        self.port = sock.getsockname()[1]
        self.server = await self.loop.create_server(lambda: Wire(self.accepted), sock=sock)

    async def unlisten(self):
        if self.server:
            self.server.close()
            self.server = None

    async def end(self):
        await self.unlisten()
        for c in self.connections:
            c.finish()
            if not c.wire.lost:
                c.wire.transport.abort()
        await asyncio.sleep(0)

    def accepted(self, wire):
        connection = Connection(len(self.connections) + 1, wire, self)
        self.connections.append(connection)
        connection.note("accept")
        connection.spawn(self.serve(connection))

    async def serve(self, connection):
        why = ""
        try:
            if await connection.open(self.context):
                await connection.session.run()
        except (Gone, OSError, ssl.SSLError) as error:
            why = str(error)
        finally:
            connection.note("end", why=why, bytes_in=connection.wire.bytes_in, bytes_out=connection.wire.bytes_out)
            if not connection.wire.deaf and not connection.wire.mute:
                connection.wire.fin()
            connection.finish()

    def judge(self, connection):
        """How to refuse a request that the service would not take, or None; else the session is made."""
        c, script = connection, self.script
        c.dialect = dialects.DIALECTS[script.dialect]()
        kind = c.dialect.protocol(c.path, c.query)
        if kind not in SESSIONS:
            return 404, {}, b""
        if script.key is not None and not c.dialect.shows_key(script.key, c.headers, c.query):
            return 401, {}, NO_KEY
        if script.models and c.query.get("model") not in script.models:
            return 404, {}, NO_SUCH_MODEL
        c.session = SESSIONS[kind](c)
        return None

    # --- the books

    def new_turn(self, turn):
        turn.number = len(self.turns) + 1
        turn.transcript = self.script.transcript(turn, turn.number)
        self.turns.append(turn)
        return turn

    def next_reply(self, turns, connection):
        """(Reply, Answer) for these turns."""
        answer = Answer(len(self.answers) + 1, connection, shapes.new_id("resp"), turns)
        self.answers.append(answer)
        return self.script.reply(turns[-1] if turns else None, answer.number), answer

    def check(self, connection, event):
        if not self.checked:
            return
        if odd := connection.dialect.trouble(event):
            self.violation(connection, odd)
        if connection.dialect.official:
            kind = connection.dialect.protocol(connection.path, connection.query)
            for trouble in official.check(kind, event):
                self.violation(connection, trouble)

    def violation(self, connection, text):
        self.violations.append(f"connection {connection.number}: {text}")
        connection.note("violation", text=text)

"""client - a tiny realtime client, to test the scripted endpoint itself."""

import base64
import contextlib
import json
import ssl

from websockets.sync.client import connect


class Client:
    def __init__(self, ep, url=None, headers=None, **query):
        self.ep = ep
        words = "&".join(f"{k}={v}" for k, v in query.items())
        context = ssl.create_default_context(cafile=ep.cacert) if ep.tls else None
        headers = headers or {"Authorization": f"Bearer {ep.script.key}"}
        self.manager = connect((url or ep.url) + (f"?{words}" if words else ""), additional_headers=headers, ssl=context,
                               max_size=None, open_timeout=5, close_timeout=0.2)
        self.ws = self.manager.__enter__()
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.manager.__exit__(None, None, None)

    def send(self, kind, **fields):
        self.ws.send(json.dumps({"type": kind, **fields}))

    def receive(self, timeout=5):
        event = json.loads(self.ws.recv(timeout))
        self.events.append(event)
        return event

    def until(self, kind, timeout=5, **fields):
        """The next event of that type (and with these fields); what comes before is in `events`."""
        while True:
            event = self.receive(timeout)
            if event.get("type") == kind and all(event.get(k) == v for k, v in fields.items()):
                return event

    def say(self, pcm, kind="input_audio_buffer.append", piece=960):
        for at in range(0, len(pcm), piece):
            self.send(kind, audio=base64.b64encode(pcm[at : at + piece]).decode())

    def turn(self, pcm, silence=0.7):
        """Speech, and so much silence that the server's turn detection ends it."""
        self.say(bytes(9600) + pcm + bytes(2 * int(24000 * silence)))

    def update(self, **session):
        self.send("session.update", session={"type": "realtime", **session})
        return self.until("session.updated")["session"]

    def types(self):
        return [e["type"] for e in self.events]

    def sound(self, kind="response.output_audio.delta"):
        return b"".join(base64.b64decode(e["delta"]) for e in self.events if e["type"] == kind)

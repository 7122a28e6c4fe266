"""client - a tiny realtime client, to test the scripted endpoint itself.

One thread only: Python's TLS does not bear that one thread reads while another one writes.
"""

import base64
import collections
import contextlib
import json
import socket
import ssl
import time

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri


class Socket:
    """A WebSocket. What goes wrong is raised as websockets' own exceptions."""

    def __init__(self, url, headers=None, context=None, seconds=5):
        uri = parse_uri(url)
        self.protocol = ClientProtocol(uri, max_size=None)
        self.messages, self.pongs, self.parts, self.kind = collections.deque(), [], [], None
        self.socket = socket.create_connection((uri.host, uri.port), seconds)
        try:
            if context:
                self.socket = context.wrap_socket(self.socket, server_hostname=uri.host)
            request = self.protocol.connect()
            request.headers.update(headers or {})
            self.protocol.send_request(request)
            self.flush()
            end = time.monotonic() + seconds
            while self.protocol.state is State.CONNECTING and not self.protocol.handshake_exc:
                self.pump(end)
            if self.protocol.handshake_exc:
                raise self.protocol.handshake_exc
        except BaseException:
            self.socket.close()
            raise

    def flush(self):
        for data in self.protocol.data_to_send():
            if data:
                self.socket.sendall(data)
            else:
                with contextlib.suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)

    def pump(self, end):
        """Reads once, until that moment at most: then TimeoutError."""
        self.socket.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if isinstance(event, Frame):
                self.take(event)
        with contextlib.suppress(OSError):
            self.flush()

    def take(self, frame):
        if frame.opcode is Opcode.PONG:
            self.pongs.append(bytes(frame.data))
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self.kind = self.kind if frame.opcode is Opcode.CONT else frame.opcode
        self.parts.append(bytes(frame.data))
        if frame.fin:
            whole, self.parts = b"".join(self.parts), []
            self.messages.append(whole.decode() if self.kind is Opcode.TEXT else whole)

    def send(self, data):
        if self.protocol.state is not State.OPEN:
            raise self.protocol.close_exc
        binary = isinstance(data, bytes)
        (self.protocol.send_binary if binary else self.protocol.send_text)(data if binary else data.encode())
        self.flush()

    def recv(self, seconds=5):
        end = time.monotonic() + seconds
        while not self.messages:
            if self.protocol.state is State.CLOSED:
                raise self.protocol.close_exc
            self.pump(end)
        return self.messages.popleft()

    def pings(self, seconds):
        """Whether a ping is answered within so long."""
        self.pongs.clear()
        self.protocol.send_ping(b"there?")
        self.flush()
        end = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while b"there?" not in self.pongs and self.protocol.state is not State.CLOSED:
                self.pump(end)
        return b"there?" in self.pongs

    def close(self):
        with contextlib.suppress(OSError):
            if self.protocol.state is State.OPEN:
                self.protocol.send_close(1000)
                self.flush()
            end = time.monotonic() + 0.2
            while self.protocol.state is not State.CLOSED:
                self.pump(end)
        self.socket.close()


class Client:
    def __init__(self, ep, url=None, headers=None, **query):
        self.ep = ep
        words = "&".join(f"{k}={v}" for k, v in query.items())
        context = ssl.create_default_context(cafile=ep.cacert) if ep.tls else None
        headers = headers or {"Authorization": f"Bearer {ep.script.key}"}
        self.ws = Socket((url or ep.url) + (f"?{words}" if words else ""), headers, context)
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.close()

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

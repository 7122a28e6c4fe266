"""wire - one TCP connection of the endpoint: TLS, the HTTP upgrade, frames, and every way to spoil them.

Made of the parts of `websockets` that do no I/O, so that the bytes and the moment of each write are ours.
"""

import asyncio
import contextlib
import http
import socket
import struct
import time

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

MAX_MESSAGE = 64 << 20


class Gone(Exception):
    """The connection is over."""


class Wire(asyncio.Protocol):
    """accepted(wire) is called on each new connection, which reads nothing until start()."""

    def __init__(self, accepted):
        self.accepted = accepted
        self.transport = self.protocol = None
        self.stamp = 0  # when the last bytes came
        self.incoming = asyncio.Queue()  # Request, (stamp, Opcode, bytes), or None: the end
        self.parts, self.kind = [], None
        self.deaf = self.mute = False
        self.over = False
        self.lost = False  # asyncio has taken it down, and its transport does nothing any more
        self.bytes_in = self.bytes_out = 0
        self.on_control = lambda *_: None

    # --- asyncio calls these

    def connection_made(self, transport):
        self.transport = transport
        transport.pause_reading()
        self.accepted(self)

    def data_received(self, data):
        self.stamp = time.monotonic_ns()
        self.bytes_in += len(data)
        if self.deaf:
            return
        self.protocol.receive_data(data)
        self.digest()

    def eof_received(self):
        if not self.deaf and self.protocol:
            self.protocol.receive_eof()
            self.digest()
        return False

    def connection_lost(self, _):
        self.over = self.lost = True
        self.incoming.put_nowait(None)

    # --- reading

    def digest(self):
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.incoming.put_nowait(event)
            elif isinstance(event, Frame):
                self.take(event)
        self.flush()
        if self.protocol.handshake_exc or self.protocol.parser_exc:
            self.on_control("broken", str(self.protocol.handshake_exc or self.protocol.parser_exc).encode())

    def take(self, frame):
        if frame.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            self.on_control(frame.opcode.name.lower(), bytes(frame.data))
            return
        if frame.opcode is not Opcode.CONT:
            self.kind = frame.opcode
        self.parts.append(bytes(frame.data))
        if frame.fin:
            whole, self.parts = b"".join(self.parts), []
            self.incoming.put_nowait((self.stamp, self.kind, whole))

    async def start(self, tls=None):
        """Begins to read, after a TLS handshake when there is a context for it."""
        self.protocol = ServerProtocol(max_size=MAX_MESSAGE)
        if tls is None:
            self.transport.resume_reading()
            return
        loop = asyncio.get_running_loop()
        try:
            self.transport = await loop.start_tls(self.transport, self, tls, server_side=True)
        except (OSError, ConnectionError) as error:
            raise Gone(f"TLS: {error}") from error
        if self.transport is None:
            raise Gone("TLS: the client left")

    async def next(self):
        """A Request first, then (stamp, Opcode, bytes) of each message. Gone at the end."""
        item = await self.incoming.get()
        while self.deaf and item is not None:  # it had come before the hang
            item = await self.incoming.get()
        if item is None:
            self.incoming.put_nowait(None)
            raise Gone("the connection ended")
        return item

    # --- writing

    def write(self, data):
        if not self.mute and not self.over and not self.transport.is_closing():
            self.bytes_out += len(data)
            self.transport.write(data)

    def flush(self):
        out = self.protocol.data_to_send()
        end = b"" in out
        data = b"".join(out)
        if data:
            self.write(data)
        if end and not self.mute:
            self.fin()

    def accept(self, request, spoil=None, head_only=0):
        """The 101. spoil: a header field that is changed ((name, value)); head_only: send that many bytes of it."""
        response = self.protocol.accept(request)
        if response.status_code == 101 and spoil:
            response.headers.pop(spoil[0], None)
            response.headers[spoil[0]] = spoil[1]
        if head_only:
            self.write(response.serialize()[:head_only])
            self.deaf = True
            return False
        self.protocol.send_response(response)
        self.flush()
        return response.status_code == 101

    def refuse(self, status, headers=(), body=b""):
        """An HTTP answer that is no upgrade."""
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Scripted"
        fields = Headers([*headers, ("Connection", "close"), ("Content-Length", str(len(body)))])
        if "Content-Type" not in fields:
            fields["Content-Type"] = "application/json"
        self.write(Response(status, phrase, fields, body).serialize())
        self.fin()

    def send(self, data, binary=False, frames=0):
        """One message in one write; returns the time right before it. frames: in so many, and a ping between them."""
        if self.over or self.transport.is_closing():
            raise Gone("the connection ended")
        begin = self.protocol.send_binary if binary else self.protocol.send_text
        step = -(-len(data) // frames) if frames > 1 else len(data)
        try:
            begin(data[:step], fin=step >= len(data))
            for at in range(step, len(data), step or 1):
                self.protocol.send_ping(b"between")
                self.protocol.send_continuation(data[at : at + step], fin=at + step >= len(data))
        except Exception as error:  # a close frame has gone out, or came in
            raise Gone(str(error)) from error
        stamp = time.monotonic_ns()
        self.flush()
        return stamp

    def ping(self, data=b"ping"):
        self.protocol.send_ping(data)
        self.flush()

    def close(self, code=1000, reason=""):
        """The closing handshake; code 1005: a close frame without a code."""
        if self.over:
            return
        try:
            self.protocol.send_close(None if code == 1005 else code, reason)
        except Exception:  # it is closing already, or was never open
            self.fin()
        self.flush()

    # --- ends that are no closing handshake

    def fin(self):
        """The end of the TCP stream, without a close frame."""
        if not self.over:
            self.over = True
            self.transport.close()

    def rst(self):
        if not self.over:
            with contextlib.suppress(OSError):  # closed already
                sock = self.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.over = True
            self.transport.abort()

    def hang(self):
        """Half-open: what comes is swallowed, pings as well, and nothing goes out any more."""
        self.deaf = self.mute = True

    def stop_reading(self):
        """The program's sends fill the socket's buffers, and then wait."""
        self.transport.pause_reading()

    async def drain(self, limit=1 << 20):
        """Waits until the client has taken most of what was written."""
        while not self.over and self.transport.get_write_buffer_size() > limit:
            await asyncio.sleep(0.005)

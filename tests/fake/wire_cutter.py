"""wire_cutter - a TCP proxy on the loopback that cuts, blackholes, delays and counts, on command.

    with WireCutter(ep.port) as wire:      # wire.port in place of ep.port
        wire.cut()                         # RST both ways; new connections are taken
        wire.down(); wire.up()             # connections are refused; taken again
        wire.blackhole()                   # nothing passes any more, on any connection, and nobody is told
        wire.delay_ms = 80                 # each way
        wire.cut_after(out=20_000)         # once that many bytes went to the server (in_: to the program)

A thread and an event loop of its own. Standard library only. bytes_out and bytes_in count what was passed on.
"""

import asyncio
import contextlib
import socket
import struct
import threading


class Pipe:
    """One connection: two streams, and what holds them up."""

    def __init__(self, cutter, program, server):
        self.cutter, self.program, self.server = cutter, program, server
        self.bytes_out = self.bytes_in = 0
        self.deaf = False

    async def run(self):
        ways = [asyncio.ensure_future(self.copy(self.program[0], self.server[1], "bytes_out")),
                asyncio.ensure_future(self.copy(self.server[0], self.program[1], "bytes_in"))]
        try:
            await asyncio.gather(*ways)
        except OSError:
            pass
        finally:
            for way in ways:
                way.cancel()
            for _, writer in (self.program, self.server):
                writer.close()

    async def copy(self, reader, writer, counter):
        queue = asyncio.Queue()
        sender = asyncio.ensure_future(self.send(queue, writer))
        try:
            while data := await reader.read(65536):
                if self.deaf or self.cutter.hole:
                    continue
                data, last = self.cutter.within_limit(counter, data)
                setattr(self, counter, getattr(self, counter) + len(data))
                setattr(self.cutter, counter, getattr(self.cutter, counter) + len(data))
                queue.put_nowait((asyncio.get_running_loop().time() + self.cutter.delay_ms / 1000, data))
                if last:
                    self.cutter.cut_all()
            queue.put_nowait(None)
            await sender
        finally:
            sender.cancel()

    async def send(self, queue, writer):
        while (item := await queue.get()) is not None:
            due, data = item
            wait = due - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            if not (self.deaf or self.cutter.hole):
                writer.write(data)
                await writer.drain()
        if not (self.deaf or self.cutter.hole) and writer.can_write_eof():
            writer.write_eof()

    def rst(self):
        for _, writer in (self.program, self.server):
            with contextlib.suppress(OSError):  # closed already
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class WireCutter:
    def __init__(self, to_port, to_host="127.0.0.1", port=0):
        self.to, self.port = (to_host, to_port), port
        self.delay_ms, self.hole = 0.0, False
        self.bytes_out = self.bytes_in = self.connections = 0
        self.limits = {}  # of bytes, by the name of the counter, after which everything is cut once
        self.pipes, self.server = set(), None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="wire cutter", daemon=True)

    # --- commands, from any thread

    def cut(self):
        self.call(self.as_task(self.cut_all))

    def fin(self):
        """Closes politely, both ways."""
        self.call(self.as_task(lambda: [w.close() for p in self.pipes for _, w in (p.program, p.server)]))

    def blackhole(self, hole=True):
        """Those that are there stay dead, also after blackhole(False)."""
        self.hole = hole
        for pipe in list(self.pipes):
            pipe.deaf = pipe.deaf or hole

    def down(self):
        self.call(self.unlisten())

    def up(self):
        self.call(self.listen())

    def cut_after(self, out=None, in_=None):
        """Counted from now; not a byte more gets through, and the last ones may be lost, as behind any RST."""
        self.limits = {"bytes_out": out and out + self.bytes_out, "bytes_in": in_ and in_ + self.bytes_in}

    # --- inside

    def within_limit(self, counter, data):
        """(what of it may pass, whether that is the last)"""
        limit = self.limits.get(counter)
        if not limit or getattr(self, counter) + len(data) < limit:
            return data, False
        self.limits = {}
        return data[: limit - getattr(self, counter)], True

    def cut_all(self):
        for pipe in list(self.pipes):
            pipe.rst()

    async def as_task(self, function):
        function()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def listen(self):
        sock = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = sock.getsockname()[1]
        self.server = await asyncio.start_server(self.serve, sock=sock)

    async def unlisten(self):
        if self.server:
            self.server.close()
            self.server = None

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            server = await asyncio.open_connection(*self.to)
        except OSError:
            writer.transport.abort()
            return
        pipe = Pipe(self, (reader, writer), server)
        self.pipes.add(pipe)
        try:
            await pipe.run()
        finally:
            self.pipes.discard(pipe)

    def __enter__(self):
        self.thread.start()
        self.up()
        return self

    async def end(self):
        await self.unlisten()
        self.cut_all()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __exit__(self, *_):
        self.call(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

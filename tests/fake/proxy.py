"""proxy - an HTTP proxy on the loopback that connects (CONNECT), with or without TLS and a password; and a relay.

    with Proxy(user="me", password="secret") as proxy:    # proxy.url: http://me:secret@127.0.0.1:PORT
    with Proxy(tls=certificate.context("good")) as proxy: # https://...
    with Relay(port, tls=certificate.context("good")) as relay:  # TLS in front of a server that has none

A thread and an event loop of its own. Standard library only. `asked` holds each request's first line and
whether it was let through; the name of the destination is not looked up: all go to 127.0.0.1.
"""

import asyncio
import base64
import contextlib
import threading

REFUSAL = "HTTP/1.1 {status} Refused\r\n{more}Content-Length: 0\r\n\r\n"


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Relay:
    def __init__(self, to=None, host="127.0.0.1", tls=None):
        self.to, self.host, self.tls = to, host, tls
        self.port = None
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, self.host, 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def destination(self, reader, writer):
        """The port to go to; None: refused."""
        return self.to

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            port = await self.destination(reader, writer)
            if port is None:
                return
            there = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Proxy(Relay):
    def __init__(self, user=None, password=None, status=None, **how):
        super().__init__(**how)
        self.credentials = f"{user}:{password}" if user else None
        self.status = status  # everything is refused with it
        self.asked = []

    @property
    def url(self):
        name = f"{self.credentials}@" if self.credentials else ""
        return f"http{'s' if self.tls else ''}://{name}127.0.0.1:{self.port}"

    def refusal(self, method, header):
        given = header.get("proxy-authorization", "")
        wanted = base64.b64encode((self.credentials or "").encode()).decode()
        if self.status:
            return self.status
        if self.credentials and given != f"Basic {wanted}":
            return 407
        return None if method == "CONNECT" else 405

    async def destination(self, reader, writer):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        header = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        method, address, _ = lines[0].split(" ", 2)
        refusal = self.refusal(method, header)
        self.asked.append((lines[0], refusal is None))
        more = 'Proxy-Authenticate: Basic realm="proxy"\r\n' if refusal == 407 else ""
        writer.write((REFUSAL.format(status=refusal, more=more) if refusal else
                      "HTTP/1.1 200 Connection established\r\n\r\n").encode())
        await writer.drain()
        return None if refusal else int(address.rpartition(":")[2])

#!/usr/bin/env python3
"""openai_http - a scripted OpenAI-compatible server on loopback, with faults.

    openai_http.py [--port N] [--reply TEXT] [--transcript TEXT] [--model NAME]...
                   [--key KEY] [--fault NAME[=VALUE]]... [--log FILE]

Prints its address (http://127.0.0.1:PORT) as the first line of stdout and serves until stdin ends or
it is killed. Serves /v1/models, /v1/chat/completions (streaming or not, as asked) and
/v1/audio/transcriptions. Each request is written to --log as one JSON object a line. Standard
library only. As a module: `with Server(faults={"slow": "0.1"}) as url:`.

Faults (they hold for the endpoints of chat and transcription; with =VALUE where it says so):

    down-models       /v1/models is 404
    garbage-models    /v1/models is a web page
    empty-models      /v1/models lists none
    loading=N         the first N requests of any kind get 503
    status=CODE       an error with that status (401, 404, 429, 500 ...) and a JSON message
    slow=SECONDS      waits before the first byte of the answer
    drip=SECONDS      waits before each event
    hang              answers the header, then nothing
    cut=N             closes the connection after N events
    no-done           ends without finish_reason and [DONE]
    open              keeps the connection open behind [DONE]
    chunk=N           sends the body N bytes at a time (1 cuts every character)
    split-utf8        cuts characters between events, as some servers do
    page              a web page in place of JSON
    garbage           random bytes in place of the body
    bad-json          an event in the middle is not JSON
    types             wrong types wherever there can be
    deep              an event nested 100,000 deep
    huge-line         one event of 8 MiB
    endless           events without end
    escapes           terminal escapes and control bytes in the text
    error-event       an error object in the middle of the stream
    whole             does not stream although asked to
    null-content      null and missing contents between the pieces
    crlf              lines end with CR LF
"""

import argparse
import contextlib
import json
import random
import socket
import socketserver
import sys
import threading
import time

ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07bell \u009b2Jclear \r\x08back\x7f"


class Hangup(Exception):
    """The script says that the connection ends here."""


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    # --- one connection

    def handle(self):
        with contextlib.suppress(Hangup, OSError):
            while self.serve_one():
                pass

    def serve_one(self):
        line = self.rfile.readline(65536).decode("latin-1").split()
        if len(line) < 3:
            return False
        headers = {}
        while (header := self.rfile.readline(65536)) not in (b"\r\n", b"\n", b""):
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.server.note(line, headers, body)
        self.answer(line[0], line[1].partition("?")[0], headers, body)
        return True

    def fault(self, name):
        return self.server.faults.get(name)

    def answer(self, method, path, headers, body):
        key = self.server.key
        if self.server.still_loading():
            return self.error(503, "Loading model")
        if key and headers.get("authorization") != f"Bearer {key}":
            return self.error(401, "Incorrect API key provided")
        if (method, path) == ("GET", "/v1/models"):
            return self.models()
        if (method, path) == ("POST", "/v1/chat/completions"):
            return self.chat(json.loads(body))
        if (method, path) == ("POST", "/v1/audio/transcriptions"):
            return self.transcribe(headers, body)
        return self.error(404, f"no such endpoint: {method} {path}")

    # --- sending

    def send(self, data):
        step = int(self.fault("chunk") or 0) or len(data) or 1
        for at in range(0, len(data), step):
            self.wfile.write(data[at : at + step])

    def head(self, status, content_type, length=None):
        how = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        text = f"HTTP/1.1 {status} Scripted\r\nContent-Type: {content_type}\r\n{how}\r\n\r\n"
        self.wfile.write(text.encode())

    def piece(self, data):
        """One chunk of the transfer coding; with chunk=N it is cut below that, as a network does."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def whole(self, status, content_type, data):
        self.head(status, content_type, len(data))
        self.send(data)

    def json(self, status, value):
        self.whole(status, "application/json", json.dumps(value).encode())

    def error(self, status, message):
        self.json(status, {"error": {"message": message, "type": "scripted", "code": status}})

    # --- endpoints

    def models(self):
        if self.fault("down-models") is not None:
            return self.error(404, "not here")
        if self.fault("garbage-models") is not None:
            return self.whole(200, "text/html", b"<!DOCTYPE html><title>welcome</title>")
        names = [] if self.fault("empty-models") is not None else self.server.models
        return self.json(200, {"object": "list", "data": [{"id": n, "object": "model"} for n in names]})

    def common_faults(self):
        """True when a fault was the whole answer."""
        if self.fault("slow") is not None:
            time.sleep(float(self.fault("slow")))
        if self.fault("status") is not None:
            self.error(int(self.fault("status")), f"scripted failure {self.fault('status')}")
        elif self.fault("page") is not None:
            self.whole(200, "text/html", b"<!DOCTYPE html><title>welcome</title>")
        elif self.fault("garbage") is not None:
            self.whole(200, "text/event-stream", random.Random(1).randbytes(20000))
        elif self.fault("hang") is not None:
            self.head(200, "text/event-stream")
            self.server.wait_for_end()
            raise Hangup
        else:
            return False
        return True

    def transcribe(self, headers, body):
        if self.common_faults():
            return None
        if "multipart/form-data" not in headers.get("content-type", "") or b"RIFF" not in body:
            return self.error(400, "not a form with a WAV file")
        if self.fault("types") is not None:
            return self.json(200, {"text": {"no": 1}})
        if self.fault("bad-json") is not None:
            return self.whole(200, "application/json", b'{"text": "cut')
        if self.fault("deep") is not None:
            return self.whole(200, "application/json", b"[" * 100000)
        text = self.server.transcript + (ESCAPES if self.fault("escapes") is not None else "")
        return self.json(200, {"text": text})

    def chat(self, request):
        if self.common_faults():
            return
        if not request.get("stream") or self.fault("whole") is not None:
            message = {"role": "assistant", "content": self.server.reply}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.json(200, {"object": "chat.completion", "choices": [choice]})
            return
        self.head(200, "text/event-stream")
        cut = int(self.fault("cut") or -1)
        for n, event in enumerate(self.events()):
            if n == cut:
                raise Hangup
            if self.fault("drip") is not None:
                time.sleep(float(self.fault("drip")))
            end = b"\r\n\r\n" if self.fault("crlf") is not None else b"\n\n"
            self.piece(b"data: " + event + end)
        if self.fault("open") is not None:
            self.server.wait_for_end()
        self.wfile.write(b"0\r\n\r\n")

    # --- the stream

    def texts(self):
        reply = self.server.reply + (ESCAPES if self.fault("escapes") is not None else "")
        words = reply.split(" ")
        for n, word in enumerate(words):
            yield word + (" " if n + 1 < len(words) else "")

    @staticmethod
    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode()

    def split(self, text):
        """The bytes of the text, each in an event of its own: not valid UTF-8 by itself."""
        for byte in text.encode():
            raw = bytes([byte]) if byte not in b'"\\' and byte >= 32 else b" "
            yield b'{"choices":[{"index":0,"delta":{"content":"' + raw + b'"}}]}'

    def odd_events(self):
        """What a fault puts into the middle of the stream."""
        if self.fault("types") is not None:
            yield from (b'{"choices":7}', b'{"choices":[[]]}', b'{"choices":[{"delta":"x"}]}')
            yield from (self.chunk({"content": {"a": 1}}), self.chunk({"content": 17}, 5))
        if self.fault("null-content") is not None:
            yield from (self.chunk({"content": None}), self.chunk({}), b'{"choices":[]}')
            yield self.chunk({"reasoning_content": "thinking", "content": None})
        if self.fault("bad-json") is not None:
            yield b'{"choices":[{"delta":{"content":'
        if self.fault("deep") is not None:
            yield b"[" * 100000
        if self.fault("huge-line") is not None:
            yield self.chunk({"content": "x" * (8 << 20)})
        if self.fault("error-event") is not None:
            yield json.dumps({"error": {"message": "the GPU fell off"}}).encode()

    def events(self):
        yield self.chunk({"role": "assistant", "content": ""})
        for n, text in enumerate(self.texts()):
            if n == 1:
                yield from self.odd_events()
            if self.fault("split-utf8") is not None:
                yield from self.split(text)
            else:
                yield self.chunk({"content": text})
        while self.fault("endless") is not None:
            yield self.chunk({"content": "and on "})
        if self.fault("no-done") is None:
            yield self.chunk({}, "stop")
            yield b"[DONE]"


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0, reply="Hello there, how are you?", transcript="hello there", models=None,
                 key=None, faults=None, log=None):
        self.reply, self.transcript, self.key = reply, transcript, key
        self.models = models or ["fake-model"]
        self.faults = dict(faults or {})
        self.loading = int(self.faults.get("loading") or 0)
        self.requests = []  # (method, path, headers, body) as they came
        self.log = log
        self.ended = threading.Event()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def note(self, line, headers, body):
        with self.lock:
            self.requests.append((line[0], line[1], headers, body))
            if self.log:
                entry = {"method": line[0], "path": line[1], "headers": headers,
                         "body": body.decode("latin-1")}
                self.log.write(json.dumps(entry) + "\n")
                self.log.flush()

    def still_loading(self):
        with self.lock:
            self.loading -= 1
            return self.loading >= 0

    def wait_for_end(self):
        self.ended.wait()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self.url

    def __exit__(self, *_):
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""
        if not isinstance(sys.exc_info()[1], (OSError, socket.timeout)):
            super().handle_error(request, client_address)


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--reply", default="Hello there, how are you?")
    p.add_argument("--transcript", default="hello there")
    p.add_argument("--model", action="append")
    p.add_argument("--key")
    p.add_argument("--fault", action="append", default=[])
    p.add_argument("--log", type=argparse.FileType("w"))
    a = p.parse_args()
    faults = {name: value for name, _, value in (f.partition("=") for f in a.fault)}
    with Server(a.port, a.reply, a.transcript, a.model, a.key, faults, a.log) as url:
        print(url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()

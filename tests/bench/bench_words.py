#!/usr/bin/env python3
"""bench_words - word error rate through the whole path of `hullo ask`: file, resampling, voice
detection, cutting, speech-to-text. The language model is a server that says "ok", so that only
hearing takes time.

    bench_words.py [LIST] [--composed N] [--show]

LIST: real sentences, clip TAB words (speech.py says where the clips come from); without it they are
left out. HULLO_BENCH_LIST names one too. N recordings of each kind are composed of real words
(numbers, dates, times, sums, codes, spelled codes); some sentences, numbers and dates are synthetic.
Prints one JSON object; real and synthetic apart. Target: real sentences under 7 %.
"""

import argparse
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

import speech
import wer
from measure import HULLO, emit, has_models, load, skip


class Ok(http.server.BaseHTTPRequestHandler):
    """A chat server of one word."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        message = {"role": "assistant", "content": "ok"}
        body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def transcripts(files):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ok)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [HULLO, "ask", "--json", "-q", "--llm-url", "http://127.0.0.1:%d/v1" % server.server_port]
    done = subprocess.run(command + [str(f) for f in files], stdout=subprocess.PIPE, text=True)
    server.shutdown()
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    if len(replies) != len(files):
        sys.exit("hullo ask: exit status %d after %d of %d" % (done.returncode, len(replies), len(files)))
    return [r["transcript"] for r in replies]


SYNTHETIC_NUMBERS = [
    "Call me at five five five, one two three four.",
    "The total is three hundred and forty two dollars.",
    "My code is seven nine zero four.",
    "The meeting is on March third at ten fifteen.",
    "She was born on July fourth nineteen eighty four.",
    "Set a timer for twenty five minutes.",
    "What is seventeen times six?",
    "The train leaves at six forty five.",
]


def real(args, folder):
    """Groups of recordings, by name."""
    if not speech.have_real():
        return {}
    groups = {"sentences": speech.listed(args.list)} if args.list else {}
    for kind in ("number", "date", "time", "sum", "code", "phonetic"):
        groups[kind] = speech.composed(kind, args.composed, folder)
    return groups


def rate(items, heard, show):
    """Errors over all words of a group, and how many recordings were heard without any."""
    wrong = words = perfect = 0
    for (path, said, _), got in zip(items, heard):
        e, n = wer.errors(said, got)
        wrong, words, perfect = wrong + e, words + n, perfect + (e == 0)
        if e and show:
            print("%d/%d %s: said '%s', heard '%s'" % (e, n, path.stem, said, got), file=sys.stderr)
    rates = {"wer_percent": round(100 * wrong / words, 2)} if words else {}
    return {**rates, "errors": wrong, "words": words, "perfect": perfect, "n": len(items)}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("list", nargs="?", default=os.environ.get("HULLO_BENCH_LIST") or None)
    p.add_argument("--composed", type=int, default=12, help="recordings of each composed kind")
    p.add_argument("--show", action="store_true", help="what was heard wrongly, on stderr")
    args = p.parse_args()
    if not has_models():
        skip("words", "the models are not installed: `hullo models pull`")
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"real": real(args, folder)}
        kinds["synthetic"] = {
            "sentences": speech.synthetic(speech.QUESTIONS, folder),
            "numbers": speech.synthetic(SYNTHETIC_NUMBERS, folder, "number"),
        }
        items = [i for groups in kinds.values() for group in groups.values() for i in group]
        if not items:
            skip("words", "no recordings, and no other voice: see tests/bench/README.md")
        heard = iter(transcripts([path for path, _, _ in items]))
        rates = {
            kind: {name: rate(group, [next(heard) for _ in group], args.show) for name, group in groups.items()}
            for kind, groups in kinds.items()
        }
    emit("words", before, unit="word errors", target={"real": {"sentences": {"wer_percent": 7}}}, **rates)


if __name__ == "__main__":
    main()

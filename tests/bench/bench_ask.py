#!/usr/bin/env python3
"""bench_ask - how soon `hullo ask` answers: ms from the end of the input to each stage, models warm.

    bench_ask.py [--count N] [--max-tokens N] [-- OPTION of hullo ask ...]

One process hears a warm-up question that does not count, then N real questions (sums of recorded
digits and letters) and N synthetic ones (voices that hullo does not speak with), in turn, so that
both meet the same machine. --max-tokens shortens the replies: it saves time after what is measured.
Prints one JSON object. Target: median of first_audio under 600 ms on 2 quiet cores.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile

import speech
from measure import HULLO, emit, has_models, load, skip, summary

STAGES = ("heard", "first_token", "first_clause", "first_audio")


def questions(count, folder):
    real = []
    if speech.have_real():
        real = speech.composed("sum", count - count // 2, folder)
        real += speech.composed("letter-sum", count // 2, folder)
    synthetic = speech.synthetic(speech.QUESTIONS[:count], folder)
    pairs = itertools.zip_longest([(i, "real") for i in real], [(i, "synthetic") for i in synthetic])
    return [q for pair in pairs for q in pair if q is not None]


def stages(replies):
    ok = [r for r in replies if r["status"] == "ok"]
    out = {s: summary([r["latency_ms"][s] for r in ok]) for s in STAGES}
    out["failed"] = len(replies) - len(ok)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--count", type=int, default=20, help="questions of each kind, at most 20 synthetic")
    p.add_argument("--max-tokens", type=int, default=40)
    p.add_argument("--show", action="store_true", help="each reply on stderr")
    p.add_argument("options", nargs="*", help="for hullo ask, after --")
    args = p.parse_args()
    if not has_models():
        skip("ask", "the models are not installed: `hullo models pull`")
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        asked = questions(args.count, folder)
        if not asked:
            skip("ask", "no recordings, and no other voice: see tests/bench/README.md")
        files = [str(asked[0][0][0])] + [str(item[0]) for item, _ in asked]
        command = [HULLO, "ask", "--json", "-q", "-o", folder + "/replies/"]
        command += ["--max-tokens", str(args.max_tokens), *args.options, *files]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    replies = [json.loads(line) for line in done.stdout.splitlines()][1:]
    if len(replies) != len(asked):
        sys.exit("hullo ask: exit status %d after %d of %d" % (done.returncode, len(replies), len(asked)))
    kinds = {}
    for ((_, words, _), kind), reply in zip(asked, replies):
        kinds.setdefault(kind, []).append(reply)
        if args.show:
            print(reply["latency_ms"], words, "|", reply["transcript"], "|", reply["text"], file=sys.stderr)
    emit(
        "ask",
        before,
        unit="ms after the end of the input",
        target={"first_audio": {"median": 600}},
        all=stages(replies),
        **{kind: stages(r) for kind, r in kinds.items()},
    )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""bench_room - the response gap of a conversation in the virtual room: from the last sample of the
question at the microphone to the first sample of the answer at the loudspeaker.

    bench_room.py [--count N] [--max-tokens N] [--show] [-- OPTION of hullo chat ...]

The real hullo hears N questions, each 1.5 s after the answer to the one before; the gap is read from
the indices of the room's recording (tests/room), and the one that hullo prints stands beside it.
Prints one JSON object. Target: median under 1200 ms.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "room"))

import speech  # noqa: E402
from measure import HULLO, emit, has_models, load, skip, summary  # noqa: E402
from room import SPEAKER, USER, Room, plugin_folder  # noqa: E402

LOADING_MS = 8000  # the first question comes when the models are there
BETWEEN_MS = 1500


def questions(count, folder):
    """Half real sums, half synthetic."""
    items = speech.synthetic(speech.QUESTIONS[:count], folder)
    if speech.have_real():
        real = speech.composed("sum", (count + 1) // 2, folder)
        items = [i for pair in zip(real, items) for i in pair]
    return items[:count]


def user_knob(items):
    knobs = ["at:%d %s" % (LOADING_MS, items[0][0])]
    return knobs + ["silence:%d %s" % (BETWEEN_MS, path) for path, _, _ in items[1:]]


def wait_turns(room, count, seconds):
    """Until hullo has told of `count` turns, or nothing happens for too long."""
    told, since = 0, time.monotonic()
    while time.monotonic() - since < seconds and room.process.poll() is None:
        lines = room.stdout.count("\n")
        if lines > told:
            told, since = lines, time.monotonic()
        if told >= count and len(room.events("speaker_off")) >= count:
            break
        time.sleep(0.1)


def gaps_ms(room):
    """For each question that was asked: ms, or None when no answer came before the next one."""
    heard = room.recording()
    starts = [e["at"] for e in room.events("user_start")]
    ends = [e["at"] for e in room.events("user_end")]
    out = []
    for i, (start, end) in enumerate(zip(starts, ends)):
        last = heard.last_loud(USER, start, end)
        until = starts[i + 1] if i + 1 < len(starts) else None
        first = heard.first_loud(SPEAKER, last + 1, until) if last is not None else None
        out.append(heard.ms(first - last) if first is not None else None)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--count", type=int, default=8)
    p.add_argument("--max-tokens", type=int, default=40)
    p.add_argument("--show", action="store_true", help="each turn on stderr")
    p.add_argument("options", nargs="*", help="for hullo chat, after --")
    args = p.parse_args()
    if not (plugin_folder() / "libasound_module_pcm_room.so").exists():
        skip("room", "no room: `make room`")
    if not has_models():
        skip("room", "the models are not installed: `hullo models pull`")
    before = load()
    with tempfile.TemporaryDirectory() as folder:
        asked = questions(args.count, folder)
        if not asked:
            skip("room", "no recordings, and no other voice: see tests/bench/README.md")
        with Room(Path(folder) / "room", user=user_knob(asked)) as room:
            room.start([HULLO, "chat", "--no-input", "--json", "--max-tokens", args.max_tokens, *args.options])
            wait_turns(room, len(asked), 45)
            room.stop()
            told = [json.loads(line) for line in room.stdout.splitlines()]
            gaps = gaps_ms(room)
            if not gaps:
                sys.exit("hullo chat asked nothing: %s" % room.stderr)
            xruns = len(room.events("xrun"))
        if args.show:
            print(room.stderr, *told, *gaps, sep="\n", file=sys.stderr)
    emit(
        "room",
        before,
        unit="ms from the last sample of the question to the first of the answer",
        target={"gap_ms": {"median": 1200}},
        gap_ms=summary(gaps),
        told_gap_ms=summary([t["response_gap_ms"] for t in told]),
        asked=len(gaps),
        turns=len(told),
        xruns=xruns,
    )


if __name__ == "__main__":
    main()

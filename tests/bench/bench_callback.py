#!/usr/bin/env python3
"""bench_callback - does the sound path suffer while the machine works? In the virtual room: how late
the driver's callbacks come, and how long the loudspeaker goes on after a flush.

    bench_callback.py [--seconds N] [--latency-ms N] [--load quiet,busy,llm]

Loads: quiet; busy (an endless loop at normal priority for each core); llm (the language model
generates on all cores: tests/bench/llm_loop, with --model or the first model that hullo has
fetched). Prints one JSON object; times in ms.

Lateness of a callback is its time against the earliest that callbacks came, by the samples before
it. Flush to silence is from the moment of the flush to the last sample that the loudspeaker sounded,
the fade and what was in the device's buffer included.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parents[1] / "build")).resolve()
sys.path.insert(0, str(HERE.parent / "room"))

from room import SPEAKER, Room  # noqa: E402

EDGES = [0.25, 0.5, 1, 2, 5, 10, 20, 50]


def summary(values, edges=None):
    """Median, percentiles, count and, with edges, a histogram of numbers."""
    if not values:
        return {"n": 0}
    v = sorted(values)
    at = lambda q: round(v[min(len(v) - 1, int(len(v) * q))], 3)
    out = {"n": len(v), "median": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": round(v[-1], 3)}
    if edges:
        low, bins = 0, {}
        for edge in edges + [float("inf")]:
            name = "<%g" % edge if edge != float("inf") else ">=%g" % low
            bins[name] = sum(1 for x in v if low <= x < edge)
            low = edge
        out["histogram"] = bins
    return out


def lateness_ms(callbacks, rate):
    """By runs: an xrun restarts the stream, and with it the grid that callbacks should be on."""
    late, frames = [], 0
    for ns, n in callbacks:
        late.append(ns / 1e6 - frames * 1000 / rate)
        frames += n
    late = late[10:]
    out, window = [], 200  # the grid: the earliest of the callbacks around
    for i, x in enumerate(late):
        out.append(x - min(late[max(0, i - window) : i + window + 1]))
    return out


def flush_to_silence_ms(heard, clock_ns, flushes):
    out = []
    for ns in flushes:
        at = int((ns - clock_ns) * heard.rate / 1e9)
        last = heard.last_loud(SPEAKER, max(0, at - heard.rate // 10), at + heard.rate * 19 // 100, 1)
        if last is not None:
            out.append(heard.ms(last - at))
    return out


def busy_loop():
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def model_path(args):
    """--model, or a language model among those that hullo has fetched."""
    if args.model:
        return args.model
    data = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share"
    models = pathlib.Path(os.environ.get("HULLO_MODELS_DIR") or pathlib.Path(data) / "hullo/models")
    return next(iter(sorted(map(str, models.glob("*/*.gguf")))), None)


def start_llm(args, stack):
    model, program = model_path(args), BUILD / "bench" / "llm_loop"
    if model is None or not program.exists():
        return False
    loop = subprocess.Popen([str(program), model], stdout=subprocess.PIPE, text=True)
    stack.callback(loop.wait)
    stack.callback(loop.kill)
    if not loop.stdout.readline().startswith("ready"):
        return False
    time.sleep(1)
    return loop.poll() is None


def start_load(load, args, stack):
    if load == "llm":
        return start_llm(args, stack)
    if load == "busy":
        for _ in range(os.cpu_count() or 1):
            loop = busy_loop()
            stack.callback(loop.wait)
            stack.callback(loop.kill)
    return True


def measure(load, args):
    with contextlib.ExitStack() as stack:
        if not start_load(load, args, stack):
            return {"skipped": "no language model"}
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        room = stack.enter_context(Room(folder))
        status = room.run(
            [BUILD / "bench" / "flush_probe", args.seconds, args.latency_ms], timeout=args.seconds + 30
        )
        if status != 0:
            sys.exit("flush_probe: exit status %d\n%s" % (status, room.stderr))
        told, heard = json.loads(room.stdout), room.recording()
        return {
            "callback_late_ms": summary(lateness_ms(told["callbacks"], told["rate"]), EDGES),
            "flush_to_silence_ms": summary(
                flush_to_silence_ms(heard, room.clock_ns(), told["flush_ns"]), [10, 20, 30, 40, 60, 100]
            ),
            "xruns": len(room.events("xrun")),
            "underruns": told["underruns"],
            "overruns": told["overruns"],
            "reported_latency_ms": [told["in_latency_ms"], told["out_latency_ms"]],
        }


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seconds", type=float, default=15)
    p.add_argument("--latency-ms", type=int, default=20)
    p.add_argument("--load", default="quiet,busy,llm")
    p.add_argument("--model", help="GGUF file for the load llm")
    args = p.parse_args()
    loads = {load: measure(load, args) for load in args.load.split(",")}
    print(
        json.dumps(
            {"bench": "callback", "unit": "ms", "latency_ms": args.latency_ms, "cores": os.cpu_count(), "load": loads}
        )
    )


if __name__ == "__main__":
    main()

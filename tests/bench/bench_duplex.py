#!/usr/bin/env python3
"""bench_duplex - barge-in and echo in many rooms: the whole chain, closed loop, faster than real time.

    bench_duplex.py [--hours H] [--rooms NAME,...] [--level low|medium|high] [--trace FOLDER] [--keep FOLDER]

Prints one JSON object, and a table for people on stderr. README.md says what is measured and how.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duplex_rooms
import speech
from measure import BUILD, cache_folder, emit, load, quantile, skip
from duplex_noises import KINDS

RUN = BUILD / "bench" / "duplex_run"
MISSED_MS = 1900
COUNTS = {"real": 40, "synthetic": 8, "noise": 20, "backchannel": 12}


def run_room(room, folder, args):
    """What happened in a room: lists of trials and false alarms, and its last line."""
    counts = {k: max(1, round(v * args.trials)) if args.trials else 0 for k, v in COUNTS.items()}
    if room in duplex_rooms.ERLE:
        counts = {}
    plan = duplex_rooms.plan(room, folder, args.alone_s, **counts)
    command = [RUN, "--level", args.level]
    if args.trace:
        command += ["--trace", Path(args.trace) / (room.name + ".trace")]
    done = subprocess.run([*map(str, command), str(plan)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: %s" % (room.name, done.stderr.strip()))
    if args.trace:
        (Path(args.trace) / (room.name + ".jsonl")).write_text(done.stdout)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    trials = [dict(line, room=room.name, echo_db=room.echo_db) for line in lines if line["type"] == "trial"]
    return {
        "room": room,
        "trials": trials,
        "false": [line for line in lines if line["type"] == "false"],
        **lines[-1],
    }


def rounded(x, digits=1):
    return None if x is None else round(x, digits)


def percent(part, whole):
    return rounded(100 * part / whole, 2) if whole else None


def is_missed(t):
    return t["stop_ms"] is None or t["stop_ms"] > MISSED_MS


def interruptions(trials):
    """Missed, and the stop latency of the others."""
    caught = [t["silent_ms"] for t in trials if not is_missed(t)]
    return {
        "n": len(trials),
        "missed": len(trials) - len(caught),
        "missed_percent": percent(len(trials) - len(caught), len(trials)),
        "latency_p50_ms": rounded(quantile(caught, 0.5), 0) if caught else None,
        "latency_p90_ms": rounded(quantile(caught, 0.9), 0) if caught else None,
        "decided_p50_ms": rounded(quantile([t["stop_ms"] for t in trials if not is_missed(t)], 0.5), 0) if caught else None,
    }


def disturbances(trials):
    """How many stopped, held or ducked a reply, and how long a hold lasted that came to nothing."""
    held = [t for t in trials if t["hold_ms"] is not None]
    back = [t["resumed_ms"] - t["silent_ms"] for t in held if t["stop_ms"] is None and t["resumed_ms"]]
    stopped = sum(t["stop_ms"] is not None for t in trials)
    return {
        "n": len(trials),
        "stopped": stopped,
        "stopped_percent": percent(stopped, len(trials)),
        "held_percent": percent(len(held), len(trials)),
        "ducked_percent": percent(sum(t["duck_ms"] is not None for t in trials), len(trials)),
        "held_p50_ms": rounded(quantile(back, 0.5), 0) if back else None,
        "held_p90_ms": rounded(quantile(back, 0.9), 0) if back else None,
    }


def by_echo(trials):
    """The issue's classes, and each level alone."""
    levels = sorted({t["echo_db"] for t in trials})
    out = {"at_or_below_user": interruptions([t for t in trials if t["echo_db"] <= 0])}
    for level in levels:
        out["%+g" % level] = interruptions([t for t in trials if t["echo_db"] == level])
    return out


def playback(results):
    hours = sum(r["alone_s"] for r in results) / 3600
    later = {k: sum(r["later"][k] for r in results) for k in ("stops", "holds", "ducks")}
    return {
        "hours": rounded(hours, 3),
        "stops": later["stops"],
        "stops_per_hour": rounded(later["stops"] / hours, 2),
        "holds_per_hour": rounded(later["holds"] / hours, 1),
        "ducks_per_hour": rounded(later["ducks"] / hours, 1),
        "first_2s": {
            "rooms": len(results),
            "stopped": sum(r["first"]["stops"] > 0 for r in results),
            "held": sum(r["first"]["holds"] > 0 for r in results),
            "ducked": sum(r["first"]["ducks"] > 0 for r in results),
        },
        "hopeless_percent": rounded(100 * sum(r["hopeless"] for r in results) / len(results), 2),
    }


def summed(results):
    trials = [t for r in results for t in r["trials"]]
    of = lambda *classes: [t for t in trials if t["class"] in classes]
    return {
        "playback": playback(results),
        "interruptions": by_echo(of("user")),
        "interruptions_synthetic": by_echo(of("user-synthetic")),
        "noises_synthetic": {"all": disturbances(of(*KINDS)), **{k: disturbances(of(k)) for k in KINDS}},
        "backchannels_synthetic": disturbances(of("backchannel")),
        "erle_after_5s_db": {r["room"].name: r["erle_db"] for r in results},
        "cpu_percent": rounded(100 * sum(r["cpu_s"] for r in results) / sum(r["run_s"] for r in results), 2),
    }


def say(*words):
    print(*words, file=sys.stderr)


def table(out):
    """The main figures, for people."""
    for name in ("train", "held_out"):
        s = out.get(name)
        if not s:
            continue
        p, first = s["playback"], s["playback"]["first_2s"]
        say("\n%s: %.2f h of playback" % (name, p["hours"]))
        say("  self-interruptions per hour      %6.2f  (%d); holds %.1f, ducks %.1f" % (p["stops_per_hour"], p["stops"], p["holds_per_hour"], p["ducks_per_hour"]))
        say("  in the first 2 s                 %d of %d rooms; held %d, ducked %d" % (first["stopped"], first["rooms"], first["held"], first["ducked"]))
        for group in ("interruptions", "interruptions_synthetic"):
            for level, i in s[group].items():
                if i["n"]:
                    say("  %-14s %-17s n %4d  missed %5.1f %%  p50 %4s  p90 %4s ms" % (group[:14] + ("*" if "synth" in group else ""), level, i["n"], i["missed_percent"], i["latency_p50_ms"], i["latency_p90_ms"]))
        for kind, d in [*s["noises_synthetic"].items(), ("backchannels", s["backchannels_synthetic"])]:
            if d["n"]:
                say("  %-32s n %4d  stop %5.1f %%  hold %5.1f %%  duck %5.1f %%  back after %s ms" % (kind + "*", d["n"], d["stopped_percent"], d["held_percent"], d["ducked_percent"], d["held_p50_ms"]))
        say("  CPU                              %.2f %% of a core" % s["cpu_percent"])
        say("  ERLE after 5 s                   " + " ".join("%s %.0f" % x for x in s["erle_after_5s_db"].items()))
        say("* synthetic")
    for name, e in out["erle_db"].items():
        say("ERLE %s: %.1f dB in the first 2 s, %.1f after 5 s" % (name, e["first_2s"], e["after_5s"]))


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--hours", type=float, default=float(os.environ.get("BENCH_HOURS", 0)), help="of playback, in all")
    p.add_argument("--rooms", help="names, or train, held-out, erle")
    p.add_argument("--level", default="medium")
    p.add_argument("--trials", type=float, default=1, help="so many times the usual number; 0: playback alone")
    p.add_argument("--trace", help="a folder for a line per frame, and the events, of each room")
    p.add_argument("--keep", help="a folder for the plans")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    return p.parse_args()


def chosen(names):
    rooms = duplex_rooms.TRAIN + duplex_rooms.held_out() + duplex_rooms.ERLE
    groups = {"train": duplex_rooms.TRAIN, "held-out": [r for r in rooms if r.held_out], "erle": duplex_rooms.ERLE}
    wanted = names.split(",") if names else list(groups)
    return [r for r in rooms if r.name in wanted or any(w in groups and r in groups[w] for w in wanted)]


def main():
    args = options()
    if not RUN.exists():
        skip("duplex", "no program: `make bench-duplex`")
    if not speech.have_real():
        skip("duplex", "no recordings: see tests/bench/README.md")
    rooms = chosen(args.rooms)
    args.alone_s = max(120, round(args.hours * 3600 / len(rooms)))
    before, began = load(), time.monotonic()
    sounds = Path(args.keep) if args.keep else cache_folder("duplex")
    with ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda room: run_room(room, sounds, args), rooms))
    out = {}
    for name, held_out in (("train", False), ("held_out", True)):
        of = [r for r in results if r["room"].held_out == held_out and r["room"] not in duplex_rooms.ERLE]
        if of:
            out[name] = summed(of)
    out["erle_db"] = {
        r["room"].name: {"first_2s": r["erle_first_db"], "after_5s": r["erle_db"]}
        for r in results
        if r["room"] in duplex_rooms.ERLE
    }
    table(out)
    ran = sum(r["run_s"] for r in results)
    emit("duplex", before, **out, times_real_time=rounded(ran / (time.monotonic() - began)))


if __name__ == "__main__":
    main()

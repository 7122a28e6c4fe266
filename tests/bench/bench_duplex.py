#!/usr/bin/env python3
"""bench_duplex - barge-in and echo in many rooms: the whole chain, closed loop, faster than real time.

    bench_duplex.py [--hours H] [--rooms NAME,...] [--level low|medium|high] [--trace FOLDER]

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

import duplex_live
import duplex_rooms
import duplex_side
import duplex_table
import speech
from duplex_noises import KINDS
from duplex_table import percent, rounded, say
from measure import BUILD, HULLO, cache_folder, emit, load, quantile, skip
from room import plugin_folder

RUN, REPLAY = BUILD / "bench" / "duplex_run", BUILD / "bench" / "duplex_replay"
MISSED_MS = 1900
# At least these; the first four: per hour, percent, ms, with the echo at or below the user.
TARGET = {
    "stops_per_hour": 2,
    "missed_percent": 2,
    "latency_p50_ms": 200,
    "latency_p90_ms": 350,
    "at_6_db": {"latency_p50_ms": 320, "missed_percent": 5},
    "first_2s_stopped_rooms_of_16": 1,
    "noises_stopped_percent": 10,
    "backchannels_stopped_percent": 15,
    "decision_to_silence_ms": 30,
    "truncation_off_ms": 20,
    "erle_db": {"mild": 30, "moderate": 20},
    "gain_db": -2,
    "cpu_percent": 2,
}
OPENINGS = 4  # of a room: first playbacks, each with other words
COUNTS = {"real": 40, "synthetic": 8, "noise": 20, "backchannel": 12, "piper": 3}


def run_plan(room, plan, *options):
    """The lines that duplex_run prints."""
    done = subprocess.run([str(RUN), *options, str(plan)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: %s" % (room.name, done.stderr.strip()))
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_room(room, sounds, args):
    """What happened in a room: lists of trials and false alarms, its last line, and how other first
    playbacks in it began."""
    erle = room in duplex_rooms.ERLE
    counts = {k: max(1, round(v * args.trials)) if args.trials and not erle else 0 for k, v in COUNTS.items()}
    options = ["--level", args.level]
    with tempfile.TemporaryDirectory() as folder:
        openings = [
            run_plan(room, duplex_rooms.plan(room, folder, sounds, 3, opening), *options)[-1]
            for opening in range(1, 1 if erle else OPENINGS)
        ]
        if args.trace:
            options += ["--trace", str(Path(args.trace) / (room.name + ".trace"))]
        plan = duplex_rooms.plan(room, folder, sounds, 60 if erle else args.alone_s, **counts)
        lines = run_plan(room, plan, *options, *(["--resample", "48000"] if erle else []))
    if args.trace:
        (Path(args.trace) / (room.name + ".jsonl")).write_text("".join(json.dumps(line) + "\n" for line in lines))
    trials = [dict(line, room=room.name, echo_db=room.echo_db) for line in lines if line["type"] == "trial"]
    later = lines[-1]["later"]
    say("%s: %d s, stops %d, holds %d" % (room.name, lines[-1]["run_s"], later["stops"], later["holds"]))
    return {
        "room": room,
        "trials": trials,
        "false": [line for line in lines if line["type"] == "false"],
        **lines[-1],
        "openings": [lines[-1]["first"]] + [o["first"] for o in openings],
    }


def is_missed(t):
    return t["stop_ms"] is None or t["stop_ms"] > MISSED_MS


def interruptions(trials):
    """Missed, and the stop latency of the others."""
    caught = [t["silent_ms"] for t in trials if not is_missed(t)]
    decided = [t["stop_ms"] for t in trials if not is_missed(t)]
    return {
        "n": len(trials),
        "missed": len(trials) - len(caught),
        "missed_percent": percent(len(trials) - len(caught), len(trials)),
        "latency_p50_ms": rounded(quantile(caught, 0.5), 0) if caught else None,
        "latency_p90_ms": rounded(quantile(caught, 0.9), 0) if caught else None,
        "decided_p50_ms": rounded(quantile(decided, 0.5), 0) if caught else None,
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
            "stopped_in_rooms": sum(any(o["stops"] for o in r["openings"]) for r in results),
            "openings": sum(len(r["openings"]) for r in results),
            **{k: sum(o[k] > 0 for r in results for o in r["openings"]) for k in ("stops", "holds", "ducks")},
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
        "backchannels_synthetic": {
            "all": disturbances(of("backchannel", "backchannel-piper")),
            "piper": disturbances(of("backchannel-piper")),
        },
        "erle_after_5s_db": {r["room"].name: r["erle_db"] for r in results},
        "cpu_percent": rounded(100 * sum(r["cpu_s"] for r in results) / sum(r["run_s"] for r in results), 2),
    }


# --- the real program, in real time

LIVE_ROOMS = ("t02", "t05", "t10", "h02")
LIVE_TRIALS = 5
LIVE_DEVICES_MS = 42  # of a room's delay, what the devices take in both directions


def run_live(room, folder, args):
    """A conversation in which the user speaks over each reply."""
    users = duplex_rooms.real_users(room, LIVE_TRIALS + 1)
    said = [
        duplex_live.Said("at:2500" if i == 0 else "sound:%d" % wait, path, room.user_db + db)
        for i, (_, wait, db, path) in enumerate(users)
    ]
    knobs = {
        "echo": "delay:%d t60:%d seed:%d" % (max(0, room.delay_ms - LIVE_DEVICES_MS), room.t60_ms, room.seed),
        "drift_ppm": room.ppm,
        "noise_db": room.noise_db,
        "drive": room.drive,
    }
    levels = {"echo_db": room.echo_db, "user_db": room.user_db}
    with duplex_live.Live(
        HULLO, REPLAY, Path(folder) / room.name, said, level=args.level, **levels, **knobs
    ) as live:
        return live.run(timeout=180)


def live_part(args):
    """Figures of a sample of the rooms, one after the other: they are in real time."""
    wanted = [] if args.live == "none" else args.live.split(",") if args.live else LIVE_ROOMS
    rooms = [r for r in duplex_rooms.TRAIN + duplex_rooms.held_out() if r.name in wanted]
    if rooms and not (plugin_folder() / "libasound_module_pcm_room.so").exists():
        say("no live part: there is no virtual room (`make room`)")
        return {}
    with tempfile.TemporaryDirectory() as folder:
        return duplex_live.summed([run_live(room, folder, args) for room in rooms]) if rooms else {}


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--hours", type=float, default=float(os.environ.get("BENCH_HOURS", 0)), help="of playback, in all")
    p.add_argument("--rooms", help="names, or train, held-out, erle")
    p.add_argument("--level", default="medium")
    p.add_argument("--trials", type=float, default=1, help="so many times the usual number; 0: playback alone")
    p.add_argument("--trace", help="a folder for a line per frame, and the events, of each room")
    p.add_argument("--peers", choices=("no", "yes", "only"), default="yes", help="the side by side")
    p.add_argument("--live", help="rooms in which the real program is tried, in real time; none")
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
    args.alone_s = max(120, round(args.hours * 3600 / max(1, sum(r not in duplex_rooms.ERLE for r in rooms))))
    before, began = load(), time.monotonic()
    sounds = cache_folder("duplex")
    with ThreadPoolExecutor(args.jobs) as pool:
        results = [] if args.peers == "only" else list(pool.map(lambda r: run_room(r, sounds, args), rooms))
        python = None if args.peers == "no" else duplex_side.peer_python()
        peers = [] if args.peers == "no" else list(pool.map(lambda r: duplex_side.run_peers(r, sounds, python), rooms))
    out = {}
    for name, held_out in (("train", False), ("held_out", True)):
        of = [r for r in results if r["room"].held_out == held_out and r["room"] not in duplex_rooms.ERLE]
        if of:
            out[name] = summed(of)
    erle = [r for r in results if r["room"] in duplex_rooms.ERLE]
    out["erle_db"] = {r["room"].name: {"first_2s": r["erle_first_db"], "after_5s": r["erle_db"]} for r in erle}
    if erle:
        out["cpu_percent_with_48_khz_devices"] = rounded(
            100 * sum(r["cpu_s"] + r["resampling_cpu_s"] for r in erle) / sum(r["run_s"] for r in erle), 2
        )
    out["side_by_side"] = duplex_side.side_by_side(peers) if peers else {}
    out["live"] = live_part(args)
    duplex_table.show(out)
    ran = sum(r["run_s"] for r in results)
    emit("duplex", before, target=TARGET, **out, times_real_time=rounded(ran / (time.monotonic() - began)))


if __name__ == "__main__":
    main()

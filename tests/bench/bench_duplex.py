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

import duplex_live
import duplex_rooms
import speech
from measure import BUILD, HULLO, TOP, cache_folder, emit, load, quantile, skip
from duplex_noises import KINDS
from room import plugin_folder

HERE = Path(__file__).resolve().parent
RUN, PEERS, REPLAY = (BUILD / "bench" / name for name in ("duplex_run", "duplex_peers", "duplex_replay"))
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
COUNTS = {"real": 40, "synthetic": 8, "noise": 20, "backchannel": 12}


def run_plan(room, plan, *options):
    """The lines that duplex_run prints."""
    done = subprocess.run([str(RUN), *options, str(plan)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: %s" % (room.name, done.stderr.strip()))
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_room(room, folder, args):
    """What happened in a room: lists of trials and false alarms, its last line, and how other first
    playbacks in it began."""
    erle = room in duplex_rooms.ERLE
    counts = {k: max(1, round(v * args.trials)) if args.trials and not erle else 0 for k, v in COUNTS.items()}
    options = ["--level", args.level]
    plan = duplex_rooms.plan(room, folder, 60 if erle else args.alone_s, **counts)
    openings = [
        run_plan(room, duplex_rooms.plan(room, folder, 3, opening), *options)[-1]
        for opening in range(1, 1 if erle else OPENINGS)
    ]
    if args.trace:
        options += ["--trace", str(Path(args.trace) / (room.name + ".trace"))]
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
        "backchannels_synthetic": disturbances(of("backchannel")),
        "erle_after_5s_db": {r["room"].name: r["erle_db"] for r in results},
        "cpu_percent": rounded(100 * sum(r["cpu_s"] for r in results) / sum(r["run_s"] for r in results), 2),
    }


def say(*words):
    print(*words, file=sys.stderr)


# --- the same scenes, recorded, for several front ends

PEER_TRIALS, PEER_ALONE_S = 16, 90
FRONTS = ("chain", "speex", "preprocess", "nothing")
HZ = 16000


def record(room, folder, counts):
    """A tape of the room in which the assistant never stops; its prefix."""
    plan = duplex_rooms.plan(room, folder, PEER_ALONE_S, real=counts)
    prefix = str(Path(folder) / room.name)
    done = subprocess.run([str(RUN), "--record", prefix, str(plan)], capture_output=True, text=True, check=True)
    trials = [json.loads(line) for line in done.stdout.splitlines()]
    with open(prefix + ".trials", "w", encoding="ascii") as f:
        for t in trials:
            if t["type"] == "trial":
                f.write("%d %d\n" % (t["at_s"] * HZ, t["at_s"] * HZ + t["said_ms"] * HZ / 1000))
    return prefix


def aec3(prefix, ppm, python):
    """Makes PREFIX.out; the CPU that it took, percent of a core."""
    done = subprocess.run(
        [python, str(HERE / "duplex_aec3.py"), prefix, str(ppm)], capture_output=True, text=True
    )
    if done.returncode != 0:
        print("AEC3: %s" % done.stderr.strip()[-300:], file=sys.stderr)
        return None
    return float(done.stdout)


def run_peers(room, python):
    """Each front end's figures for one room."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = record(room, folder, 0 if room in duplex_rooms.ERLE else PEER_TRIALS)
        fronts = list(FRONTS)
        cpu = aec3(prefix, room.ppm, python) if python else None
        if cpu is not None:
            fronts.append("file")
        out = {}
        for front in fronts:
            command = [str(PEERS), front, prefix, str(room.delay_ms), str(room.ppm)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            out["aec3" if front == "file" else front] = json.loads(done.stdout)
        if cpu is not None:
            out["aec3"]["cpu_percent"] = cpu
        return {"room": room, "fronts": out}


def peer_python():
    """The environment with the peer's packages, or None where it cannot be had."""
    requirements = str(HERE / "requirements.txt")
    made = subprocess.run(["sh", str(TOP / "deps/deps.sh"), "venv", requirements], capture_output=True, text=True)
    if made.returncode != 0:
        print("no AEC3: %s" % made.stderr.strip()[-300:], file=sys.stderr)
        return None
    return made.stdout.strip()


def one_rule(trials):
    caught = [ms for ms in trials if ms is not None]
    return {
        "n": len(trials),
        "missed_percent": percent(len(trials) - len(caught), len(trials)),
        "p50_ms": rounded(quantile(caught, 0.5), 0) if caught else None,
        "p90_ms": rounded(quantile(caught, 0.9), 0) if caught else None,
    }


def side_by_side(results):
    """Means over rooms; dB of rooms are averaged as they are."""
    out = {}
    speaking = [r for r in results if r["room"] not in duplex_rooms.ERLE]
    for front in results[0]["fronts"]:
        of = [(r["room"], r["fronts"][front]) for r in speaking if front in r["fronts"]]
        if not of:
            continue
        mean = lambda values: rounded(sum(values) / len(values))
        quiet = [f for room, f in of if room.echo_db <= 0]
        out[front] = {
            "false_per_hour": rounded(3600 * sum(f["false"] for _, f in of) / sum(f["alone_s"] for _, f in of)),
            "hours": rounded(sum(f["alone_s"] for _, f in of) / 3600, 2),
            "echo_at_or_below_user": one_rule([t for room, f in of if room.echo_db <= 0 for t in f["trials"]]),
            "echo_above_user": one_rule([t for room, f in of if room.echo_db > 0 for t in f["trials"]]),
            "gain_db": {
                "mean": mean([f["gain_db"] for _, f in of]),
                "median": mean([f["gain_median_db"] for _, f in of]),
                "at_or_below_user": mean([f["gain_db"] for f in quiet]) if quiet else None,
                "at_or_below_user_median": mean([f["gain_median_db"] for f in quiet]) if quiet else None,
            },
            "cpu_percent": mean([f["cpu_percent"] for _, f in of]),
        }
        for r in results:
            if r["room"] in duplex_rooms.ERLE and front in r["fronts"]:
                first, later = r["fronts"][front]["erle_db"]
                out[front]["erle_" + r["room"].name] = {"first_2s": first, "after_5s": later}
    return out


def show_live(live):
    if not live:
        return
    silence, offline, cut = live["decision_to_silence_ms"], live["against_offline_ms"], live["truncation_off_ms"]
    say("\nthe real program in %d rooms, real time" % live["rooms"])
    say("  interruptions                    n %d, missed %d, p50 %s, p90 %s ms; with nobody speaking: stops %d, holds %d" % (live["interruptions"], live["missed"], live["latency_p50_ms"], live["latency_p90_ms"], live["unasked"]["stop"], live["unasked"]["hold"]))
    say("  decision to silence              n %d, p50 %s, max %s ms" % (silence["n"], silence["p50"], silence["max"]))
    say("  against the offline chain        n %d, p50 %s, p90 %s ms; %d within 30 ms" % (offline["n"], offline["p50"], offline["p90"], offline["within_30"]))
    say("  truncation against samples       n %d, p50 %s, max %s ms" % (cut["n"], cut["p50"], cut["max"]))


def show_peers(out):
    if not out:
        return
    say("\nthe same scenes, one rule for all (open loop); echo <= user | above")
    for front, f in out.items():
        low, high = f["echo_at_or_below_user"], f["echo_above_user"]
        say(
            "  %-11s false/h %6.1f  missed %5s %% p50 %s p90 %s ms | %5s %% p50 %s p90 %s ms  gain %s dB (median %s)  ERLE %s %s  CPU %s %%"
            % (front, f["false_per_hour"], low["missed_percent"], low["p50_ms"], low["p90_ms"], high["missed_percent"], high["p50_ms"], high["p90_ms"],
               f["gain_db"]["mean"], f["gain_db"]["median"], f.get("erle_mild", {}).get("after_5s"), f.get("erle_moderate", {}).get("after_5s"), f["cpu_percent"])
        )


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
    with duplex_live.Live(
        HULLO, REPLAY, Path(folder) / room.name, said, echo_db=room.echo_db, user_db=room.user_db, level=args.level, **knobs
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


def table(out):
    """The main figures, for people."""
    for name in ("train", "held_out"):
        s = out.get(name)
        if not s:
            continue
        p, first = s["playback"], s["playback"]["first_2s"]
        say("\n%s: %.2f h of playback" % (name, p["hours"]))
        say("  self-interruptions per hour      %6.2f  (%d); holds %.1f, ducks %.1f" % (p["stops_per_hour"], p["stops"], p["holds_per_hour"], p["ducks_per_hour"]))
        say("  in the first 2 s of %d openings   stops %d, holds %d, ducks %d; stopped in %d of %d rooms" % (first["openings"], first["stops"], first["holds"], first["ducks"], first["stopped_in_rooms"], first["rooms"]))
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
    if "cpu_percent_with_48_khz_devices" in out:
        say("CPU with devices at 48 kHz: %.2f %% of a core" % out["cpu_percent_with_48_khz_devices"])
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
    sounds = Path(args.keep) if args.keep else cache_folder("duplex")
    with ThreadPoolExecutor(args.jobs) as pool:
        results = [] if args.peers == "only" else list(pool.map(lambda r: run_room(r, sounds, args), rooms))
        python = None if args.peers == "no" else peer_python()
        peers = [] if args.peers == "no" else list(pool.map(lambda r: run_peers(r, python), rooms))
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
    out["side_by_side"] = side_by_side(peers) if peers else {}
    out["live"] = live_part(args)
    table(out)
    show_live(out["live"])
    show_peers(out["side_by_side"])
    ran = sum(r["run_s"] for r in results)
    emit("duplex", before, target=TARGET, **out, times_real_time=rounded(ran / (time.monotonic() - began)))


if __name__ == "__main__":
    main()

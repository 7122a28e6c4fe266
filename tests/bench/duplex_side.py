"""Several front ends on the same scenes, open loop: a tape of each room on which the assistant never stops, and
what each makes of it (duplex_peers.c, duplex_aec3.py), with one rule for all."""

import json
import subprocess
import tempfile
from pathlib import Path

import duplex_rooms
from duplex_table import percent, rounded, say
from measure import BUILD, TOP, quantile

HERE = Path(__file__).resolve().parent
RUN, PEERS = BUILD / "bench" / "duplex_run", BUILD / "bench" / "duplex_peers"
PEER_TRIALS, PEER_ALONE_S = 16, 90
FRONTS = ("chain", "speex", "preprocess", "nothing")
HZ = 16000


def record(room, folder, sounds, count):
    """A tape of the room in which the assistant never stops; its prefix."""
    plan = duplex_rooms.plan(room, folder, sounds, PEER_ALONE_S, real=count)
    prefix = str(Path(folder) / room.name)
    command = [str(RUN), "--record", prefix, str(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
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
        say("AEC3: %s" % done.stderr.strip()[-300:])
        return None
    return float(done.stdout)


def run_peers(room, sounds, python):
    """Each front end's figures for one room."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = record(room, folder, sounds, 0 if room in duplex_rooms.ERLE else PEER_TRIALS)
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
    command = ["sh", str(TOP / "deps/deps.sh"), "venv", requirements]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        say("no AEC3: %s" % made.stderr.strip()[-300:])
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
        alone_s = sum(f["alone_s"] for _, f in of)
        quiet = [f for room, f in of if room.echo_db <= 0]
        out[front] = {
            "false_per_hour": rounded(3600 * sum(f["false"] for _, f in of) / alone_s),
            "hours": rounded(alone_s / 3600, 2),
            "echo_at_or_below_user": one_rule([t for f in quiet for t in f["trials"]]),
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

#!/usr/bin/env python3
"""bench_endpoint - what hullo adds to a realtime endpoint: the real program in the virtual room (real PortAudio
streams), a scripted endpoint on the loopback that stamps each event with the clock that the room uses.

    bench_endpoint.py [--turns N] [--starts N] [--barges N] [--call SECONDS] [--sessions N] [--cuts N] [--only PART,...]

Parts: wire (microphone to wire, first audio delta to loudspeaker, gaps in replies that come as services send them:
200 ms at a time, five times faster than they are heard), plain (the same with replies in real time over a network that
jitters by 15 ms: a first gap teaches the program to begin a little later), start (program started to first
audio on the wire), barge (speaking over a reply that came faster than it plays), call (CPU and memory), sessions
(many in one process), cuts (the link cut at random moments). Prints one JSON object; times in ms.

- mic_to_wire: each millisecond of the user's speech: when it was at the microphone (the room's clock) to when the
  event that carries it had come in at the endpoint.
- delta_to_speaker: the endpoint begins to send a reply's first audio to its first sample at the loudspeaker.
- decision_to_cancel: the decision to stop (hullo's log tells it) to response.cancel at the endpoint.
- audio_end: audio_end_ms of conversation.item.truncate less what the loudspeaker played of the reply.
"""

import argparse
import array
import base64
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "room")]

import bench_link  # noqa: E402
import speech  # noqa: E402
from fake.realtime import Endpoint, Reply, marker  # noqa: E402
from measure import BUILD, HULLO, emit, load, quantile  # noqa: E402
from room import SPEAKER, USER, Room, write_wav  # noqa: E402

HZ = 24000
KEY = {"HULLO_API_KEY": "sk-test"}
DECISION = re.compile(r"barge-in: (\w+), heard until (\d+), decided at (\d+) ns")
LOUD_WIRE = 600  # of a marker in what the endpoint got
GAP_MS = 3


def summary(values):
    v = [x for x in values if x is not None]
    if not v:
        return {"n": 0}
    at = lambda q: round(quantile(v, q), 1)  # noqa: E731
    return {"n": len(v), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": round(max(v), 1)}


def tone(hz, seconds, level=9000):
    """PCM at 24 kHz that begins at its loudest."""
    return array.array("h", (int(level * math.cos(2 * math.pi * hz * i / HZ)) for i in range(int(HZ * seconds)))).tobytes()


def marker_wav(path, number, frames=2):
    pcm = array.array("h", marker(number, 16000, frames))
    write_wav(path, [v / 32768 for v in pcm], 16000)
    return path


def command(ep, *options):
    return [HULLO, "chat", "-v", "--json", "--no-input", "--url", ep.url, "--dialect", "openai", "-m", "gpt-realtime-2",
            "--turn-detection", "server", *options]


# --- what was on the wire and in the room


class Wire:
    """The user's audio as the endpoint got it: samples, and for each when the event that held it had come."""

    def __init__(self, ep):
        self.pcm, self.ends, self.times = array.array("h"), [], []
        for entry in ep.journal.select("input_audio_buffer.append", "in"):
            self.pcm.frombytes(base64.b64decode(entry.event["audio"]))
            self.ends.append(len(self.pcm))
            self.times.append(entry.t_ns)

    def onsets(self, quiet_ms=500):
        """Samples at which it becomes loud."""
        out, quiet = [], quiet_ms * HZ // 1000
        last = -quiet
        for i, v in enumerate(self.pcm):
            if abs(v) >= LOUD_WIRE:
                if i - last >= quiet:
                    out.append(i)
                last = i
        return out


def mic_to_wire(wire, heard, clock_ns, said_ms):
    """For each ms of each thing said, from its onset on."""
    out = []
    users = [first for first, _ in heard.sounds(USER, 400, 700)]
    for first, onset in zip(users, wire.onsets()):
        event = 0
        for ms in range(0, said_ms):
            at = onset + ms * HZ // 1000
            while event < len(wire.ends) and wire.ends[event] <= at:
                event += 1
            if event == len(wire.ends):
                break
            out.append((wire.times[event] - clock_ns) / 1e6 - heard.ms(first) - ms)
    return out, len(users), len(wire.onsets())


def gaps_ms(heard, first, last):
    """Stretches of silence within a reply."""
    out, run = [], 0
    for v in heard.speaker[first:last]:
        if abs(v) < 20:
            run += 1
        else:
            if heard.ms(run) >= GAP_MS:
                out.append(heard.ms(run))
            run = 0
    return out


def replies_sent(ep):
    """Of each reply: [(when a piece of its audio was sent, ns; ms of audio before it)]."""
    out = {}
    for entry in ep.journal.select("response.output_audio.delta", "out"):
        pieces = out.setdefault(entry.event["response_id"], [])
        before = pieces[-1][1] + pieces[-1][2] if pieces else 0
        pieces.append((entry.t_ns, before, len(entry.event["delta"]) * 3 / 8 / HZ * 1000))
    return [[(t, before) for t, before, _ in pieces] for pieces in out.values()]


def late_ms(pieces, start_ns):
    """By how much the endpoint was late itself: its worst piece was sent so long after the loudspeaker, which began
    at start_ns, needed it. Below 0: it was never late."""
    return max((t - start_ns) / 1e6 - before for t, before in pieces)


# --- the parts


FAST = dict(pace=5, chunk_ms=200)  # as services send
PLAIN = dict(pace=1, chunk_ms=100, jitter_ms=15)  # as fast as it is heard, over a network that jitters


def part_wire(folder, turns, pace):
    """Turns one after the other."""
    # The endpoint's clock is the microphone's, in periods of 10 ms: a think time of its own keeps replies off that grid.
    replies = [Reply(text="A tone.", audio=tone(440, 2), first_ms=200 + k * 3.7 % 10, seed=k, **pace) for k in range(turns)]
    user = []
    for k in range(turns):
        wav = marker_wav(folder / f"user{k}.wav", k + 1)
        user.append(("at:2500 %s" if k == 0 else "silence:1800 %s") % wav)
    with Endpoint(replies=replies) as ep, Room(folder / "wire{pace}".format(**pace), user=user, env=KEY) as room:
        room.start(command(ep))
        room.wait("speaker_off", turns, timeout=20 + 8 * turns)
        time.sleep(0.3)
        room.stop(signal.SIGTERM)
        heard, clock = room.recording(), room.clock_ns()
        latency, said, came = mic_to_wire(Wire(ep), heard, clock, 600)
        spoken = heard.sounds(SPEAKER, 500)
        sent = replies_sent(ep)
        starts = [heard.ms(first) - (pieces[0][0] - clock) / 1e6 for (first, _), pieces in zip(spoken, sent)]
        late = [late_ms(pieces, clock + heard.ms(first) * 1e6) for (first, _), pieces in zip(spoken, sent)]
        gaps = [max(gaps_ms(heard, *s), default=0) for s in spoken]
        lines = [json.loads(line) for line in room.stdout.splitlines()]
        return {
            "turns": {"said": said, "on_the_wire": came, "answered": len(spoken)},
            "mic_to_wire_ms": {**summary(latency), "turns": min(said, came)},
            "delta_to_speaker_ms": summary(starts),
            "gaps_ms": [round(g, 1) for g in gaps],
            "endpoint_late_ms": [round(x, 1) for x in late],
            "response_gap_ms": summary([t.get("response_gap_ms") for t in lines if t.get("type") == "turn"]),
        }


def part_start(folder, starts):
    """From exec to the first audio at the endpoint."""
    out = []
    for k in range(starts):
        with Endpoint(replies=["Hello."]) as ep, Room(folder / f"start{k}", env=KEY) as room:
            began = time.monotonic_ns()
            room.start(command(ep))
            entry = ep.wait_for("input_audio_buffer.append", way="in")
            out.append((entry.t_ns - began) / 1e6)
            room.stop(signal.SIGTERM)
    return {"start_to_wire_ms": summary(out)}


def part_barge(folder, barges, user_wavs):
    """Each reply is long and there at once; a real voice speaks over it."""
    replies = [Reply(text="A long tone.", audio=tone(300, 12), pace=8, first_ms=100) for _ in range(barges + 1)]
    user = ["at:2500 %s" % marker_wav(folder / "first.wav", 1)]
    user += ["sound:%d %s" % (2200 + 130 * k, user_wavs[k % len(user_wavs)]) for k in range(barges)]
    with Endpoint(replies=replies) as ep, Room(folder / "barge", user=user, env=KEY) as room:
        room.start(command(ep))
        room.wait("user_end", barges + 1, timeout=30 + 12 * barges)
        time.sleep(1.5)
        room.stop(signal.SIGTERM)
        heard, clock = room.recording(), room.clock_ns()
        stops = [(int(at), int(decided)) for name, at, decided in DECISION.findall(room.stderr) if name == "stop"]
        holds = [(int(at), int(decided)) for name, at, decided in DECISION.findall(room.stderr) if name == "hold"]
        cancels = [e.t_ns for e in ep.journal.select("response.cancel", "in")] + [e.t_ns for e in ep.journal.select("conversation.item.truncate", "in")]
        to_cancel, off, to_silence = [], [], []
        for n, (_, decided) in enumerate(stops):
            after = [t for t in cancels if 0 <= t - decided < 1e9]
            to_cancel.append((min(after) - decided) / 1e6 if after else None)
            held = [d for _, d in holds if d <= decided]
            if held:
                last = heard.last_loud(SPEAKER, None or max(0, int((held[-1] - clock) / 1e9 * heard.rate) - heard.rate // 2),
                                       int((decided - clock) / 1e9 * heard.rate) + heard.rate // 10)
                to_silence.append(heard.ms(last) - (held[-1] - clock) / 1e6 if last else None)
        truncates = [e.event["audio_end_ms"] for e in ep.journal.select("conversation.item.truncate", "in")]
        spoken = heard.sounds(SPEAKER, 700)
        played = [heard.ms(last - first + 1) for first, last in spoken][: len(truncates)]
        off = [told - real for told, real in zip(truncates, played)]
        return {
            "barges": barges, "stops": len(stops), "truncates": len(truncates),
            "decision_to_cancel_ms": summary(to_cancel),
            "hold_to_silence_ms": summary(to_silence),
            "audio_end_off_ms": {**summary([abs(x) for x in off]), "signed": [round(x, 1) for x in off]},
        }


def part_call(folder, seconds):
    """CPU and memory of a build without local engines, in a call with the duplex path."""
    hullo = os.environ.get("HULLO_NOLOCAL") or HULLO
    wavs = ["at:2500 %s" % marker_wav(folder / "c0.wav", 1)]
    wavs += ["silence:1500 %s" % marker_wav(folder / f"c{k}.wav", k + 1) for k in range(1, 60)]
    with Endpoint(replies=[Reply(text="A tone.", audio=tone(440, 3), pace=2, first_ms=200)]) as ep, \
            Room(folder / "call", user=wavs, env=KEY) as room:
        line = command(ep)
        line[0] = hullo
        line.remove("-v")
        room.start(line)
        ep.wait_for("input_audio_buffer.append", way="in")
        time.sleep(3)
        before, began = cpu_seconds(room.process.pid), time.monotonic()
        time.sleep(seconds)
        used, took = cpu_seconds(room.process.pid) - before, time.monotonic() - began
        memory = memory_mb(room.process.pid)
        room.stop(signal.SIGTERM)
        return {"cpu_percent": round(100 * used / took, 2), "seconds": seconds, "program": "without local engines"
                if "HULLO_NOLOCAL" in os.environ else "with local engines", "rss_mb": memory}


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    of = lambda name: round(int(re.search(name + r":\s+(\d+)", text)[1]) / 1024, 1)  # noqa: E731
    return {"all": of("VmRSS"), "anonymous": of("RssAnon")}


def voices(folder):
    """Who speaks over replies: real recordings, or a synthetic voice where there are none."""
    names = speech.sentences("en", 1.5, 3)[:20]
    real = [wav for wav in map(speech.decoded, names) if wav is not None]
    texts = ["wait, I meant the other one", "no, please tell me about the train", "hold on a moment, I have a question"]
    return real or [item[0] for item in speech.synthetic(texts, folder)]


def part_sessions(count, seconds):
    """Many sessions in one process: a program of its own, with its server in another process."""
    program = BUILD / "bench" / "bench_sessions"
    done = subprocess.run([program, str(count), str(seconds)], capture_output=True, text=True, timeout=seconds + 60)
    return json.loads(done.stdout)


# --- together


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--barges", type=int, default=12)
    parser.add_argument("--call", type=int, default=30, metavar="SECONDS")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--only", default="wire,plain,start,barge,call,sessions,cuts", metavar="PART,...")
    args = parser.parse_args()
    before = load()
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in args.only.split(","):
            if part == "wire":
                result["wire"] = part_wire(folder, args.turns, FAST)
            elif part == "plain":
                result["wire_in_real_time"] = part_wire(folder, args.turns, PLAIN)
            elif part == "start":
                result["start"] = part_start(folder, args.starts)
            elif part == "barge":
                result["barge"] = part_barge(folder, args.barges, voices(folder))
            elif part == "call":
                result["call"] = part_call(folder, args.call)
            elif part == "sessions":
                result["sessions"] = part_sessions(args.sessions, 15)
            elif part == "cuts":
                result["cuts"] = bench_link.many(folder, args.cuts)
            else:
                sys.exit("no part '%s'" % part)
    emit("endpoint", before, **result)


if __name__ == "__main__":
    main()

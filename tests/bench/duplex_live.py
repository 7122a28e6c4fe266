"""The real hullo in the virtual room, in real time: a user speaks over its replies, and what happened is
read from the room's samples, from hullo's log (-v tells each decision with its time) and from its JSON.

The words come from a stand-in for the servers, so that every turn gets the same long reply; the voice
is flite's, the detector is the real one, and the user is whatever recordings are given."""

import array
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import wave
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
sys.path.insert(0, str(TESTS / "room"))

from fake import openai_http  # noqa: E402
from measure import quantile  # noqa: E402
from room import SPEAKER, Room  # noqa: E402
from speech import HZ, read_wav  # noqa: E402

REPLY = (
    "Well, the river that you ask about rises far up in the mountains and runs through three countries before "
    "it reaches the sea near a large town with an old harbour. Many people travel along its banks every summer "
    "because the villages there are quiet and the food is said to be very good indeed. If you want to go there "
    "I would take the train on Monday morning and come back at the end of the week when the roads are not so full."
)
DECISION = re.compile(r"barge-in: (\w+), heard until (\d+), decided at (\d+) ns")
MISSED_MS = 1900
FRAME = HZ // 100
OFFSETS = (0, 100, 200, 300, 400)  # samples: a detector's frame is 512


def powers(x):
    """Of frames of 10 ms, full scale 1."""
    return [sum(v * v for v in x[i : i + FRAME]) / FRAME / 32768**2 for i in range(0, len(x) - FRAME + 1, FRAME)]


def level_db(x):
    """Active level, as duplex_sound.h has it."""
    p = powers(x)
    loud = [v for v in p if v > max(p) * 10**-2.5]
    return 10 * math.log10(sum(loud) / len(loud))


def onset_ms(x):
    p = powers(x)
    return 10 * next(i for i, v in enumerate(p) if v > max(p) * 10**-3.5)


@dataclass
class Said:
    """Something that the user says, and when: a knob of the room without the file."""

    when: str
    path: Path
    db: float  # active level at the microphone


class Live:
    """One conversation. `with Live(...) as live: live.run(seconds)`, then its figures."""

    def __init__(self, hullo, replay, folder, said, echo_db=None, user_db=-32, level="medium", options=(), **knobs):
        self.hullo, self.replay, self.folder, self.said = hullo, replay, Path(folder), said
        self.folder.mkdir(parents=True, exist_ok=True)
        self.env = {"XDG_STATE_HOME": str(self.folder)}  # what was learnt before is not known
        self.level, self.options = level, ["--sensitivity", level, *options]
        self.onsets = [onset_ms(read_wav(s.path)) for s in said]
        self.server = openai_http.Server(reply=REPLY, transcript="go on")
        self.url = self.server.__enter__()
        self.reply = self.synthesise()
        if echo_db is not None:
            knobs["echo"] = "gain:%.1f %s" % (user_db + echo_db - level_db(self.reply), knobs.get("echo", ""))
        user = ["%s gain:%.1f %s" % (s.when, s.db - level_db(read_wav(s.path)), s.path) for s in said]
        self.room = Room(self.folder / "room", user=user, env=self.env, **knobs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.room.kill()
        self.server.__exit__()

    def servers(self):
        return ["--llm-url", self.url, "--stt-url", self.url, "--voice", "flite"]

    def synthesise(self):
        """The whole reply as hullo speaks it, 16 kHz."""
        out, asked = self.folder / "reply.wav", self.said[0].path
        command = [self.hullo, "ask", "--force", *self.servers(), "-o", out, asked]
        subprocess.run(
            [str(c) for c in command], check=True, capture_output=True, env={**os.environ, **self.env}, timeout=60
        )
        with wave.open(str(out), "rb") as w:
            x = array.array("h", w.readframes(w.getnframes()))
            self.reply_hz = w.getframerate()
        return x

    def run(self, timeout=120, turns=0):
        """Until the user has said everything and hullo has told of so many turns, and a moment more."""
        command = [self.hullo, "chat", "-v", "--json", "--no-input", "--eagerness", "low", *self.servers()]
        self.room.start([*command, *self.options])
        self.room.wait("user_end", len(self.said), timeout)
        until = time.monotonic() + timeout
        while self.room.stdout.count("\n") < turns and time.monotonic() < until and self.room.process.poll() is None:
            time.sleep(0.1)
        time.sleep(2)
        self.status = self.room.stop(signal.SIGTERM)
        self.heard = self.room.recording()
        clock = self.room.clock_ns()
        self.decisions = [
            (name, (int(until) - clock) / 1e6, (int(decided) - clock) / 1e6)
            for name, until, decided in DECISION.findall(self.room.stderr)
        ]
        return self

    # --- figures

    def starts_ms(self):
        """When each thing that the user said began to sound."""
        return [self.heard.ms(e["at"]) + self.onsets[e["user"]] for e in self.room.events("user_start")]

    def first(self, name, since_ms, until_ms):
        """The first decision of that name on what was heard in that time, or None."""
        return next((d for d in self.decisions if d[0] == name and since_ms <= d[1] < until_ms), None)

    def silent_from(self, ms):
        """The first ms from there on at which the loudspeaker stays silent for 30 ms."""
        x, n = self.heard.speaker, self.heard.rate * 30 // 1000
        at = max(0, int(ms * self.heard.rate / 1000))
        quiet = 0
        for i in range(at, len(x)):
            quiet = quiet + 1 if -1 <= x[i] <= 1 else 0
            if quiet == n:
                return self.heard.ms(i - n + 1)
        return None

    def interruptions(self):
        """For all that the user said over a reply: ms from its first sample to the decisions, ms from the
        decision to hold to silence, and the stop latency; None where there was none."""
        out = []
        for start in self.starts_ms()[1:]:
            hold = self.first("hold", start, start + MISSED_MS)
            stop = self.first("stop", start, start + MISSED_MS)
            silenced = self.silent_from(hold[2]) if hold else None
            out.append({
                "hold_ms": hold and hold[1] - start,
                "stop_ms": stop and stop[1] - start,
                "to_silence_ms": silenced and silenced - hold[2],
                "latency_ms": silenced and stop and silenced - start,
            })
        return out

    def unasked(self):
        """Names of the decisions to hold or stop with nobody speaking."""
        spans = []
        for start, end in zip(self.room.events("user_start"), self.room.events("user_end")):
            spans.append((self.heard.ms(start["at"]), self.heard.ms(end["at"]) + 1000))
        return [d[0] for d in self.decisions if d[0] in ("hold", "stop") and not any(a <= d[1] <= b for a, b in spans)]

    def offline(self, offset=0):
        """[(name, ms)] that the chain decides on the same samples."""
        command = [str(self.replay), str(self.room.record), self.level, str(offset)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [(d["state"], d["at_ms"]) for d in map(json.loads, done.stdout.splitlines())]

    def against_offline(self):
        """ms by which each decision to hold came later than offline, None for what offline did not decide.
        Where frames begin moves a decision by some 20 ms: offline is the median of several beginnings."""
        offline = [[at for name, at in self.offline(o) if name == "hold"] for o in OFFSETS]
        out = []
        for name, until, _ in self.decisions:
            if name == "hold":
                near = [min(holds, key=lambda at: abs(at - until), default=math.inf) for holds in offline]
                middle = quantile(near, 0.5)
                out.append(until - middle if abs(middle - until) < 500 else None)
        return out

    def turns(self):
        return [json.loads(line) for line in self.room.stdout.splitlines()]

    def truncations(self):
        """ms of each reply that was stopped by speech: what hullo says was heard, less what the loudspeaker
        played. Replies that were held and went on in between do not count."""
        lead = 1000 * next(i for i, v in enumerate(self.reply) if abs(v) > 1) / self.reply_hz
        stopped = [t["heard_ms"] for t in self.turns() if t["stopped"] and t["heard_ms"]]
        out, begins = [], 0
        for name, _, decided in self.decisions:
            if name != "stop" or not stopped:
                continue
            told = stopped.pop(0)
            holds = [d for d in self.decisions if d[0] == "hold" and begins < d[2] <= decided]
            first = self.heard.first_loud(SPEAKER, int(begins * self.heard.rate / 1000), None, 2)
            if len(holds) == 1 and first is not None:
                end = self.last_sound(holds[0][2] - 300, decided)
                out.append(told - lead - (end - self.heard.ms(first)))
            begins = decided
        return out

    def last_sound(self, since_ms, until_ms):
        start, end = (int(ms * self.heard.rate / 1000) for ms in (since_ms, until_ms))
        at = self.heard.last_loud(SPEAKER, start, end, 2)
        return self.heard.ms(at + 1) if at is not None else until_ms


def summed(lives):
    """The figures of several conversations as one."""
    all_of = lambda values: [v for v in values if v is not None]
    cut = [i for live in lives for i in live.interruptions()]
    silence = all_of(i["to_silence_ms"] for i in cut)
    latency = all_of(i["latency_ms"] for i in cut)
    offline = [d for live in lives for d in live.against_offline()]
    truncated = [abs(t) for live in lives for t in live.truncations()]
    p = lambda v, q: round(quantile(v, q), 1) if v else None
    return {
        "rooms": len(lives),
        "interruptions": len(cut),
        "missed": sum(i["stop_ms"] is None for i in cut),
        "latency_p50_ms": p(latency, 0.5),
        "latency_p90_ms": p(latency, 0.9),
        "decision_to_silence_ms": {"n": len(silence), "p50": p(silence, 0.5), "max": p(silence, 1)},
        "against_offline_ms": {
            "n": len(all_of(offline)),
            "p50": p([abs(d) for d in all_of(offline)], 0.5),
            "p90": p([abs(d) for d in all_of(offline)], 0.9),
            "within_30": sum(abs(d) <= 30 for d in all_of(offline)),
            "not_offline": offline.count(None),
        },
        "truncation_off_ms": {"n": len(truncated), "p50": p(truncated, 0.5), "max": p(truncated, 1)},
        "unasked": {k: sum(live.unasked().count(k) for live in lives) for k in ("hold", "stop")},
    }

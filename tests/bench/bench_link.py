#!/usr/bin/env python3
"""bench_link - the link is cut at random moments of scripted conversations, with the real program.

    bench_link.py [--cuts N] [--seed N] [--at-once N] [--show]

Each conversation: a recording as the microphone, in real time, in which the user says a number in tones every 6 s; a
scripted endpoint that ends turns, and answers with numbers of its own; a wire between them that is cut once in each
turn, from a little before it to behind its answer, by RST or FIN; half of the times nothing can be reached for up to
a second. Prints one JSON object:

- lost: turns to which no answer was given whole.
- answered_twice: turns to which the endpoint sent two whole answers, or of which two were heard at the loudspeaker.
- unheard: turns of which no answer came out of the loudspeaker to its end, though one was sent.
- given_wrong: of the cuts within a turn that waited for its answer: the new session was not given the whole turn
  exactly once. Of the others: it was given a turn that had its answer.
- back: from the endpoint's being reachable again to the first words of the conversation on the new connection, in ms.
  open: to the request for that connection.
- other_breaks: connections that were made anew without a cut, on a machine so busy that a live line looked dead.
- undecided: the answer's end was on its way when the line was cut. Nobody knows whether it came; not counted as twice.
"""

import argparse
import array
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "room")]

from fake.realtime import Endpoint, Reply, find, marker  # noqa: E402
from fake.wire_cutter import WireCutter  # noqa: E402
from measure import HULLO, emit, load, quantile  # noqa: E402
from room import write_wav  # noqa: E402

MIC_HZ = 16000
FIRST_S, EVERY_S, SAID_S = 1.0, 6.0, 0.64
WINDOW_S = (-0.3, 3.4)  # of the cut, counted from the beginning of the turn
GO_ON = 2048  # from here on: numbers of answers that no turn was told for
AGAIN = 256  # an n-th answer to turn k is k + n * AGAIN
ON_ITS_WAY_NS = 20_000_000
TAIL_MS = 100


def recording(path, turns):
    pcm = array.array("h", bytes(2 * int(MIC_HZ * (FIRST_S + EVERY_S * turns))))
    for k in range(turns):
        said = array.array("h", marker(k + 1, MIC_HZ, 2))
        at = int(MIC_HZ * (FIRST_S + EVERY_S * k))
        pcm[at : at + len(said)] = said
    write_wav(path, [v / 32768 for v in pcm], MIC_HZ)


class Answers:
    """What the endpoint says: a number that tells to which turn, and how often that was answered before."""

    def __init__(self):
        self.tries, self.others = {}, 0

    def __call__(self, turn):
        if turn is None or not turn.numbers:
            self.others += 1
            number = GO_ON + self.others
        else:
            k = turn.numbers[-1]
            number = k + AGAIN * self.tries.get(k, 0)
            self.tries[k] = self.tries.get(k, 0) + 1
        return Reply(text=f"this is answer number {number} of mine", number=number, frames=4, pace=1.5, first_ms=150)


class Cut:
    def __init__(self, turn, kind, down_s):
        self.turn, self.kind, self.down_s = turn, kind, down_s
        self.cut_ns = self.up_ns = 0

    def happen(self, wire):
        if self.down_s:
            wire.down()
        self.cut_ns = time.monotonic_ns()
        wire.fin() if self.kind == "fin" else wire.cut()
        if self.down_s:
            time.sleep(self.down_s)
            wire.up()
        self.up_ns = time.monotonic_ns()


def converse(folder, seed, turns):
    """One conversation; returns what its books say, ready for JSON."""
    rng = random.Random(seed)
    mic, speaker = folder / f"mic{seed}.wav", folder / f"speaker{seed}.wav"
    recording(mic, turns)
    with Endpoint(replies=Answers(), transcripts=lambda t: f"turn number {t.numbers}") as ep, WireCutter(ep.port) as wire:
        program = start(ep, wire, mic, speaker, folder / f"log{seed}.txt")
        try:
            begun = ep.wait_for("input_audio_buffer.append", way="in").t_ns / 1e9
            cuts = []
            for k in range(turns):
                cut = Cut(k + 1, rng.choice(("rst", "rst", "fin")), rng.choice((0, rng.uniform(0.05, 1.0))))
                due = begun + FIRST_S + EVERY_S * k + rng.uniform(*WINDOW_S)
                time.sleep(max(0, due - time.monotonic()))
                cut.happen(wire)
                cuts.append(cut)
            time.sleep(max(0, begun + FIRST_S + EVERY_S * turns - time.monotonic()))
        finally:
            program.terminate()
            program.wait(20)
        return Books(ep, cuts, turns, speaker).sum()


def start(ep, wire, mic, speaker, log):
    line = [HULLO, "chat", "-v", "--json", "--no-input", "--audio", "file:force", "--input-device", str(mic),
            "--output-device", str(speaker), "--url", ep.url.replace(f":{ep.port}/", f":{wire.port}/"),
            "--dialect", "openai", "-m", "gpt-realtime-2", "--turn-detection", "server"]
    with open(log, "w") as err:
        return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                                env=os.environ | {"HULLO_API_KEY": "sk-test"})


class Books:
    """What happened, from the endpoint's journal and the loudspeaker's recording."""

    def __init__(self, ep, cuts, turns, speaker):
        self.ep, self.cuts, self.turns, self.speaker = ep, cuts, turns, speaker
        self.created = [e.t_ns for e in ep.journal.select("response.created", "out")]
        self.accepted = {e.connection: e.t_ns for e in ep.journal.select("accept", "note")}
        self.done = {}  # response id: when its end was sent
        self.sound = {}  # response id: when its first sound was
        for e in ep.journal.select("response.done", "out"):
            self.done[e.event["response"]["id"]] = e.t_ns
        for e in ep.journal.select("response.output_audio.delta", "out"):
            self.sound.setdefault(e.event["response_id"], e.t_ns)
        self.given = {c: self.audio_given(c) for c in self.accepted}

    # --- what a session was given

    def audio_given(self, connection):
        """Every marker that the session got, as sound that streams or as a whole turn."""
        streamed = self.ep.heard(connection)
        end_ms = len(streamed) / 48 - TAIL_MS  # what is torn there was torn by the next cut
        found = [m for m in find(streamed, 24000) if m.whole or m.end_ms < end_ms]
        streamed = {e.event["item_id"] for e in self.ep.journal.select("input_audio_buffer.committed", "out")}
        for turn in self.ep.turns:
            if turn.connection == connection and turn.item_id not in streamed:
                found += turn.markers
        return found

    def words_given(self, connection, k):
        items = self.ep.journal.select("conversation.item.create", "in", connection=connection)
        return sum(f"turn number [{k}]" in str(e.event["item"].get("content")) for e in items)

    def next_connections(self, cut):
        """Those that went on after a cut, until the next one: that on which its turn was answered comes first, else
        the last. An attempt that lost a race says nothing, and is none."""
        later = [c.cut_ns for c in self.cuts if c.cut_ns > cut.cut_ns]
        end = min(later) if later else 1 << 62
        made = [c for c, t in self.accepted.items() if cut.cut_ns < t < end and self.first_words(c)]
        answering = {a.connection for a in self.whole_answers(cut.turn)}
        return sorted(made, key=lambda c: (c in answering, c), reverse=True)

    # --- answers

    def whole_answers(self, k):
        return [a for a in self.ep.answers if a.status == "completed" and any(k in t.numbers for t in a.turns)]

    def rest_of(self, k):
        """Whole answers that were asked for without a turn, in the time of turn k."""
        mine = [a for a in self.ep.answers if any(k in t.numbers for t in a.turns)]
        if not mine:
            return []
        first = mine[0].number
        after = [a.number for a in self.ep.answers if a.turns and a.number > first and a not in mine]
        end = min(after) if after else 1 << 30
        return [a for a in self.ep.answers if not a.turns and first < a.number < end and a.status == "completed"]

    def was_cut_off(self, answer):
        """Its end was sent, and cut off on the way, perhaps."""
        return any(-ON_ITS_WAY_NS < c.cut_ns - self.done[answer.id] < ON_ITS_WAY_NS for c in self.cuts)

    def had_answer(self, k, t_ns):
        return any(self.done.get(a.id, 1 << 62) < t_ns for a in self.whole_answers(k))

    def had_sound(self, k, t_ns):
        mine = [a for a in self.ep.answers if any(k in t.numbers for t in a.turns)]
        return any(self.sound.get(a.id, 1 << 62) < t_ns for a in mine)

    # --- cuts

    def judge(self, cut):
        """What the session after a cut was given, of its turn and of older ones."""
        made = self.next_connections(cut)
        new = made[0] if made else None
        k = cut.turn
        out = {"turn": k, "kind": cut.kind, "down_s": round(cut.down_s, 3), "trouble": "",
               "others": len(made[1:])}
        if new is None:
            out["trouble"] = "no new session"
            return out
        out["open_ms"] = (self.accepted[new] - cut.up_ns) / 1e6
        out["back_ms"] = (self.first_words(new) - cut.up_ns) / 1e6
        mine = [m for m in self.given[new] if m.number == k]
        torn = [m for m in self.given[new] if not m.whole]
        old = [m for m in self.given[new] if m.number is not None and m.number < k]
        answered, partly = self.had_answer(k, cut.cut_ns), self.had_sound(k, cut.cut_ns)
        undecided = any(self.was_cut_off(a) for a in self.whole_answers(k))
        out["when"] = "idle" if answered else "in the answer" if partly else "in the turn"
        given = len(mine) + (self.words_given(new, k) if partly else 0)
        if torn or old:
            out["trouble"] = f"given {', '.join(map(str, torn + old))}"
        elif not undecided and (answered and mine or not answered and given != 1):
            out["trouble"] = f"given {given} times"
        return out

    def first_words(self, connection):
        kinds = ("input_audio_buffer.append", "conversation.item.create", "response.create")
        times = [e.t_ns for e in self.ep.journal.select(way="in", connection=connection) if e.type in kinds]
        return min(times) if times else None

    # --- the sum

    def heard(self):
        """Answers at the loudspeaker that came to their end: how often, by the turn. Pauses within are measured
        elsewhere."""
        with open(self.speaker, "rb") as f:
            found = find(f.read()[44:], MIC_HZ, slack_ms=20)
        ends = [m.number for m in found if m.count - 1 in m.frames]
        return {k: sum(n < GO_ON and n % AGAIN == k for n in ends) for k in range(1, self.turns + 1)}

    def sum(self):
        heard = self.heard()
        out = {"turns": self.turns, "lost": [], "answered_twice": [], "unheard": [], "undecided": [],
               "cuts": [self.judge(c) for c in self.cuts], "violations": self.ep.violations,
               "answers": [(a.number, a.connection, a.status, [t.numbers for t in a.turns]) for a in self.ep.answers]}
        for k in range(1, self.turns + 1):
            whole, rest = self.whole_answers(k), self.rest_of(k)
            unsure = [a for a in whole if self.was_cut_off(a)]
            if not whole and not rest:
                out["lost"].append(k)
            elif unsure:
                out["undecided"].append(k)
            elif len(whole) + len(rest) > 1 or heard[k] > 1:
                out["answered_twice"].append(k)
            elif not heard[k] and not rest:
                out["unheard"].append(k)
        return out


# --- together


def many(folder, cuts, at_once=4, seed=1, show=False):
    """The sum over as many conversations as it takes. Each is a process of its own."""
    turns = min(10, -(-cuts // at_once))
    left = list(range(seed * 1000, seed * 1000 + -(-cuts // turns)))
    running, books = [], []
    while left or running:
        while left and len(running) < at_once:
            line = [sys.executable, __file__, "--conversation", str(left.pop(0)), "--turns", str(turns),
                    "--folder", str(folder)]
            running.append(subprocess.Popen(line, stdout=subprocess.PIPE, text=True))
            time.sleep(0.7)  # not all in step
        out, _ = running[0].communicate()
        if running.pop(0).returncode != 0:
            raise RuntimeError("a conversation failed: see above")
        books.append(json.loads(out))
        if show:
            print(out, file=sys.stderr, end="", flush=True)
    return total(books)


def figures(values):
    v = [x for x in values if x is not None]
    if not v:
        return {"n": 0}
    return {"n": len(v), "p50": round(quantile(v, 0.5), 1), "p95": round(quantile(v, 0.95), 1), "max": round(max(v), 1)}


def total(books):
    cuts = [c for b in books for c in b["cuts"]]
    when = [c.get("when", "") for c in cuts]
    out = {"cuts": len(cuts), "turns": sum(b["turns"] for b in books),
           "when": {w: when.count(w) for w in sorted(set(when))}}
    for name in ("lost", "answered_twice", "unheard", "undecided"):
        out[name] = sum(len(b[name]) for b in books)
    troubles = [f"turn {c['turn']}, {c['kind']} {c.get('when', '')}: {c['trouble']}" for c in cuts if c["trouble"]]
    out["given_wrong"] = len(troubles)
    out["troubles"] = troubles[:10]
    out["other_breaks"] = sum(c["others"] for c in cuts)
    out["violations"] = sorted({v for b in books for v in b["violations"]})[:10]
    out["open_ms"] = figures([c.get("open_ms") for c in cuts])
    out["back_ms"] = figures([c.get("back_ms") for c in cuts])
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--show", action="store_true", help="each conversation's books, on stderr")
    parser.add_argument("--conversation", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.conversation is not None:
        print(json.dumps(converse(args.folder, args.conversation, args.turns)))
        return
    before = load()
    with tempfile.TemporaryDirectory() as name:
        result = many(args.folder or Path(name), args.cuts, args.at_once, args.seed, args.show)
    emit("link", before, seed=args.seed, **result)


if __name__ == "__main__":
    main()

"""marker - numbers that are spoken in tones, so that a test can tell which turn it hears, and whether all of it.

A marker is a train of frames of 320 ms. A frame is eight tones of 40 ms: the sync tone and seven digits to base 16:
three for the number (0 to 4095), how many frames the train has less one, which frame this is, and two that check
the others. Tones lie 100 Hz apart between 300 and 3500 Hz, so that 10 ms tell them apart, and neighbours in time
come from two sets, so that two equal digits are two tones. Loud all through: an energy detector takes it for speech.

    marker(7, 24000)             PCM (16-bit mono, native order is little-endian here) of number 7, one frame
    marker(7, 16000, frames=4)   1.28 s of it; at most 16 frames
    find(pcm, 24000)             what is in there: a list of Found

Standard library only; decoding costs about 20 ms of CPU for a second of sound.
"""

import array
import dataclasses
import functools
import math
import operator
import sys

SYMBOL_MS = 40
SYMBOLS = 8
FRAME_MS = SYMBOL_MS * SYMBOLS
HOP_MS = 5  # of the decoder: half of the 10 ms in which the tones are orthogonal
HOP = 40  # samples of it at 8 kHz, the rate that is decoded
SYNC = 32
TONES = [300 + 100 * n for n in range(33)]
LEVEL = 9000  # of the tones; full scale is 32767
LOUD = 150  # root mean square below which nothing is looked for
CLEAR = 0.45  # of the power of 10 ms that the strongest tone must hold
HIGHEST = 16 ** 3 - 1


def samples(pcm):
    a = array.array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        a.byteswap()
    return a


def to_bytes(numbers):
    a = array.array("h", numbers)
    if sys.byteorder == "big":
        a.byteswap()
    return a.tobytes()


def digits(n, count, index):
    d = [n >> 8 & 15, n >> 4 & 15, n & 15, count - 1, index]
    weighted = sum((k + 1) * v for k, v in enumerate(d))
    return [*d, weighted & 15, (weighted >> 4 ^ sum(d)) & 15]


def tones(n, count, index):
    """Of one frame, as places in TONES: the sync, then even and odd ones in turn."""
    return [SYNC, *(2 * d + 1 - k % 2 for k, d in enumerate(digits(n, count, index)))]


@functools.cache
def symbol(tone, hz, level):
    """PCM of one tone, with edges of a millisecond. Kept: an endpoint that computes is an endpoint that is late."""
    step, length, ramp = 2 * math.pi * TONES[tone] / hz, hz * SYMBOL_MS // 1000, hz // 1000
    return to_bytes([int(level * min(1.0, (i + 1) / ramp, (length - i) / ramp) * math.sin(step * i))
                     for i in range(length)])


def marker(n, hz=24000, frames=1, level=LEVEL):
    """PCM bytes of number n."""
    if not (0 <= n <= HIGHEST and 1 <= frames <= 16):
        raise ValueError(f"no marker {n} of {frames} frames: 0 to {HIGHEST}, 1 to 16")
    return b"".join(symbol(t, hz, level) for index in range(frames) for t in tones(n, frames, index))


def duration_ms(frames=1):
    return FRAME_MS * frames


@functools.cache
def tables():
    """Cosine and sine of each tone over a hop, for hops that begin at an even and at an odd multiple of 5 ms."""
    rows = []
    for half in (0, 1):
        at = [half * HOP + i for i in range(HOP)]
        rows.append([([math.cos(2 * math.pi * f * i / 8000) for i in at],
                      [math.sin(2 * math.pi * f * i / 8000) for i in at]) for f in TONES])
    return rows


def at_8k(pcm, hz):
    """Decimated by the mean of neighbours: enough for tones below 3.6 kHz."""
    x = samples(pcm)
    if hz == 8000:
        return x
    if hz not in (16000, 24000, 48000):
        raise ValueError(f"markers are not looked for at {hz} Hz")
    step = hz // 8000
    n = len(x) // step
    return [v / step for v in map(sum, zip(*(x[k : n * step : step] for k in range(step))))]


def strongest(pcm, hz):
    """For each hop, the place of the tone that fills the 10 ms from there; None where none does."""
    x = at_8k(pcm, hz)
    quiet = LOUD * LOUD * HOP
    before, out = None, []
    for hop in range(len(x) // HOP):
        part = x[hop * HOP : hop * HOP + HOP]
        energy = sum(map(operator.mul, part, part))
        now = None
        if energy > quiet:
            now = energy, [(sum(map(operator.mul, part, c)), sum(map(operator.mul, part, s)))
                           for c, s in tables()[hop & 1]]
        if hop:
            out.append(tone_of(before, now) if before and now else None)
        before = now
    return out


def tone_of(before, now):
    energy = before[0] + now[0]
    power = [(a + c) ** 2 + (b + d) ** 2 for (a, b), (c, d) in zip(before[1], now[1])]
    best = max(range(len(power)), key=power.__getitem__)
    return best if power[best] * 2 / (2 * HOP) > CLEAR * energy else None


@dataclasses.dataclass
class Found:
    number: int  # None: no frame of it could be read
    begin_ms: int
    end_ms: int
    frames: list  # which were read, in the order in which they came
    count: int  # how many the train has, by what it says
    whole: bool  # every frame, once, in order, none shorter or longer than it should be

    def __str__(self):
        return f"{self.number}{'' if self.whole else ' (broken)'} at {self.begin_ms}-{self.end_ms} ms"


def runs(hops):
    """(tone, first hop, hops) of what lasts; flickers at the seams between tones are part of neither."""
    out = []
    for at, tone in enumerate(hops):
        if tone is None:
            continue
        if out and out[-1][0] == tone and at - (out[-1][1] + out[-1][2]) <= 1:
            out[-1][2] = at + 1 - out[-1][1]
        else:
            out.append([tone, at, 1])
    return [r for r in out if r[2] >= 3]


def read_frame(these):
    """(number, count, index) of runs that begin with a sync, or None."""
    if len(these) < SYMBOLS or any((t + 1 + k) % 2 for k, (t, _, _) in enumerate(these[1:SYMBOLS])):
        return None
    d = [t // 2 for t, _, _ in these[1:SYMBOLS]]
    n, count, index = d[0] << 8 | d[1] << 4 | d[2], d[3] + 1, d[4]
    return (n, count, index) if digits(n, count, index) == d and index < count else None


def find(pcm, hz=24000, slack_ms=12):
    """Every marker in the samples. slack_ms: by how much a tone or a frame may be off before it counts as cut or
    stretched; what went through a room needs more."""
    slack = slack_ms / HOP_MS
    every = runs(strongest(pcm, hz))
    out, at, expected = [], 0, None  # expected: (number, next frame, where it begins)
    while at < len(every):
        these = every[at : at + SYMBOLS]
        frame = read_frame(these) if these[0][0] == SYNC else None
        if frame is None:
            lose(out, these[0])
            at, expected = at + 1, None
            continue
        n, count, index = frame
        begin, end = these[0][1], these[-1][1] + these[-1][2]
        whole = all(abs(r[2] + 0.5 - SYMBOL_MS / HOP_MS) <= slack for r in these)
        whole = whole and abs(end - begin - FRAME_MS / HOP_MS) <= slack
        follows = expected is not None and expected[:2] == (n, index) and abs(begin - expected[2]) <= slack
        if not follows:
            near = out and begin * HOP_MS - out[-1].end_ms < SYMBOL_MS  # what is broken right before it, is part of it
            spoilt = near and out[-1].number in (None, n) and len(out[-1].frames) < out[-1].count + (not out[-1].count)
            out.append(Found(n, begin * HOP_MS, 0, [], count, not spoilt))
        found = out[-1]
        found.frames.append(index)
        found.end_ms = end * HOP_MS
        found.whole = found.whole and whole
        at, expected = at + SYMBOLS, (n, index + 1, begin + FRAME_MS / HOP_MS)
    for found in out:
        found.whole = found.whole and found.number is not None and found.frames == list(range(found.count))
    return out


def lose(out, run):
    """A tone that is part of no frame: the rest of a marker that was cut."""
    tone, begin, length = run
    end = (begin + length) * HOP_MS
    if out and begin * HOP_MS - out[-1].end_ms <= 3 * SYMBOL_MS:
        out[-1].whole, out[-1].end_ms = False, end
    else:
        out.append(Found(None, begin * HOP_MS, end, [], 0, False))


def whole_numbers(pcm, hz=24000, slack_ms=12):
    """The numbers of the markers that are whole, in their order: [7, 8] when nothing was lost and nothing twice."""
    return [f.number for f in find(pcm, hz, slack_ms) if f.whole]

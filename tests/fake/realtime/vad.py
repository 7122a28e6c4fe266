"""vad - the endpoint's turn detection: by loudness, over blocks of 10 ms. And G.711, which it hears as well."""

import bisect
import math
import operator

from .marker import samples, to_bytes

LOUD = 250.0  # root mean square of speech
START_MS = 50  # so much loud sound in a row is speech


def is_loud(block):
    part = block[::3]  # enough to tell, and three times as fast
    return math.sqrt(sum(map(operator.mul, part, part)) / len(part)) > LOUD


class Vad:
    """feed() takes PCM and yields ("start", ms) and ("stop", ms): where speech began and, silence_ms later, ended."""

    def __init__(self, hz, silence_ms=500):
        self.hz, self.silence_ms = hz, silence_ms
        self.rest, self.ms = b"", 0
        self.loud_ms = self.quiet_ms = 0
        self.speaking = False

    def feed(self, pcm):
        data = self.rest + pcm
        size = self.hz // 100 * 2
        whole = len(data) // size * size
        self.rest = data[whole:]
        x = samples(data[:whole])
        for at in range(0, len(x), size // 2):
            yield from self.block(is_loud(x[at : at + size // 2]))

    def block(self, loud):
        self.ms += 10
        self.loud_ms = self.loud_ms + 10 if loud else 0
        self.quiet_ms = 0 if loud else self.quiet_ms + 10
        if not self.speaking and self.loud_ms >= START_MS:
            self.speaking = True
            yield "start", self.ms - self.loud_ms
        elif self.speaking and self.quiet_ms >= self.silence_ms:
            self.speaking = False
            yield "stop", self.ms - self.quiet_ms

    def forget(self):
        self.loud_ms = self.quiet_ms = 0
        self.speaking = False


def from_ulaw(byte):
    u = ~byte & 0xFF
    magnitude = (((u & 15) << 3) + 0x84 << (u >> 4 & 7)) - 0x84
    return -magnitude if u & 0x80 else magnitude


def from_alaw(byte):
    a = byte ^ 0x55
    step, magnitude = a >> 4 & 7, (a & 15) << 4
    magnitude = magnitude + 8 if step == 0 else magnitude + 0x108 << step - 1
    return magnitude if a & 0x80 else -magnitude


TO_PCM = {"audio/pcmu": [from_ulaw(b) for b in range(256)], "audio/pcma": [from_alaw(b) for b in range(256)]}


def decode(data, kind):
    """PCM of what came as audio/pcm, audio/pcmu or audio/pcma."""
    return to_bytes([TO_PCM[kind][b] for b in data]) if kind in TO_PCM else data


def encode(pcm, kind):
    """The reverse, at the same rate; the nearest code, found by halving."""
    if kind not in TO_PCM:
        return pcm
    table = sorted((value, code) for code, value in enumerate(TO_PCM[kind]))
    levels, codes = [v for v, _ in table], [c for _, c in table]
    return bytes(codes[min(bisect.bisect_left(levels, x), 255)] for x in samples(pcm))

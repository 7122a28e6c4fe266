#!/usr/bin/env python3
"""What ONNX Runtime says about the signals of tests/fake/signals.c.

  silero_reference.py MODEL               prints tests/data/silero-reference.tsv
  silero_reference.py MODEL FILE.wav      prints one probability a line for 16 kHz mono 16-bit speech

MODEL is silero_vad_16k_op15.onnx as it is published (the wheel silero-vad 6.2.3, silero_vad/data), the file
that hullo reads its weights from. Needs numpy and onnxruntime. The signals are made of integers
only, so that C makes the same ones; the checksum (FNV-1a over the samples' bytes) shows that it did.
"""
import sys
import wave

import numpy as np
import onnxruntime

FRAME, CONTEXT, FRAMES = 512, 64, 96


class Noise:
    """Numerical Recipes' linear congruential generator, upper half: -32768 to 32767."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.state >> 16) - 32768


def triangle(phase):
    """A triangle wave of amplitude 16384 from the upper 16 of 32 bits of phase."""
    p = phase >> 16
    return p - 16384 if p < 32768 else 49152 - p


def chirp(n):
    """A triangle wave that climbs from 100 Hz to about 3.7 kHz, over noise that comes and goes."""
    noise, phase, step, out = Noise(1), 0, 26843546, []
    for i in range(n):
        phase = (phase + step) & 0xFFFFFFFF
        step += 20000
        loud = (i >> 12) & 3
        out.append((triangle(phase) >> 2) + ((noise.next() * loud) >> 4))
    return out


# The resonances of four vowels (centres at 730, 1090, 2440; 270, 2290, 3010; 570, 840, 2410; 530, 1840,
# 2480 Hz): 2 r cos(w) in 14 fractional bits. Their widths are 60, 90 and 150 Hz: -r^2.
VOWELS = ((31063, 29289, 18295), (32202, 20030, 12060), (31576, 30458, 18600), (31685, 24149, 17884))
DAMPING = (-16002, -15815, -15447)
SOFTER = (3, 2, 2)


def buzz(n):
    """Pulses of a moving pitch through three gliding resonances: syllables, and pauses between."""
    noise, wait, pulse, state, out = Noise(7), 0, 0, [[0, 0], [0, 0], [0, 0]], []
    for i in range(n):
        syllable, within = i // 3000, i % 3000
        vowel, following = VOWELS[syllable % 4], VOWELS[(syllable + 1) % 4]
        x = noise.next() >> 13
        wait -= 1
        if wait <= 0 and within < 1800 and syllable % 5 != 4:
            wait = 120 + (within >> 7) + (syllable * 7) % 20
            pulse += 4000
        pulse -= pulse >> 4
        x += pulse
        for k in range(3):
            tune = vowel[k] + (((following[k] - vowel[k]) * within) >> 12)
            y = x + ((tune * state[k][0] + DAMPING[k] * state[k][1]) >> 14)
            state[k][1], state[k][0] = state[k][0], y
            x = y >> SOFTER[k]
        out.append(max(-32768, min(32767, x)))
    return out


def extremes(n):
    """Digital silence, a full-scale square wave, full-scale noise, single clicks."""
    noise, out = Noise(99), []
    for i in range(n):
        part = i * 4 // n
        white = noise.next() if part == 2 else 0
        square = 32767 if (i // 50) % 2 else -32768
        click = 32767 if i % 8000 == 0 else 0
        out.append((0, square, white, click)[part])
    return out


def checksum(samples):
    h = 2166136261
    for s in samples:
        for byte in (s & 0xFF, (s >> 8) & 0xFF):
            h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def probabilities(session, samples):
    x = np.array(samples, dtype=np.float32) / 32768
    x = np.concatenate([np.zeros(CONTEXT, np.float32), x])
    state, out = np.zeros((2, 1, 128), np.float32), []
    for i in range(0, len(x) - CONTEXT - FRAME + 1, FRAME):
        window = x[None, i:i + CONTEXT + FRAME]
        p, state = session.run(None, {"input": window, "state": state, "sr": np.array(16000, np.int64)})
        out.append(float(p[0, 0]))
    return out


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    if len(sys.argv) == 3:
        with wave.open(sys.argv[2]) as w:
            if (w.getframerate(), w.getnchannels(), w.getsampwidth()) != (16000, 1, 2):
                sys.exit(f"{sys.argv[2]}: not 16 kHz mono 16-bit")
            samples = np.frombuffer(w.readframes(w.getnframes()), "<i2")
        for p in probabilities(session, samples):
            print(f"{p:.7f}")
        return
    print("# made by tests/peers/silero_reference.py with onnxruntime", onnxruntime.__version__)
    print("# signal\tchecksum\tframe\tprobability")
    for make in (chirp, buzz, extremes):
        samples = make(FRAMES * FRAME)
        for i, p in enumerate(probabilities(session, samples)):
            print(f"{make.__name__}\t{checksum(samples):08x}\t{i}\t{p:.7f}")


if __name__ == "__main__":
    main()

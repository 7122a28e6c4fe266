"""recording - recordings made of tones, which the stand-in of the detector (detector.py) takes for speech.

Samples are bytes, 16-bit little-endian mono at 16 kHz. Standard library only.
"""

import array
import functools
import io
import math
import struct
import sys
import wave

HZ = 16000
UNKNOWN = 0xFFFFFFFF  # a size in a header that was written to a pipe


@functools.cache
def speech(seconds, hz=HZ):
    tone = array.array("h", (int(9000 * math.sin(2 * math.pi * 440 * i / hz)) for i in range(int(seconds * hz))))
    if sys.byteorder == "big":
        tone.byteswap()
    return tone.tobytes()


def silence(seconds, hz=HZ):
    return bytes(2 * int(seconds * hz))


def question(hz=HZ):
    return silence(0.3, hz) + speech(1.0, hz) + silence(0.5, hz)


def wav(samples, hz=HZ, channels=1, bits=16, code=1, data_bytes=None):
    """A WAV of these bytes, with whatever header: code is 1 for whole numbers, 3 for floats; data_bytes is what the
    header claims."""
    claimed = len(samples) if data_bytes is None else data_bytes
    frame = channels * bits // 8
    riff = min(claimed + 36, UNKNOWN)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16, code, channels, hz,
                       hz * frame & UNKNOWN, frame, bits, b"data", claimed)
    return head + samples


def frames(data):
    """(rate, samples) of a WAV as others read it: 16-bit mono."""
    with wave.open(io.BytesIO(data)) as w:
        assert (w.getnchannels(), w.getsampwidth()) == (1, 2)
        return w.getframerate(), w.readframes(len(data))

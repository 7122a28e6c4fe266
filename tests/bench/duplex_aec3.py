"""duplex_aec3 PREFIX PPM - what WebRTC's AEC3 makes of a tape (duplex_tape.h): reads PREFIX.far and
PREFIX.mic, writes PREFIX.out. Prints the CPU time, Python's part included, in percent of a core.

The audio processing module of PyPI's livekit, with its echo canceller on and all else off, 16 kHz;
the far end is handed over as a program would that has just played it. Runs in the environment that
`deps.sh venv tests/bench/requirements.txt` makes.
"""

import math
import sys
import time
import types

FRAME = 160
BYTES = 2 * FRAME

# Its package wants these for what is not used here.
for name in ("numpy", "aiofiles"):
    sys.modules.setdefault(name, types.ModuleType(name)).ndarray = object

from livekit.rtc.apm import AudioProcessingModule  # noqa: E402
from livekit.rtc.audio_frame import AudioFrame  # noqa: E402


def run(prefix, ppm):
    with open(prefix + ".far", "rb") as f:
        far = f.read()
    with open(prefix + ".mic", "rb") as f:
        mic = f.read()
    apm = AudioProcessingModule(echo_cancellation=True)
    out, given = bytearray(), 0
    for k in range(len(mic) // BYTES):
        played = math.ceil(FRAME * (k + 1) * (1 + ppm * 1e-6))
        while (given + 1) * FRAME <= played and (given + 1) * BYTES <= len(far):
            x = bytearray(far[given * BYTES : (given + 1) * BYTES])
            apm.process_reverse_stream(AudioFrame(x, 16000, 1, FRAME))
            given += 1
        frame = AudioFrame(bytearray(mic[k * BYTES : (k + 1) * BYTES]), 16000, 1, FRAME)
        apm.process_stream(frame)
        out += frame._data
    with open(prefix + ".out", "wb") as f:
        f.write(out)
    return len(mic) / 2 / 16000


if __name__ == "__main__":
    before = time.process_time()
    seconds = run(sys.argv[1], float(sys.argv[2]))
    print(round(100 * (time.process_time() - before) / seconds, 2))

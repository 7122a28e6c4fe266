"""What is heard in a room and is no speech to stop for: coughs, knocks, doors, keyboards, music, all
synthesised (shaped bursts, fixed seeds), and backchannels from synthetic voices. A kind and a number
give the same sound always."""

import array
import math
import random
import subprocess
import sys
from pathlib import Path

from measure import HULLO, TOP, has_models, missing
from speech import HZ, say, write_wav

sys.path.insert(0, str(TOP / "tests"))

from fake import openai_http  # noqa: E402


def ms(n):
    return int(n * HZ / 1000)


def silence(n_ms):
    return [0.0] * ms(n_ms)


def add(x, at_ms, y, gain=1.0):
    """Mixes y into x, which grows."""
    at = ms(at_ms)
    x.extend([0.0] * max(0, at + len(y) - len(x)))
    for i, v in enumerate(y):
        x[at + i] += gain * v


def resonator(x, hz, width_hz):
    """Two poles: what a cavity or a board makes of x."""
    r = math.exp(-math.pi * width_hz / HZ)
    a, b = 2 * r * math.cos(2 * math.pi * hz / HZ), -r * r
    y1 = y2 = 0.0
    out = []
    for v in x:
        y = (1 - r) * v + a * y1 + b * y2
        out.append(y)
        y1, y2 = y, y1
    return out


def burst(r, length_ms, rise_ms, decay_ms):
    """Noise that rises and dies away."""
    rise, decay = max(1, ms(rise_ms)), ms(decay_ms)
    return [
        r.gauss(0, 1) * min(1, i / rise) * math.exp(-max(0, i - rise) / decay)
        for i in range(ms(length_ms))
    ]


def scaled(x, to=1.0):
    most = max(abs(v) for v in x)
    return [v * to / most for v in x]


def cough(r):
    """Two or three coughs: an explosion through a vocal tract, then a breathy, half voiced tail."""
    x = silence(20)
    at = 20
    for k in range(r.choice([1, 2, 2, 3])):
        blast = burst(r, 280, 4, r.uniform(25, 45))
        voice = burst(r, 280, 60, r.uniform(50, 80))
        pitch = r.uniform(120, 260)
        hum = [
            v * (0.6 + 0.4 * math.copysign(1, math.sin(2 * math.pi * pitch * i / HZ)))
            for i, v in enumerate(voice)
        ]
        both = [a + 0.5 * b for a, b in zip(blast, hum)]
        sound = silence(0)
        for hz, width, gain in ((r.uniform(500, 800), 180, 1), (r.uniform(1200, 1700), 250, 0.8), (2700, 500, 0.5)):
            add(sound, 0, resonator(both, hz, width), gain)
        add(x, at, scaled(sound, r.uniform(0.5, 1)))
        at += r.uniform(260, 420)
    return x


def knock(r):
    x = silence(20)
    at = 20
    hz = r.uniform(140, 420)
    for k in range(r.choice([2, 3, 3, 4])):
        hit = burst(r, 160, 0.5, 3)
        sound = silence(0)
        for f, width, gain in ((hz, 30, 1), (hz * 2.3, 60, 0.5), (hz * 4.1, 150, 0.3)):
            add(sound, 0, resonator(hit, f, width), gain)
        add(x, at, scaled(sound, r.uniform(0.6, 1)))
        at += r.uniform(130, 260)
    return x


def door(r):
    """The latch, the slam, what rattles after it."""
    x = silence(20)
    add(x, 20, scaled(resonator(burst(r, 30, 0.5, 4), 2500, 600), 0.3))
    slam = burst(r, 500, 2, 60)
    sound = silence(0)
    for f, width in ((r.uniform(60, 110), 15), (r.uniform(180, 260), 40), (900, 400)):
        add(sound, 0, resonator(slam, f, width))
    add(x, 90, scaled(sound))
    for k in range(4):
        at = 180 + 45 * k + r.uniform(-10, 10)
        add(x, at, scaled(resonator(burst(r, 40, 0.5, 5), r.uniform(1200, 2400), 200), 0.15))
    return x


def keyboard(r):
    """Somebody types for three seconds."""
    x = silence(20)
    at = 20.0
    while at < 3000:
        loud = r.uniform(0.3, 1)
        add(x, at, scaled(resonator(burst(r, 25, 0.3, 2.5), r.uniform(2500, 4500), 900), loud))
        add(x, at + 3, scaled(resonator(burst(r, 40, 0.5, 6), r.uniform(200, 450), 120), 0.5 * loud))
        add(x, at + r.uniform(70, 110), scaled(resonator(burst(r, 20, 0.3, 2), 3500, 900), 0.4 * loud))
        at += r.choice([r.uniform(90, 180), r.uniform(90, 180), r.uniform(250, 600)])
    return x


CHORDS = ((0, 4, 7, 12), (-3, 0, 4, 9), (5, 9, 12, 17), (-5, -1, 2, 7))


def music(r):
    """Four plucked chords with a bass and a beat, from the next room."""
    beat = 60000 / r.uniform(85, 125)
    root = 220 * 2 ** (r.randrange(12) / 12)
    x = silence(20)
    for k in range(8):
        for note in CHORDS[k // 2 % 4]:
            hz = root * 2 ** (note / 12)
            n = ms(beat * 1.2)
            add(x, 20 + k * beat, [
                math.exp(-3 * i / n) * sum(math.sin(2 * math.pi * hz * h * i / HZ) / h**1.5 for h in (1, 2, 3, 4))
                for i in range(n)
            ], 0.25)
        bass = root / 2 * 2 ** (CHORDS[k // 2 % 4][0] / 12)
        low = [math.exp(-i / 2500) * math.sin(2 * math.pi * bass * i / HZ) for i in range(ms(beat))]
        add(x, 20 + k * beat, low, 0.6)
        add(x, 20 + k * beat, burst(r, 60, 0.5, 10), 0.25 if k % 2 else 0.1)
        add(x, 20 + (k + 0.5) * beat, burst(r, 30, 0.5, 5), 0.08)
    return x


# By kind: who makes it, and its levels in dB against the user's speech.
KINDS = {
    "cough": (cough, (-6, 0, 3)),
    "knock": (knock, (-6, 0, 3)),
    "door": (door, (-3, 3)),
    "keyboard": (keyboard, (-12, -6)),
    "music": (music, (-15, -9)),
}


def event(kind, number, folder):
    """The WAV file of one sound, made when it is not there."""
    path = Path(folder) / ("%s-%02d.wav" % (kind, number))
    if not path.exists():
        r = random.Random("%s %d" % (kind, number))
        x = scaled(KINDS[kind][0](r), 0.7)
        part = path.with_suffix(".part")
        write_wav(part, array.array("h", (int(v * 32767) for v in x + silence(50))))
        part.rename(path)
    return path


BACKCHANNELS = ("mhm", "yeah", "okay", "uh-huh", "right", "I see")
BACKCHANNEL_DB = (-9, -3, 0)
VOICES = [("flite", v) for v in ("slt", "rms", "awb", "kal16", "kal")] + [
    ("espeak-ng", v) for v in ("en-gb", "en-us+f3", "en-gb-scotland+m3", "en-us+m7")
]
# espeak-ng spells "mhm"; these are its phonemes for it.
PHONEMES = {"mhm": "[[m'hm:]]", "uh-huh": "[[V'hV]]"}


def backchannel(number, folder):
    """(WAV file, what is said), or None without the voices."""
    voice = VOICES[number % len(VOICES)]
    text = BACKCHANNELS[number // len(VOICES) % len(BACKCHANNELS)]
    path = Path(folder) / ("%s-%s-%s.wav" % (*voice, text.replace(" ", "-")))
    if not path.exists():
        if missing(voice[0]):
            return None
        spoken = PHONEMES.get(text, text) if voice[0] == "espeak-ng" else text
        say(voice, spoken, path)
    return path, text


def said_by_piper(text, folder):
    """The WAV file of hullo's own voice saying it, made when it is not there; None without its models."""
    path = Path(folder) / ("piper-%s.wav" % text.replace(" ", "-"))
    if not path.exists() and has_models():
        part = path.with_suffix(".part.wav")
        with openai_http.Server(reply=text.capitalize() + ".", transcript="go on") as url:
            command = [HULLO, "ask", "--force", "--voice", "piper", "--llm-url", url, "--stt-url", url]
            done = subprocess.run([*command, "-o", str(part), str(backchannel(0, folder)[0])], capture_output=True)
        if done.returncode == 0 and part.exists():
            part.rename(path)
    return path if path.exists() else None


if __name__ == "__main__":  # to listen to them
    for name in KINDS:
        for i in range(3):
            print(event(name, i, sys.argv[1]))
    for i in range(len(VOICES) * len(BACKCHANNELS)):
        print(*backchannel(i, sys.argv[1]))

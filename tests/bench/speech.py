"""Speech for the benchmarks, with the words that are said in it.

Real: recordings of one speaker from Debian's asterisk-core-sounds-en-g722 (CC-BY-SA-3.0), fetched
with apt (its signature is apt's to check) into the user's cache; whole sentences, and numbers,
dates, sums and codes composed of single words; where words do not matter, also those of its
sisters in es (the same speaker), fr, it and ru. HULLO_BENCH_SOUNDS names the folder
en_US_f_Allison, the others beside it, where apt is not there. Synthetic: voices of espeak-ng and flite that hullo does not
speak with. Each item is (WAV file, words, group).
"""

import array
import os
import random
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

from measure import cache_folder, missing

PACKAGE = "asterisk-core-sounds-%s-g722"
HZ = 16000
GAP_MS = 70  # between two words of a composed recording
QUIET = 250  # samples below are the silence around a word

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = (
    "january february march april may june july august september october november december".split()
)
DAYS = "sunday monday tuesday wednesday thursday friday saturday".split()
PHONETIC = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar "
    "papa quebec romeo sierra tango uniform victor whiskey x-ray yankee zulu"
).split()


# --- real recordings


def sounds_folder(language="en"):
    """The folder of the recordings, fetched when it is not there; None, with a word why, where it
    cannot be had."""
    if "HULLO_BENCH_SOUNDS" in os.environ:
        english = Path(os.environ["HULLO_BENCH_SOUNDS"])
        found = sorted(english.parent.glob(language + "_*"))
        return english if language == "en" else found[0] if found else None
    cache = cache_folder("sounds")
    pattern = "usr/share/asterisk/sounds/%s_*" % language
    found = sorted(cache.glob(pattern))
    if not found:
        fetch_sounds(cache, PACKAGE % language)
        found = sorted(cache.glob(pattern))
    return found[0] if found else None


def fetch_sounds(cache, package):
    if missing("apt-get", "dpkg-deb"):
        print("no apt here: name the recordings with HULLO_BENCH_SOUNDS", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        got = subprocess.run(
            ["apt-get", "-q", "download", package], cwd=folder, capture_output=True, text=True
        )
        files = list(Path(folder).glob("*.deb"))
        if not files:
            print("cannot fetch '%s': %s" % (package, got.stderr.strip()), file=sys.stderr)
            return
        subprocess.run(["dpkg-deb", "-x", files[0], cache], check=True)


def decoded(clip, language="en"):
    """A clip ('digits/7') as a WAV file, or None: no recordings, no such clip, no ffmpeg."""
    name = clip if language == "en" else language + "/" + clip
    out = cache_folder("wav") / (name.replace("/", "_") + ".wav")
    if out.exists():
        return out
    folder = sounds_folder(language)
    source = folder / (clip + ".g722") if folder else None
    if source is None or not source.exists() or missing("ffmpeg"):
        return None
    part = out.with_suffix(".%d" % os.getpid())
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "g722", "-i", source]
        + ["-ar", str(HZ), "-ac", "1", "-c:a", "pcm_s16le", "-f", "wav", part],
        check=True,
    )
    part.rename(out)
    return out


# Tones, and jokes that are not speech.
NO_SPEECH = ("beep", "tone", "tt-", "confbridge-", "silence", "conf-has")
G722_BYTES = 8000  # a second


def sentences(language, least_s, most_s):
    """The names of the clips of spoken sentences of that length."""
    folder = sounds_folder(language)
    if folder is None or missing("ffmpeg"):
        return []
    files = sorted(f for f in folder.glob("*.g722") if not any(w in f.name for w in NO_SPEECH))
    return [f.stem for f in files if least_s <= f.stat().st_size / G722_BYTES <= most_s]


def have_real():
    return decoded("digits/1") is not None


def read_wav(path):
    with wave.open(str(path), "rb") as w:
        x = array.array("h", w.readframes(w.getnframes()))
    if sys.byteorder == "big":
        x.byteswap()
    return x


def write_wav(path, x):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(HZ)
        w.writeframes(x.tobytes())


def trimmed(x):
    loud = [i for i, v in enumerate(x) if abs(v) >= QUIET]
    pad = HZ * 30 // 1000
    return x[max(0, loud[0] - pad) : loud[-1] + pad] if loud else x


def compose(clips, out):
    """Writes single words as one recording."""
    x = array.array("h", bytes(2 * HZ // 5))
    for clip in clips:
        path = decoded(clip)
        if path is None:
            raise FileNotFoundError("no recording '%s'" % clip)
        x += trimmed(read_wav(path)) + array.array("h", bytes(2 * (HZ * GAP_MS // 1000)))
    x += array.array("h", bytes(2 * HZ // 5))
    write_wav(out, x)
    return out


# --- what is composed: lists of (clip, word)


def number(n):
    """Cardinal, 0 to 999999."""
    if n >= 1000:
        return number(n // 1000) + [("digits/thousand", "thousand")] + (number(n % 1000) if n % 1000 else [])
    if n >= 100:
        return number(n // 100) + [("digits/hundred", "hundred")] + (number(n % 100) if n % 100 else [])
    if n >= 20:
        return [("digits/%d" % (n - n % 10), TENS[n // 10 - 2])] + (number(n % 10) if n % 10 else [])
    return [("digits/%d" % n, TEENS[n - 10] if n >= 10 else DIGITS[n])]


ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def ordinal(n):
    """1 to 31."""
    if n <= 20:
        return [("digits/h-%d" % n, ORDINALS[n - 1])]
    if n == 30:
        return [("digits/h-30", "thirtieth")]
    return [("digits/%d" % (n - n % 10), TENS[n // 10 - 2]), ("digits/h-%d" % (n % 10), ORDINALS[n % 10 - 1])]


def a_sum(r):
    sign = r.choice([("letters/plus", "plus"), ("digits/minus", "minus")])
    a, b = r.randint(10, 99), r.randint(1, 20)
    return number(a) + [sign] + number(b) + [("letters/equals", "equals")]


def letter_sum(r):
    """'a plus b equals 7, b equals 3, a equals'."""
    a, b = r.sample("abcdefghklmnpqrstuxyz", 2)
    say = lambda c: [("letters/" + c, c)]
    plus, equals = [("letters/plus", "plus")], [("letters/equals", "equals")]
    n = r.randint(1, 9)
    return say(a) + plus + say(b) + equals + number(n + r.randint(1, 9)) + say(b) + equals + number(n) + say(a) + equals


def a_number(r):
    return number(r.choice([r.randint(21, 99), r.randint(100, 999), r.randint(1000, 99999)]))


def a_date(r):
    month, day = r.randrange(12), r.randrange(7)
    year = r.randint(11, 99)
    return (
        [("digits/day-%d" % day, DAYS[day]), ("digits/mon-%d" % month, MONTHS[month])]
        + ordinal(r.randint(1, 31))
        + number(r.choice([19, 20]))
        + number(year)
    )


def a_time(r):
    minute = r.choice([15, 20, 30, 45, 52])
    half = r.choice([("digits/a-m", "a m"), ("digits/p-m", "p m")])
    return number(r.randint(1, 12)) + number(minute) + [half]


def a_code(r):
    out = []
    for i in range(r.randint(5, 7)):
        if r.random() < 0.5:
            c = r.choice("abcdefghijklmnopqrstuvwxy")
            out.append(("letters/" + c, c))
        else:
            out += number(r.randint(0, 9))
        if i == 2 and r.random() < 0.5:
            out.append(("letters/dash", "dash"))
    return out


def spelled(r):
    """A code in the alphabet of radio operators."""
    return [("phonetic/%s_p" % chr(97 + i), PHONETIC[i]) for i in r.sample(range(26), 5)]


COMPOSED = {"sum": a_sum, "letter-sum": letter_sum, "number": a_number, "date": a_date, "time": a_time}
COMPOSED.update({"code": a_code, "phonetic": spelled})


def composed(kind, count, folder, seed=1):
    """`count` different recordings of a kind, the same ones for the same seed."""
    r = random.Random("%s %d" % (kind, seed))
    items = []
    while len(items) < count:
        parts = COMPOSED[kind](r)
        words = " ".join(word for _, word in parts)
        if all(words != w for _, w, _ in items):
            path = Path(folder) / ("real-%s-%02d.wav" % (kind, len(items)))
            items.append((compose([clip for clip, _ in parts], path), words, kind))
    return items


def listed(tsv):
    """The sentences of a list: clip TAB words, # for comments."""
    items = []
    for line in Path(tsv).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            clip, words = line.split("\t")
            path = decoded(clip)
            if path is None:
                print("no recording '%s': left out" % clip, file=sys.stderr)
                continue
            items.append((path, words, "sentence"))
    return items


# --- synthetic voices

VOICES = [
    ("flite", "rms"),
    ("espeak-ng", "en-gb"),
    ("flite", "awb"),
    ("espeak-ng", "en-us+f3"),
    ("flite", "kal16"),
    ("espeak-ng", "en-gb-scotland+m3"),
]


def say(voice, text, path):
    program, name = voice
    if program == "flite":
        command = ["flite", "-voice", name, "-t", text, "-o", str(path)]
    else:
        command = ["espeak-ng", "-v", name, "-s", "150", "-w", str(path), text]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def synthetic(texts, folder, group="sentence"):
    """Each text with the next of the voices."""
    voices = [v for v in VOICES if not missing(v[0])]
    items = []
    for i, text in enumerate(texts if voices else []):
        path = Path(folder) / ("synthetic-%s-%02d.wav" % (group, i))
        items.append((say(voices[i % len(voices)], text, path), text, group))
    return items


QUESTIONS = [
    "What is the capital of France?",
    "How many legs does a spider have?",
    "What color do you get when you mix blue and yellow?",
    "Who wrote Romeo and Juliet?",
    "How many days are there in a week?",
    "What is the largest planet in our solar system?",
    "Can you tell me a short joke?",
    "What do bees make?",
    "Which ocean lies between Europe and America?",
    "What is the opposite of hot?",
    "How do I make a cup of tea?",
    "What is the freezing point of water?",
    "Name three kinds of fruit.",
    "Why is the sky blue?",
    "What language do people speak in Brazil?",
    "How many minutes are in two hours?",
    "What should I wear when it rains?",
    "Who was the first man on the moon?",
    "What is a good name for a cat?",
    "Where do penguins live?",
]

"""The rooms of the benchmark of the duplex path, and what happens in each: plans for duplex_run
(duplex_plan.h). TRAIN is what constants may be tuned on; the held-out rooms are drawn from other
seeds, other parameters, and other recordings, and are only looked at for the result."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import duplex_noises
import speech

SYSTEM_MS = 25  # of the total delay, what the devices take on the way out
MOVE_S = 12


@dataclass
class Room:
    name: str
    t60_ms: int
    echo_db: float  # active level against the user's, at the microphone
    ppm: float
    delay_ms: int  # in all, from the callback to the echo
    noise_db: float = -75
    drive: float = 0  # of the loudspeaker: tanh(drive x)/drive
    clip_db: float = 0
    walks: float = 0  # somebody walks about: the share of the path that stays, every MOVE_S
    moved_s: int = 0  # the laptop is moved then: another path altogether
    user_db: float = -32
    voices: tuple = ("en", "fr")  # assistant, user
    seed: int = 1
    held_out: bool = False
    trials: dict = field(default_factory=dict)


TRAIN = [
    Room("t01", 200, -6, 0, 60, voices=("en", "fr")),
    Room("t02", 300, 0, 0, 60, voices=("fr", "en")),
    Room("t03", 400, 6, 0, 100, voices=("it", "en")),
    Room("t04", 500, 12, 0, 60, user_db=-36, voices=("en", "it")),
    Room("t05", 300, -6, 20, 150, noise_db=-65, voices=("ru", "fr")),
    Room("t06", 200, 0, -20, 20, drive=0.6, voices=("en", "ru")),
    Room("t07", 300, 6, 50, 60, noise_db=-65, voices=("fr", "it")),
    Room("t08", 300, 12, -50, 100, user_db=-36, voices=("it", "ru")),
    Room("t09", 400, -6, -50, 200, drive=0.6, noise_db=-62, voices=("es", "it")),
    Room("t10", 300, 0, 50, 120, drive=1.2, noise_db=-68, voices=("en", "fr")),
    Room("t11", 200, 6, -100, 80, drive=0.6, voices=("ru", "en")),
    Room("t12", 400, 12, 20, 40, drive=0.6, user_db=-36, voices=("fr", "ru")),
    Room("t13", 500, -6, 100, 300, noise_db=-60, voices=("it", "es")),
    Room("t14", 300, 0, -100, 100, walks=0.97, noise_db=-70, voices=("es", "ru")),
    Room("t15", 300, 0, 20, 250, moved_s=90, drive=0.6, voices=("ru", "it")),
    Room("t16", 300, 6, 0, 60, walks=0.98, clip_db=-9, voices=("en", "it")),
]
PAIRS = [("fr", "ru"), ("en", "it"), ("it", "fr"), ("ru", "es"), ("es", "fr"), ("fr", "it"), ("it", "ru"), ("ru", "en")]


def held_out():
    """Eight rooms, each parameter drawn from its whole range."""
    r = random.Random("held out")
    rooms = []
    ppm = [0, 20, -20, 50, -50, 100, -100, r.uniform(-100, 100)]
    r.shuffle(ppm)
    for i, echo_db in enumerate((-6, -3, 0, 0, 3, 6, 9, 12)):
        rooms.append(
            Room(
                "h%02d" % (i + 1),
                t60_ms=r.randrange(200, 501, 10),
                echo_db=echo_db,
                ppm=round(ppm[i], 1),
                delay_ms=r.randrange(20, 301),
                noise_db=round(r.uniform(-75, -60), 1),
                drive=r.choice([0, 0, round(r.uniform(0.3, 1.2), 2)]),
                clip_db=r.choice([0, 0, 0, -9]),
                walks=0.97 if i in (1, 5) else 0,
                moved_s=100 if i == 2 else 0,
                user_db=-36 if echo_db > 6 else -32,
                voices=PAIRS[i],
                seed=1000 + i,
                held_out=True,
            )
        )
    return rooms


# ERLE of the two cases: nobody interrupts.
ERLE = [
    Room("mild", 300, 0, 0, 60, noise_db=-85, voices=("en", "fr"), seed=500),
    Room("moderate", 500, 0, 50, 200, noise_db=-75, drive=0.6, voices=("en", "fr"), seed=501),
]


def knobs(room, seconds):
    system = min(SYSTEM_MS, room.delay_ms)
    echo = "echo=at:%d delay:%d gain:0 t60:%d seed:%d%s"
    base = 100 * room.seed + hash_of(room.name)
    after = room.delay_ms - system
    lines = ["system_ms=%d" % system, echo % (0, after, room.t60_ms, base, "")]
    if room.moved_s:
        lines.append(echo % (room.moved_s * 1000, after, room.t60_ms, base + 1, ""))
    if room.walks:
        for k in range(1, min(62, int(seconds / MOVE_S))):
            share = " base:%d share:%g" % (base, room.walks)
            lines.append(echo % (k * MOVE_S * 1000, after, room.t60_ms, base + k, share))
    lines += ["noise_db=%g" % room.noise_db, "noise_seed=%d" % (base % 9973), "drift_ppm=%g" % room.ppm]
    lines += ["drive=%g" % room.drive, "clip_db=%g" % room.clip_db]
    return lines + ["user_db=%g" % room.user_db, "echo_db=%g" % room.echo_db]


def hash_of(name):
    """The same in every process, unlike hash()."""
    return sum((i + 1) * ord(c) for i, c in enumerate(name))


def part_of(clips, room):
    """Recordings for training and for the held-out rooms are different ones."""
    return [c for c in clips if hash_of(c) % 3 == 0] if room.held_out else [c for c in clips if hash_of(c) % 3]


def shuffled(items, *seed):
    items = list(items)
    random.Random(" ".join(map(str, seed))).shuffle(items)
    return items


def assistant(room, opening):
    language = room.voices[0]
    clips = shuffled(part_of(speech.sentences(language, 2.5, 25), room), room.name, "assistant", opening)
    return ["assistant=%s" % speech.decoded(c, language) for c in clips]


def real_users(room, count):
    """`count` of (class, wait, level, file); again from the start when there are not so many."""
    language = room.voices[1]
    clips = shuffled(part_of(speech.sentences(language, 1.4, 5), room), room.name, "user")
    r = random.Random("real %s" % room.name)
    return [
        ("user", r.randrange(1500, 4500), 0, speech.decoded(clips[i % len(clips)], language))
        for i in range(count)
    ]


SAID = (
    "Wait a moment, that is not what I meant.",
    "No, stop. I want to ask something else.",
    "Sorry, could you say that again more slowly?",
    "And what about tomorrow morning?",
    "Hold on, somebody is at the door.",
    "Tell me more about the second one.",
    "Actually, never mind, play some music.",
    "How long does that take on foot?",
)


def synthetic_users(room, count, folder):
    r = random.Random("synthetic %s" % room.name)
    out = []
    voices = [v for v in speech.VOICES if not speech.missing(v[0])]
    for i in range(count if voices else 0):
        voice, text = voices[(i + room.seed) % len(voices)], (i + hash_of(room.name)) % len(SAID)
        path = Path(folder) / ("said-%s-%s-%d.wav" % (*voice, text))
        if not path.exists():
            speech.say(voice, SAID[text], path)
        out.append(("user-synthetic", r.randrange(1500, 4500), 0, path))
    return out


def noises(room, count, folder):
    r = random.Random("noises %s" % room.name)
    out = []
    for i in range(count):
        kind = list(duplex_noises.KINDS)[i % len(duplex_noises.KINDS)]
        number = hash_of(room.name) % 7 + i // len(duplex_noises.KINDS) + (50 if room.held_out else 0)
        level = r.choice(duplex_noises.KINDS[kind][1])
        out.append((kind, r.randrange(1500, 3500), level, duplex_noises.event(kind, number, folder)))
    return out


def backchannels(room, count, folder):
    r = random.Random("backchannels %s" % room.name)
    every = len(duplex_noises.VOICES) * len(duplex_noises.BACKCHANNELS)
    out = []
    for i in range(count):
        made = duplex_noises.backchannel((hash_of(room.name) * 5 + i * 7) % every, folder)
        if made:
            level = r.choice(duplex_noises.BACKCHANNEL_DB)
            out.append(("backchannel", r.randrange(1500, 3500), level, made[0]))
    return out


def piper_backchannels(room, count, folder):
    """In the voice that hullo itself speaks with."""
    out = []
    for i in range(count):
        text = duplex_noises.BACKCHANNELS[(hash_of(room.name) + i) % len(duplex_noises.BACKCHANNELS)]
        path = duplex_noises.said_by_piper(text, folder)
        if path:
            out.append(("backchannel-piper", 2000 + 500 * i, duplex_noises.BACKCHANNEL_DB[i % 3], path))
    return out


def plan(room, folder, sounds, alone_s, opening=0, real=0, synthetic=0, noise=0, backchannel=0, piper=0):
    """Writes the plan of a room into a folder; returns the file. What is synthesised is kept in `sounds`. Each
    opening begins with other words."""
    trials = real_users(room, real) + synthetic_users(room, synthetic, sounds)
    trials += noises(room, noise, sounds) + backchannels(room, backchannel, sounds)
    trials = shuffled(trials, room.name, "order") + piper_backchannels(room, piper, sounds)
    lines = knobs(room, alone_s + 8 * len(trials)) + ["alone_s=%d" % alone_s] + assistant(room, opening)
    lines += ["trial=%s %d %g %s" % t for t in trials]
    path = Path(folder) / ("%s-%d.plan" % (room.name, opening))
    path.write_text("".join(line + "\n" for line in lines))
    return path

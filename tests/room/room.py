"""Runs a program in the virtual room and tells what was heard there (README.md).

    with Room(tmp_path, echo="delay:30 gain:-12 t60:300", user=["at:500 question.wav"]) as room:
        room.start(["hullo", "chat", "--no-input"])
        room.wait("speaker_off", timeout=20)
        room.stop()
    print(room.response_gaps_ms())

Keyword arguments are the knobs of the room; a list gives a knob several times. Nothing but the
standard library is needed. Times in ms count from the moment the room opened, indices are samples.
"""

import array
import json
import math
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

LOUD = 100  # |sample| from which a channel counts as sounding
SPEAKER, MICROPHONE, USER = 0, 1, 2


def plugin_folder():
    """Where the plugin was built: $ROOM_BUILD, $BUILD/room, or build/room of this checkout."""
    if "ROOM_BUILD" in os.environ:
        return Path(os.environ["ROOM_BUILD"])
    top = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("BUILD", top / "build")).resolve() / "room"


def write_wav(path, samples, rate):
    """Mono, 16 bit; samples are numbers of -1..1."""
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        data = array.array("h", (int(max(-1, min(1, x)) * 32767) for x in samples))
        w.writeframes(little(data).tobytes())


def little(samples):
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def tone(hz, ms, rate=16000, level=0.3):
    return [level * math.sin(2 * math.pi * hz * i / rate) for i in range(rate * ms // 1000)]


def alsa_config(plugin, default="plug"):
    """The system's configuration, then the room. default: 'plug' converts what the room does not
    do, 'direct' is the bare room, 'none' leaves the system's default alone."""
    lines = [
        "</usr/share/alsa/alsa.conf>",
        'pcm_type.room { lib "%s" }' % plugin,
        'pcm.vroom { type room hint { show on description "Virtual room" } }',
    ]
    if default == "plug":
        lines.append('pcm.!default { type plug slave.pcm "vroom" }')
    elif default == "direct":
        lines.append("pcm.!default { type room }")
    return "\n".join(lines) + "\n"


class Recording:
    """The three channels of a room, as arrays of 16-bit samples."""

    def __init__(self, path):
        with wave.open(str(path), "rb") as w:
            assert w.getnchannels() == 3 and w.getsampwidth() == 2
            self.rate = w.getframerate()
            data = little(array.array("h", w.readframes(w.getnframes())))
        self.speaker, self.microphone, self.user = data[0::3], data[1::3], data[2::3]

    def channel(self, which):
        return (self.speaker, self.microphone, self.user)[which]

    def ms(self, sample):
        return sample * 1000 / self.rate

    def first_loud(self, which, start=0, end=None, level=LOUD):
        """The first sample of a channel that sounds, or None."""
        x = self.channel(which)
        for i in range(start, len(x) if end is None else min(end, len(x))):
            if abs(x[i]) >= level:
                return i
        return None

    def last_loud(self, which, start=0, end=None, level=LOUD):
        x = self.channel(which)
        for i in range((len(x) if end is None else min(end, len(x))) - 1, start - 1, -1):
            if abs(x[i]) >= level:
                return i
        return None

    def sounds(self, which, quiet_ms=300, level=LOUD):
        """[(first, last)] of the stretches that sound, with less than quiet_ms between samples."""
        gap, out = quiet_ms * self.rate // 1000, []
        for i, x in enumerate(self.channel(which)):
            if abs(x) >= level:
                if out and i - out[-1][1] <= gap:
                    out[-1][1] = i
                else:
                    out.append([i, i])
        return [tuple(s) for s in out]

    def rms_db(self, which, start=0, end=None):
        """Level of a stretch, dB of full scale."""
        x = self.channel(which)[start:end]
        power = sum(v * v for v in x) / max(1, len(x))
        return 10 * math.log10(max(power, 1e-9) / 32768**2)

    def response_gaps_ms(self, user_quiet_ms=1500, level=LOUD):
        """For each thing that the user said: ms from its last sample to the speaker's next one."""
        gaps = []
        for _, last in self.sounds(USER, user_quiet_ms, level):
            first = self.first_loud(SPEAKER, last + 1, None, level)
            if first is not None:
                gaps.append(self.ms(first - last))
        return gaps


class Room:
    """A folder with a room's files, and at most one program running in it."""

    def __init__(self, folder, default="plug", plugin=None, env=None, **knobs):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.plugin = Path(plugin or plugin_folder() / "libasound_module_pcm_room.so")
        self.record, self.events_file = self.folder / "room.wav", self.folder / "room.jsonl"
        self.process = self.output = self.errors = None
        knobs = {"record": self.record, "events": self.events_file, **knobs}
        lines = []
        for key, value in knobs.items():
            for v in value if isinstance(value, (list, tuple)) else [value]:
                lines.append("%s=%s\n" % (key, v))
        (self.folder / "knobs").write_text("".join(lines))
        (self.folder / "alsa.conf").write_text(alsa_config(self.plugin, default))
        self.env = dict(os.environ, **(env or {}))
        self.env.update(
            ALSA_CONFIG_PATH=str(self.folder / "alsa.conf"), ROOM_KNOBS=str(self.folder / "knobs")
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self, command, stdin=subprocess.DEVNULL, **popen):
        """Starts the program; its stdout and stderr go to files `out` and `err` of the folder."""
        assert self.process is None and self.plugin.exists(), "make room first: %s" % self.plugin
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            self.process = subprocess.Popen(
                [str(a) for a in command], env=self.env, stdin=stdin, stdout=out, stderr=err, **popen
            )
        return self.process

    def run(self, command, timeout=60, **popen):
        """Starts the program, waits for its end; returns its exit status."""
        self.start(command, **popen)
        return self.finish(timeout)

    def finish(self, timeout=60):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def stop(self, how=signal.SIGINT, timeout=20):
        """Sends a signal and waits; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.finish(timeout)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def stdout(self):
        return (self.folder / "out").read_text(errors="replace")

    @property
    def stderr(self):
        return (self.folder / "err").read_text(errors="replace")

    def events(self, name=None):
        """What happened so far: dictionaries with `event`, `at` (sample), and more (README.md)."""
        try:
            text = self.events_file.read_text()
        except FileNotFoundError:
            return []
        lines = text[: text.rfind("\n") + 1].splitlines()
        events = [json.loads(line) for line in lines]
        return [e for e in events if name is None or e["event"] == name]

    def wait(self, name, count=1, timeout=30):
        """Waits for the count-th event of that name and returns it; None when the program ended or
        the time was up first."""
        end = time.monotonic() + timeout
        while True:
            over = self.process.poll() is not None or time.monotonic() > end
            found = self.events(name)
            if len(found) >= count:
                return found[count - 1]
            if over:
                return None
            time.sleep(0.02)

    def recording(self):
        return Recording(self.record)

    def clock_ns(self):
        """CLOCK_MONOTONIC at sample 0, or None."""
        opened = self.events("open")
        return opened[0]["clock_ns"] if opened else None

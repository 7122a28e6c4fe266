"""The real hullo, in the virtual room, through the real PortAudio: a user speaks, hullo answers, and what happened is
read from the room's samples, from hullo's JSON, and from what the language model was told.

Speech is made of tones, each of them a word; stand-ins hear them as such (the detector takes what is loud for speech,
the speech-to-text server tells words by their pitch), so that no model is needed and no chance is in it. The room is
in real time, on machines that others use too: what fails is tried once more."""

import array
import contextlib
import fcntl
import functools
import io
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import termios
import time
import wave

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from fake import detector, openai_http  # noqa: E402
from room import SPEAKER, USER, Room, tone, write_wav  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the room is an ALSA plugin")
HZ = 16000
WORDS = {"red": 400, "green": 700, "blue": 1200}
LONG = "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen."
DONE, AUDIO, INTERRUPTED, TERMINATED = 0, 5, 130, 143
LEAVING_S = 0.5  # to give back the devices and end


def once_more(test):
    @functools.wraps(test)
    def twice(**fixtures):
        try:
            test(**fixtures)
        except (AssertionError, subprocess.TimeoutExpired):
            test(**fixtures)

    return twice


# --- what is said, and who hears it


def saying(text):
    """Samples of a question: words, and pauses as numbers of ms."""
    x = []
    for part in text.split():
        if part.isdigit():
            x += [0.0] * (HZ * int(part) // 1000)
        elif part == "knock":
            x += tone(1500, 50, HZ)
        else:
            x += tone(WORDS[part], 400, HZ)
    return x


def words(x):
    """The words in a recording: stretches with less than 60 ms of quiet in them, by their zero crossings."""
    stretches = []
    for i, v in enumerate(x):
        if abs(v) < 1500:
            continue
        if not stretches or i - stretches[-1][-1] > HZ * 60 // 1000:
            stretches.append([i, i])
        stretches[-1][-1] = i
    found = []
    for first, last in stretches:
        y = x[first:last]
        if len(y) < HZ // 20:
            continue
        crossings = sum(a < 0 <= b for a, b in zip(y, y[1:]))
        pitch = crossings * HZ / len(y)
        found.append(min(WORDS, key=lambda w: abs(WORDS[w] - pitch)))
    return " ".join(found)


class Mind(openai_http.Server):
    """Hears words by their pitch; answers a question with what `answers` has for it."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers
        self.heard, self.told = [], []  # transcripts; conversations, each a list of (role, text)

    def note(self, line, headers, body):
        super().note(line, headers, body)
        if line[1].endswith("transcriptions"):
            with wave.open(io.BytesIO(body[body.index(b"RIFF"):])) as w:
                x = array.array("h", w.readframes(w.getnframes()))
            self.transcript = words(x)
            self.heard.append(self.transcript)
        elif line[1].endswith("completions"):
            told = [(m["role"], m["content"]) for m in json.loads(body)["messages"]]
            self.told.append(told[1:])
            # What nobody heard an answer to is asked again, before the rest.
            known = [a for q, a in self.answers.items() if told[-1][1].endswith(q)]
            self.reply = known[0] if known else "Yes."


def told_turns(room):
    """The turns that hullo has told of."""
    out = room.stdout
    return [json.loads(line) for line in out[: out.rfind("\n") + 1].splitlines()]


def wait_turns(room, count, timeout):
    """Until there are so many; then all of them."""
    end = time.monotonic() + timeout
    while len(told_turns(room)) < count and time.monotonic() < end and room.process.poll() is None:
        time.sleep(0.02)
    assert len(told_turns(room)) >= count, (told_turns(room), room.stderr)
    return told_turns(room)


class Scene:
    """hullo in a room with a user, and with a mind of ours behind it."""

    def __init__(self, program, folder, env, user=(), options=(), answers=None, **knobs):
        self.mind = Mind(answers or {})
        said = []
        for n, text in enumerate(user):
            when, _, text = text.partition(" ")
            path = folder / ("said-%d.wav" % n)
            folder.mkdir(exist_ok=True)
            write_wav(path, saying(text), HZ)
            said.append("%s %s" % (when, path))
        self.room = Room(folder, env=env, user=said, **knobs)
        where = ["--llm-url", self.mind.url, "--stt-url", self.mind.url, "--voice", "flite"]
        self.command = [program, "chat", "--json", *where, *options]

    def __enter__(self):
        self.mind.__enter__()
        return self

    def __exit__(self, *_):
        self.room.kill()
        self.mind.__exit__()

    def start(self, *options, **popen):
        self.room.start([*self.command, *options], **popen)
        return self.room.process

    def turns(self):
        return told_turns(self.room)

    def wait(self, count, timeout=15):
        return wait_turns(self.room, count, timeout)

    def ready(self, timeout=15):
        """Until hullo says what it runs on; by then it listens."""
        end = time.monotonic() + timeout
        while "hears with" not in self.room.stderr and time.monotonic() < end:
            time.sleep(0.02)
        assert "hears with" in self.room.stderr, self.room.stderr

    def answering(self, question, timeout=20):
        """Until hullo answers what the user said; the event of its first sound."""
        asked, end = self.room.wait("user_end", question + 1, timeout), time.monotonic() + timeout
        assert asked, self.room.stderr
        while time.monotonic() < end and self.room.process.poll() is None:
            for event in self.room.events("speaker_on"):
                if event["at"] > asked["at"]:
                    return event
            time.sleep(0.02)
        raise AssertionError("no answer: " + self.room.stderr)

    def leave(self, how=signal.SIGTERM):
        """Ends hullo; the status, and how long it took."""
        since = time.monotonic()
        status = self.room.stop(how)
        return status, time.monotonic() - since


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    return detector.install(tmp_path_factory.mktemp("stand-ins"))


@pytest.fixture
def scene(hullo, tmp_path, stand_ins, monkeypatch):
    """Makes scenes; they end with the test."""
    for name in list(os.environ):
        if re.fullmatch("HULLO_(?!SHARE|BUILD).*|.*_proxy", name, re.IGNORECASE):
            monkeypatch.delenv(name)
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "TERM": "xterm", **stand_ins}
    with contextlib.ExitStack() as scenes:
        count = iter(range(100))
        yield lambda **how: scenes.enter_context(Scene(hullo, tmp_path / str(next(count)), env, **how))


# --- questions and answers


@once_more
def test_a_question_is_answered_and_the_gap_is_what_the_samples_say(scene):
    s = scene(user=["at:500 red 100 green", "silence:800 blue"], noise_db=-60)
    s.start("--no-input")
    turns = s.wait(2)
    assert s.leave()[0] == TERMINATED
    assert [(t["heard"], t["text"], t["stopped"]) for t in turns] == [("red green", "Yes.", False), ("blue", "Yes.", False)]
    gaps = s.room.recording().response_gaps_ms(level=150)
    assert len(gaps) == 2
    for turn, gap in zip(turns, gaps):
        assert gap > 500  # it let the user finish
        assert abs(turn["response_gap_ms"] - gap) < 60
    assert not s.room.events("xrun")


@once_more
def test_people_read_what_was_heard_and_said_and_how_long_it_took(scene):
    s = scene(user=["at:500 red"], answers={"more": LONG})
    s.command.remove("--json")
    p = s.start(stdin=subprocess.PIPE)
    s.answering(0)
    os.write(p.stdin.fileno(), b"more\n")
    time.sleep(1.2)
    os.write(p.stdin.fileno(), b"\n")
    p.stdin.close()
    assert s.room.finish(20) == DONE
    pattern = r"you    red\nhullo  Yes\.( -- stopped[^\n]*)?  \(0\.\d\d s\)\nyou    more\nhullo  %s -- stopped after \"(\w+,? ?){1,3}\"\n"
    assert re.fullmatch(pattern % re.escape(LONG), s.room.stdout)


@once_more
def test_a_conversation_goes_on_when_a_server_failed_for_a_while(scene):
    s = scene(user=["at:500 red", "at:3500 green"])
    s.mind.faults["status"] = "500"
    s.start("--no-input")
    assert s.room.wait("user_end")
    time.sleep(1)
    assert "hullo: " in s.room.stderr and "scripted failure 500" in s.room.stderr
    s.mind.faults.clear()
    assert [t["heard"] for t in s.wait(1)] == ["green"]
    assert s.mind.told[-1] == [("user", "green")]


@pytest.mark.models
@once_more
def test_the_models_answer_a_question_asked_aloud(hullo, tmp_path):
    def path(model):
        found = subprocess.run([hullo, "models", "path", model], capture_output=True, text=True, check=True)
        return pathlib.Path(found.stdout.strip())

    with openai_http.Server(reply="What is the capital of France?") as url:  # asked in hullo's own voice
        asking = [hullo, "ask", "--force", "--stt-url", url, "--llm-url", url, "--voice", "piper"]
        recording = next(path("jfk").glob("*.wav"))
        subprocess.run([*asking, "-o", tmp_path / "asked.wav", recording], check=True, capture_output=True)
    with Room(tmp_path / "room", user="at:3000 %s" % (tmp_path / "asked.wav"), noise_db=-65) as room:
        room.start([hullo, "chat", "--no-input", "--json", "--max-tokens", "24"])
        turn = wait_turns(room, 1, timeout=40)[0]
        assert room.stop() == INTERRUPTED
    assert "capital" in turn["heard"] and "France" in turn["heard"]
    assert "paris" in turn["text"].lower()
    gap = room.recording().response_gaps_ms(level=150)[0]
    assert abs(turn["response_gap_ms"] - gap) < 150


@once_more
def test_the_model_is_told_the_whole_conversation(scene):
    s = scene(user=["at:500 red", "silence:700 green", "silence:700 blue"], answers={"green": "It is four."})
    s.start("--no-input", "--system", "be brief")
    s.wait(3)
    told = [("user", "red"), ("assistant", "Yes."), ("user", "green"), ("assistant", "It is four."), ("user", "blue")]
    assert s.mind.told[-1] == told


@once_more
def test_hullo_does_not_hear_itself_and_listens_again_after_its_answer(scene):
    s = scene(
        user=["at:500 red", "silence:800 green"],
        echo="delay:200 gain:-6 t60:400",
        answers={"red": "The answer to this question is rather long."},
    )
    s.start("--no-input")
    turns = s.wait(2)
    time.sleep(1.5)
    assert [t["heard"] for t in s.turns()] == [t["heard"] for t in turns] == ["red", "green"]
    assert [t["stopped"] for t in turns] == [False, False]


# --- speaking over an answer


@once_more
@pytest.mark.parametrize("echo, options", [
    ({}, ["--aec", "off"]), ({"echo": "delay:40 gain:-12 t60:300"}, [])], ids=["headphones", "loudspeaker"])
def test_speech_over_an_answer_stops_it_and_is_heard_from_its_first_word_on(scene, echo, options):
    s = scene(user=["at:500 red", "sound:1500 green 100 blue 100 green", "silence:900 red"], answers={"red": LONG}, **echo)
    s.start("--no-input", *options)
    first, second = s.wait(2)[:2]
    time.sleep(0.5)
    assert first["stopped"] and not second["stopped"]
    assert (first["heard"], second["heard"]) == ("red", "green blue green")
    assert first["generated"] == LONG and 0 < len(first["text"]) < len(LONG) / 2
    assert LONG.startswith(first["text"])
    r = s.room.recording()
    began, ended = r.sounds(USER)[1]
    assert r.ms(r.last_loud(SPEAKER, 0, ended) - began) < 600  # it fell silent soon
    assert s.wait(3)[2]["heard"] == "red"
    assert s.mind.told[-1][:3] == [("user", "red"), ("assistant", first["text"]), ("user", "green blue green")]


@once_more
def test_what_is_told_to_have_been_heard_is_what_the_loudspeaker_played(scene):
    s = scene(user=["at:500 red", "sound:1200 green 100 blue 100 green"], answers={"red": "A" + "a" * 60 + " b."})
    s.start("--no-input", "--aec", "off")
    turn = s.wait(1)[0]
    assert turn["stopped"]
    r = s.room.recording()
    first, last = r.sounds(SPEAKER, quiet_ms=30)[0]  # one long sound, without a pause
    assert abs(turn["heard_ms"] - r.ms(last - first)) < 20


@once_more
def test_a_knock_does_not_stop_an_answer(scene):
    s = scene(user=["at:500 red", "sound:1000 knock", "silence:900 green"], answers={"red": LONG})
    s.start("--no-input")
    turns = s.wait(2, timeout=25)
    assert [(t["heard"], t["stopped"]) for t in turns] == [("red", False), ("green", False)]


@once_more
def test_who_goes_on_while_an_answer_is_made_is_not_talked_over(scene):
    s = scene(user=["at:500 red 800 green 100 blue 100 green"], answers={"red": LONG})
    s.mind.faults["slow"] = "0.5"
    s.start("--no-input")
    first, second = s.wait(2)
    assert (first["heard"], first["stopped"], first["text"], first["heard_ms"]) == ("red", True, "", 0)
    assert (second["heard"], second["stopped"]) == ("green blue green", False)
    assert s.mind.told[-1] == [("user", "red green blue green")]
    assert len(s.room.events("speaker_on")) == 1


# --- the end of a turn


@once_more
@pytest.mark.parametrize("eagerness, first", [("high", "red"), ("medium", "red green")])
def test_eagerness_is_how_long_a_pause_may_be(scene, eagerness, first):
    s = scene(user=["at:500 red 450 green"])
    s.start("--no-input", "--eagerness", eagerness)
    assert s.wait(1)[0]["heard"] == first


@once_more
def test_an_answer_that_was_begun_in_a_pause_is_taken_back(scene):
    s = scene(user=["at:500 red 300 green"])
    s.start("--no-input")
    s.wait(1)
    time.sleep(1)
    assert [t["heard"] for t in s.turns()] == ["red green"]
    assert s.mind.heard == ["red", "red green"]
    assert s.mind.told[-1] == [("user", "red green")]
    assert len(s.room.events("speaker_on")) == 1


# --- stopping


def stop_while_it_speaks(s, how, after_ms=1200):
    """Lets hullo speak for a while, then does that; ms of speech that was heard, and ms that it took to end."""
    on = s.answering(0)
    opened = s.room.clock_ns()
    started = opened + on["at"] * 1000000000 // 48000
    time.sleep(max(0, (started - time.monotonic_ns()) / 1e9 + after_ms / 1000))
    now = time.monotonic_ns()
    how()
    s.wait(1)
    time.sleep(0.5)  # silence is recorded too
    last = opened + s.room.recording().last_loud(SPEAKER, on["at"]) * 1000000000 // 48000
    return (last - started) / 1e6, (last - now) / 1e6


def check_stopped(s, how):
    heard_ms, took_ms = stop_while_it_speaks(s, how)
    assert s.turns()[0]["stopped"]
    assert took_ms < 150
    return heard_ms


@once_more
def test_enter_stops_the_answer_and_only_what_was_heard_is_remembered(scene):
    s = scene(user=["at:500 red", "silence:1000 green"], answers={"red": LONG})
    s.start(stdin=subprocess.PIPE)
    heard_ms = check_stopped(s, lambda: os.write(s.room.process.stdin.fileno(), b"\n"))
    s.wait(2)
    user, (role, heard), again = s.mind.told[-1]
    assert (user, role, again) == (("user", "red"), "assistant", ("user", "green"))
    assert LONG.startswith(heard)
    count = len(heard.split())  # a number takes flite 280 to 640 ms
    assert heard_ms / 640 - 1 < count < heard_ms / 280 + 1


@once_more
def test_ctrl_c_stops_the_answer_and_a_second_one_leaves(scene):
    s = scene(user=["at:500 red", "silence:600 green"], answers={"red": LONG, "green": LONG})
    p = s.start("--no-input")
    check_stopped(s, lambda: p.send_signal(signal.SIGINT))
    s.answering(1)  # the conversation went on
    p.send_signal(signal.SIGINT)
    s.wait(2)
    status, seconds = s.leave(signal.SIGINT)
    assert (status, [t["stopped"] for t in s.turns()]) == (INTERRUPTED, [True, True])
    assert seconds < LEAVING_S
    assert not s.room.stderr.count("error")


@once_more
def test_ctrl_c_leaves_when_there_is_nothing_to_stop(scene):
    s = scene()
    s.start("--no-input")
    s.ready()
    status, seconds = s.leave(signal.SIGINT)
    assert status == INTERRUPTED and seconds < LEAVING_S


@once_more
def test_sigterm_leaves_in_the_middle_of_an_answer(scene):
    s = scene(user=["at:500 red"], answers={"red": LONG})
    s.start("--no-input")
    s.answering(0)
    status, seconds = s.leave(signal.SIGTERM)
    assert status == TERMINATED and seconds < LEAVING_S
    again = Room(s.room.folder, env=s.room.env)  # the devices are free
    assert again.run([*s.command, "--no-input", "--audio", "null:no-device"]) == AUDIO


# --- keys


@once_more
def test_a_written_line_is_a_turn_and_the_end_of_the_lines_is_the_end(scene):
    s = scene(answers={"how are you": "Fine."})
    p = s.start(stdin=subprocess.PIPE)
    p.stdin.write(b"how are you\nwell\n")
    p.stdin.close()
    assert s.room.finish(20) == DONE, s.room.stderr
    assert [(t["heard"], t["text"], t["response_gap_ms"]) for t in s.turns()] == [
        ("how are you", "Fine.", None), ("well", "Yes.", None)]
    (first, last), = s.room.recording().sounds(SPEAKER)
    assert 600 < s.room.recording().ms(last - first) < 2500  # both were spoken
    assert s.mind.told[-1] == [("user", "how are you"), ("assistant", "Fine."), ("user", "well")]


@once_more
def test_a_line_that_is_written_while_hullo_speaks_stops_it(scene):
    s = scene(user=["at:500 red"], answers={"red": LONG})
    s.start(stdin=subprocess.PIPE)
    s.answering(0)
    time.sleep(1)
    os.write(s.room.process.stdin.fileno(), b"enough\n")
    assert [(t["heard"], t["stopped"]) for t in s.wait(2, timeout=3)] == [("red", True), ("enough", False)]
    (_, said), (role, heard), again = s.mind.told[-1]
    assert (said, role, again) == ("red", "assistant", ("user", "enough"))
    assert LONG.startswith(heard) and 0 < len(heard) < len(LONG) / 2


class Terminal:
    """A pseudo-terminal, and what it was like before somebody used it."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.before = self.state()

    def state(self):
        return termios.tcgetattr(self.theirs), fcntl.fcntl(self.theirs, fcntl.F_GETFL)

    def type(self, keys):
        os.write(self.ours, keys)

    def check(self):
        assert self.state() == self.before
        os.close(self.ours)
        os.close(self.theirs)


@once_more
def test_in_a_terminal_enter_stops_ctrl_d_leaves_and_the_terminal_is_as_before(scene):
    s, terminal = scene(user=["at:500 red"], answers={"red": LONG}), Terminal()
    s.start(stdin=terminal.theirs)
    check_stopped(s, lambda: terminal.type(b"\r"))
    assert "Enter stops an answer" in s.room.stderr
    terminal.type(b"\x04")
    assert s.room.finish(LEAVING_S + 5) == DONE
    terminal.check()


@once_more
@pytest.mark.parametrize("how, status", [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
def test_a_signal_leaves_the_terminal_as_it_was(scene, how, status):
    s, terminal = scene(), Terminal()
    s.start(stdin=terminal.theirs)
    s.ready()
    assert s.leave(how)[0] == status
    terminal.check()


# --- devices


@once_more
@pytest.mark.parametrize("rate", [44100, 16000, 8000])
def test_a_device_of_another_rate_serves_as_well(scene, rate):
    s = scene(user=["at:500 red 100 green"], rate=rate, default="direct")
    s.start("--no-input")
    assert s.wait(1)[0]["heard"] == "red green"  # at its right pitch
    assert s.room.wait("speaker_off")
    (first, last), = s.room.recording().sounds(SPEAKER)
    assert 0.15 < (last - first) / rate < 1.5


@once_more
def test_a_muted_microphone_hears_nothing_and_lines_are_answered(scene):
    s = scene(user=["at:300 red"], capture_silence=1)
    s.start(stdin=subprocess.PIPE)
    assert s.room.wait("user_end")
    time.sleep(1)
    os.write(s.room.process.stdin.fileno(), b"hello\n")
    assert [t["heard"] for t in s.wait(1)] == ["hello"]
    assert s.mind.heard == []


@once_more
def test_a_conversation_survives_xruns_and_a_stall(scene):
    s = scene(
        user=["at:500 red 100 green", "silence:700 blue"],
        xrun_capture_ms=200, xrun_playback_ms="300", stall_ms=1300, stall_for_ms=200,
        answers={"red green": "The answer is five."},
    )
    s.start("--no-input")
    assert [t["heard"] for t in s.wait(2)] == ["red green", "blue"]
    assert len(s.room.events("xrun_forced")) == 2 and s.room.events("xrun")
    assert s.leave()[0] == TERMINATED


@once_more
@pytest.mark.parametrize("user", ["at:300 red", "at:60000 red"], ids=["speaking", "listening"])
@pytest.mark.parametrize("error", [0, 1])
def test_a_device_that_vanishes_is_told_and_waited_for(scene, user, error):
    s = scene(user=[user], lost_ms=2200, lost_error=error, answers={"red": LONG})
    s.start("--no-input")
    assert s.room.wait("lost")
    time.sleep(2)
    assert s.room.process.poll() is None
    status, seconds = s.leave()
    assert status == TERMINATED and seconds < LEAVING_S
    assert s.room.stderr.splitlines()[-1].startswith("note: the sound device went away: ")
    assert len(s.room.stderr) < 2000  # PortAudio's own words are not for people


@once_more
def test_a_device_that_comes_back_goes_on_with_the_answer_and_hears_the_next_question(scene):
    s = scene(user=["at:300 red", "at:12000 green"], lost_ms=2200, back_ms=3500, answers={"red": "One, two, three, four."})
    s.start("--no-input")
    turns = s.wait(2, timeout=25)
    assert [(t["heard"], t["stopped"]) for t in turns] == [("red", False), ("green", False)]
    assert "note: there is sound again: '" in s.room.stderr


@once_more
@pytest.mark.parametrize(
    "knobs, words_of_it",
    [
        ({"busy_capture": 1}, "no input device was found"),  # PortAudio lists what it can open
        ({"busy_playback": 1}, "no output device was found"),
        ({"refuse_rates": "48000"}, "cannot open input device 'default'"),
    ],
    ids=["busy-microphone", "busy-loudspeaker", "rate"],
)
def test_a_device_that_cannot_be_opened_is_named(scene, knobs, words_of_it):
    s = scene(**knobs)
    s.start("--no-input")
    assert s.room.finish(15) == AUDIO
    assert words_of_it in s.room.stderr and "`hullo devices`" in s.room.stderr
    assert len(s.room.stderr) < 1000


def test_no_device_at_all_is_said(scene):
    s = scene()
    (s.room.folder / "alsa.conf").write_text("</usr/share/alsa/alsa.conf>\n")
    s.start("--no-input")
    assert s.room.finish(15) == AUDIO
    assert "no input device was found" in s.room.stderr
    assert len(s.room.stderr) < 1000

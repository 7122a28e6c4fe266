"""Keys that act at once in a conversation at a terminal, and the terminal afterwards."""

import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import socket
import termios
import time

import pytest

from fake import recording

MUTE, TALK = b"\x14", b"\t"
ENDS = (termios.VEOL, termios.VEOL2)
SECONDS = 30


class Screen:
    """A program at a terminal of its own; we are who types and reads."""

    def __init__(self, world, command):
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(self.ours)
        self.shown = b""
        owned = {"start_new_session": True, "preexec_fn": lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)}
        world.env.update(TERM="xterm", NO_COLOR="1")
        program, world.program = world.program, command[0]
        self.process = world.start(*command[1:], stdin=theirs, stdout=theirs, stderr=theirs, **owned)
        world.program = program
        os.close(theirs)

    def read(self, seconds):
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            got = os.read(self.ours, 65536)
        except OSError:  # nobody has it open any more
            return False
        self.shown += got
        return bool(got)

    def wait(self, text, count=1):
        end = time.monotonic() + SECONDS
        while self.shown.count(text) < count and time.monotonic() < end:
            if not self.read(0.05) and self.process.poll() is not None:
                break
        assert self.shown.count(text) >= count, self.shown.decode(errors="replace")

    def press(self, keys):
        os.write(self.ours, keys)

    def end(self):
        end = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        while self.read(0):
            pass
        return self.process.wait(1)

    @property
    def attributes(self):
        return termios.tcgetattr(self.ours)

    @property
    def is_ours(self):
        return [self.attributes[6][i] for i in ENDS] == [MUTE, TALK]

    @property
    def is_as_before(self):
        return self.attributes == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)


@pytest.fixture
def chat(world, servers):
    """Starts conversations; they end with the test."""
    with contextlib.ExitStack() as screens:
        def start(*options, ready=b"Ctrl-D leaves", audio="null"):
            command = [world.program, "chat", *servers.where, "--voice", "flite", "--audio", audio, *options]
            s = Screen(world, command)
            screens.callback(s.close)
            if ready:
                s.wait(ready)
            return s

        yield start


def test_who_leaves_at_once_does_not_wait_for_the_models(world, servers):
    """Speech-to-text does not answer: nothing is ever ready."""
    with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.ExitStack() as stack:
        where = ["--stt-url", "http://127.0.0.1:%d/v1" % silent.getsockname()[1], *servers.where[2:]]
        s = Screen(world, [world.program, "chat", *where, "--voice", "flite", "--audio", "null"])
        stack.callback(s.close)
        asked, _ = silent.accept()  # it asks for its models, and the line stays open
        stack.callback(asked.close)
        s.press(b"\x04")
        assert s.end() == 0
        assert s.is_as_before


def asked(servers):
    """The last message of each request to the language model."""
    return [json.loads(body)["messages"][-1]["content"] for _, path, _, body in servers.llm.requests
            if path.endswith("completions")]


def transcribed(servers):
    return sum(path.endswith("transcriptions") for _, path, _, _ in servers.stt.requests)


def test_ctrl_t_mutes_the_microphone_and_each_answer_says_so(chat):
    s = chat()
    s.press(MUTE)
    s.wait(b"the microphone is muted")
    assert b"^T\r\x1b[K" in s.shown  # what the terminal showed of the key is gone
    s.press(b"hello\n")
    s.wait(b"The capital is Paris.  (muted)")
    s.press(MUTE)
    s.wait(b"the microphone listens")
    s.press(b"hello\n")
    s.wait(b"The capital is Paris.\r\n")
    s.press(b"\x04")
    assert s.end() == 0


def test_what_is_muted_is_heard_by_nobody(chat, world, servers):
    said = world.write("said.wav", recording.wav(recording.silence(3) + recording.speech(1) + recording.silence(3)))
    s = chat("--input-device", said, audio="file")
    s.press(MUTE)
    time.sleep(6)
    assert transcribed(servers) == 0
    s.press(b"\x04")
    assert s.end() == 0


def test_a_line_is_edited_as_ever(chat, servers):
    s = chat()
    s.press(b"nonsense\x15hallo\x7f\x7f\x7f\x7fello\tyou\x14\n")  # Ctrl-U, backspaces; a tab between words is one
    s.wait(b"The capital is Paris.")
    assert asked(servers) == ["hello\tyou"]
    assert b"listening" not in s.shown


@pytest.mark.parametrize("how, status", [
    (b"\x04", 0), (b"\x03", 130), (signal.SIGTERM, 143), (signal.SIGHUP, -signal.SIGHUP),
    (signal.SIGQUIT, -signal.SIGQUIT), (signal.SIGSEGV, -signal.SIGSEGV), (signal.SIGABRT, -signal.SIGABRT)], ids=str)
def test_the_terminal_is_left_as_it_was(chat, world, how, status):
    s = chat()
    assert s.is_ours and not s.is_as_before
    if isinstance(how, bytes):
        s.press(how)
    else:
        s.process.send_signal(how)
    ended = s.end()
    assert ended == status or (world.sanitized and ended != 0)
    assert s.is_as_before


def test_the_terminal_is_left_as_it_was_also_where_the_program_hangs(chat, servers):
    servers.llm.faults["endless"] = ""
    s = chat()
    s.press(b"go on\n")
    time.sleep(3)  # nobody reads what it writes
    s.process.send_signal(signal.SIGTERM)
    assert s.process.wait(SECONDS) == 143
    assert s.is_as_before


def test_an_error_leaves_the_terminal_as_it_was(chat):
    s = chat(ready=None, audio="null:no-device")
    assert s.end() == 5
    assert s.is_as_before


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell with job control")
def test_ctrl_z_gives_the_terminal_back_until_hullo_is_continued(world, servers):
    script = 'set -m; "$@"; stty -a | grep -o " eol = [^;]*" && echo stopped && read -r _ && fg >/dev/null; stty sane'
    command = ["bash", "-c", script, "bash", world.program, "chat", *servers.where, "--audio", "null"]
    s = Screen(world, [shutil.which("bash"), *command[1:]])
    with contextlib.closing(s):
        s.wait(b"Ctrl-D leaves")
        s.press(b"\x1a")
        s.wait(b"stopped\r\n")
        assert b"eol = <undef>" in s.shown and s.is_as_before
        s.press(b"\n")
        end = time.monotonic() + SECONDS
        while not s.is_ours and time.monotonic() < end:
            s.read(0.02)
        assert s.is_ours
        s.wait(b"the microphone listens")  # the screen was the shell's
        s.press(MUTE)
        s.wait(b"the microphone is muted")
        s.press(b"\x04")
        s.end()


def test_ctrl_z_is_nothing_where_nobody_could_continue_it(chat):
    s = chat()
    s.press(b"\x1a")
    time.sleep(0.3)
    s.press(MUTE)
    s.wait(b"the microphone is muted")
    assert s.is_ours


# --- push-to-talk


def test_tab_talks_and_sends(chat, world, servers):
    said = world.write("said.wav", recording.wav(recording.speech(20)))
    s = chat("--push-to-talk", "--input-device", said, audio="file")
    assert b"press Tab and speak" in s.shown
    time.sleep(1)
    assert transcribed(servers) == 0
    s.press(TALK)
    s.wait(b"listening; Tab sends it")
    time.sleep(1)
    s.press(TALK)
    s.wait(b"you    what is the capital of france")
    s.wait(b"The capital is Paris.")
    assert transcribed(servers) == 1
    time.sleep(1)
    assert transcribed(servers) == 1
    s.press(b"\x04")
    assert s.end() == 0


def test_push_to_talk_needs_its_key(world, servers):
    for options in ([], ["--no-input"]):
        r = world.run("chat", *servers.where, "--audio", "null", "--push-to-talk", *options)
        assert r.status == 2
        assert "--push-to-talk" in r.err and "terminal" in r.err

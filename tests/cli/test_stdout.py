"""Streams that end, are full or are closed, and signals: nothing half-written stays, and nobody is told what they know."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from fake import recording

LONG = "This is a sentence that goes on for a little while. " * 12


def on_closed_pipe(servers, *arguments, **options):
    """stdout is a pipe whose reader has gone."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        return servers.ask(*arguments, stdout=theirs, **options)
    finally:
        os.close(theirs)


@pytest.mark.parametrize("arguments", [[], ["--json"], ["-o", "-"]], ids=" ".join)
def test_a_reader_who_has_gone_is_not_complained_about(world, servers, arguments):
    r = on_closed_pipe(servers, "-q", *arguments, world.question())
    assert (r.status, r.err) == (0, "")


def test_the_work_ends_with_its_reader(world, servers):
    servers.llm.faults["endless"] = ""
    assert on_closed_pipe(servers, "-q", "--max-tokens", "4096", world.question(), world.question()).status == 0
    assert len(servers.asked("/chat/completions")) == 1


def test_a_file_is_written_though_the_reader_has_gone(world, servers):
    r = on_closed_pipe(servers, "-q", world.question(), "-o", "a.wav")
    assert (r.status, r.err) == (0, "")
    assert any(recording.frames((world.here / "a.wav").read_bytes())[1])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [[], ["--json"], ["-o", "-"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_an_error(world, servers, arguments):
    with open("/dev/full", "wb") as full:
        r = servers.ask("-q", *arguments, world.question(), stdout=full)
    assert r.status == 1
    assert r.err.count("\n") == 1 and "No space left" in r.err


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["models"]], ids=" ".join)
def test_so_it_is_for_every_command(world, arguments):
    with open("/dev/full", "wb") as full:
        r = world.run(*arguments, stdout=full)
    assert r.status == 1
    assert r.err.count("\n") == 1 and "cannot write to stdout" in r.err


@pytest.mark.parametrize("arguments", [[], ["--json"], ["-o", "-"]], ids=" ".join)
def test_a_closed_stdout_is_an_error(world, servers, arguments):
    r = servers.ask("-q", *arguments, world.question(), preexec_fn=lambda: os.close(1))
    assert r.status == 1
    assert r.err.count("\n") == 1


def test_a_closed_stdout_hurts_no_file(world, servers):
    """The descriptor that is free is not the next file's."""
    r = servers.ask("-q", world.question(), "-o", "a.wav", "--force", preexec_fn=lambda: os.close(1))
    assert r.status == 1
    if "a.wav" in world.files():
        assert (world.here / "a.wav").read_bytes()[:4] == b"RIFF"


def test_a_closed_stderr_is_no_trouble(world, servers):
    r = servers.ask(world.question(), "-o", "a.wav", preexec_fn=lambda: os.close(2))
    assert r.status == 0
    assert recording.frames((world.here / "a.wav").read_bytes())[1]


# --- signals


def stopped(p, signum):
    p.send_signal(signum)
    out, err = p.communicate(timeout=200)
    assert b"Sanitizer" not in err
    return p.returncode, out


def wait_for(condition):
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize("signum, status", SIGNALS)
def test_a_signal_ends_it_in_the_middle(world, servers, signum, status):
    servers.llm.reply = LONG
    servers.llm.faults["drip"] = 0.2
    with servers.start("--json", world.question(), "later.wav", "-o", "out/") as p:
        wait_for(lambda: [f for f in world.files() if "hullo-" in f])  # it writes
        code, out = stopped(p, signum)
    assert code == status
    said = [json.loads(line) for line in out.splitlines()]
    assert [o["status"] for o in said] == ["interrupted", "interrupted"]
    assert said[0]["audio"] is None and LONG.startswith(said[0]["text"])
    assert world.files() == ["question.wav"]  # nothing is left half-written


@pytest.mark.parametrize("signum, status", SIGNALS)
def test_an_existing_file_survives_a_signal(world, servers, signum, status):
    servers.llm.reply = LONG
    servers.llm.faults["drip"] = 0.2
    mine = world.write("a.wav", b"mine")
    with servers.start(world.question(), "-o", mine, "--force") as p:
        wait_for(lambda: [f for f in world.files() if "hullo-" in f])
        assert stopped(p, signum)[0] == status
    assert mine.read_bytes() == b"mine"
    assert world.files() == ["a.wav", "question.wav"]


@pytest.mark.parametrize("signum, status", SIGNALS)
@pytest.mark.parametrize("arguments", [[], ["--rate", "16000"]], ids=["spooled", "raw"])
def test_a_signal_ends_a_wait_for_stdin(world, servers, signum, status, arguments):
    with servers.start(*arguments, stdin=subprocess.PIPE) as p:
        p.stdin.write(recording.wav(recording.question()))
        p.stdin.flush()
        wait_for(lambda: servers.asked("/models"))
        assert p.poll() is None
        p.send_signal(signum)
        assert p.wait(20) == status


@pytest.mark.parametrize("signum, status", SIGNALS)
@pytest.mark.parametrize("fault", ["slow", "hang"])
def test_a_signal_ends_a_wait_for_a_server(world, servers, fault, signum, status):
    servers.stt.faults[fault] = 30
    with servers.start(world.question()) as p:
        wait_for(lambda: servers.asked("/audio/transcriptions"))
        assert stopped(p, signum)[0] == status
    servers.stt.faults.clear()


@pytest.mark.parametrize("signum, status", SIGNALS)
def test_a_filter_that_is_stopped_leaves_whole_samples(world, servers, signum, status):
    servers.llm.reply = LONG
    servers.llm.faults["drip"] = 0.2
    with servers.start(world.question(), "-o", "-") as p:
        start = p.stdout.read(1000)
        code, rest = stopped(p, signum)
    assert code == status
    assert any(recording.frames(start + rest)[1])


def test_ctrl_c_at_a_terminal_ends_it(world, servers):
    servers.llm.faults["hang"] = ""
    r = world.on_terminal("ask", *servers.where, world.question(), until=b"heard: ", then=b"\x03")
    assert r.status == 130


# --- nothing leaks


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.parametrize("faults", [{}, {"cut": 3}, {"status": 401}], ids=["well", "cut", "refused"])
def test_no_memory_is_lost(world, servers, faults):
    if world.sanitized:
        pytest.skip("the sanitizer looks for leaks in every test")
    servers.llm.faults.update(faults)
    command = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite",
               world.program, "ask", *servers.where, "-o", "a.wav", str(world.question())]
    r = subprocess.run(command, cwd=world.here, env=world.env, capture_output=True, timeout=200)
    assert r.returncode == {"status": 3, "cut": 4}.get(next(iter(faults), ""), 0), r.stderr.decode()


@pytest.mark.parametrize("signum, status", SIGNALS)
def test_a_signal_ends_a_filter_whose_reader_does_not_read(world, servers, signum, status):
    """The pipe is full and the write hangs, and no loop sees the signal."""
    servers.llm.reply = " ".join([LONG] * 40)
    with servers.start(world.question(), "-o", "-", stdout=subprocess.PIPE) as p:
        wait_for(lambda: servers.asked("/chat/completions"))
        time.sleep(1)  # for the pipe to fill; when it has not yet, the signal has less to prove
        p.send_signal(signum)
        assert p.wait(5) == status

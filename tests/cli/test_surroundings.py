"""Surroundings in which nothing can work, and those in which it still should: no home, no descriptors, no room."""

import errno
import os
import pwd
import resource
import signal
import time

import pytest


def limited(what, n):
    return lambda: resource.setrlimit(what, (n, n))


@pytest.mark.parametrize("home", [None, "", "somewhere/else"])
def test_without_a_home_nothing_is_looked_for_where_anybody_can_put_it(world, home):
    for name in ("HOME", "XDG_DATA_HOME", "HULLO_MODELS_DIR"):
        world.env.pop(name, None)
    if home is not None:
        world.env["HOME"] = home
    r = world.run("models", "path")
    assert (r.status, r.text) == (0, pwd.getpwuid(os.getuid()).pw_dir + "/.local/share/hullo/models\n")


@pytest.mark.parametrize("descriptors", range(7, 26))
@pytest.mark.parametrize("command", ["ask", "chat"])
def test_few_descriptors_are_an_error_not_a_crash(world, servers, command, descriptors):
    arguments = [world.question()] if command == "ask" else ["--audio", "null", "--voice", "flite"]
    r = world.run(command, *servers.where, *arguments, stdin=b"" if command == "chat" else None,
                  preexec_fn=limited(resource.RLIMIT_NOFILE, descriptors))
    assert r.status in (0, 1, 4, 5, 8), r.err
    assert r.status == 0 or "hullo: " in r.err


def test_an_error_is_told_also_when_a_recording_never_comes(world, servers):
    os.mkfifo(world.here / "pipe")
    r = servers.ask("pipe", "--llm-url", "http://127.0.0.1:1")
    assert r.status == 4
    assert "cannot connect" in r.err


def wait_for_reader(process, fifo):
    """Somebody has it open; the other end of it, or None when the process ended instead."""
    while process.poll() is None:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as e:
            assert e.errno == errno.ENXIO
            time.sleep(0.01)
    return None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["ask", "chat"])
def test_a_signal_ends_it_while_a_model_is_being_loaded(world, servers, command, number):
    """Loading cannot be stopped. This model takes for ever."""
    os.mkfifo(world.here / "model.gguf")
    arguments = [world.question()] if command == "ask" else ["--audio", "null"]
    arguments += ["--stt-url", servers.stt.url, "--local-model", "model.gguf"]
    with world.start(command, *arguments) as p:
        end = wait_for_reader(p, world.here / "model.gguf")
        if end is None:
            pytest.skip("this build has no local language models")
        p.send_signal(number)
        try:
            p.communicate(timeout=200)
        finally:
            p.kill()
            os.close(end)
    assert p.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_nobody_reads_the_pipe_that_it_writes(world, servers, number):
    os.mkfifo(world.here / "pipe")
    with servers.start(world.question(), "-o", "pipe") as p:
        while b"heard: " not in p.stderr.readline():
            assert p.poll() is None
        time.sleep(0.5)  # it is opening the pipe by now; where it is not yet, the signal has less to prove
        p.send_signal(number)
        try:
            p.communicate(timeout=200)
        finally:
            p.kill()
    assert p.returncode == 128 + number

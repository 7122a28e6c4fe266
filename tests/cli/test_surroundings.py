"""Surroundings in which nothing can work, and those in which it still should: no home, no descriptors, no room."""

import os
import pwd
import resource

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

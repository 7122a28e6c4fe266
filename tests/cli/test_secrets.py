"""A key is told to its endpoint and to nobody else: it is in no output, argument, file, environment or core dump."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from fake.realtime import Endpoint, Fault

KEY = "sk-test-4f9dKx_7Qw2"
AUTH = 3


@pytest.fixture
def endpoint():
    with contextlib.ExitStack() as running:
        yield lambda *faults, **how: running.enter_context(
            Endpoint(replies=["Paris."], **{"key": KEY, "faults": list(faults), **how}))


def where(ep):
    return ["--url", ep.url, "--dialect", "openai", "-m", "gpt-realtime-2"]


def forms(key):
    """Ways in which a key could be written down without looking like one."""
    for begin in range(3):  # base64 of a text around it, however that is aligned
        yield base64.b64encode(b"x" * begin + key.encode())[4:-4].decode()
    yield key
    yield key.encode().hex()


def nowhere(world, key, *outputs, but=()):
    """The key is in none of these, and in no file of the world's."""
    found = [(f.name, f.read_bytes()) for f in world.here.rglob("*") if f.is_file() and f.name not in but]
    for name, data in [*(("output", o.encode() if isinstance(o, str) else o) for o in outputs), *found]:
        for form in forms(key):
            assert form.encode() not in data, (name, form)


def test_a_key_is_in_no_output_and_no_recording(world, endpoint):
    world.env["OPENAI_API_KEY"] = KEY
    ep = endpoint()
    r = world.run("ask", "-v", "--json", *where(ep), "--record", "session.rec", "--record-audio", world.question(),
                  "-o", "answer.wav")
    assert (r.status, json.loads(r.text)["text"]) == (0, "Paris.")
    assert (world.here / "session.rec").stat().st_size > 1000
    nowhere(world, KEY, r.out, r.err)


SOURCES = {
    "variable": ("", "api_key_env = MY_KEY"),
    "command": ("", 'api_key_command = "cat secret"'),
    "file": ("", "api_key_file = ~/secret"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_of_a_key_serves(world, endpoint, source):
    ep = endpoint()
    world.env["MY_KEY"] = KEY
    world.write("secret", KEY.encode() + b"\nnot this\n").chmod(0o600)
    world.write("config/hullo/config", f"""profile work {{ endpoint mine {{
        url = "{ep.url}" model = gpt-realtime-2 {SOURCES[source][1]} }} }}""".encode())
    r = world.run("ask", "-v", "--profile", "work", world.question())
    assert (r.status, r.text.strip()) == (0, "Paris."), r.err
    nowhere(world, KEY, r.out, r.err, but=["secret"])


BAD_SOURCES = {
    "unset variable": ("api_key_env = MY_KEY", "'MY_KEY' is not set"),
    "failing command": (f'api_key_command = "echo {KEY}; exit 7"', "status 7"),
    "silent command": ('api_key_command = "true"', "no key"),
    "open file": ("api_key_file = ~/secret", "chmod 600"),
    "missing file": ("api_key_file = ~/none", "none'"),
    "folder": ("api_key_file = ~/config", "regular file"),
}


@pytest.mark.parametrize("source", BAD_SOURCES)
def test_a_source_without_a_key_is_told(world, endpoint, source):
    ep = endpoint()
    setting, about = BAD_SOURCES[source]
    world.write("secret", KEY.encode()).chmod(0o640)
    world.write("config/hullo/config", f'profile work {{ endpoint mine {{ url = "{ep.url}" {setting} }} }}'.encode())
    r = world.run("ask", "-v", "--profile", "work", world.question())
    assert (r.status, r.out) == (AUTH, b"")
    assert "endpoint 'mine'" in r.err and about in r.err
    nowhere(world, KEY, r.out, r.err, but=["secret", "config"])
    assert ep.connections == []


def test_a_key_that_is_refused_is_not_told(world, endpoint):
    world.env["OPENAI_API_KEY"] = "sk-wrong-4f9dKx_7Qw2"
    r = world.run("ask", "-v", *where(endpoint()), world.question())
    assert r.status == AUTH and "check the API key" in r.err and "HULLO_API_KEY" not in r.err
    nowhere(world, "sk-wrong-4f9dKx_7Qw2", r.out, r.err)


def test_a_server_that_tells_the_key_is_not_quoted(world, endpoint):
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}).encode()
    ep = endpoint(Fault("status", at="request", value=(401, {"X-Key": KEY}, body), times=0))
    world.env["OPENAI_API_KEY"] = KEY
    r = world.run("ask", "-v", *where(ep), world.question(), "--record", "session.rec")
    assert r.status == AUTH
    nowhere(world, KEY, r.out, r.err)


def test_a_key_goes_to_no_other_server(world, endpoint):
    other = endpoint()
    ep = endpoint(Fault("status", at="request", value=(302, {"Location": other.url}, b""), times=0))
    world.env["OPENAI_API_KEY"] = KEY
    assert world.run("ask", *where(ep), world.question()).status != 0
    assert other.connections == []


def test_a_key_alone_changes_nothing(world, servers):
    world.env.update(OPENAI_API_KEY=KEY, GEMINI_API_KEY=KEY)
    r = servers.ask("-v", world.question())
    assert r.status == 0
    assert not any(KEY in str(headers) for s in (servers.stt, servers.llm) for *_, headers in [q[:4] for q in s.requests])
    nowhere(world, KEY, r.out, r.err)


def test_no_key_goes_in_the_clear_to_another_machine(world):
    world.env["OPENAI_API_KEY"] = KEY
    r = world.run("ask", "--url", "ws://voice.example/v1", "--dialect", "openai", "q.wav")
    assert r.status == 2 and "wss://" in r.err
    nowhere(world, KEY, r.out, r.err)


# --- while it runs


@pytest.fixture
def talking(world, endpoint):
    """A conversation that waits for its user."""
    def start(key=KEY, **options):
        ep = endpoint(key=None)
        world.env["OPENAI_API_KEY"] = key
        p = world.start("chat", "--audio", "null", *where(ep), stdin=subprocess.PIPE, **options)
        started.append(p)
        ep.wait_for("session.update", way="in")
        return p

    started = []
    yield start
    for p in started:
        p.kill()
        p.communicate()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_arguments_and_environment_do_not_show_it(talking):
    p = talking()
    for name in ("cmdline", "environ", "status", "comm"):
        assert KEY.encode() not in pathlib.Path(f"/proc/{p.pid}/{name}").read_bytes(), name
    children = pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children")
    assert not children.exists() or children.read_text() == ""


def dumps_core(p):
    """Whether the process leaves one when it crashes."""
    os.kill(p.pid, signal.SIGSEGV)
    _, status = os.waitpid(p.pid, 0)
    p.returncode = -signal.SIGSEGV
    return os.WCOREDUMP(status)


def allow_core():
    import resource  # in the child
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the flag in the status is Linux's")
def test_a_crash_leaves_no_core_with_a_key_in_it(world, servers, talking):
    if world.sanitized:
        pytest.skip("a sanitizer takes the signal")
    other = world.start("chat", "--audio", "null", *servers.where, stdin=subprocess.PIPE, preexec_fn=allow_core)
    with other:
        assert other.stderr.readline() != b""  # it runs
        leaves_one = dumps_core(other)
    if not leaves_one:
        pytest.skip("no core dumps here")
    for f in world.here.glob("core*"):
        f.unlink()
    assert not dumps_core(talking(preexec_fn=allow_core))
    assert list(world.here.glob("core*")) == []

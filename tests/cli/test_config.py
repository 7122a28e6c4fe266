"""The configuration file, as the program reads it."""

import pathlib
import re

import pytest
from fake.realtime import Endpoint

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def config(world):
    """Writes the user's own file."""
    def write(text, name="config/hullo/config"):
        return world.write(name, text.encode() if isinstance(text, str) else text)

    return write


def refused(r, *words):
    assert r.status == 2, r
    assert r.out == b""
    assert r.err.startswith("hullo: ") and r.err.count("\n") == 1
    for word in words:
        assert word in r.err


def system_of(servers):
    return servers.asked("/chat/completions")[-1]


def test_settings_of_the_file_are_used(world, servers, config):
    config('system = "You are a parrot."')
    assert servers.ask(world.question()).status == 0
    assert b"parrot" in system_of(servers)


def test_command_line_environment_profile_file_default(world, servers, config):
    config('system = "from the file"\nmax-tokens = 11\nprofile work { system = "from the profile" }')
    question = world.question()
    assert servers.ask(question).status == 0 and b"from the file" in system_of(servers)
    assert servers.ask(question, "--profile", "work").status == 0 and b"from the profile" in system_of(servers)
    world.env["HULLO_SYSTEM"] = "from the environment"
    assert servers.ask(question, "--profile", "work").status == 0 and b"from the environment" in system_of(servers)
    assert servers.ask(question, "-s", "from the line").status == 0 and b"from the line" in system_of(servers)
    assert re.search(rb'"max_(completion_)?tokens": ?11\b', system_of(servers))


def test_a_profile_is_chosen_by_name_only(world, servers, config):
    config('profile work { system = "from the profile" }')
    question = world.question()
    assert servers.ask(question).status == 0 and b"from the profile" not in system_of(servers)
    world.env["HULLO_PROFILE"] = "work"
    assert servers.ask(question).status == 0 and b"from the profile" in system_of(servers)
    assert servers.ask(question, "--profile", "local").status == 0
    assert b"from the profile" not in system_of(servers)


def test_the_file_may_choose_a_profile(world, servers, config):
    config('profile = work\nprofile work { system = "from the profile" }')
    assert servers.ask(world.question()).status == 0
    assert b"from the profile" in system_of(servers)


def test_a_file_of_the_folder_is_not_read(world, servers, config):
    for name in ("config", ".hullo", "hullo.conf", "hullo/config", ".config/hullo/config"):
        config('system = "a stranger"', name)
    assert servers.ask(world.question()).status == 0
    assert b"a stranger" not in system_of(servers)


def test_another_file_can_be_named(world, servers, config):
    config("this is none")
    other = config('system = "the other one"', "other.conf")
    assert servers.ask(world.question(), "--config", other).status == 0
    assert b"the other one" in system_of(servers)
    world.env["HULLO_CONFIG"] = str(other)
    assert servers.ask(world.question()).status == 0


def test_a_named_file_must_be_there(world):
    refused(world.run("ask", "--config", "nowhere.conf", "q.wav"), "'nowhere.conf'")


@pytest.mark.parametrize("text, words", [
    ("voise = x", ["line 1", "'voise'", "'voice'"]),
    ("\n\neffort = huge", ["line 3", "minimal, low, medium, high, xhigh", "'huge'"]),
    ("profile a {", ["line 1", "never closed"]),
    ("output = x.wav", ["'output'", "command line"]),
    (b"\x7fELF\x02\x01\x01\0\0\0", ["control character"]),
    (b"voice = \xff\xfe", ["line 1", "UTF-8"]),
    (b"{" * 300000, ["larger than"]),
    (b"a {" * 80000, ["inside one another"]),
    (b"a = {" + b"b, " * 80000, ["list"]),
    (b"\"" * 200001, ["name"]),
    ("profile a { endpoint b { api_key = sk-12345 } }", ["api_key_command"]),
], ids=lambda v: str(v)[:30])
def test_mistakes_are_told_with_file_and_line(world, config, text, words):
    config(text)
    r = world.run("ask", "q.wav")
    refused(r, *words)
    assert "sk-12345" not in r.err


def test_a_voice_of_the_file_may_be_one_of_the_other_kind(world, servers, config):
    config("voice = marin")
    r = servers.ask(world.question(), "-o", "answer.wav")
    assert r.status == 0 and "'marin' is no voice of this machine" in r.err
    with Endpoint(replies=["Paris."], key=None) as ep:
        asked = ["ask", "--url", ep.url, world.question(), "-o", "x.wav", "--force"]
        assert world.run(*asked).status == 0
        config("voice = flite")
        assert world.run(*asked).status == 0
        assert world.run(*asked, "--voice", "cedar").status == 0
        voices = [e["session"].get("audio", {}).get("output", {}).get("voice") for e in ep.received("session.update")]
    assert voices[0] == "marin" and "flite" not in voices and voices[-1] == "cedar"


def test_a_file_that_everybody_can_change_is_refused(world, config):
    config("voice = flite").chmod(0o666)
    refused(world.run("ask", "q.wav"), "chmod o-w")


def test_help_needs_no_file(world, config):
    config("nonsense")
    for arguments in (["--help"], ["ask", "--help"], ["--version"], ["models", "list"]):
        assert world.run(*arguments).status == 0


def test_the_example_of_the_manual_is_read(world, config):
    page = (ROOT / "man" / "hullo-config.5").read_text()
    example = re.search(r"\.Sh EXAMPLES\n\.Bd.*?\n(.*?)\n\.Ed", page, re.S)[1]
    config(example)
    r = world.run("ask", "--profile", "nobody", "q.wav")
    refused(r, "there is no profile 'nobody'")


def test_the_manual_lists_dialects_their_variables_and_events():
    page = (ROOT / "man" / "hullo-config.5").read_text()
    sources = "".join(p.read_text() for p in sorted((ROOT / "src" / "realtime").glob("*.c")))
    told = {m[1]: m[2] for m in re.finditer(r"^\.It Cm ([\w-]+) Ta (?:Ev (\w+) )?", page, re.M)}
    there = {}
    for entry in re.findall(r"\.info = \{(.*?)\},?\n    \.\w", sources, re.S):
        variable = re.search(r'\.key_env = "(\w+)"', entry)
        there[re.search(r'\.name = "([\w-]+)"', entry)[1]] = variable[1] if variable else None
    assert set(there) <= set(told)
    assert {name: told[name] for name in there} == there
    events = re.search(r"^\} events\[\] = \{(.*?)^\};", sources, re.S | re.M)[1]
    for name in re.findall(r'\{"(\w+)"', events):
        assert re.search(rf"^\.Cm {name}\b", page, re.M), name

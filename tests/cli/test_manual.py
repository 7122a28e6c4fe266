"""The manual says what the program does: each option in the table is in --help and in the pages of the commands that
take it, with its default and its variable; the examples of the manual and of the README run."""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ["chat", "ask", "transcribe", "translate", "replay", "models", "devices", "doctor"]
ALWAYS = {"help", "version", "quiet", "verbose"}


def table():
    """The entries of the option table: {name: its text}."""
    source = (ROOT / "src" / "conf" / "options.c").read_text()
    entries = re.findall(r'\[OPT_\w+\]\s*=\s*\{(\.name = .*?)\},?\n(?=    \[|\};)', source, re.S)
    return {re.search(r'\.name = "([\w-]+)"', e)[1]: e for e in entries}


def page(name):
    return (ROOT / "man" / f"{name}.1").read_text()


def help_of(world, command):
    """{long name: its line} as --help tells it."""
    said = world.run(command, "--help").text
    own = {m[1]: m[0] for m in re.finditer(r"^  (?:-\w,|   ) --([\w-]+).*$", said, re.M)}
    every = dict.fromkeys(re.findall(r"--([\w-]+)", "".join(said.splitlines()[-2:])), "")
    assert set(every) == ALWAYS
    return {**own, **every}


def items(name):
    """{long name: the text of its entry} of a manual page."""
    found = {}
    for entry in re.split(r"^(?=\.It Fl |\.El)", page(name), flags=re.M):
        first = entry.split("\n", 1)[0]
        for option in re.findall(r"Fl -([\w-]+)", first) if first.startswith(".It Fl") else []:
            found[option] = entry
    return found


def letters():
    return {name: m[1] for name, e in table().items() if (m := re.search(r"\.letter = '(\w)'", e))}


def test_each_option_is_taken_by_a_command(world):
    taken = set().union(*(help_of(world, c) for c in COMMANDS))
    assert taken == set(table())
    assert len(taken) > 15


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_lists_the_options_that_the_command_takes(world, command):
    assert set(items(f"hullo-{command}")) == set(help_of(world, command))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_synopsis_has_each_option(world, command):
    synopsis = re.search(r"\.Sh SYNOPSIS\n(.*?)\.Sh", page(f"hullo-{command}"), re.S)[1]
    short = "".join(re.findall(r"Op Fl (\w+)", synopsis))
    for option in set(help_of(world, command)) - {"help", "version"}:
        assert f"Fl -{option}" in synopsis or letters().get(option, "-") in short, option


@pytest.mark.parametrize("command", COMMANDS)
def test_letters_defaults_and_choices_are_in_the_page(world, command):
    for option, line in help_of(world, command).items():
        entry = items(f"hullo-{command}")[option]
        if option in letters():
            assert re.search(rf"Fl {letters()[option]}\b", entry.split("\n", 1)[0]), option
        default = re.search(r"\[([\w-]+)\]$", line)
        assert not default or default[1] in entry, option
        for choice in re.findall(r"\w+", (re.search(r"\((\w+(?:\|\w+)+)\)", line) or ["", ""])[1]):
            assert choice in entry, option


@pytest.mark.parametrize("command", COMMANDS)
def test_variables_are_in_the_pages(world, command):
    for option in help_of(world, command):
        for variable in re.findall(r'\.env = "(\w+)"', table()[option]):
            assert f"Ev {variable}" in page("hullo")
            assert f"Ev {variable}" in page(f"hullo-{command}")


def test_the_page_of_the_file_lists_what_may_stand_in_it():
    config = (ROOT / "man" / "hullo-config.5").read_text()
    settings = re.search(r"\.Sh SETTINGS\n(.*?)\.Sh", config, re.S)[1]
    listed = re.findall(r"^\.It Ic ([\w-]+)", settings, re.M)
    assert sorted(listed) == sorted([*(n for n, e in table().items() if ".config = true" in e), "profile"])


def test_each_exit_status_is_in_the_manual():
    source = (ROOT / "src" / "util" / "err.h").read_text()
    listed = re.search(r"\.Sh EXIT STATUS\n(.*?)\.Sh", page("hullo"), re.S)[1]
    assert re.findall(r"^\.It (\d+)$", listed, re.M) == re.findall(r"STATUS_\w+ = (\d+)", source)


def test_the_manual_names_the_commands_that_there_are(world):
    assert [c for c in COMMANDS if f".Xr hullo-{c} 1" not in page("hullo")] == []
    assert sorted(p.name for p in (ROOT / "man").glob("hullo*.1")) == sorted(
        ["hullo.1", *(f"hullo-{c}.1" for c in COMMANDS)])


# --- examples: the lines behind a $


def manual_examples():
    for path in sorted((ROOT / "man").glob("*.1")):
        for line in re.findall(r"^\.Dl \$ (.*)$", path.read_text(), re.M):
            yield path.name, line.replace(r"\(dq", '"').replace(r"\(aq", "'").replace(r"\-", "-").replace(r"\e", "\\")


def readme_examples():
    blocks = re.findall(r"^```console\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def shell(world, servers, tmp_path):
    """Runs a line as a user would, with the user's own models, and servers for what takes long. Nobody types, and
    there is no sound device."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hullo").write_text(f'#!/bin/sh\nexec {shlex.quote(world.program)} "$@"\n')
    (tmp_path / "bin" / "hullo").chmod(0o755)
    env = {k: v for k, v in world.env.items() if k not in ("HULLO_MODELS_DIR", "HULLO_MODELS_MANIFEST")}
    for name in ("HOME", "XDG_DATA_HOME", "HULLO_MODELS_DIR"):
        env.pop(name, None)
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(PATH=f"{tmp_path}/bin:{env['PATH']}", HULLO_AUDIO="null:pace=20", HULLO_LLM_URL=servers.llm.url,
               HULLO_STT_URL=servers.stt.url)

    def run(line):
        r = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=env, input=b"", capture_output=True, timeout=120)
        assert r.returncode == 0, (line, r.stdout, r.stderr.decode())
        return r.stdout

    run('cp "$(hullo models path jfk)/jfk.wav" question.wav')
    return run


@pytest.mark.models
def test_the_examples_of_the_manual_run(shell):
    examples = list(manual_examples())
    assert len(examples) >= 10
    for _, line in examples:
        shell(line)


@pytest.mark.models
def test_the_examples_of_the_readme_run(shell, tmp_path):
    assert len(readme_examples()) >= 5
    for line in readme_examples():
        shell(line)
    assert (tmp_path / "answer.wav").read_bytes()[:4] == b"RIFF"
    assert (tmp_path / "answer.flac").read_bytes()[:4] == b"fLaC"

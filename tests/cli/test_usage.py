"""What a user gets for --help and --version, and for words that mean nothing."""

import json
import re

import pytest

COMMANDS = ["chat", "ask", "transcribe", "translate", "replay", "models", "devices", "doctor"]


def refused(r, *words):
    """Usage errors are one line that says what is meant, and do nothing."""
    assert r.status == 2, r
    assert r.out == b""
    assert r.err.startswith("hullo: ") and r.err.count("\n") == 1
    for word in words:
        assert word in r.err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], *([c, "--help"] for c in COMMANDS),
                                       *(["help", c] for c in COMMANDS)], ids=" ".join)
def test_help_fits_a_screen(world, arguments):
    r = world.run(*arguments)
    assert (r.status, r.err) == (0, "")
    lines = r.text.splitlines()
    assert lines[0].startswith("usage: hullo")
    realtime = next((n for n, line in enumerate(lines) if line.startswith("With a realtime endpoint")), len(lines))
    assert realtime <= 30  # who has no endpoint need not read on
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80


def test_help_lists_the_commands(world):
    said = world.run("--help").text
    for command in COMMANDS:
        assert re.search(rf"^  {command}\s+\w", said, re.M)


def test_help_wins_over_the_rest(world):
    assert world.run("ask", "nowhere.wav", "--json", "-o", "-", "--help").text.startswith("usage: hullo ask")


def test_version_names_what_it_is_made_of(world):
    r = world.run("--version")
    assert (r.status, r.err) == (0, "")
    assert re.match(r"hullo \d+\.\d+\.\d+ \(with(out)? local engines\)\n", r.text)
    for part in ("PortAudio", "libsndfile", "libcurl", "libuv", "cJSON", "libarchive", "OpenSSL", "GPL-3.0-or-later"):
        assert part in r.text
    assert world.run("ask", "--version").out == r.out


@pytest.mark.parametrize("arguments, words", [
    (["sing"], ["'sing'", "--help"]),
    (["help", "sing"], ["'sing'"]),
    (["--sing"], ["'--sing'", "--help"]),
    (["ask", "-x"], ["'-x'"]),
    (["ask", "--input-device", "mic"], ["'--input-device'"]),
    (["devices", "--force"], ["'--force'"]),
    (["ask", "-o"], ["'-o'", "needs a value"]),
    (["ask", "--json=yes"], ["'--json'", "takes no value"]),
    (["ask", "--rate", "loud"], ["--rate", "1000 to 768000", "'loud'"]),
    (["ask", "--rate", "999"], ["'999'"]),
    (["ask", "--rate", "nan"], ["'nan'"]),
    (["ask", "--max-tokens", "0"], ["'0'"]),
    (["ask", "--voice", "tenor"], ["--voice", "auto, piper, flite, espeak", "'tenor'"]),
    (["ask", "--eagerness", ""], ["--eagerness"]),
    (["chat", "--effort", "huge"], ["--effort", "minimal, low, medium, high, xhigh", "'huge'"]),
    (["chat", "--speed", "2"], ["--speed", "0.25 to 1.5", "'2'"]),
    (["chat", "--turn-detection", "me"], ["server, semantic, client"]),
    (["chat", "--noise-reduction", "on"], ["near, far, off"]),
    (["chat", "--retention", "1.1"], ["0 to 1"]),
    (["chat", "--max-cost", "0"], ["--max-cost"]),
    (["ask", "--idle-minutes", "1"], ["'--idle-minutes'"]),
    (["ask", "-o", "", "q.wav"], ["--output"]),
    (["ask", "-o", "one.wav", "a.wav", "b.wav"], ["several", "'one.wav'", "folder"]),
    (["ask", "-o", "-", "--json", "q.wav"], ["-o -", "--json", "not both"]),
    (["chat", "q.wav"], ["'q.wav'", "hullo ask"]),
    (["q.wav"], ["'q.wav'"]),
    (["models", "dance"], ["'dance'"]),
], ids=lambda v: " ".join(v)[:40])
def test_what_means_nothing_is_refused(world, arguments, words):
    refused(world.run(*arguments), *words)
    assert world.files() == []


def test_a_bad_value_in_the_environment_names_the_variable(world):
    world.env.update(HULLO_VOICE="tenor", HULLO_AEC="loud")
    refused(world.run("ask", "q.wav"), "HULLO_VOICE", "'tenor'")
    refused(world.run("chat"), "HULLO_AEC", "'loud'")


@pytest.mark.parametrize("word, meant", [("--voise", "--voice"), ("--outptu", "--output"), ("--max_tokens", "--max-tokens")])
def test_a_slip_is_told_what_was_meant(world, word, meant):
    refused(world.run("ask", word, "x"), f"'{word}'", f"'{meant}'")


def test_a_double_dash_ends_the_options(world, servers):
    world.question("-o")
    assert servers.ask("--", "-o").status == 0


def test_options_may_stand_behind_what_they_are_about(world, servers):
    r = servers.ask(world.question(), "-qo", "a.wav", "--json")
    assert json.loads(r.text)["audio"] == "a.wav"


# --- terminals


def test_audio_is_not_written_to_a_terminal(world, servers):
    r = world.on_terminal("ask", *servers.where, world.question(), "-o", "-")
    assert r.status == 2
    assert b"terminal" in r.out and b"RIFF" not in r.out
    assert servers.asked("/chat/completions") == []


def test_a_terminal_has_no_recording(world, servers):
    for arguments in ([], ["-"]):
        r = world.on_terminal("ask", *servers.where, *arguments)
        assert r.status == 2
        assert b"no recording" in r.out

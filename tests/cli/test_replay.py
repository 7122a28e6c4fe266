"""Recorded sessions, played back offline through the code that runs a conversation: tests/data/sessions, which
tests/tools/record_sessions.py makes."""

import json
from pathlib import Path

import pytest

SESSIONS = Path(__file__).resolve().parents[1] / "data" / "sessions"
PARIS, ROME = "hullo  Paris is the capital of France.\n", "hullo  It is Rome, of course, the old town.\n"
SAID = {
    "openai": "you    this is turn 1\nhullo  Thank you.\n",
    "openai-broken": PARIS + ROME,
    "gemini": "you    this is turn 1\nhullo  You are welcome.\n",
    "qwen": "you    this is turn 1\nhullo  Quite so.\n",
    "transcription": "you    these are the words\n",
}


def replay(world, path, *options):
    return world.run("replay", "--audio", "null", *options, path)


def test_each_recording_has_something_to_say():
    assert {path.stem for path in SESSIONS.glob("*.jsonl")} == set(SAID)


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_recorded_session_is_shown_as_it_was(world, name):
    result = replay(world, SESSIONS / f"{name}.jsonl")
    assert result.status == 0
    assert result.text == SAID[name]
    assert "as it was recorded" in result.err


def test_broken_links_are_part_of_it(world):
    stderr = replay(world, SESSIONS / "openai-broken.jsonl").err
    assert stderr.count("broke: Recv failure") == 2
    assert stderr.count("again, nothing is lost") == 2


def test_the_answer_was_heard_as_long_as_its_sound_is(world):
    """Audio that was not recorded is silence of the same length."""
    turns = [json.loads(line) for line in replay(world, SESSIONS / "openai.jsonl", "--json").text.splitlines()]
    assert [t["text"] for t in turns] == ["Thank you."]
    assert turns[0]["heard_ms"] == pytest.approx(960, abs=1)


def test_where_the_user_stopped_an_answer_it_is_stopped(world, tmp_path):
    """The answer's sound begins some 20 ms behind its first delta; 400 ms later somebody spoke over it."""
    lines = (SESSIONS / "openai.jsonl").read_text().splitlines()
    first = next(json.loads(line) for line in lines if "output_audio.delta" in line)
    lines = [line for line in lines if json.loads(line).get("t", 0) <= first["t"] + 400]
    lines.append(json.dumps({"t": first["t"] + 400, "c": 1, "way": "stopped"}))
    path = tmp_path / "stopped.jsonl"
    path.write_text("\n".join(lines) + "\n")
    turn = json.loads(replay(world, path, "--json").text)
    assert turn["stopped"]
    assert 200 < turn["heard_ms"] < 900


@pytest.mark.parametrize("text", ["", "\0\xff", "{}\n", '{"type":"hullo-recording","v":9}\n', "[" * 100000])
def test_what_is_no_recording_is_refused(world, tmp_path, text):
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="latin-1")
    result = replay(world, path)
    assert result.status == 1
    assert "bad.jsonl" in result.err


def test_a_dialect_of_somebody_elses_is_refused(world, tmp_path):
    path = tmp_path / "other.jsonl"
    path.write_text('{"type":"hullo-recording","v":1,"dialect":"klingon","model":"m"}\n')
    result = replay(world, path)
    assert result.status == 2
    assert "klingon" in result.err

"""Every event that the program can send, over many settings, is valid by the official types."""

import collections
import json
import os
import pathlib
import subprocess

import pytest
from fake.realtime import official

PROTOCOLS = {"voice": "voice", "transcription": "transcription", "openai-translate": "translation",
             "gpt-live": "live", "gemini": "gemini"}
# Those whose sessions have the shape of the official types; the others have a shape of their own.
OFFICIAL = {"openai", "azure", "elevenlabs", "inworld", "localai", "huggingface", "generic", "gpt-live", "gemini"}
NULLS = [("session", "audio", "input", "noise_reduction")]


def without_nulls(event):
    """Null switches noise reduction off by the documentation, also by that of the types, which do not allow it."""
    event = json.loads(json.dumps(event))
    for *path, last in NULLS:
        at = event
        for name in path:
            at = at.get(name, {}) if isinstance(at, dict) else {}
        if isinstance(at, dict) and last in at and at[last] is None:
            del at[last]
    return event


def parts_of(message):
    """What one of Gemini's messages holds; of realtimeInput, what is in it."""
    for name, value in message.items():
        yield from (f"{name}.{part}" for part in value) if name == "realtimeInput" else [name]


@pytest.fixture(scope="module")
def events():
    program = pathlib.Path(os.environ["BUILD"]) / "peers" / "wire_events"
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return [(protocol, dialect, json.loads(message)) for protocol, dialect, message in
            (line.split("\t", 2) for line in dict.fromkeys(done.stdout.splitlines()))]


def test_every_event_is_valid_by_the_official_types(events):
    troubles = collections.Counter(
        (protocol, dialect, trouble) for protocol, dialect, event in events if dialect in OFFICIAL
        for trouble in official.check(PROTOCOLS[protocol], without_nulls(event)))
    assert not troubles


def test_every_kind_of_event_was_among_them(events):
    said = collections.defaultdict(set)
    for protocol, dialect, event in events:
        if dialect == "openai":
            said[protocol].add(event["type"])
        elif dialect in ("gpt-live", "gemini"):
            said[protocol].update([event["type"]] if "type" in event else parts_of(event))
    assert said["voice"] == {
        "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
        "conversation.item.create", "conversation.item.truncate", "response.create", "response.cancel"}
    assert said["transcription"] == {
        "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"}
    assert said["gpt-live"] == {"session.start", "session.input_audio.append", "session.instructions.append",
                                "session.commentary.append", "session.close"}
    assert said["gemini"] == {
        "setup", "clientContent", "toolResponse", "realtimeInput.audio", "realtimeInput.text", "realtimeInput.activityStart",
        "realtimeInput.activityEnd", "realtimeInput.audioStreamEnd"}
    assert said["openai-translate"] == {"session.update", "session.input_audio_buffer.append", "session.close"}


def test_a_check_of_nothing_would_be_noticed(events):
    """The validator refuses what is wrong in an event of ours."""
    protocol, _, event = next(e for e in events if e[2].get("type") == "session.update")
    event = json.loads(json.dumps(event))
    event["session"]["audio"]["input"]["format"]["rate"] = 16000
    assert official.check(PROTOCOLS[protocol], event) or not official.available("voice")

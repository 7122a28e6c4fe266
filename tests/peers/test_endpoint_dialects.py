"""The dialects of the scripted endpoint: what differs from OpenAI's, on the wire."""

import base64

import pytest
from client import Client
from fake.realtime import Endpoint, dialects, marker

KEYS = {"azure": {"api-key": "sk-test"}, "inworld": {"Authorization": "Basic sk-test"}}
WORDS = {"inworld": {"key": "me", "protocol": "realtime"}}


def dial(ep, **query):
    client = Client(ep, headers=KEYS.get(ep.script.dialect), **{**WORDS.get(ep.script.dialect, {}), **query})
    client.receive()
    return client


@pytest.mark.parametrize("name", sorted(set(dialects.DIALECTS) - {"gemini"}))
def test_a_turn_is_answered_in_every_dialect(endpoint, name):
    ep = endpoint(dialect=name)
    kind = dialects.DIALECTS[name]
    theirs = kind.names.get
    with dial(ep) as client:
        hz = kind.input_hz
        for at in range(0, hz * 2, 640):
            sound = (marker(4, hz) + bytes(hz * 4))[at : at + 640]
            client.send("input_audio_buffer.append", audio=base64.b64encode(sound).decode())
        client.until("input_audio_buffer.speech_started")
        client.say(bytes(2 * hz))
        client.until(theirs("response.done", "response.done"))
    assert theirs("response.output_audio.delta", "response.output_audio.delta") in client.types()
    items = {t for t in client.types() if t.startswith("conversation.item")}
    old = {"conversation.item.created"}
    assert items == (old if name in ("qwen", "speaches", "huggingface") else
                     {"conversation.item.added", "conversation.item.done"})
    assert ep.answered == [4]


def test_the_key_stands_where_the_service_wants_it(endpoint):
    for name, header in (("azure", "Authorization"), ("inworld", "api-key")):
        with pytest.raises(Exception, match="401"):
            Client(endpoint(dialect=name), headers={header: "sk-test"})


def test_xai_has_voice_and_turn_detection_at_the_top(endpoint):
    with dial(endpoint(dialect="xai")) as client:
        client.send("session.update", session={"voice": "Ara", "turn_detection": None})
        session = client.until("session.updated")["session"]
        assert (session["voice"], session["turn_detection"]) == ("Ara", None)
        assert "voice" not in session["audio"]["output"]
        client.say(marker(1) + bytes(48000))
        client.send("input_audio_buffer.commit")
        client.until("input_audio_buffer.committed")
    assert "input_audio_buffer.speech_started" not in client.types()


def test_the_beta_has_a_flat_session(endpoint):
    with dial(endpoint(dialect="qwen")) as client:
        client.send("session.update", session={"modalities": ["text"], "voice": "Cherry", "input_audio_format": "pcm",
                                               "turn_detection": {"type": "server_vad", "silence_duration_ms": 300}})
        session = client.until("session.updated")["session"]
        assert (session["modalities"], session["voice"]) == (["text"], "Cherry")
        client.send("conversation.item.create", item={"type": "message", "role": "assistant", "content": [
            {"type": "text", "text": "I said."}]})
        assert client.until("conversation.item.created")["item"]["content"][0]["type"] == "text"


def test_hugging_face_detects_turns_and_tells_words_unasked(endpoint):
    ep = endpoint(dialect="huggingface", transcripts=["so I said"])
    with dial(ep) as client:
        client.update(audio={"input": {"turn_detection": None}})
        client.turn(marker(3))
        client.until("conversation.item.input_audio_transcription.completed", transcript="so I said")
        client.until("response.done") if "response.done" not in client.types() else None


def test_hugging_face_has_the_code_in_the_type(endpoint):
    with dial(endpoint(dialect="huggingface")) as client:
        client.send("response.cancel")
        assert client.until("error")["error"]["type"] == "response_cancel_not_active"


@pytest.mark.parametrize(("name", "session"), [
    ("xai", {"audio": {"input": {"turn_detection": None}}}), ("qwen", {"audio": {}}),
    ("speaches", {"output_audio_format": "mp3"})])
def test_a_session_of_another_shape_is_a_violation(name, session):
    with pytest.raises(AssertionError, match="broke the protocol"):
        with Endpoint(dialect=name) as ep, dial(ep) as client:
            client.send("session.update", session=session)
            client.until("session.updated")

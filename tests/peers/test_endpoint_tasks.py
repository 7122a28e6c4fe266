"""The scripted endpoint as a transcriber, a translator and GPT-Live."""

import pytest
from client import Client
from fake.realtime import Reply, find, marker
from websockets.exceptions import ConnectionClosed

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


@pytest.fixture
def transcriber(endpoint):
    def start(model, **changes):
        ep = endpoint(transcripts=["one two three four"])
        client = Client(ep, intent="transcription")
        assert client.receive()["session"]["type"] == "transcription"
        client.send("session.update", session={"type": "transcription", "audio": {"input": {
            "transcription": {"model": model, **changes.pop("transcription", {})}, **changes}}})
        return ep, client
    return start


def test_a_transcription_session_tells_words_and_answers_nothing(transcriber):
    ep, client = transcriber("gpt-4o-transcribe")
    with client:
        client.turn(marker(7))
        assert client.until(COMPLETED)["transcript"] == "one two three four"
        assert "".join(e["delta"] for e in client.events if e["type"] == DELTA) == "one two three four"
    assert "response.created" not in client.types() and ep.turns[0].numbers == [7]


def test_the_streaming_model_has_no_turn_detection(transcriber):
    _, client = transcriber("gpt-realtime-whisper", turn_detection={"type": "server_vad"})
    with client:
        assert client.until("error")["error"]["param"] == "session.audio.input.turn_detection"


def test_the_streaming_model_tells_words_while_they_are_spoken(transcriber):
    _, client = transcriber("gpt-realtime-whisper", turn_detection=None, transcription={"delay": "minimal"})
    with client:
        client.until("session.updated")
        client.say(marker(7, frames=3))
        early = client.until(DELTA)
        client.send("input_audio_buffer.commit")
        assert client.until(COMPLETED)["item_id"] == early["item_id"]
        assert "".join(e["delta"] for e in client.events if e["type"] == DELTA) == "one two three four"


def test_a_transcription_session_with_a_model_in_its_address_is_refused(endpoint):
    with Client(endpoint(), intent="transcription", model="gpt-realtime-whisper") as client:
        assert client.until("error")["error"]["code"] == "invalid_model"
        with pytest.raises(ConnectionClosed):
            client.receive()


def test_a_translation_goes_on_under_the_user_and_ends_when_it_is_closed(endpoint):
    ep = endpoint(replies=["hola", Reply(text="adios", pace=4)], transcripts=["hello", "goodbye"])
    with Client(ep, ep.base + "/v1/realtime/translations", model="gpt-realtime-translate") as client:
        assert client.receive()["session"]["model"] == "gpt-realtime-translate"
        client.send("session.update", session={"audio": {"output": {"language": "es"}, "input": {
            "transcription": {"model": "gpt-realtime-whisper"}}}})
        assert client.until("session.updated")["session"]["audio"]["output"]["language"] == "es"
        sound = bytes(9600) + marker(3) + bytes(48000) + marker(4) + bytes(9600)
        client.say(sound, "session.input_audio_buffer.append")
        client.send("session.close")
        client.until("session.closed")
        with pytest.raises(ConnectionClosed):
            client.receive()
    words = {t: [e["delta"] for e in client.events if e["type"] == f"session.{t}_transcript.delta"] for t in
             ("input", "output")}
    assert words == {"input": ["hello", "goodbye"], "output": ["hola", "adios"]}
    assert [m.number for m in find(client.sound("session.output_audio.delta"))] == [1, 2]
    assert ep.answered == [3, 4] and ep.heard(1) == sound


def live(ep, **session):
    client = Client(ep, ep.base + "/v1/live/sessions")
    client.send("session.start", session={"model": "gpt-live-1", **session})
    assert client.receive()["session"]["status"] == "active"
    return client


def test_gpt_live_begins_with_session_start(endpoint):
    with Client(ep := endpoint(), ep.base + "/v1/live/sessions") as client:
        client.send("session.input_audio.mute", event_id="x")
        assert client.until("error")["error"]["client_event_id"] == "x"


def test_gpt_live_answers_and_is_interrupted_by_itself(endpoint):
    ep = endpoint(replies=[Reply(text="a long one", frames=12, pace=1), "short"], transcripts=["hello there", "stop"])
    with live(ep, audio={"format": {"type": "audio/pcm", "rate": 24000}, "output": {"voice": "marin"}}) as client:
        kind = "session.input_audio.append"
        client.say(marker(5) + bytes(30000), kind)
        client.until("session.output_audio.delta")
        client.say(marker(6) + bytes(30000), kind)
        client.until("session.output_transcript.delta", delta="short")
        client.until("session.usage.updated")
        client.send("session.close")
        assert client.until("session.closed")["reason"] == "close_requested"
    assert [a.status for a in ep.answers] == ["cancelled", "completed"] and ep.answered == [6]


def test_gpt_live_delegates_functions(endpoint):
    ep = endpoint(replies=[Reply(calls=(("weather", {"city": "Rome"}),)), "Sunny."])
    with live(ep, delegation={"type": "responses", "responses": {"model": "gpt-5"}}) as client:
        client.say(marker(5) + bytes(30000), "session.input_audio.append")
        client.until("session.delegation.created")
        item = client.until("response.event")["event"]["item"]
        client.send("response.item.create", item={"type": "function_call_output", "call_id": item["call_id"],
                                                  "output": "22"})
        client.send("response.create")
        client.until("session.output_transcript.delta", delta="Sunny.")

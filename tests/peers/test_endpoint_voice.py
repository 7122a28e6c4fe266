"""The scripted endpoint as OpenAI Realtime: turns, replies, and the rules that the service enforces."""

import base64
import json
import socket

import pytest
from client import Client
from fake.realtime import Reply, by_marker, find, marker


@pytest.fixture
def talk(endpoint):
    """An endpoint and a client of it, past session.created."""
    def start(**script):
        ep = endpoint(**script)
        client = Client(ep, model="gpt-realtime-2")
        assert client.receive()["type"] == "session.created"
        return ep, client
    return start


def turn_off(client):
    client.update(audio={"input": {"turn_detection": None}})


@pytest.mark.parametrize("tls", [False, True])
def test_a_spoken_turn_is_answered_in_the_order_of_the_service(talk, tls):
    ep, client = talk(replies=["Paris it is."], transcripts=["capital of france"], tls=tls)
    with client:
        client.update(audio={"input": {"transcription": {"model": "gpt-realtime-whisper"}}})
        client.events.clear()
        client.turn(marker(77, 24000, 4))
        done = client.until("response.done")["response"]
        if "conversation.item.input_audio_transcription.completed" not in client.types():
            client.until("conversation.item.input_audio_transcription.completed")
    once = list(dict.fromkeys(t for t in client.types() if "transcription" not in t))
    assert once == [
        "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
        "conversation.item.added", "conversation.item.done", "response.created", "rate_limits.updated",
        "response.output_item.added", "response.content_part.added", "response.output_audio.delta",
        "response.output_audio_transcript.delta", "response.output_audio.done", "response.output_audio_transcript.done",
        "response.content_part.done", "response.output_item.done", "response.done"]
    assert [(m.number, m.whole) for m in find(client.sound())] == [(1, True)]
    assert (ep.turns[0].numbers, ep.answered, ep.turns[0].transcript) == ([77], [77], "capital of france")
    assert done["status"] == "completed" and done["output"][0]["content"][0]["transcript"] == "Paris it is."
    assert done["usage"]["output_token_details"]["audio_tokens"] == 19
    sent = [e.t_ns for e in ep.journal.select(way="out")]
    assert sent == sorted(sent) and all(e.t_ns > 0 for e in ep.events)


def test_speech_while_a_reply_streams_cancels_it(talk):
    _, client = talk(replies=[Reply(pace=1, frames=12)])
    with client:
        client.turn(marker(1))
        client.until("response.output_audio.delta")
        client.turn(marker(2))
        first = client.until("response.done")["response"]
        assert (first["status"], first["status_details"]["reason"]) == ("cancelled", "turn_detected")
        assert client.until("response.created")["response"]["id"] != first["id"]


def test_what_is_under_way_still_comes_after_a_cancel(talk):
    ep, client = talk(replies=[Reply(pace=1, frames=12, late=3)])
    with client:
        client.send("response.create")
        client.until("response.output_audio.delta")
        client.send("response.cancel")
        client.until("response.done")
    assert client.types().count("response.output_audio.delta") >= 4
    assert ep.answers[0].status == "cancelled"


def test_a_reply_can_speak_the_number_that_it_answers(talk):
    _, client = talk(replies=by_marker(frames=1))
    with client:
        for number in (41, 40):
            client.turn(marker(number))
            client.until("response.done")
    assert [m.number for m in find(client.sound())] == [41, 40]


def test_commit_and_response_create_when_turn_detection_is_off(talk):
    ep, client = talk()
    with client:
        turn_off(client)
        client.send("input_audio_buffer.commit", event_id="mine")
        error = client.until("error")["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "mine")
        client.say(marker(5))
        client.send("input_audio_buffer.commit")
        client.until("conversation.item.done")
        assert ep.answered == []
        client.send("response.create")
        client.until("response.done")
    assert ep.answered == [5]


def test_a_turn_can_come_whole_as_an_item(talk):
    ep, client = talk()
    with client:
        sound = {"type": "input_audio", "audio": base64.b64encode(marker(321, 24000, 2)).decode()}
        client.send("conversation.item.create", item={"type": "message", "role": "user", "content": [sound]})
        assert "audio" not in client.until("conversation.item.done")["item"]["content"][0]
        client.send("response.create")
        client.until("response.done")
    assert ep.answered == [321] and ep.answers[0].sent_ms == 960


def test_one_response_at_a_time_and_none_to_cancel(talk):
    _, client = talk(replies=[Reply(silent=True)])
    with client:
        client.send("response.cancel")
        assert client.until("error")["error"]["code"] == "response_cancel_not_active"
        client.send("response.create")
        client.until("response.created")
        client.send("response.create")
        assert client.until("error")["error"]["code"] == "conversation_already_has_active_response"
        client.send("response.cancel")
        done = client.until("response.done")["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}


def test_truncation_is_clamped_with_an_error_of_nobodys_event(talk):
    _, client = talk()
    with client:
        client.send("response.create")
        item = client.until("response.done")["response"]["output"][0]["id"]
        client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=99999, event_id="x")
        assert client.until("error")["error"]["event_id"] is None
        assert client.until("conversation.item.truncated")["audio_end_ms"] == 960
        client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=400)
        assert client.until("conversation.item.truncated")["audio_end_ms"] == 400
        client.send("conversation.item.truncate", item_id="none", content_index=0, audio_end_ms=1)
        assert client.until("error")["error"]["code"] == "item_truncate_invalid_item_id"


def test_a_voice_cannot_change_once_it_was_heard(talk):
    _, client = talk()
    with client:
        client.update(audio={"output": {"voice": "marin"}})
        client.send("response.create")
        client.until("response.done")
        client.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}})
        assert client.until("error")["error"]["code"] == "cannot_update_voice"
        assert client.update(instructions="Be brief.")["instructions"] == "Be brief."


def test_functions_are_called_and_their_output_taken(talk):
    _, client = talk(replies=[Reply(calls=(("weather", {"city": "Rome"}),)), "Sunny."])
    with client:
        client.send("response.create")
        call = client.until("response.done")["response"]["output"][0]
        assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Rome"})
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "22"}
        client.send("conversation.item.create", item=output)
        client.until("conversation.item.done")
        client.send("conversation.item.create", item={**output, "call_id": "no"})
        assert client.until("error")["error"]["code"] == "invalid_tool_call_id"
        client.send("response.create")
        assert client.until("response.done")["response"]["output"][0]["content"][0]["transcript"] == "Sunny."


def test_a_preamble_is_an_item_of_its_own(talk):
    _, client = talk(replies=[Reply(text="It is.", preamble=Reply(text="Let me see.", number=9))])
    with client:
        client.send("response.create")
        output = client.until("response.done")["response"]["output"]
        assert [i["phase"] for i in output] == ["commentary", "final_answer"]
        assert [m.number for m in find(client.sound())] == [9, 1]


def test_text_only_and_g711(talk):
    ep, client = talk(replies=["Short."])
    with client:
        client.update(output_modalities=["text"], audio={"input": {"format": {"type": "audio/pcmu"}}})
        client.say(b"\xff" * 1600 + bytes(range(0, 128)) * 40 + b"\xff" * 8000, piece=160)
        done = client.until("response.done")["response"]
        assert done["output"][0]["content"] == [{"type": "output_text", "text": "Short."}]
    assert client.sound() == b"" and ep.turns[0].hz == 8000


def test_pace_and_first_delta_are_kept(talk):
    ep, client = talk(replies=[Reply(pace=4, first_ms=80, frames=4, stalls=((500, 120),))])
    with client:
        client.send("response.create")
        client.until("response.done")
    at = [e.t_ns / 1e6 for e in ep.journal.select("response.output_audio.delta")]
    created = ep.wait_for("response.created").t_ns / 1e6
    due = [80 + k * 25 + (120 if k >= 5 else 0) for k in range(len(at))]
    assert len(at) == 13 and all(t - created >= d - 1 for t, d in zip(at, due))


def test_a_wrong_key_path_or_model_is_refused(endpoint):
    ep = endpoint(models=("gpt-realtime-2",))
    for url, headers, status in [(ep.url + "?model=gpt-realtime-2", {"Authorization": "Bearer no"}, 401),
                                 (ep.base + "/v1/nothing", None, 404), (ep.url + "?model=gpt-9", None, 404)]:
        with pytest.raises(Exception, match=str(status)):
            Client(ep, url, headers)


def test_down_refuses_and_up_takes_the_same_port(endpoint):
    ep = endpoint()
    ep.down()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ep.host, ep.port), 1)
    ep.up()
    socket.create_connection((ep.host, ep.port), 1).close()


def test_the_beta_shape_is_off(endpoint):
    headers = {"Authorization": "Bearer sk-test", "OpenAI-Beta": "realtime=v1"}
    with Client(endpoint(), headers=headers) as client:
        assert client.until("error")["error"]["code"] == "beta_api_shape_disabled"
        with pytest.raises(Exception, match="4000"):
            client.receive()


def test_a_long_silence_behind_a_reply_is_a_turn(talk):
    ep, client = talk()
    with client:
        client.update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}})
        client.send("response.create")
        client.until("response.done")
        client.say(bytes(48 * 4900), piece=48000)
        client.say(bytes(48 * 200), piece=4800)
        client.until("input_audio_buffer.timeout_triggered")
        client.until("response.done")
    assert len(ep.answers) == 2


def test_what_is_light_keeps_no_more_than_the_turns(talk):
    ep, client = talk(light=True)
    with client:
        client.say(bytes(48 * 5000), piece=4800)
        client.turn(marker(8, 24000, 3))
        client.until("response.done")
        client.say(bytes(48 * 5000), piece=4800)
        client.send("input_audio_buffer.clear")
        client.until("input_audio_buffer.cleared")
    assert ep.answered == [8] and len(ep.heard(1)) < 48 * 4500
    assert max(len(e.line()) for e in ep.events) < 5000


def test_it_listens_on_ipv6_too(endpoint):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with Client(endpoint(host="::1", tls=True)) as client:
        assert client.receive()["type"] == "session.created"


def test_a_session_ends_when_its_time_is_over(talk):
    _, client = talk(session_seconds=0.2)
    with client:
        assert client.until("error")["error"]["code"] == "session_expired"
        with pytest.raises(Exception, match="1001"):
            client.receive()

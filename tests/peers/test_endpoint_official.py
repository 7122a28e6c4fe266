"""What no client may send is noticed, by the official types, and fails the test that let it happen."""

import pytest
from client import Client
from fake.realtime import Endpoint, official, sdk


def test_the_official_types_are_here():
    assert all(official.available(kind) for kind in official.CLIENT)


REALTIME = {"type": "realtime"}
GOOD = [
    {"type": "session.update", "session": {**REALTIME, "reasoning": {"effort": "xhigh"}, "max_output_tokens": "inf"}},
    {"type": "session.update", "session": {**REALTIME, "audio": {"input": {"turn_detection": None,
                                                                           "noise_reduction": None}}}},
    {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {"transcription": {
        "model": "gpt-realtime-whisper", "delay": "low"}}}}},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "hello"}]}},
]
BAD = [
    ({"type": "session.update", "session": {**REALTIME, "temperature": 1}}, "no field 'temperature'"),
    ({"type": "session.update", "session": {**REALTIME, "reasoning": {"effort": "huge"}}}, "'huge' is none of"),
    ({"type": "session.update", "session": {**REALTIME, "audio": {"input": {"turn_detection": {
        "type": "server_vad", "silence_duration": 3}}}}}, "no field 'silence_duration'"),
    ({"type": "session.update", "session": {**REALTIME, "max_output_tokens": True}}, "fits none"),
    ({"type": "session.update"}, "'session' is missing"),
    ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}, "'audio_end_ms' is missing"),
    ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1.5}, "is no int"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "assistant", "content": [
        {"type": "text", "text": "hello"}]}}, "'text' is none of"),
    ({"type": "response.create", "response": {"output_modalities": "audio"}}, "is no list"),
    ({"type": "response.make"}, "fits none"),
]
GEMINI_GOOD = [
    {"setup": {"model": "models/x", "generationConfig": {"responseModalities": ["AUDIO"]}, "tools": [
        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}], "realtimeInputConfig": {
            "automaticActivityDetection": {"disabled": True}}, "inputAudioTranscription": {}}},
    {"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm;rate=16000"}}},
]
GEMINI_BAD = [
    ({"setup": {"generation_config": {}}}, "no field 'generation_config'"),
    ({"setup": {}, "realtimeInput": {}}, "holds one of"),
    ({"realtimeInput": {"audio": {"data": "?", "mimeType": "audio/pcm"}}}, "is no bytes"),
    ({"setup": {"tools": [{"functions": []}]}}, "no field 'functions'"),
]


@pytest.mark.parametrize(("kind", "event"), [*(("voice", e) for e in GOOD), *(("gemini", e) for e in GEMINI_GOOD)])
def test_good_events_pass(kind, event):
    assert official.check(kind, event) == []


@pytest.mark.parametrize(("kind", "event", "why"), [*(("voice", e, w) for e, w in BAD),
                                                    *(("gemini", e, w) for e, w in GEMINI_BAD)])
def test_bad_events_are_told_with_their_place(kind, event, why):
    assert why in official.check(kind, event)[0]


@pytest.mark.parametrize("send", [
    lambda c: c.send("session.update", session={"type": "realtime", "temperature": 0.8}),
    lambda c: c.ws.send("no json"), lambda c: c.ws.send(b"\0\1"), lambda c: c.ws.send("[]"),
    lambda c: c.send("input_audio_buffer.append", audio="?")])
def test_what_no_client_may_send_fails_the_test(send):
    with pytest.raises(AssertionError, match="broke the protocol"):
        with Endpoint() as ep, Client(ep) as client:
            client.receive()
            send(client)
            client.send("input_audio_buffer.clear")
            client.until("input_audio_buffer.cleared")


@pytest.mark.parametrize("ci", [True, False])
def test_without_the_types_continuous_integration_fails_and_others_go_on(monkeypatch, ci):
    monkeypatch.setattr(sdk, "openai", lambda _: None)
    monkeypatch.setenv("CI", "true") if ci else monkeypatch.delenv("CI", raising=False)
    official.wanted.cache_clear()
    try:
        if ci:
            with pytest.raises(RuntimeError, match="not installed"):
                official.check("voice", BAD[0][0])
        else:
            assert official.check("voice", BAD[0][0]) == []
    finally:
        official.wanted.cache_clear()

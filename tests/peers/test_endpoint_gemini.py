"""The scripted endpoint as Gemini Live."""

import base64
import json

import pytest
from client import Client
from fake.realtime import Reply, find, marker
from websockets.exceptions import ConnectionClosed

AUDIO = {"responseModalities": ["AUDIO"]}


class Talk(Client):
    def __init__(self, ep, **setup):
        super().__init__(ep, headers={"x-goog-api-key": "sk-test"})
        self.put(setup={"model": "models/gemini-live", "generationConfig": AUDIO, "inputAudioTranscription": {},
                        "outputAudioTranscription": {}, **setup})

    def put(self, **message):
        self.ws.send(json.dumps(message))

    def say16(self, pcm):
        for at in range(0, len(pcm), 640):
            data = base64.b64encode(pcm[at : at + 640]).decode()
            self.put(realtimeInput={"audio": {"data": data, "mimeType": "audio/pcm;rate=16000"}})

    def wait(self, *keys):
        """The next message that has these keys, one in the other; what is there."""
        while True:
            at = self.receive()
            for key in keys:
                at = at.get(key) if isinstance(at, dict) else None
            if at is not None:
                return at

    def spoken(self):
        parts = [p for e in self.events for p in e.get("serverContent", {}).get("modelTurn", {}).get("parts", [])]
        return b"".join(base64.b64decode(p["inlineData"]["data"]) for p in parts)


@pytest.fixture
def ep(endpoint):
    return lambda **how: endpoint(dialect="gemini", **how)


def test_a_turn_is_heard_and_answered(ep):
    ep = ep(replies=["Paris."], transcripts=["capital of france"])
    with Talk(ep) as talk:
        talk.wait("setupComplete")
        talk.say16(marker(9, 16000) + bytes(20000))
        assert talk.wait("serverContent", "inputTranscription", "text") == "capital of france"
        talk.wait("serverContent", "generationComplete")
        assert talk.wait("serverContent", "turnComplete") is True
    assert [m.number for m in find(talk.spoken())] == [1] and ep.answered == [9]
    assert "realtimeInput.audio" in {e.type for e in ep.events}


def test_speech_interrupts_and_activity_can_be_told(ep):
    ep = ep(replies=[Reply(frames=12, pace=1), "second"])
    with Talk(ep, realtimeInputConfig={"automaticActivityDetection": {"disabled": True}}) as talk:
        for number in (1, 2):
            talk.put(realtimeInput={"activityStart": {}})
            if number == 2:
                talk.wait("serverContent", "interrupted")
                assert talk.wait("serverContent", "turnComplete")
            talk.say16(marker(number, 16000))
            talk.put(realtimeInput={"activityEnd": {}})
            talk.wait("serverContent", "modelTurn")
        talk.wait("usageMetadata")
    assert ep.answered == [2]


def test_a_session_is_resumed_by_its_handle(ep):
    ep = ep()
    with Talk(ep, sessionResumption={}) as talk:
        handle = talk.wait("sessionResumptionUpdate", "newHandle")
        ep.say({"goAway": {"timeLeft": "10s"}})
        assert talk.wait("goAway", "timeLeft") == "10s"
    with Talk(ep, sessionResumption={"handle": handle}) as talk:
        talk.wait("setupComplete")
    with Talk(ep, sessionResumption={"handle": "other"}) as talk, pytest.raises(ConnectionClosed) as end:
        talk.receive()
    assert end.value.rcvd.code == 1007


def test_functions_are_called_and_called_off(ep):
    ep = ep(replies=[Reply(calls=(("weather", {"city": "Rome"}),)), "Sunny.", Reply(calls=(("weather", {}),))])
    with Talk(ep) as talk:
        talk.put(realtimeInput={"text": "weather?"})
        call = talk.wait("toolCall", "functionCalls")[0]
        talk.put(toolResponse={"functionResponses": [{"id": call["id"], "name": "weather", "response": {"t": 22}}]})
        assert talk.wait("serverContent", "outputTranscription", "text") == "Sunny."
        talk.wait("serverContent", "turnComplete")
        talk.put(clientContent={"turns": [{"role": "user", "parts": [{"text": "again"}]}], "turnComplete": True})
        call = talk.wait("toolCall", "functionCalls")[0]
        talk.say16(marker(3, 16000))
        assert talk.wait("toolCallCancellation", "ids") == [call["id"]]


def test_what_is_out_of_place_ends_the_connection(ep):
    with Talk(ep()) as talk:
        talk.wait("setupComplete")
        talk.put(setup={"model": "x"})
        with pytest.raises(ConnectionClosed) as end:
            talk.receive()
    assert end.value.rcvd.code == 1007

"""Recordings and realtime endpoints: `hullo ask` as a user runs it, against the scripted endpoint."""

import json
import wave

import pytest

from fake import recording
from fake.realtime import Fault, Reply, find, marker


@pytest.fixture
def ask(world):
    """A question with a number in it, to that endpoint."""
    world.env["OPENAI_API_KEY"] = "sk-test"
    world.write("question.wav", recording.wav(recording.silence(0.5) + marker(7, 16000, frames=3) +
                                              recording.silence(0.5)))

    def run(ep, *options):
        return world.run("ask", "question.wav", "--url", ep.url, "--dialect", "openai", "-m", "gpt-realtime-2",
                         *options)

    return run


def heard(path):
    with wave.open(str(path)) as w:
        return [(m.number, m.whole) for m in find(w.readframes(w.getnframes()), w.getframerate())]


def test_a_recording_is_answered(world, ask, endpoint):
    ep = endpoint(replies=[Reply(text="Paris.", number=3)], transcripts=["What is the capital of France?"])
    r = ask(ep, "-o", "answer.wav")
    assert (r.status, r.text) == (0, "Paris.\n")
    assert "heard: What is the capital of France?" in r.err
    assert heard(world.here / "answer.wav") == [(3, True)]
    assert [t.numbers for t in ep.turns] == [[7]]


def test_it_can_be_asked_where_the_audio_goes(ask, endpoint):
    ep = endpoint(replies=["Paris."])
    assert f"talks to gpt-realtime-2 at 127.0.0.1:{ep.port}" in ask(ep, "-v").err


def test_words_that_come_late_do_not_cut_the_reply(ask, endpoint):
    ep = endpoint(replies=[Reply(text="Paris is the capital.", pace=1, first_ms=300)])
    r = ask(ep, "--json")
    assert r.status == 0
    assert json.loads(r.text)["text"] == "Paris is the capital."


def test_a_wrong_key_is_told_and_final(world, ask, endpoint):
    world.env["OPENAI_API_KEY"] = "sk-wrong"
    r = ask(endpoint(replies=["Paris."]))
    assert r.status == 3
    assert "sk-wrong" not in r.err


@pytest.mark.parametrize("at", ["received:input_audio_buffer.append", "received:input_audio_buffer.commit",
                                "received:response.create", "sent:response.created"])
def test_a_line_that_breaks_costs_nothing(world, ask, endpoint, at):
    ep = endpoint(replies=[Reply(text="Paris.", number=3)] * 2, faults=[Fault("rst", at=at, connection=1)])
    r = ask(ep, "-o", "answer.wav")
    assert (r.status, r.text) == (0, "Paris.\n")
    assert heard(world.here / "answer.wav") == [(3, True)]
    assert ep.answered == [7]


def test_a_reply_that_breaks_off_goes_on(world, ask, endpoint):
    ep = endpoint(replies=[Reply(text="Paris is", number=3, pace=1), Reply(text=" the capital.", number=4)],
                  faults=[Fault("rst", at="sent:response.output_audio.delta", nth=3, connection=1)])
    r = ask(ep, "-o", "answer.wav")
    assert r.status == 0
    assert "the capital." in r.text
    assert (4, True) in heard(world.here / "answer.wav")
    assert ep.answered == [7]


def test_several_recordings_are_several_conversations(world, ask, endpoint):
    ep = endpoint(replies=["One.", "Two."])
    r = ask(ep, "question.wav")
    assert (r.status, r.text) == (0, "One.\nTwo.\n")
    assert len(ep.received("session.update")) == 2
    assert [t.numbers for t in ep.turns] == [[7], [7]]

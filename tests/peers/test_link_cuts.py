"""The line to a realtime endpoint fails in the middle of conversations, with the real program. The first test is the
short form of tests/bench/bench_link.py."""

import contextlib
import time

import pytest
from bench import bench_link
from bench.bench_link import FIRST_S, SAID_S, Answers, Books, Cut
from fake.realtime import Endpoint
from fake.wire_cutter import WireCutter


def test_a_cut_line_loses_no_turn_and_none_is_answered_twice(tmp_path, hullo, monkeypatch):
    monkeypatch.setenv("HULLO", hullo)
    result = bench_link.many(tmp_path, 10, at_once=2, seed=7)
    assert result["turns"] == result["cuts"] == 10
    assert result["given_wrong"] == 0, result["troubles"]
    assert (result["lost"], result["answered_twice"], result["unheard"]) == (0, 0, 0), result
    assert result["back_ms"]["p50"] < 500


class Talk:
    """The user says one number, a second after the microphone is open."""

    def __init__(self, ep, wire, speaker):
        self.ep, self.wire, self.speaker = ep, wire, speaker
        self.begun = ep.wait_for("input_audio_buffer.append", way="in").t_ns / 1e9

    def sleep_until(self, seconds):
        """Of the recording that the microphone hears."""
        time.sleep(max(0, self.begun + seconds - time.monotonic()))

    def books(self, *cuts):
        self.ep.wait_for("response.done", where=lambda e: e["response"]["status"] == "completed")
        time.sleep(1.5)  # what is played, and what should not come
        return Books(self.ep, cuts, 1, self.speaker)


@pytest.fixture
def talk(tmp_path, hullo, monkeypatch):
    monkeypatch.setattr(bench_link, "HULLO", hullo)
    mic, speaker = tmp_path / "mic.wav", tmp_path / "speaker.wav"
    bench_link.recording(mic, 2)
    with contextlib.ExitStack() as stack:
        ep = stack.enter_context(Endpoint(replies=Answers()))
        wire = stack.enter_context(WireCutter(ep.port))
        program = bench_link.start(ep, wire, mic, speaker, tmp_path / "log.txt")
        stack.callback(program.wait, 10)
        stack.callback(program.terminate)
        yield Talk(ep, wire, speaker)


@pytest.mark.parametrize("after_s", [0.3, SAID_S + 0.2], ids=["while the user speaks", "right after"])
def test_a_line_that_goes_dead_in_a_turn_is_noticed_and_the_turn_is_answered_once(talk, after_s):
    talk.sleep_until(FIRST_S + after_s)
    before = time.monotonic_ns()
    talk.wire.blackhole()
    talk.wire.blackhole(False)  # the connection that is there stays dead
    again = talk.ep.wait_for("accept", 2)
    assert (again.t_ns - before) / 1e9 < 3.2  # 3, and what a busy machine adds
    books = talk.books()
    assert [str(m.number) + "!" * (not m.whole) for m in books.given[2] if m.number == 1] == ["1"]
    assert [a.status for a in talk.ep.answers] == ["completed"]
    assert talk.ep.answered == [1]


def test_what_is_said_while_nothing_can_be_reached_is_given_when_it_can(talk):
    talk.sleep_until(FIRST_S - 0.4)
    cut = Cut(1, "rst", 3.0)
    cut.happen(talk.wire)
    books = talk.books(cut)
    judged = books.judge(cut)
    assert judged["trouble"] == "" and judged["when"] == "in the turn", judged
    assert judged["back_ms"] < 500
    assert talk.ep.answered == [1]

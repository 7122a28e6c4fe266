"""Barge-in by the real hullo in the virtual room, with the real detector and a recording of a person: a short set of
what `make bench-duplex` measures, in real time. What fails is tried once more: others use the machine too."""

import array
import functools
import os
import pathlib
import subprocess
import sys
import wave

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "bench"))

import duplex_noises  # noqa: E402
from duplex_live import HZ, Live, Said, read_wav  # noqa: E402
from speech import write_wav  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILD", pathlib.Path(__file__).parents[2] / "build"))
REPLAY = BUILD / "bench" / "duplex_replay"
USER_DB = -30
# What President Kennedy says, clause by clause, in seconds of the recording.
CLAUSES = ((0.2, 2.3), (5.4, 7.8), (3.2, 4.5), (8.1, 10.4))

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the room is an ALSA plugin"),
    pytest.mark.models,
]


def once_more(test):
    @functools.wraps(test)
    def twice(hullo, clauses, tmp_path):
        try:
            test(hullo, clauses, tmp_path / "first")
        except (AssertionError, subprocess.TimeoutExpired):
            test(hullo, clauses, tmp_path / "second")

    return twice


@pytest.fixture(scope="session")
def clauses(hullo, tmp_path_factory):
    """WAV files of a person who speaks."""
    found = subprocess.run([hullo, "models", "path", "jfk"], capture_output=True, text=True, check=True)
    path = next(pathlib.Path(found.stdout.strip()).glob("*.wav"))
    with wave.open(str(path)) as w:
        assert (w.getframerate(), w.getnchannels()) == (HZ, 1)
    x, folder, files = read_wav(path), tmp_path_factory.mktemp("clauses"), []
    for n, (start, end) in enumerate(CLAUSES):
        files.append(folder / ("%d.wav" % n))
        write_wav(files[-1], x[int(start * HZ) : int(end * HZ)])
    return files


def speaking(clauses, first, *others):
    """A question, and then those clauses, each some time after a reply began."""
    said = [Said("at:2500", clauses[first], USER_DB)]
    return said + [Said("sound:%d" % ms, clauses[n], USER_DB) for n, ms in others]


def listening(hullo, folder, said, turns=0, **how):
    with Live(hullo, REPLAY, folder, said, user_db=USER_DB, noise_db=-70, **how) as live:
        return live.run(turns=turns, timeout=60)


@once_more
def test_a_user_who_speaks_over_the_replies_stops_each_of_them(hullo, clauses, tmp_path):
    said = speaking(clauses, 0, (1, 4000), (3, 4000), (1, 3000))
    live = listening(hullo, tmp_path, said, echo_db=0, echo="delay:60 t60:300 seed:5")
    cut = live.interruptions()
    assert len(cut) == 3 and all(c["stop_ms"] is not None for c in cut), (cut, live.decisions)
    assert not live.unasked(), live.decisions
    # From the decision to silence, the latency of the devices (20 ms was asked for) and a fade of 4 ms.
    assert sorted(c["to_silence_ms"] for c in cut)[1] < 45, cut
    off = [abs(t) for t in live.truncations()]
    assert off and max(off) < 20, live.turns()
    late = sorted(abs(d) for d in live.against_offline() if d is not None)
    assert len(late) >= 3 and late[len(late) // 2] <= 30, live.against_offline()


@once_more
def test_a_loud_echo_and_two_clocks_do_not_stop_a_reply(hullo, clauses, tmp_path):
    room = {"echo_db": 6, "echo": "delay:120 t60:400 seed:9", "drift_ppm": 50}
    live = listening(hullo, tmp_path, speaking(clauses, 0), turns=1, **room)
    assert "stop" not in live.unasked(), live.decisions
    turn = live.turns()[0]
    assert not turn["stopped"] and turn["text"] == turn["generated"]


@once_more
def test_coughs_knocks_doors_and_typing_do_not_stop_a_reply(hullo, clauses, tmp_path):
    tmp_path.mkdir()
    said = speaking(clauses, 0)
    for n, kind in enumerate(("cough", "knock", "door", "keyboard")):
        level = USER_DB + duplex_noises.KINDS[kind][1][0]
        said.append(Said("sound:%d" % (4000 if n == 0 else 1500), duplex_noises.event(kind, n, tmp_path), level))
    live = listening(hullo, tmp_path, said, turns=1, echo_db=-6, echo="delay:40 t60:300 seed:3")
    assert not [d for d in live.decisions if d[0] == "stop"], live.decisions
    turn = live.turns()[0]
    assert not turn["stopped"] and turn["text"] == turn["generated"]

"""A profile with several endpoints: the next one takes over where the first fails, in the middle of a turn too."""

import os
import subprocess
import time

import pytest
from bench import bench_link
from bench.bench_link import FIRST_S, SAID_S, Answers
from fake.realtime import Endpoint, Fault, find

PROFILE = """profile work {{
    audio = 'file:force'
    model = gpt-realtime-2
    turn-detection = server
    endpoint first {{ url = '{0}' dialect = openai api_key_env = HULLO_API_KEY }}
    endpoint second {{ url = '{1}' dialect = openai api_key_env = HULLO_API_KEY }}
}}
"""


class Talk:
    def __init__(self, hullo, folder, first, second):
        mic = folder / "mic.wav"
        bench_link.recording(mic, 2)
        self.speaker, self.log, config = folder / "speaker.wav", folder / "log.txt", folder / "config"
        config.write_text(PROFILE.format(first.url, second.url))
        line = [hullo, "chat", "--config", str(config), "--profile", "work", "--no-input", "--input-device", str(mic),
                "--output-device", str(self.speaker)]
        with open(self.log, "w") as err:
            self.p = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
                                      env=os.environ | {"HULLO_API_KEY": "sk-test"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait(10)


@pytest.fixture
def pair():
    with Endpoint(replies=Answers()) as first, Endpoint(replies=Answers()) as second:
        yield first, second


def answered(ep):
    ep.wait_for("response.done", where=lambda e: e["response"]["status"] == "completed")
    time.sleep(0.1)
    return ep.answered


@pytest.mark.parametrize("after_s", [0.3, SAID_S + 0.7], ids=["while the user speaks", "before the answer"])
def test_the_next_endpoint_takes_over_in_a_turn(hullo, tmp_path, pair, after_s):
    first, second = pair
    with Talk(hullo, tmp_path, first, second) as talk:
        begun = first.wait_for("input_audio_buffer.append", way="in").t_ns / 1e9
        time.sleep(begun + FIRST_S + after_s - time.monotonic())
        before = time.monotonic_ns()
        first.down()
        first.cut()
        moved = second.wait_for("accept")
        assert (moved.t_ns - before) / 1e6 < 500
        assert answered(second) == [1]
        assert not first.answered
        time.sleep(1.5)
    assert len([t for t in second.turns if 1 in t.numbers]) == 1
    with open(talk.speaker, "rb") as f:
        heard = [m for m in find(f.read()[44:], 16000, slack_ms=20) if m.count - 1 in m.frames]
    assert len(heard) == 1
    assert "connected to 'second'" in talk.log.read_text()  # where the voice goes is no surprise


@pytest.mark.parametrize("fault", ["status", "rst", "half"])
def test_an_endpoint_that_refuses_leaves_the_word_to_the_next(hullo, tmp_path, pair, fault):
    first, second = pair
    value = (401, {}, b"no") if fault == "status" else None
    first.plan.add(Fault(fault, at="request", value=value, times=0))
    with Talk(hullo, tmp_path, first, second) as talk:
        assert answered(second) == [1]
    assert f"talks to gpt-realtime-2 at 127.0.0.1:{second.port}" in talk.log.read_text()

"""The program has a conversation with each service that it knows, as the scripted endpoint plays it: found by the
dialect's own path, let in by the dialect's own header, understood in the dialect's own words."""

import json
import os
import subprocess
import wave

import pytest
from fake.realtime import Reply, dialects, marker

pytestmark = pytest.mark.models  # whether there is speech in a file, a model says
HZ = 16000
KEY = "sk-test"


@pytest.fixture
def question(tmp_path):
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(HZ)
        w.writeframes(marker(7, HZ) + bytes(2 * HZ))
    return path


def run(hullo, tmp_path, *args):
    env = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    env |= {"HULLO_API_KEY": KEY, "XDG_CONFIG_HOME": str(tmp_path)}
    return subprocess.run([hullo, *args], env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("name", sorted(dialects.DIALECTS))
def test_a_spoken_question_is_answered_in_every_dialect(hullo, endpoint, tmp_path, question, name):
    ep = endpoint(dialect=name, replies=[Reply(text="Paris.", number=3)])
    names = dialects.DIALECTS[name].names if name == "generic" else {}
    ours = {"response.output_audio.delta": "audio_delta", "response.done": "response_done"}
    events = "\n".join(f'{ours[ga]} = "{theirs}"' for ga, theirs in names.items())
    (tmp_path / "hullo").mkdir()
    (tmp_path / "hullo" / "config").write_text(
        f'profile p {{\n endpoint e {{ url = "{ep.base}" dialect = {name} model = m\n'
        + (f"events {{\n{events}\n}}\n" if events else "") + "}\n}\n")
    r = run(hullo, tmp_path, "ask", "--profile", "p", "--json", "-o", str(tmp_path / "answer.wav"), str(question))
    assert r.returncode == 0, r.stderr
    said = [json.loads(line) for line in r.stdout.splitlines()]
    assert [line["text"] for line in said if "text" in line] == ["Paris."], r.stdout + r.stderr
    assert ep.answered == [7]
    with wave.open(str(tmp_path / "answer.wav")) as w:
        assert w.getnframes() > w.getframerate() // 10

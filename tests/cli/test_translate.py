"""`hullo translate`: what is said, in another language. Servers stand in for speech-to-text and the language model,
except where the real ones are asked for."""

import json
import os
import re
import signal
import time

import pytest

from fake import recording

HEARD = "what is the capital of france"
SPANISH = "Cual es la capital de Francia?"


@pytest.fixture
def translated(world, servers):
    servers.llm.reply = SPANISH
    world.env.update(HULLO_STT_URL=servers.stt.url, HULLO_LLM_URL=servers.llm.url)
    return lambda *arguments, **options: world.run("translate", *arguments, **options)


def asked(servers):
    """What the language model was told, each time."""
    return [json.loads(body)["messages"] for body in servers.asked("/chat/completions")]


def talk(world, turns, pause=2.0):
    part = recording.speech(1) + recording.silence(pause)
    return world.write("talk.wav", recording.wav(part * turns))


# --- recordings


def test_the_translation_is_on_stdout(world, servers, translated):
    r = translated("--to", "es", world.question())
    assert (r.status, r.text) == (0, SPANISH + "\n")
    assert SPANISH not in r.err
    assert servers.stt.url in r.err.splitlines()[0] and servers.llm.url in r.err.splitlines()[0]


def test_what_cannot_be_had_is_told(world, translated):
    r = translated("--to", "es", world.question())
    assert "into Spanish" in r.err and "turn by turn" in r.err and "English only" in r.err
    assert translated("-q", "--to", "es", world.question()).err == ""


@pytest.mark.parametrize("to, name", [("es", "Spanish"), ("pt-BR", "Portuguese"), ("German", "German"),
                                      ("tlh", "tlh")])
def test_the_model_is_told_into_what(world, servers, translated, to, name):
    assert translated("--to", to, world.question()).status == 0
    (_, said), = [asked(servers)[0]]
    assert name in said["content"] and HEARD in said["content"]


def test_each_turn_is_translated_by_itself(world, servers, translated):
    r = translated("--to", "es", "--json", talk(world, 3))
    assert r.status == 0
    found = [json.loads(line) for line in r.text.splitlines()]
    assert [o["type"] for o in found] == 3 * ["segment"] + ["transcript"]
    assert all((o["text"], o["source"]) == (SPANISH, HEARD) for o in found[:3])
    assert [round(o["from_ms"] / 1000) for o in found[:3]] == [0, 3, 6]
    assert [len(messages) for messages in asked(servers)] == [2, 2, 2]


def test_recordings_do_not_know_of_one_another(world, servers, translated):
    r = translated("--to", "es", world.question("a.wav"), world.question("b.wav"))
    assert r.text == 2 * (SPANISH + "\n")
    assert [len(messages) for messages in asked(servers)] == [2, 2]


def test_subtitles_are_translated(world, translated):
    r = translated("--to", "es", "--format", "vtt", talk(world, 2))
    assert re.fullmatch(r"WEBVTT\n\n(00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n" + re.escape(SPANISH) + r"\n\n){2}", r.text)


@pytest.mark.parametrize("to", ["es", "en", "de"])
def test_the_translation_is_written_as_speech(world, translated, to):
    r = translated("--to", to, "-o", "said.wav", world.question())
    assert (r.status, r.text) == (0, SPANISH + "\n")
    hz, samples = recording.frames((world.here / "said.wav").read_bytes())
    assert hz >= 8000 and len(samples) > hz and any(samples)


def test_a_language_has_a_voice_of_its_own(world, translated):
    said = []
    for to in ("es", "de"):
        translated("--to", to, "-o", f"{to}.wav", "--voice", "espeak", world.question())
        said.append((world.here / f"{to}.wav").read_bytes())
    assert said[0] != said[1]


def test_a_voice_that_does_not_speak_it_is_refused(world, translated):
    r = translated("--to", "es", "-o", "said.wav", "--voice", "flite", world.question())
    assert r.status == 2 and "English only" in r.err
    r = translated("--to", "tlh", "-o", "said.wav", world.question())
    assert r.status == 2 and "'tlh'" in r.err
    assert "said.wav" not in world.files()
    assert translated("--to", "tlh", world.question()).status == 0  # in writing it is


def test_it_is_played(world, translated):
    r = translated("--to", "es", "--play", "--audio", "null:pace=20", talk(world, 2))
    assert (r.status, r.text) == (0, 2 * (SPANISH + "\n"))


def test_a_folder_takes_the_speech_of_each(world, translated):
    r = translated("--to", "es", "-o", "out/", world.question("a.wav"), world.question("b.wav"))
    assert r.status == 0
    assert [f for f in world.files() if f.startswith("out/")] == ["out/a.wav", "out/b.wav"]


@pytest.mark.parametrize("usage", [
    ["a.wav"],
    ["--to", "es", "-o", "-", "a.wav"],
    ["--to", "es", "--format", "srt", "a.wav", "b.wav"],
    ["--to", "es", "-o", "one.wav", "a.wav", "b.wav"],
    ["--to"],
])
def test_usage_that_makes_no_sense_is_refused(world, servers, translated, usage):
    r = translated(*usage)
    assert (r.status, r.out) == (2, b"")
    assert len(r.err.splitlines()) == 1
    assert servers.stt.requests == []


def test_a_model_that_fails_is_told(world, servers, translated):
    servers.llm.faults["status"] = 500
    r = translated("--to", "es", "--json", "-o", "said.wav", world.question())
    assert r.status == 1 and "500" in r.err
    assert json.loads(r.text)["status"] == "failed"
    assert "said.wav" not in world.files()


def test_silence_is_no_failure(world, servers, translated):
    r = translated("--to", "es", "-o", "said.wav", world.write("s.wav", recording.wav(recording.silence(2))))
    assert (r.status, r.out) == (0, b"")
    assert "no speech heard" in r.err
    assert servers.asked("/chat/completions") == []


# --- live


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_live_speech_is_translated_turn_by_turn(world, servers, translated):
    live = ["translate", "--to", "es", "--audio", "file", "--input-device", talk(world, 2)]
    with world.start(*live, "--json", "-o", "said.wav") as p:
        lines = [json.loads(p.stdout.readline()) for _ in range(2)]
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=10)
    assert p.returncode == 130
    assert [(o["source"], o["text"], o["input"]) for o in lines] == 2 * [(HEARD, SPANISH, None)]
    assert [round(o["from_ms"] / 1000) for o in lines] == [0, 3]
    assert json.loads(out)["status"] == "ok"
    _, samples = recording.frames((world.here / "said.wav").read_bytes())
    assert any(samples)


def test_time_goes_on_while_a_translation_is_spoken(world, servers, translated):
    """The microphone is opened anew after each."""
    world.write("talk.wav", recording.wav((recording.speech(1) + recording.silence(6)) * 2))
    live = ["translate", "--to", "es", "--json", "--play", "--audio", "file", "--output-device", "heard.wav"]
    with world.start(*live, "--input-device", "talk.wav") as p:
        lines = [json.loads(p.stdout.readline()) for _ in range(2)]
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)
    assert [round(o["from_ms"] / 1000) for o in lines] == [0, 7]
    assert [round(o["to_ms"] / 1000) for o in lines] == [1, 8]


def test_what_is_being_said_at_ctrl_c_is_translated_too(world, servers, translated):
    world.write("talk.wav", recording.wav(recording.speech(60)))
    with world.start("translate", "--to", "es", "--audio", "file", "--input-device", "talk.wav", "-v") as p:
        until(lambda: b"ready after" in os.read(p.stderr.fileno(), 65536))
        time.sleep(1.5)
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=10)
    assert (p.returncode, out.decode()) == (130, SPANISH + "\n")


def test_a_terminal_hears_it_and_sees_it_come(world, servers, translated):
    world.env.update(TERM="xterm", NO_COLOR="1")
    r = world.on_terminal("translate", "--to", "es", "--audio", "file", "--input-device", talk(world, 1),
                          "--output-device", "heard.wav", until=(SPANISH + "\r\n").encode(), then=b"\x04")
    assert r.status == 0
    assert "\rCual" in r.text and f"\r\x1b[K{SPANISH}\r\n" in r.text
    assert any(recording.frames((world.here / "heard.wav").read_bytes())[1])


def test_minutes_may_be_limited(world, servers, translated):
    r = translated("--to", "es", "--audio", "file", "--input-device", talk(world, 1), "--max-minutes", "0.07")
    assert (r.status, r.text) == (6, SPANISH + "\n")


# --- a realtime endpoint


@pytest.fixture
def away(world, endpoint):
    """A scripted endpoint that translates, and the options that lead to it."""
    world.env["OPENAI_API_KEY"] = "sk-test"
    ep = endpoint(transcripts=["One two.", "Three."], replies=["Uno dos.", "Tres."])
    ep.options = ["--to", "es", "--url", ep.base + "/v1/realtime/translations", "--dialect", "openai"]
    return ep


def kinds(text):
    found = {"segment": [], "source": [], "transcript": []}
    for o in map(json.loads, text.splitlines()):
        found[o["type"]].append(o.get("text", o.get("status")))
    return found


def test_an_endpoint_translates_recordings(world, away):
    r = world.run("translate", "--json", "-o", "said.wav", *away.options, talk(world, 2))
    assert r.status == 0, r.err
    assert kinds(r.text)["segment"] == ["Uno dos.", "Tres."]
    assert kinds(r.text)["transcript"] == ["ok"]
    assert "127.0.0.1" in r.err.splitlines()[0] and len(r.err.splitlines()) == 1
    assert away.received("session.update")[0]["session"]["audio"]["output"]["language"] == "es"
    _, samples = recording.frames((world.here / "said.wav").read_bytes())
    assert any(samples)


def test_an_endpoint_translates_while_somebody_speaks(world, away):
    live = ["translate", "--json", *away.options, "--play", "--audio", "file", "--output-device", "heard.wav"]
    with world.start(*live, "--input-device", talk(world, 2)) as p:
        lines = [p.stdout.readline().decode() for _ in range(4)]
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=10)
    assert p.returncode == 130
    found = kinds("".join(lines) + out.decode())
    assert (found["segment"], found["source"]) == (["Uno dos.", "Tres."], ["One two.", "Three."])
    assert found["transcript"] == ["ok"]
    assert away.received("session.close")  # it was ended politely
    assert any(recording.frames((world.here / "heard.wav").read_bytes())[1])


def test_sentences_of_an_endpoint_are_lines(world, endpoint):
    world.env["OPENAI_API_KEY"] = "sk-test"
    ep = endpoint(replies=["Son las 3.5 en punto. Es tarde! No importa"])
    r = world.run("translate", "--to", "es", "--url", ep.base + "/v1/realtime/translations", "--dialect", "openai",
                  world.question())
    assert (r.status, r.text) == (0, "Son las 3.5 en punto.\nEs tarde!\nNo importa\n")


# --- with the models


@pytest.mark.models
def test_a_human_is_translated_aloud(world):
    for name in ("HULLO_MODELS_DIR", "HULLO_MODELS_MANIFEST", "HOME", "XDG_DATA_HOME"):
        world.env.pop(name, None)
        if name in os.environ:
            world.env[name] = os.environ[name]
    jfk = world.run("models", "path", "jfk").text.strip() + "/jfk.wav"
    r = world.run("translate", "--to", "es", "--json", "-o", "said.wav", jfk)
    assert r.status == 0 and "all on this machine" in r.err
    segment = json.loads(r.text.splitlines()[0])
    assert "your country" in segment["source"]
    assert re.search(r"\b(que|qué|para|de|no)\b", segment["text"])
    assert any(recording.frames((world.here / "said.wav").read_bytes())[1])

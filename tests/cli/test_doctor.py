"""`hullo doctor` without a sound card: what it says, what it returns, and that it looks at everything all the same."""

import array
import json
import os
import random
import signal
import socket
import time

import pytest

from fake import openai_http, recording
from fake.realtime import Endpoint

QUICK = ["--audio", "null:pace=8"]
NETWORK, AUDIO, AUTH, NO_MODEL, FAILED = 4, 5, 3, 8, 1


def noise(seconds, level, seed=1):
    rng = random.Random(seed)
    samples = array.array("h", (max(-32768, min(32767, round(rng.gauss(0, level)))) for _ in range(int(seconds * 16000))))
    return samples.tobytes()


class Report:
    """What --json says."""

    def __init__(self, result):
        self.status, self.err = result.status, result.err
        (line,) = result.text.splitlines()
        self.whole = json.loads(line)
        assert (self.whole["type"], self.whole["v"], self.whole["status"]) == ("doctor", 1, result.status)
        self.sound, self.verdict = self.whole["sound"], self.whole["verdict"]

    def about(self, what):
        return [f for f in self.whole["findings"] if f["about"] == what]

    def levels(self, what):
        return [f["level"] for f in self.about(what)]


@pytest.fixture
def doctor(world, servers):
    """Runs it; there are servers in place of the models, unless told otherwise."""
    world.env.pop("HULLO_BUILD", None)  # the tests' own

    def run(*arguments, where=servers.where, audio=QUICK):
        return Report(world.run("doctor", "--json", *where, *audio, *arguments))

    return run


def heard(world, samples):
    """The options for a microphone that hears these samples."""
    world.write("heard.wav", recording.wav(samples))
    return ["--audio", "file:pace=4", "--input-device", "heard.wav"]


# --- sound


def test_an_all_zero_microphone_is_trouble_with_its_cause(doctor):
    r = doctor()
    assert (r.status, r.verdict, r.sound["silent"]) == (AUDIO, "none", True)
    (f,) = r.about("microphone")
    assert f["level"] == "trouble" and "nothing but zeros" in f["text"] and "'null'" in f["advice"]
    assert r.sound["noise_db"] is r.sound["delay_ms"] is r.sound["drift_ppm"] is r.sound["erle_db"] is None
    assert (r.sound["in_hz"], r.sound["out_hz"]) == (48000, 48000)


def test_without_a_device_that_is_said_and_the_rest_is_checked(doctor):
    r = doctor(audio=["--audio", "null:no-device"])
    assert (r.status, r.verdict, r.sound) == (AUDIO, "none", None)
    assert r.levels("sound") == ["trouble"] and "`hullo devices`" in r.about("sound")[0]["advice"]
    for what in ("detector", "llm-url", "stt-url", "settings", "folders"):
        assert set(r.levels(what)) == {"ok"}, what


@pytest.mark.parametrize("knob", ["drop-after=0.5", "stall-after=0.5"])
def test_a_device_that_goes_away_during_the_test_is_said(doctor, knob):
    r = doctor(audio=["--audio", "null:" + knob])
    assert (r.status, r.verdict) == (AUDIO, "none")
    assert "went away" in r.about("sound")[0]["text"]


def test_headphones_are_full_duplex(world, doctor):
    r = doctor(audio=heard(world, noise(30, 33)))
    assert (r.status, r.verdict) == (0, "full_duplex")
    assert abs(r.sound["noise_db"] + 60) < 1
    assert r.sound["echo"] is False and r.sound["clipped"] == 0
    assert "headphones" in r.about("echo")[0]["advice"]


def test_a_loud_room_and_an_overdriven_microphone_are_noted(world, doctor):
    r = doctor(audio=heard(world, noise(30, 20000)))
    assert r.status == 0
    assert r.levels("noise") == ["note"] and r.levels("microphone") == ["note"]
    assert r.sound["clipped"] > 100


def test_the_loudspeaker_gets_the_chirps_and_nothing_loud(world, doctor):
    audio = heard(world, noise(30, 33))
    doctor("--output-device", "played.wav", audio=audio)
    _, samples = recording.frames((world.here / "played.wav").read_bytes())
    peak = max(map(abs, array.array("h", samples)))
    assert 4000 < peak < 16000


def test_a_driver_that_is_not_there_is_wrong_usage(world):
    r = world.run("doctor", "--audio", "gramophone")
    assert (r.status, r.out) == (2, b"") and "'gramophone'" in r.err


# --- models


def test_missing_models_are_trouble(world, doctor):
    world.env["HULLO_MODELS_DIR"] = str(world.here / "nothing")
    r = doctor(audio=heard(world, noise(30, 33)))
    assert r.status == NO_MODEL
    assert r.levels("detector") == ["trouble"]
    assert "hullo models pull" in r.about("detector")[0]["advice"]


def test_what_servers_do_needs_no_models(world, doctor):
    r = doctor()
    assert r.about("hearing") == r.about("language") == []
    r = doctor(where=[])
    if "without local engines" not in str(r.about("models")):
        assert r.levels("hearing") == r.levels("language") == ["trouble"]


@pytest.mark.parametrize("arguments, words", [
    (["--local-model", "nowhere.gguf"], "No such file"),
    (["-m", "no-such-model"], "'no-such-model'"),
    (["-m", "silero-vad"], "'silero-vad'"),
], ids=lambda v: str(v[-1])[:20])
def test_a_language_model_that_cannot_be_is_trouble(world, servers, doctor, arguments, words):
    r = doctor(*arguments, where=["--stt-url", servers.stt.url])
    if "without local engines" in str(r.about("models")):
        pytest.skip("this build has no local language models")
    assert words in r.about("language")[0]["text"]
    assert r.levels("language") == ["trouble"]


def test_what_a_cut_off_fetch_has_left_is_noted(world, doctor):
    world.env["HULLO_MODELS_DIR"] = str(world.here / "models")
    world.write("models/.parts/" + 64 * "a", b"half")
    (f,) = [f for f in doctor().about("models") if f["level"] == "note"]
    assert "1 file" in f["text"] and "pull" in f["advice"]


# --- servers


def test_a_server_that_answers_is_fine(doctor):
    r = doctor()
    assert r.levels("llm-url") == r.levels("stt-url") == ["ok"]


def test_without_servers_nothing_is_said_of_them(doctor):
    r = doctor(where=[])
    assert r.about("llm-url") == r.about("stt-url") == []


@pytest.mark.parametrize("server, status, level, words", [
    ({"key": "secret"}, AUTH, "trouble", "key"),
    ({"faults": {"down-models": ""}}, 0, "ok", "lists no models"),
    ({"faults": {"garbage-models": ""}}, FAILED, "trouble", "no OpenAI-compatible server"),
    ({"faults": {"loading": "100"}}, 0, "note", "not ready"),
    ({"faults": {}}, 0, "ok", "answers"),
], ids=["key", "no list", "web page", "loading", "fine"])
def test_what_a_server_answers(world, servers, doctor, server, status, level, words):
    with openai_http.Server(**server) as url:
        r = doctor(where=["--llm-url", url, "--stt-url", servers.stt.url], audio=heard(world, noise(30, 33)))
    (f,) = r.about("llm-url")
    assert (r.status, f["level"]) == (status, level)
    assert words in f["text"] + f["advice"]


def test_the_key_is_sent_and_not_shown(world, doctor):
    world.env["HULLO_API_KEY"] = "sk-very-secret"
    with openai_http.Server(key="sk-very-secret") as url:
        r = doctor("--verbose", where=["--llm-url", url, "--stt-url", url])
    assert r.levels("llm-url") == r.levels("stt-url") == ["ok"]
    with openai_http.Server(key="another") as url:
        other = doctor("--verbose", where=["--llm-url", url, "--stt-url", url])
    assert other.levels("llm-url") == ["trouble"]
    assert "very-secret" not in json.dumps(r.whole) + r.err + json.dumps(other.whole) + other.err


def test_a_server_that_is_not_there_is_trouble(doctor):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # nobody listens
        r = doctor(where=["--llm-url", "http://127.0.0.1:%d" % s.getsockname()[1], "--stt-url", "not an address"])
    assert r.levels("llm-url") == r.levels("stt-url") == ["trouble"]
    assert "cannot connect" in r.about("llm-url")[0]["text"]


def test_a_server_that_never_answers_is_not_waited_for(doctor):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        since = time.monotonic()
        r = doctor(where=["--llm-url", "http://127.0.0.1:%d" % s.getsockname()[1]])
        assert time.monotonic() - since < 30
    assert r.levels("llm-url") == ["trouble"]


def test_a_model_that_the_server_does_not_have_is_noted(servers, doctor):
    (f,) = doctor("-m", "unheard-of").about("llm-url")
    assert f["level"] == "note" and "'unheard-of'" in f["text"]
    names = servers.llm.models
    assert doctor("-m", names[0]).levels("llm-url") == ["ok"]


# --- settings


def test_variables_are_named_and_never_their_values(world, doctor):
    world.env["HULLO_SYSTEM"] = "my-private-words"
    world.env["HULLO_SISTEM"] = "oops"
    r = doctor()
    ok, note = r.about("settings")
    assert "HULLO_SYSTEM" in ok["text"] and ok["level"] == "ok"
    assert "HULLO_SISTEM" in note["text"] and note["level"] == "note"
    assert "my-private-words" not in json.dumps(r.whole)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HULLO_MODELS_DIR"])
def test_a_folder_that_cannot_be_written_to_is_trouble(world, doctor, variable):
    shut = world.here / "shut"
    shut.mkdir(mode=0o555)
    world.env[variable] = str(shut / "deep" / "er")
    (f,) = [f for f in doctor().about("folders") if f["level"] == "trouble"]
    assert variable in f["advice"]


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HULLO_MODELS_DIR"])
def test_a_file_in_the_way_of_a_folder_is_trouble(world, doctor, variable):
    world.env[variable] = str(world.write("file", b"x") / "deep")
    (f,) = [f for f in doctor().about("folders") if f["level"] == "trouble"]
    assert variable in f["advice"] and "Not a directory" in f["text"]
    assert str(world.here) not in json.dumps(f)


def test_a_relative_folder_is_not_heeded_and_that_is_noted(world, doctor):
    world.env["XDG_STATE_HOME"] = "state"
    assert "note" in doctor().levels("folders")
    assert not (world.here / "state").exists()


# --- as a program


def test_people_get_lines_with_advice_below(world, servers):
    r = world.run("doctor", *servers.where, *QUICK)
    assert r.status == AUDIO
    lines = r.text.splitlines()
    assert lines[0].split()[:2] == ["trouble", "microphone"]
    assert lines[1].startswith(" " * 21) and "--audio" in lines[1]
    assert all(line.split()[0] in ("ok", "note", "trouble") for line in lines if not line.startswith(" "))
    assert r.err.splitlines() == ["listening to the room: please be quiet for some seconds", "playing two chirps"]
    assert str(world.here) not in r.text


def test_quiet_it_says_results_only(world, servers):
    r = world.run("doctor", "-q", *servers.where, *QUICK)
    assert r.err == "" and r.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(world, servers, number):
    with world.start("doctor", *servers.where, "--audio", "null") as p:
        assert b"listening" in p.stderr.readline()
        p.send_signal(number)
        since = time.monotonic()
        out, err = p.communicate(timeout=20)
    assert time.monotonic() - since < 3
    assert (p.returncode, out, err) == (128 + number, b"", b"")


def test_a_signal_ends_it_while_a_server_does_not_answer(world):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        with world.start("doctor", "--llm-url", "http://127.0.0.1:%d" % s.getsockname()[1], *QUICK) as p:
            waiting = s.accept()  # kept open
            p.send_signal(signal.SIGINT)
            since = time.monotonic()
            p.communicate(timeout=20)
            assert time.monotonic() - since < 3
    waiting[0].close()
    assert p.returncode == 130


def test_the_configuration_file_is_told_by_its_names_only(doctor, world):
    world.write("config/hullo/config", b'aec = off\nvoice = flite\nprofile = home\nprofile home { sensitivity = low }')
    texts = [f["text"] for f in doctor().about("settings")]
    assert texts.count("from the configuration file: aec; profile home") == 1  # doctor has no use for the others
    texts = [f["text"] for f in doctor("--profile", "local").about("settings")]
    assert "from the configuration file: aec" in texts


# --- realtime endpoints


@pytest.fixture
def endpoint():
    with Endpoint(key="sk-of-doctor") as ep:
        yield ep


def test_an_endpoint_is_connected_to_and_sent_no_sound(doctor, world, endpoint):
    world.env["OPENAI_API_KEY"] = "sk-of-doctor"
    r = doctor("--url", endpoint.url, "--dialect", "openai", where=[])
    (f,) = r.about("endpoint")
    assert f["level"] == "ok" and "'127.0.0.1' (OpenAI) is ready" in f["text"] and "real service" in f["advice"]
    assert r.about("hearing") == r.about("language") == r.about("voice") == []
    endpoint.wait_for("session.update", way="in")
    assert not endpoint.received("input_audio_buffer.append")
    assert "sk-of-doctor" not in str(r.whole) + r.err


def test_each_endpoint_of_a_profile_is_looked_at(doctor, world, endpoint):
    world.env.update(GOOD_KEY="sk-of-doctor", BAD_KEY="sk-of-nobody")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        closed = s.getsockname()[1]
    world.write("config/hullo/config", f"""profile work {{
        endpoint good {{ url = "{endpoint.url}" dialect = openai api_key_env = GOOD_KEY }}
        endpoint bad {{ url = "{endpoint.url}" dialect = openai api_key_env = BAD_KEY }}
        endpoint away {{ url = "ws://127.0.0.1:{closed}/" model = m }} }}""".encode())
    r = doctor("--profile", "work", where=[])
    good, bad, away = r.about("endpoint")
    assert (good["level"], bad["level"], away["level"]) == ("ok", "trouble", "trouble")
    assert "'good'" in good["text"]
    assert "'bad'" in bad["text"] and "401" in bad["text"]
    assert "'away'" in away["text"] and "refuse" in away["text"].lower()
    assert not any(key in str(r.whole) + r.err for key in ("sk-of-doctor", "sk-of-nobody"))


def test_an_endpoint_without_a_key_is_trouble(doctor):
    r = doctor("-m", "gpt-realtime-2", where=[])
    (f,) = r.about("endpoint")
    assert f["level"] == "trouble" and "OPENAI_API_KEY" in f["text"]

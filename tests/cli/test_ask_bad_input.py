"""What bad input gets: a clear message, the documented exit status, nothing lost and nothing left behind."""

import array
import json
import os
import resource

import pytest

from fake import openai_http, recording

REPLY = "The capital is Paris.\n"
QUESTION = recording.question()


def floats(*values):
    return array.array("f", values).tobytes()


def spread(samples, channels):
    """Mono samples in every channel."""
    return b"".join(samples[i : i + 2] * channels for i in range(0, len(samples), 2))


def refused(r, status, *words):
    """One line for people, and nothing else."""
    assert r.status == status, r.err
    lines = [line for line in r.err.splitlines() if not line.startswith(("note: ", "hullo hears with "))]
    assert len(lines) == 1, r.err
    assert lines[0].startswith("hullo: ")
    for word in words:
        assert word in lines[0]
    assert r.out == b""


# --- recordings that are none

BAD = {
    "empty": (b"", "is empty"),
    "text": (b"What is the capital of France?\n" * 20, "not"),
    "header-only": (recording.wav(b""), "sample"),
    "no-channels": (recording.wav(QUESTION, channels=0), "channel"),
    "33-channels": (recording.wav(spread(QUESTION[:3200], 33), channels=33), "33"),
    "1-hz": (recording.wav(QUESTION, hz=1), "1 Hz"),
    "too-fast": (recording.wav(QUESTION, hz=768001), "768001"),
    "cut-header": (recording.wav(QUESTION)[:30], ""),
    "noise": (bytes(range(1, 256)) * 40, ""),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("through", ["file", "pipe"])
def test_what_is_no_recording_is_refused(world, servers, name, through):
    data, word = BAD[name]
    file = world.write("bad.wav", data)
    r = servers.ask(file) if through == "file" else servers.ask(stdin=data)
    refused(r, 1, word, f"'{file}'" if through == "file" else "")
    assert servers.asked("/audio/transcriptions") == []


def test_what_is_not_there_is_refused(world, servers):
    refused(servers.ask("nowhere.wav"), 1, "'nowhere.wav'", "No such file")
    refused(servers.ask(world.here), 1, f"'{world.here}'", "folder")
    (world.here / "loop").symlink_to("loop")
    refused(servers.ask("loop"), 1, "'loop'")


def test_a_closed_stdin_is_an_error(world, servers):
    refused(servers.ask(preexec_fn=lambda: os.close(0)), 1, "standard input")


@pytest.mark.parametrize("through", ["file", "pipe"])
def test_silence_is_told(world, servers, through):
    data = recording.wav(recording.silence(3))
    file = world.write("silence.wav", data)
    r = servers.ask(file) if through == "file" else servers.ask(stdin=data)
    refused(r, 1, "no speech heard")
    said = json.loads(servers.ask("--json", file).text)
    assert (said["status"], said["transcript"], said["text"]) == ("no_speech", "", "")


def test_no_audio_is_written_for_silence(world, servers):
    assert servers.ask(world.write("s.wav", recording.wav(recording.silence(2))), "-o", "a.wav").status == 1
    assert servers.ask("-o", "-", stdin=recording.wav(recording.silence(2))).out == b""
    assert "a.wav" not in world.files()


def test_noughts_that_are_not_numbers_are_silence(world, servers):
    bad = floats(float("nan"), float("inf"), float("-inf")) * 16000
    refused(servers.ask(world.write("nan.wav", recording.wav(bad, bits=32, code=3))), 1, "no speech heard")


# --- recordings that are odd, and are answered

HOLES = floats(*(float("nan") if i % 1000 == 0 else v / 32768 for i, v in enumerate(array.array("h", QUESTION))))
ODD = {
    "32-channels": recording.wav(spread(QUESTION, 32), channels=32),
    "1-kHz": recording.wav(recording.question(1000), hz=1000),
    "768-kHz": recording.wav(recording.question(768000), hz=768000),
    "nan-in-speech": recording.wav(HOLES, bits=32, code=3),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_recordings_are_answered(world, servers, name):
    r = servers.ask(world.write("odd.wav", ODD[name]))
    assert (r.status, r.text) == (0, REPLY)


@pytest.mark.parametrize("through", ["file", "pipe"])
@pytest.mark.parametrize("claimed", [2 * len(QUESTION), recording.UNKNOWN, 0xFFFFFFFF - 36 - 44, 0x7FFFFFFE])
def test_a_length_that_is_not_true_is_a_warning(world, servers, claimed, through):
    """Cut short, or written to a pipe by a program that could not know."""
    data = recording.wav(QUESTION, data_bytes=claimed)
    r = servers.ask(world.write("q.wav", data)) if through == "file" else servers.ask(stdin=data)
    assert (r.status, r.text) == (0, REPLY)
    assert r.err.count("hullo: warning: ") == 1


def test_odd_bytes_at_the_end_do_no_harm(world, servers):
    assert servers.ask(world.write("q.wav", recording.wav(QUESTION + b"\1"))).text == REPLY


# --- some of several


def test_the_others_are_answered(world, servers):
    good, silent = world.question(), world.write("s.wav", recording.wav(recording.silence(1)))
    r = servers.ask("--json", good, "nowhere.wav", silent, good)
    assert r.status == 7
    said = [json.loads(line) for line in r.text.splitlines()]
    assert [o["status"] for o in said] == ["ok", "failed", "no_speech", "ok"]
    assert "nowhere.wav" in said[1]["error"]
    assert servers.ask("nowhere.wav", good).text == REPLY


def test_when_all_fail_it_has_failed(world, servers):
    assert servers.ask("nowhere.wav", "neither.wav").status == 1
    servers.llm.faults["status"] = 401
    assert servers.ask(world.question(), world.question()).status == 3


# --- outputs


def test_an_output_that_cannot_be_written_is_told_before_the_work(world, servers):
    refused(servers.ask(world.question(), "-o", "nowhere/a.wav"), 1, "'nowhere/a.wav'", "No such file")
    world.write("file", b"mine")
    refused(servers.ask(world.question(), "-o", "file/a.wav"), 1, "'file/a.wav'")
    assert servers.asked("/chat/completions") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_files_is_told_before_the_work(world, servers):
    (world.here / "closed").mkdir(mode=0o500)
    refused(servers.ask(world.question(), "-o", "closed/a.wav"), 1, "'closed/a.wav'", "Permission denied")
    refused(servers.ask(world.question(), "-o", "closed/new/"), 1, "closed/new", "Permission denied")
    assert servers.asked("/chat/completions") == []


def test_a_folder_that_cannot_be_made(world, servers):
    world.write("file", b"mine")
    refused(servers.ask(world.question(), "-o", "file/sub/"), 1, "file")


def test_a_full_disk_leaves_nothing_half_written(world, servers):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    question = world.question()
    before = world.write("kept.wav", b"mine")
    for name in ("new.wav", "kept.wav"):
        r = servers.ask("--json", question, "-o", name, "--force", preexec_fn=small_files)
        assert r.status == 1
        assert f"cannot write '{name}'" in r.err
        said = json.loads(r.text)
        assert (said["status"], said["audio"], said["text"]) == ("failed", None, REPLY.strip())  # the words are not lost
    assert before.read_bytes() == b"mine"
    assert not [f for f in world.files() if "hullo-" in f or f == "new.wav"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_device(world, servers):
    r = servers.ask(world.question(), "-o", "/dev/full")
    assert (r.status, r.text) == (1, REPLY)
    assert "cannot write '/dev/full': No space left" in r.err


# --- servers

LLM_FAULTS = {
    "page": ({"page": ""}, 1, "web page"),
    "garbage": ({"garbage": ""}, 1, "OpenAI-compatible"),
    "bad-json": ({"bad-json": ""}, 1, "not JSON"),
    "deep": ({"deep": ""}, 1, "deeply nested"),
    "error-event": ({"error-event": ""}, 1, "the GPU fell off"),
    "unauthorized": ({"status": 401}, 3, "HULLO_API_KEY"),
    "broken": ({"status": 500}, 1, "500"),
    "cut": ({"cut": 3}, 4, ""),
    "no-done": ({"no-done": ""}, 4, "broke off"),
    "empty-models": ({"empty-models": ""}, 8, "no model"),
    "garbage-models": ({"garbage-models": ""}, 1, "not JSON"),
}


@pytest.mark.parametrize("name", LLM_FAULTS)
def test_faults_of_the_language_model(world, servers, name):
    faults, status, words = LLM_FAULTS[name]
    servers.llm.faults.update(faults)
    r = servers.ask(world.question())
    assert r.status == status, r.err
    errors = [line for line in r.err.splitlines() if line.startswith("hullo: ")]
    assert len(errors) == 1 and words in errors[0], r.err


STT_FAULTS = {
    "page": ({"page": ""}, 1, "no transcript"),
    "garbage": ({"garbage": ""}, 1, "no transcript"),
    "bad-json": ({"bad-json": ""}, 1, "no transcript"),
    "types": ({"types": ""}, 1, "no transcript"),
    "deep": ({"deep": ""}, 1, "no transcript"),
    "unauthorized": ({"status": 401}, 3, "HULLO_API_KEY"),
    "broken": ({"status": 500}, 1, "500"),
}


@pytest.mark.parametrize("name", STT_FAULTS)
def test_faults_of_speech_to_text(world, servers, name):
    faults, status, words = STT_FAULTS[name]
    servers.stt.faults.update(faults)
    refused(servers.ask(world.question()), status, words)
    assert servers.asked("/chat/completions") == []


@pytest.mark.parametrize("which", ["--llm-url", "--stt-url"])
def test_a_server_that_is_down(world, servers, which):
    with openai_http.Server() as url:
        pass  # it was here
    refused(servers.ask(world.question(), which, url), 4, f"'{url}", "cannot connect")
    refused(servers.ask(which, url, stdin=world.question().read_bytes()), 4, "cannot connect")
    r = servers.ask("--json", "a.wav", "b.wav", which, url)
    assert r.status == 4
    said = [json.loads(line) for line in r.text.splitlines()]
    assert [(o["input"], o["status"]) for o in said] == [("a.wav", "failed"), ("b.wav", "failed")]
    assert all(o["error"] for o in said)


@pytest.mark.parametrize("which", ["stt", "llm"])
def test_a_key_that_is_not_taken(world, servers, which):
    getattr(servers, which).key = "right"
    world.env["HULLO_API_KEY"] = "wrong-key"
    r = servers.ask(world.question())
    refused(r, 3, "HULLO_API_KEY")
    assert "wrong-key" not in r.err


@pytest.mark.parametrize("faults", [{"slow": 0.5}, {"drip": 0.05}, {"loading": 2}, {"chunk": 1}, {"whole": ""},
                                    {"open": ""}, {"null-content": ""}, {"types": ""}, {"crlf": ""}])
def test_servers_that_are_slow_or_odd_are_waited_for(world, servers, faults):
    servers.llm.faults.update(faults)
    servers.llm.loading = int(faults.get("loading", 0))
    r = servers.ask(world.question())
    assert (r.status, r.text) == (0, REPLY)


def test_what_was_said_before_a_break_is_kept(world, servers):
    servers.llm.reply = "One is here. " + "Two is not. " * 20
    servers.llm.faults["cut"] = 10
    r = servers.ask("--json", world.question(), "-o", "a.wav")
    said = json.loads(r.text)
    assert (r.status, said["status"], said["audio"]) == (4, "failed", "a.wav")
    assert said["text"].startswith("One is here. Two is")
    assert any(recording.frames((world.here / "a.wav").read_bytes())[1])


def test_a_model_that_says_nothing(world, servers):
    servers.llm.reply = ""
    refused(servers.ask("-q", world.question(), "-o", "a.wav"), 1, "said nothing")


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1", "file:///etc/passwd"])
def test_addresses_that_are_none(world, servers, address):
    r = servers.ask(world.question(), "--llm-url", address)
    assert r.status in (2, 4), r.err
    assert "root:" not in r.err + r.text


# --- sound devices


@pytest.mark.parametrize("knob", ["no-device", "refuse-rate", "drop-after=0.2"])
def test_a_sound_device_that_fails(world, servers, knob):
    servers.llm.reply = "This is a long reply, so that there is something to say for a while. " * 3
    r = servers.ask(world.question(), "--play", "--audio", f"null:{knob}")
    assert r.status == 5, r.err
    assert "device" in r.err


def test_a_sound_driver_that_is_none(world, servers):
    refused(servers.ask(world.question(), "--audio", "trumpet"), 2, "'trumpet'")
    refused(servers.ask(world.question(), "--play", "--audio", "null:trumpet"), 2, "trumpet")


# --- models


@pytest.fixture
def bare(world):
    """Nothing is there, and nobody serves it."""
    world.env.pop("HULLO_MODELS_MANIFEST")
    world.env["HULLO_MODELS_DIR"] = str(world.here / "models")
    return world


def nothing_fetched(world):
    return not [f for f in world.files() if f.startswith(("models/", "data/"))]


def test_without_models_and_somebody_to_ask_nothing_is_fetched(bare):
    refused(bare.run("ask", bare.question()), 8, "hullo models pull")
    refused(bare.run("ask", stdin=bare.question().read_bytes()), 8, "hullo models pull")
    assert nothing_fetched(bare)


def test_servers_do_not_stand_in_for_the_detector(bare, servers):
    refused(servers.ask(bare.question()), 8, "'silero-vad'", "hullo models pull")


@pytest.mark.parametrize("keys", [b"n\n", b"\n", b"yes please\n", b"\x04"])
def test_whoever_does_not_say_yes_has_nothing_fetched(bare, keys):
    r = bare.on_terminal("ask", bare.question(), keys=keys + b"\x04")
    assert r.status == 8
    assert b"Fetch" in r.out and b"[y/N]" in r.out
    assert b"licence" in r.out
    assert nothing_fetched(bare)


def test_no_input_is_not_asked(bare):
    r = bare.on_terminal("ask", "--no-input", bare.question(), keys=b"y\n")
    assert r.status == 8
    assert b"[y/N]" not in r.out
    assert nothing_fetched(bare)


def test_a_model_with_wrong_contents_is_told(world, servers):
    folder = world.here / "models" / "silero-vad"
    folder.mkdir(parents=True)
    (real,) = (p for p in os.scandir(world.env["HULLO_MODELS_DIR"] + "/silero-vad") if p.name.endswith(".onnx"))
    data = open(real.path, "rb").read()
    world.env["HULLO_MODELS_DIR"] = str(world.here / "models")
    for wrong in (data[:1000], data[:-1] + b"x", b""):
        (folder / real.name).write_bytes(wrong)
        r = servers.ask(world.question())
        assert r.status == 8, r.err
        assert "silero" in r.err


@pytest.mark.skipif(os.environ.get("LOCAL") == "0", reason="this build has no local language models")
def test_a_language_model_of_ones_own_that_is_none(world, servers):
    only_stt = ["--stt-url", servers.stt.url]
    for name, data in (("nowhere.gguf", None), ("bad.gguf", b"GGUF" + bytes(1000))):
        if data is not None:
            world.write(name, data)
        r = world.run("ask", *only_stt, "--local-model", name, world.question())
        assert r.status in (1, 8), r.err
        assert f"'{name}'" in r.err
    r = world.run("ask", *only_stt, "-m", "no-such-model", world.question())
    assert r.status in (2, 8), r.err

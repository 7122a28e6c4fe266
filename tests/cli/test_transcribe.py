"""`hullo transcribe`: what is said, in writing. A server stands in for speech-to-text, except where the real one is
asked for; there is no language model and no voice at all."""

import json
import os
import re
import resource
import signal
import subprocess
import time

import pytest

from fake import recording

HEARD = "what is the capital of france"


def speaking(*parts):
    """A WAV: seconds of speech, then of silence, and so on."""
    made = (recording.speech, recording.silence)
    return recording.wav(b"".join(made[i % 2](s) for i, s in enumerate(parts)))


@pytest.fixture
def written(world, servers):
    """Runs it; nobody answers for a language model."""
    world.env["HULLO_STT_URL"] = servers.stt.url
    return lambda *arguments, **options: world.run("transcribe", *arguments, **options)


def segments(r):
    return [o for o in map(json.loads, r.text.splitlines()) if o["type"] == "segment"]


# --- recordings


def test_the_words_are_on_stdout_and_the_rest_on_stderr(world, servers, written):
    r = written(world.question())
    assert (r.status, r.text) == (0, HEARD + "\n")
    assert HEARD not in r.err
    assert servers.stt.url in r.err.splitlines()[0]  # where the voice goes


def test_quiet_says_nothing_but_the_words(world, written):
    r = written("-q", world.question())
    assert (r.status, r.text, r.err) == (0, HEARD + "\n", "")


def test_neither_a_language_model_nor_a_voice_is_wanted(world, servers, written):
    assert written("--no-input", world.question()).status == 0
    assert servers.asked("/chat/completions") == []
    assert servers.llm.requests == []


def test_without_models_it_says_which_are_missing(world):
    """Where a build has no engines, models would not help: it says what would."""
    r = world.run("transcribe", "--no-input", world.question())
    if os.environ.get("LOCAL") == "0":
        assert (r.status, "--stt-url" in r.err) == (2, True)
        return
    assert r.status == 8
    assert "speech-to-text" in r.err or "moonshine" in r.err
    assert "qwen" not in r.err and "piper" not in r.err


def test_a_dash_is_stdin(world, written):
    data = world.question().read_bytes()
    assert written("-", stdin=data).text == HEARD + "\n"
    assert written("--rate", 16000, "-", stdin=recording.question()).text == HEARD + "\n"


def test_each_turn_is_a_line_with_its_time(world, written):
    talk = world.write("talk.wav", speaking(2, 2, 3, 2, 1, 0.3))
    r = written("--json", talk)
    assert r.status == 0
    first, second, third = segments(r)
    assert first == {"type": "segment", "v": 1, "input": str(talk), "from_ms": first["from_ms"],
                     "to_ms": first["to_ms"], "text": HEARD}
    for segment, start, end in ((first, 0, 2), (second, 4, 7), (third, 9, 10)):
        assert segment["from_ms"] == pytest.approx(1000 * start, abs=100)
        assert segment["to_ms"] == pytest.approx(1000 * end, abs=100)
    last = json.loads(r.text.splitlines()[-1])
    assert last == {"type": "transcript", "v": 1, "input": str(talk), "length_ms": 10300, "status": "ok"}


def test_sentences_with_a_breath_between_them_stay_together(world, written):
    assert len(segments(written("--json", world.write("t.wav", speaking(2, 0.8, 1, 0.5))))) == 1


def test_long_speech_is_cut_in_pauses(world, servers, written):
    r = written("--json", world.write("t.wav", speaking(*[2, 0.3] * 20)))
    found = segments(r)
    assert 3 <= len(found) <= 5
    assert all(a["to_ms"] <= b["from_ms"] for a, b in zip(found, found[1:]))
    assert max(len(body) for body in servers.asked("/audio/transcriptions")) < 21 * 32000


def test_several_recordings_follow_one_another(world, written):
    r = written(world.question("a.wav"), world.question("b.wav"))
    assert (r.status, r.text) == (0, 2 * (HEARD + "\n"))


def test_json_tells_of_each_recording(world, written):
    r = written("--json", world.question("a.wav"), "nowhere.wav", world.question("b.wav"))
    assert r.status == 7
    ends = [o for o in map(json.loads, r.text.splitlines()) if o["type"] == "transcript"]
    assert [(o["input"].rsplit("/")[-1], o["status"]) for o in ends] == [
        ("a.wav", "ok"), ("nowhere.wav", "failed"), ("b.wav", "ok")]
    assert "nowhere.wav" in ends[1]["error"]
    assert [o["from_ms"] < 400 for o in segments(r)] == [True, True]  # time begins anew


def test_silence_is_no_failure(world, written):
    r = written("--json", world.write("s.wav", recording.wav(recording.silence(3))))
    assert (r.status, json.loads(r.text)["status"]) == (0, "no_speech")
    assert "no speech heard" in r.err
    assert written("-o", "s.srt", world.here / "s.wav").status == 0
    assert (world.here / "s.srt").read_bytes() == b""


def test_escapes_of_a_server_do_not_reach_the_terminal(world, servers, written):
    servers.stt.faults["escapes"] = ""
    for form in ("text", "jsonl", "srt", "vtt"):
        r = written("--format", form, world.question())
        assert r.status == 0
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", r.text + r.err)


def test_the_language_is_told_to_a_server(world, servers, written):
    assert written("--language", "de", world.question()).status == 0
    _, _, _, body = servers.stt.requests[-1]
    assert b'name="language"\r\n\r\nde\r\n' in (body if isinstance(body, bytes) else bytes(body))


# --- forms and files


def test_subtitles_of_a_recording(world, written):
    r = written("-o", "talk.srt", world.write("talk.wav", speaking(2, 2, 1, 0.5)))
    assert (r.status, r.text) == (0, "")
    text = (world.here / "talk.srt").read_text()
    assert re.fullmatch(r"1\n00:00:00,\d{3} --> 00:00:02,\d{3}\n" + HEARD + r"\n\n"
                        r"2\n00:00:0[34],\d{3} --> 00:00:05,\d{3}\n" + HEARD + r"\n\n", text)


def test_a_folder_takes_a_file_for_each(world, written):
    r = written("--format", "vtt", "-o", "new/", world.question("a/q.wav"), world.question("b/q.wav"))
    assert r.status == 0
    assert [f for f in world.files() if f.startswith("new/")] == ["new/q-2.vtt", "new/q.vtt"]
    assert (world.here / "new" / "q.vtt").read_text().startswith("WEBVTT\n\n00:00:0")


def test_subtitles_of_one_recording_may_go_to_stdout(world, written):
    for more in ([], ["-o", "-"]):
        assert written("--format", "srt", *more, world.question()).text.startswith("1\n00:00:0")


@pytest.mark.parametrize("usage", [
    ["--format", "srt", "a.wav", "b.wav"],
    ["--format", "srt", "-o", "-", "a.wav", "b.wav"],
    ["--json", "--format", "srt", "a.wav"],
    ["-o", "one.txt", "a.wav", "b.wav"],
    ["--format", "doc", "a.wav"],
    ["-o", "", "a.wav"],
])
def test_usage_that_makes_no_sense_is_refused(world, servers, written, usage):
    r = written(*usage)
    assert (r.status, r.out) == (2, b"")
    assert len(r.err.splitlines()) == 1
    assert servers.stt.requests == []


def test_an_existing_file_is_replaced_only_with_force(world, servers, written):
    mine = world.write("q.txt", b"mine")
    r = written("-o", mine, world.question())
    assert r.status == 1 and "use --force" in r.err
    assert mine.read_bytes() == b"mine"
    assert servers.asked("/audio/transcriptions") == []
    assert written("-o", mine, "--force", world.question()).status == 0
    assert mine.read_text() == HEARD + "\n"


def test_a_recording_is_never_replaced_by_its_transcript(world, written):
    question = world.question("q.txt")
    before = question.read_bytes()
    assert written("-o", ".", "--force", question).status == 1
    assert question.read_bytes() == before


def test_what_is_not_complete_does_not_appear(world, servers, written):
    """And the same command again does what is missing."""
    servers.stt.faults["status"] = 500
    r = written("-o", "out/", world.question("a.wav"), world.question("b.wav"))
    assert r.status == 1
    assert not [f for f in world.files() if f.startswith("out/")]
    servers.stt.faults.clear()
    assert written("-o", "out/", world.here / "a.wav").status == 0
    r = written("-o", "out/", world.here / "a.wav", world.here / "b.wav")
    assert r.status == 7 and "out/a.txt' exists already" in r.err
    assert (world.here / "out" / "b.txt").read_text() == HEARD + "\n"


def test_a_full_disk_leaves_nothing_half_written(world, written):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    kept = world.write("kept.txt", b"mine")
    for name in ("new.txt", "kept.txt"):
        r = written("-o", name, "--force", world.question(), preexec_fn=small_files)
        assert r.status == 1 and f"'{name}'" in r.err
    assert kept.read_bytes() == b"mine"
    assert not [f for f in world.files() if "new" in f]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_device(world, written):
    r = written("-o", "/dev/full", world.question())
    assert r.status == 1 and "No space left" in r.err
    with open("/dev/full", "wb") as full:
        assert written(world.question(), stdout=full).status == 1


def test_a_reader_who_has_had_enough(world, servers, written):
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        r = written("-q", *[world.question()] * 50, stdout=theirs)
    finally:
        os.close(theirs)
    assert (r.status, r.err) == (0, "")
    assert len(servers.asked("/audio/transcriptions")) < 5


@pytest.mark.parametrize("what", ["nowhere.wav", "text", "empty"])
def test_what_is_no_recording_is_refused(world, written, what):
    world.write("text", b"not a recording\n" * 20)
    world.write("empty", b"")
    r = written("-q", what)
    assert (r.status, r.out) == (1, b"")
    assert len(r.err.splitlines()) == 1 and f"'{what}'" in r.err


def test_a_signal_ends_recordings_at_once(world, servers):
    servers.stt.faults["hang"] = ""
    world.env["HULLO_STT_URL"] = servers.stt.url
    with world.start("transcribe", "--json", "-o", "out/", world.question(), world.question("b.wav")) as p:
        while not servers.asked("/audio/transcriptions"):
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        p.wait(5)
    assert p.returncode == 130
    assert not [f for f in world.files() if f.startswith("out/")]


def test_a_terminal_sees_how_far_it_has_come(world, servers):
    world.env.update(HULLO_STT_URL=servers.stt.url, TERM="xterm")
    talk = world.write("talk.wav", speaking(*[4, 2] * 4))
    r = world.on_terminal("transcribe", talk, stdout=subprocess.DEVNULL)
    assert r.status == 0
    assert re.search(r"\rtalk\.wav  \[#+ +\] +\d+ %  0\.\d of 0\.4 min", r.text)
    assert r.text.endswith("\r\x1b[K")  # and is gone in the end
    assert "min" not in world.on_terminal("transcribe", "-q", talk, stdout=subprocess.DEVNULL).text


def test_an_hour_takes_no_more_memory_than_minutes(world, servers):
    if world.sanitized:
        pytest.skip("a sanitizer keeps what the program has freed")

    def most(seconds):
        part = recording.speech(4) + recording.silence(2)
        with (world.here / "long.wav").open("wb") as f:
            f.write(recording.wav(b"", data_bytes=seconds // 6 * len(part)))
            for _ in range(seconds // 6):
                f.write(part)
        world.env["HULLO_STT_URL"] = servers.stt.url
        with world.start("transcribe", "-q", "long.wav", stdout=subprocess.DEVNULL) as p:
            found = 0
            while p.poll() is None:
                try:
                    m = re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{p.pid}/status").read())
                except OSError:
                    break
                found = max(found, int(m[1])) if m else found
                time.sleep(0.02)
            assert p.wait() == 0
        return found

    assert most(3600) < most(600) + 24 * 1024


# --- live


@pytest.fixture
def live(world, servers):
    """The microphone hears two turns and then nothing, for ever."""
    world.env["HULLO_STT_URL"] = servers.stt.url
    talk = world.write("talk.wav", speaking(1, 2, 2, 3))
    return ["transcribe", "--audio", "file", "--input-device", str(talk)]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_live_words_are_written_turn_by_turn_until_ctrl_c(world, live):
    with world.start(*live, "-o", "talk.srt") as p:
        file = world.here / "talk.srt"
        until(lambda: file.exists() and b"2\n00:00:0" in file.read_bytes())  # it grows
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=10)
    assert p.returncode == 130
    text = file.read_text()
    assert re.fullmatch(r"1\n00:00:00,.*\n" + HEARD + r"\n\n2\n00:00:0[23],.*\n" + HEARD + r"\n\n", text)
    assert b"warning" not in err


def test_what_is_being_said_at_ctrl_c_is_written_too(world, servers):
    world.env["HULLO_STT_URL"] = servers.stt.url
    talk = world.write("talk.wav", speaking(60))
    with world.start("transcribe", "--json", "--audio", "file", "--input-device", talk) as p:
        until(lambda: servers.asked("/audio/transcriptions"))  # a first look, in the middle of it
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=10)
    assert p.returncode == 130
    segment, end = map(json.loads, out.decode().splitlines())
    assert (segment["text"], segment["input"], segment["from_ms"]) == (HEARD, None, pytest.approx(0, abs=100))
    assert (end["type"], end["status"]) == ("transcript", "ok")


def test_nobody_waits_long_for_a_server_that_hangs(world, servers):
    world.env["HULLO_STT_URL"] = servers.stt.url
    servers.stt.faults["hang"] = ""
    talk = world.write("talk.wav", speaking(60))
    with world.start("transcribe", "-o", "t.txt", "--audio", "file", "--input-device", talk) as p:
        until(lambda: servers.asked("/audio/transcriptions"))
        p.send_signal(signal.SIGINT)
        p.wait(8)
    assert p.returncode == 130
    assert (world.here / "t.txt").read_bytes() == b""


def test_a_second_ctrl_c_does_not_wait(world, servers):
    world.env["HULLO_STT_URL"] = servers.stt.url
    servers.stt.faults["hang"] = ""
    talk = world.write("talk.wav", speaking(60))
    with world.start("transcribe", "--audio", "file", "--input-device", talk) as p:
        until(lambda: servers.asked("/audio/transcriptions"))
        p.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        p.send_signal(signal.SIGTERM)
        p.wait(5)
    assert p.returncode == 143


def test_minutes_may_be_limited(world, live):
    r = world.run(*live, "--max-minutes", "0.05")
    assert (r.status, r.text.splitlines()[:1]) == (6, [HEARD])
    assert "--max-minutes" in r.err


def test_a_terminal_shows_what_is_being_said_and_revises_it(world, live):
    world.env.update(TERM="xterm")
    world.env.pop("NO_COLOR", None)
    r = world.on_terminal(*live, until=(HEARD + "\r\n").encode(), then=b"\x04")
    assert r.status == 0  # Ctrl-D
    shown = r.text
    assert f"\r\x1b[2m{HEARD}\x1b[0m\x1b[K" in shown  # dim, and to be revised
    assert f"\r\x1b[K{HEARD}\r\n" in shown  # final
    assert "speak; Ctrl-C ends, and so does Ctrl-D" in shown


def test_no_color_is_heeded(world, live):
    world.env.update(TERM="xterm", NO_COLOR="1")
    r = world.on_terminal(*live, until=(HEARD + "\r\n").encode(), then=b"\x03")
    assert r.status == 130
    assert f"\r{HEARD}\x1b[K" in r.text and "\x1b[2m" not in r.text


def test_a_plain_terminal_gets_whole_lines_only(world, live):
    world.env.update(TERM="dumb")
    r = world.on_terminal(*live, until=(HEARD + "\r\n").encode(), then=b"\x04")
    assert r.status == 0
    assert "\x1b" not in r.text
    assert [line for line in r.text.replace("\r\n", "\n").splitlines() if "hullo" not in line
            and "speak;" not in line and "^D" not in line] == [HEARD]


def test_a_file_is_shown_on_a_terminal_as_well(world, live):
    world.env.update(TERM="dumb")
    r = world.on_terminal(*live, "-o", "talk.jsonl", until=(HEARD + "\r\n").encode(), then=b"\x04")
    assert HEARD in r.text
    lines = [json.loads(line) for line in (world.here / "talk.jsonl").read_text().splitlines()]
    assert lines[0]["text"] == HEARD and lines[-1]["type"] == "transcript"


def test_a_microphone_that_does_not_work(world, servers):
    world.env["HULLO_STT_URL"] = servers.stt.url
    r = world.run("transcribe", "--audio", "null:no-device")
    assert r.status == 5


# --- a realtime endpoint


@pytest.fixture
def away(world, endpoint):
    """A scripted endpoint that transcribes, and the options that lead to it."""
    world.env["OPENAI_API_KEY"] = "sk-test"
    ep = endpoint(transcripts=["Good morning, all.", "It is five past nine.", "Good bye."])
    ep.options = ["--url", ep.base + "/v1/realtime", "--dialect", "openai"]
    return ep


def test_an_endpoint_writes_recordings_down(world, away):
    talk = world.write("talk.wav", speaking(1, 2, 2, 2, 1, 1))
    r = world.run("transcribe", "--json", "--language", "en", "--delay", "low", *away.options, talk)
    assert r.status == 0
    assert "127.0.0.1" in r.err.splitlines()[0] and "sk-test" not in r.err
    found = segments(r)
    assert [o["text"] for o in found] == ["Good morning, all.", "It is five past nine.", "Good bye."]
    for o, start, end in zip(found, (0, 3, 7), (1, 5, 8)):
        assert o["from_ms"] == pytest.approx(1000 * start, abs=400)
        assert o["to_ms"] == pytest.approx(1000 * end, abs=400)
    said = away.received("session.update")[0]["session"]["audio"]["input"]["transcription"]
    assert (said["language"], said["delay"]) == ("en", "low")
    assert len(away.connections) == 1


def test_several_recordings_do_not_mix_at_an_endpoint(world, away):
    r = world.run("transcribe", *away.options, "-o", "out/", world.question("a.wav"), world.question("b.wav"))
    assert r.status == 0, r.err
    assert (world.here / "out" / "a.txt").read_text() == "Good morning, all.\n"
    assert (world.here / "out" / "b.txt").read_text() == "It is five past nine.\n"


def test_no_models_but_the_detector_are_wanted_with_an_endpoint(world, away):
    assert world.run("transcribe", "--no-input", *away.options, world.question()).status == 0


def test_live_words_come_from_an_endpoint_while_somebody_speaks(world, away):
    world.env.update(TERM="xterm", NO_COLOR="1")
    talk = world.write("talk.wav", speaking(3, 60))
    r = world.on_terminal("transcribe", *away.options, "--audio", "file", "--input-device", talk,
                          until=b"Good morning, all.\r\n", then=b"\x04")
    assert r.status == 0, r.text
    assert re.search(r"\rGood (morning, )?\x1b\[K", r.text)  # not all of it was known yet
    assert "\r\x1b[KGood morning, all.\r\n" in r.text


def test_a_link_that_breaks_loses_no_word(world, away):
    talk = world.write("talk.wav", speaking(1, 2, 2, 2, 1, 1))
    with world.start("transcribe", "--json", *away.options, "--audio", "file", "--input-device", talk) as p:
        away.wait_for("conversation.item.input_audio_transcription.completed", way="out")
        time.sleep(1.5)
        away.cut()  # in the pause, or in the second turn
        found = [json.loads(p.stdout.readline()) for _ in range(3)]
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=10)
    assert [o["text"] for o in found] == ["Good morning, all.", "It is five past nine.", "Good bye."]
    assert [round(o["from_ms"] / 1000) for o in found] == [0, 3, 7]


def test_a_key_that_an_endpoint_refuses(world, away):
    world.env["OPENAI_API_KEY"] = "sk-wrong"
    r = world.run("transcribe", "-o", "out.txt", *away.options, world.question())
    assert r.status == 3
    assert "sk-wrong" not in r.err and "out.txt" not in world.files()


# --- with the models


@pytest.fixture
def at_home(world):
    """The user's own models in place of stand-ins."""
    for name in ("HULLO_MODELS_DIR", "HULLO_MODELS_MANIFEST", "HOME", "XDG_DATA_HOME"):
        world.env.pop(name, None)
        if name in os.environ:
            world.env[name] = os.environ[name]
    return world


@pytest.mark.models
def test_a_human_is_written_down(at_home):
    jfk = at_home.run("models", "path", "jfk").text.strip() + "/jfk.wav"
    r = at_home.run("transcribe", "--json", jfk)
    assert r.status == 0 and "all on this machine" in r.err
    said = " ".join(o["text"] for o in segments(r)).lower()
    assert "ask what you can do for your country" in re.sub(r"[^a-z ]", "", said)
    assert segments(r)[0]["from_ms"] == pytest.approx(320, abs=150)
    assert segments(r)[-1]["to_ms"] == pytest.approx(10700, abs=350)


@pytest.mark.models
def test_a_human_is_written_down_live(at_home):
    jfk = at_home.run("models", "path", "jfk").text.strip() + "/jfk.wav"
    at_home.env.update(TERM="xterm", NO_COLOR="1")
    r = at_home.on_terminal("transcribe", "--audio", "file", "--input-device", jfk, until=b"country.\r\n",
                            then=b"\x04")
    final = re.sub(r"[^a-z ]", "", " ".join(re.findall(r"([^\r\x1b\n]+)\r\n", r.text)).lower())
    assert "fellow americans" in final and "do for your country" in final
    assert at_home.sanitized or r.text.count("\x1b[K") > 6  # it was revised again and again


@pytest.mark.models
def test_another_language_than_it_knows_is_refused(at_home):
    r = at_home.run("transcribe", "--language", "es", at_home.question())
    assert r.status == 2
    assert "English only" in r.err and "--stt-url" in r.err
    assert at_home.run("transcribe", "-q", "--language", "en-GB", at_home.question()).status == 0

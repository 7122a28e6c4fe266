"""`hullo ask`: recordings in, replies out. Servers stand in for the models, except where real ones are asked for."""

import json
import os
import re
import time

import pytest

from fake import recording

REPLY = "The capital is Paris.\n"
HEARD = "what is the capital of france"


def sound(data):
    """The samples of a WAV that others can read, and that holds sound."""
    hz, samples = recording.frames(data)
    assert hz >= 8000 and len(samples) > hz // 2 and any(samples)
    return samples


# --- text


def test_the_reply_is_on_stdout_and_the_rest_on_stderr(world, servers):
    r = servers.ask(world.question())
    assert (r.status, r.text) == (0, REPLY)
    assert f"heard: {HEARD}" in r.err
    assert "Paris" not in r.err


def test_where_voice_and_words_go_is_told(world, servers):
    r = servers.ask(world.question())
    assert servers.stt.url in r.err and servers.llm.url in r.err


def test_quiet_says_nothing_but_the_reply(world, servers):
    r = servers.ask("-q", world.question())
    assert (r.status, r.text, r.err) == (0, REPLY, "")


def test_a_reply_is_one_line_whatever_white_space_it_begins_with(world, servers):
    servers.llm.reply = "\n\n Yes."
    assert servers.ask(world.question()).text == "Yes.\n"


def test_escapes_of_a_server_do_not_reach_the_terminal(world, servers):
    servers.llm.faults["escapes"] = servers.stt.faults["escapes"] = ""
    r = servers.ask(world.question())
    assert r.status == 0
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", r.text + r.err)


def test_without_a_name_or_with_a_dash_stdin_is_answered(world, servers):
    data = world.question().read_bytes()
    for arguments in ([], ["-"]):
        assert servers.ask(*arguments, stdin=data).text == REPLY
    with world.question().open("rb") as f:
        assert servers.ask(stdin=f).text == REPLY


def test_each_recording_is_a_conversation_of_its_own(world, servers):
    r = servers.ask(world.question("a.wav"), world.question("b.wav"))
    assert r.text == 2 * REPLY
    for body in servers.asked("/chat/completions"):
        assert [m["role"] for m in json.loads(body)["messages"]] == ["system", "user"]


def test_options_reach_the_server(world, servers):
    servers.ask("-s", "You are a pirate.", "-m", "parrot", "--max-tokens", "17", world.question())
    request = json.loads(servers.asked("/chat/completions")[0])
    assert request["messages"] == [{"role": "system", "content": "You are a pirate."},
                                   {"role": "user", "content": HEARD}]
    assert (request["model"], request["max_tokens"]) == ("parrot", 17)


def test_the_environment_stands_in_for_options_and_gives_way_to_them(world, servers):
    world.env.update(HULLO_LLM_URL=servers.llm.url, HULLO_STT_URL=servers.stt.url, HULLO_SYSTEM="Be brief.")
    assert world.run("ask", world.question()).text == REPLY
    world.run("ask", "--system", "Be long.", world.question())
    said = [json.loads(body)["messages"][0]["content"] for body in servers.asked("/chat/completions")]
    assert said == ["Be brief.", "Be long."]


def test_the_key_is_sent_and_never_shown(world, servers):
    servers.llm.key = servers.stt.key = world.env["HULLO_API_KEY"] = "secret-of-mine"
    r = servers.ask("-v", world.question())
    assert (r.status, r.text) == (0, REPLY)
    assert "secret-of-mine" not in r.err


# --- JSON


def test_json_is_one_object_for_each_input(world, servers):
    names = [world.question("a.wav"), world.question("b.wav")]
    r = servers.ask("--json", *names, "-o", "out/")
    first, second = map(json.loads, r.text.splitlines())
    stages = first.pop("latency_ms")
    assert first == {
        "type": "reply", "v": 1, "input": str(names[0]), "transcript": HEARD, "text": REPLY.strip(),
        "audio": "out/a.wav", "status": "ok",
    }
    assert list(stages) == ["heard", "first_token", "first_clause", "first_audio", "done"]
    assert 0 <= stages["heard"] <= stages["first_token"] <= stages["first_audio"] <= stages["done"]
    assert (second["input"], second["audio"]) == (str(names[1]), "out/b.wav")


def test_json_without_speech_has_no_time_of_it(world, servers):
    reply = json.loads(servers.ask("--json", world.question()).text)
    assert reply["audio"] is None
    assert reply["latency_ms"]["first_audio"] is None


def test_json_is_valid_whatever_a_file_is_called(world, servers):
    world.write(b"odd\xff\n\"name.wav".decode("utf-8", "surrogateescape"), recording.wav(recording.question()))
    r = servers.ask("--json", b"odd\xff\n\"name.wav".decode("utf-8", "surrogateescape"))
    assert r.status == 0
    assert json.loads(r.out)["text"] == REPLY.strip()


# --- audio


@pytest.mark.parametrize("voice", ["auto", "flite", "espeak"])
def test_the_reply_is_written_as_speech(world, servers, voice):
    r = servers.ask(world.question(), "-o", "answer.wav", "--voice", voice)
    assert (r.status, r.text) == (0, REPLY)
    sound((world.here / "answer.wav").read_bytes())


def test_a_folder_takes_one_file_for_each_input(world, servers):
    questions = [world.question("one/q.wav"), world.question("two/q.wav"), world.question("q.tar.wav")]
    r = servers.ask(*questions, "-o", "new/folder/")
    assert r.status == 0
    made = world.here / "new" / "folder"
    assert sorted(p.name for p in made.iterdir()) == ["q-2.wav", "q.tar.wav", "q.wav"]
    for p in made.iterdir():
        sound(p.read_bytes())


def test_a_folder_that_is_there_needs_no_slash(world, servers):
    (world.here / "there").mkdir()
    assert servers.ask("-o", "there", stdin=world.question().read_bytes()).status == 0
    sound((world.here / "there" / "stdin.wav").read_bytes())


def test_an_existing_file_is_replaced_only_with_force(world, servers):
    mine = world.write("answer.wav", b"mine")
    r = servers.ask(world.question(), "-o", mine)
    assert r.status == 1
    assert f"'{mine}' exists already: use --force" in r.err
    assert mine.read_bytes() == b"mine"
    assert servers.asked("/chat/completions") == []  # known before the work
    assert servers.ask(world.question(), "-o", mine, "--force").status == 0
    sound(mine.read_bytes())


def test_a_recording_is_never_replaced_by_its_answer(world, servers):
    question = world.question("q.wav")
    (world.here / "link.wav").hardlink_to(question)
    before = question.read_bytes()
    for out in (".", "q.wav", "link.wav", "./sub/../q.wav"):
        (world.here / "sub").mkdir(exist_ok=True)
        r = servers.ask(question, "-o", out, "--force")
        assert r.status == 1
        assert "is one of the recordings" in r.err
    assert question.read_bytes() == before


def test_a_device_is_no_existing_file(world, servers):
    assert servers.ask(world.question(), "-o", "/dev/null").status == 0


def test_the_reply_is_played(world, servers):
    r = servers.ask(world.question(), "--play", "--audio", "null:pace=20")
    assert (r.status, r.text) == (0, REPLY)


# --- a filter


def test_with_a_dash_stdout_carries_audio_only(world, servers):
    data = world.question().read_bytes()
    servers.ask(world.question(), "-o", "answer.wav")
    r = servers.ask("-o", "-", stdin=data)
    assert r.status == 0
    assert REPLY.strip() in r.err
    assert r.out[:4] == b"RIFF" and r.out[40:44] == b"\xff" * 4  # as others write to a pipe: nobody knows how long
    assert sound(r.out) == sound((world.here / "answer.wav").read_bytes())


def test_a_file_behind_stdout_gets_its_length(world, servers):
    with (world.here / "answer.wav").open("wb") as f:
        assert servers.ask(world.question(), "-o", "-", stdout=f).status == 0
    data = (world.here / "answer.wav").read_bytes()
    assert int.from_bytes(data[40:44], "little") == len(data) - 44
    sound(data)


def test_several_recordings_are_one_stream(world, servers):
    one = servers.ask(world.question("a.wav"), "-o", "-").out
    two = servers.ask(world.question("a.wav"), world.question("b.wav"), "-o", "-").out
    assert two.count(b"RIFF") == 1
    assert len(recording.frames(two)[1]) == pytest.approx(2 * len(recording.frames(one)[1]), rel=0.02)


def test_an_answer_can_be_asked_again(world, servers):
    answer = servers.ask("-o", "-", stdin=world.question().read_bytes()).out
    assert servers.ask(stdin=answer).text == REPLY


# --- forms of audio


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("through", ["file", "pipe"])
def test_what_it_writes_it_reads(world, servers, ending, through):
    servers.ask(world.question(), "-o", f"a.{ending}")
    made = world.here / f"a.{ending}"
    r = servers.ask(made) if through == "file" else servers.ask(stdin=made.read_bytes())
    assert (r.status, r.text) == (0, REPLY)


@pytest.mark.parametrize("hz", [8000, 44100])
def test_raw_samples_have_the_rate_that_is_said(world, servers, hz):
    r = servers.ask("--rate", hz, stdin=recording.question(hz))
    assert (r.status, r.text) == (0, REPLY)
    assert 1.0 < len(servers.asked("/audio/transcriptions")[0]) / 32000 < 1.7  # seconds


# --- long ones


def talk(path, turns, spoken, pause):
    """Somebody says `turns` things, each `spoken` seconds long."""
    turn = recording.speech(spoken) + recording.silence(pause)
    with path.open("wb") as f:
        f.write(recording.wav(b"", data_bytes=turns * len(turn)))
        for _ in range(turns):
            f.write(turn)
    return path


def test_up_to_ten_minutes_are_one_question(world, servers):
    r = servers.ask(talk(world.here / "short.wav", 2, 1, 20))
    assert (r.status, r.text) == (0, REPLY)
    assert json.loads(servers.asked("/chat/completions")[0])["messages"][1]["content"] == f"{HEARD} {HEARD}"


def test_longer_ones_are_answered_in_turns(world, servers):
    r = servers.ask("--json", talk(world.here / "long.wav", 4, 1, 150))
    reply = json.loads(r.text)
    assert (r.status, reply["status"]) == (0, "ok")
    assert reply["text"] == "\n".join(4 * [REPLY.strip()])
    assert reply["transcript"] == "\n".join(4 * [HEARD])
    last = json.loads(servers.asked("/chat/completions")[-1])
    assert len(last["messages"]) == 8  # it remembers the turns before


def highest_memory_kb(process):
    """The most that a program held while it ran, and what it said."""
    most, status = 0, f"/proc/{process.pid}/status"
    while process.poll() is None:
        try:
            found = re.search(r"VmHWM:\s+(\d+)", open(status).read())
        except OSError:
            break
        most = max(most, int(found[1])) if found else most
        time.sleep(0.02)
    return most


def run_and_weigh(servers, file):
    with servers.start(file, "-q") as p:
        most = highest_memory_kb(p)
        out, err = p.communicate()
    return most, servers.world.result(p.returncode, out, err)


def test_an_hour_takes_no_more_memory_than_minutes(world, servers):
    """450 turns of 3 s: 115 MB of audio."""
    if world.sanitized:
        pytest.skip("a sanitizer keeps what the program has freed")
    servers.llm.reply = "Yes."
    short, r = run_and_weigh(servers, talk(world.here / "minutes.wav", 82, 3, 5))
    assert r.text == 82 * "Yes.\n"
    hour, r = run_and_weigh(servers, talk(world.here / "hour.wav", 450, 3, 5))
    assert (r.status, r.text, r.err) == (0, 450 * "Yes.\n", "")
    assert hour < short + 24 * 1024


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
def test_a_human_is_heard_and_answered_aloud(at_home):
    jfk = at_home.run("models", "path", "jfk").text.strip() + "/jfk.wav"
    r = at_home.run("ask", "--json", jfk, "-o", "answer.wav")
    reply = json.loads(r.text)
    assert (r.status, reply["status"]) == (0, "ok")
    assert "ask what you can do for your country" in re.sub(r"[^a-z ]", "", reply["transcript"].lower())
    assert len(reply["text"].split()) >= 3
    sound((at_home.here / "answer.wav").read_bytes())
    again = json.loads(at_home.run("ask", "--json", "answer.wav").text)
    said, heard = ({w for w in re.findall(r"[a-z']+", s.lower())} for s in (reply["text"], again["transcript"]))
    assert len(said & heard) >= len(said) / 2  # what was written is what is spoken

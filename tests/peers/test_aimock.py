"""Somebody else's server: aimock, which answers written turns on /v1/realtime, and plays GPT-Live from a script that it
holds every message of ours against. It takes no speech for a turn."""

import base64
import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import threading
import wave

import pytest

pytestmark = pytest.mark.models  # a conversation wants to know whether somebody speaks
ROOT = pathlib.Path(__file__).resolve().parents[2]
QUESTION, HZ = "What is the capital of France?", 24000


@pytest.fixture(scope="module")
def server():
    """The file that node runs."""
    missing = [name for name in ("node", "npm") if not shutil.which(name)]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"there is no {' and no '.join(missing)}")
    folder = subprocess.run(["sh", ROOT / "deps" / "deps.sh", "node"], stdout=subprocess.PIPE, text=True, check=True,
                            timeout=120)
    return pathlib.Path(folder.stdout.strip()) / "@copilotkit" / "aimock" / "dist" / "cli.js"


@pytest.fixture
def aimock(server, tmp_path):
    """Starts it with fixtures; gives its address, and what it logs."""
    with contextlib.ExitStack() as running:
        def start(*fixtures):
            script = tmp_path / "script.json"
            script.write_text(json.dumps({"fixtures": fixtures}))
            run = running.enter_context(subprocess.Popen(
                ["node", server, "--port", "0", "--strict", "--log-level", "debug", "--fixtures", script],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
            running.callback(run.kill)
            log = []
            for line in run.stdout:
                log.append(line)
                if found := re.search(r"listening on http://(\S+)", line):
                    threading.Thread(target=log.extend, args=(run.stdout,), daemon=True).start()
                    return f"ws://{found[1]}", log
            raise AssertionError("aimock did not start:\n" + "".join(log))
        yield start


def environment(tmp_path):
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "OPENAI_API_KEY": "sk-test"}


def chat(hullo, tmp_path, written, *options, seconds=0):
    """Runs a conversation; what stdin holds is written, after which it stays open for so long. Returns its turns."""
    run = subprocess.Popen([hullo, "chat", "--audio", "null", "--json", "-s", "Be brief.", *options],
                           env=environment(tmp_path), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    run.stdin.write(written)
    run.stdin.flush()
    timer = threading.Timer(seconds, run.stdin.close)
    timer.start()
    out = run.stdout.read()
    errors = run.stderr.read()
    timer.join()
    assert run.wait(timeout=10) == 0, errors
    return [turn for turn in map(json.loads, out.splitlines()) if turn["type"] == "turn"]


def test_written_turns_are_answered_in_order(hullo, aimock, tmp_path):
    url, _ = aimock({"match": {"userMessage": QUESTION}, "response": {"content": "Paris."}},
                    {"match": {"userMessage": "And of Italy?"}, "response": {"content": "Rome."}})
    turns = chat(hullo, tmp_path, f"{QUESTION}\nAnd of Italy?\n", "--dialect", "openai", "--url", url)
    assert [(t["heard"], t["text"]) for t in turns] == [(QUESTION, "Paris."), ("And of Italy?", "Rome.")]


def test_an_error_of_the_server_is_told_and_the_conversation_goes_on(hullo, aimock, tmp_path):
    url, _ = aimock({"match": {"userMessage": QUESTION}, "response": {
                        "error": {"message": "no such thing", "type": "invalid_request_error"}, "status": 400}},
                    {"match": {"userMessage": "And of Italy?"}, "response": {"content": "Rome."}})
    turns = chat(hullo, tmp_path, f"{QUESTION}\nAnd of Italy?\n", "--dialect", "openai", "--url", url)
    assert [t["text"] for t in turns if t["heard"] == "And of Italy?"] == ["Rome."]


class Tape:
    """A script for GPT-Live: what each side says, in order. Who says something else is refused."""

    def __init__(self, session):
        self.entries, self.bindings, self.session = [], [], session
        self.hear({"type": "session.start", "session": session})
        self.say({"type": "session.started", "session": self.resource()})

    def resource(self):
        return {**self.session, "id": "live-1", "expires_at": 2000000000, "status": "active", "input": []}

    def hear(self, event):
        self.entries.append({"direction": "client", "atMs": len(self.entries), "event": event})

    def bind(self, pointer, name):
        action = "reference" if any(b["name"] == name for b in self.bindings) else "define"
        self.bindings.append({"entry": len(self.entries), "pointer": pointer, "name": name, "action": action,
                              "owner": "server"})

    def say(self, event, heard_ms=0):
        """Behind so much of our audio."""
        if "audio.delta" not in event["type"]:
            event = {**event, "event_id": f"live-event-{len(self.entries)}"}
            self.bind("/event_id", f"event-{len(self.entries)}")
        if "session" in event:
            self.bind("/session/id", "session")
        self.entries.append({"direction": "server", "atMs": len(self.entries), "event": event,
                             "barrier": {"command": 1, "audioBytes": heard_ms * HZ // 1000 * 2}})

    def fixture(self):
        live = {"version": 1, "model": "gpt-live-1", "mode": "client", "configuration": self.session,
                "audio": {"encoding": "pcm16le", "sampleRateHz": HZ, "channels": 1},
                "entries": self.entries, "bindings": self.bindings,
                "capture": {"source": "authored", "complete": True, "terminalEntry": len(self.entries) - 1}}
        return {"match": {"endpoint": "openai-live", "model": "gpt-live-1"},
                "response": {"live": live, "liveTiming": "immediate"}}


def sound(ms, loud):
    pcm = b"".join(struct.pack("<h", int(loud * math.sin(i / 9))) for i in range(HZ * ms // 1000))
    return base64.b64encode(pcm).decode()


def live(heard_s):
    """A script that wants silence from us, for so long, and nothing else."""
    tape = Tape({"model": "gpt-live-1", "instructions": "Be brief.", "delegation": {"type": "client"},
                 "audio": {"format": {"type": "audio/pcm", "rate": HZ}, "output": {"voice": "marin"}}})
    for _ in range(heard_s):
        tape.hear({"type": "session.input_audio.append", "audio": sound(1000, 0)})
    return tape


def end(tape, heard_s):
    tape.say({"type": "session.closed", "reason": "close_requested", "session": tape.resource(),
              "usage": {"seconds": heard_s}}, heard_ms=1000 * heard_s)
    return tape.fixture()


def test_gpt_live_is_heard_and_hears(hullo, aimock, tmp_path):
    tape = live(60)
    for at in range(5):
        tape.say({"type": "session.output_audio.delta", "delta": sound(100, 0)}, heard_ms=100 * at)
    tape.say({"type": "session.input_transcript.delta", "delta": QUESTION, "start_ms": 0, "end_ms": 400}, heard_ms=500)
    tape.say({"type": "session.output_transcript.delta", "delta": "Par", "start_ms": 500, "end_ms": 700}, heard_ms=500)
    for at in range(5):
        tape.say({"type": "session.output_audio.delta", "delta": sound(100, 9000)}, heard_ms=500 + 100 * at)
    tape.say({"type": "session.output_transcript.delta", "delta": "is.", "start_ms": 700, "end_ms": 900}, heard_ms=900)
    for at in range(20):
        tape.say({"type": "session.output_audio.delta", "delta": sound(100, 0)}, heard_ms=1000 + 100 * at)
    url, log = aimock(end(tape, 60))
    turns = chat(hullo, tmp_path, "", "--dialect", "gpt-live", "--url", url, seconds=4)
    assert [(t["heard"], t["text"]) for t in turns] == [(QUESTION, "Paris.")]
    assert 400 < turns[0]["heard_ms"] < 1200  # of its speech, with a bit of the silence around it
    assert not any("mismatch" in line or "Invalid" in line for line in log), log


def test_gpt_live_answers_a_recording_that_has_ended(hullo, aimock, tmp_path):
    """It hears silence until it has: half a second is in the recording, and the answer comes after a whole one."""
    tape = live(30)
    tape.say({"type": "session.input_transcript.delta", "delta": QUESTION, "start_ms": 0, "end_ms": 400}, heard_ms=700)
    tape.say({"type": "session.output_transcript.delta", "delta": "Paris.", "start_ms": 9, "end_ms": 99}, heard_ms=1000)
    tape.say({"type": "session.output_audio.delta", "delta": sound(100, 9000)}, heard_ms=1000)
    url, _ = aimock(end(tape, 30))
    with wave.open(str(tmp_path / "question.wav"), "wb") as recording:
        recording.setparams((1, 2, 16000, 0, "NONE", ""))
        recording.writeframes(bytes(16000))
    run = subprocess.run([hullo, "ask", "--json", "-s", "Be brief.", "--dialect", "gpt-live", "--url", url,
                          tmp_path / "question.wav"],
                         env=environment(tmp_path), capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    reply = json.loads(run.stdout)
    assert (reply["transcript"], reply["text"]) == (QUESTION, "Paris.")

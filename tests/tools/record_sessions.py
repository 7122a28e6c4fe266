#!/usr/bin/env python3
"""record_sessions FOLDER - makes the recordings in tests/data/sessions anew: the real program against the scripted
endpoint, in the ways of its protocols. HULLO names the program."""

import os
import subprocess
import sys
import time
import wave
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from fake.realtime import Endpoint, Reply, marker  # noqa: E402

HULLO = os.environ["HULLO"]
ENV = {**os.environ, "HULLO_API_KEY": "sk-test"}


def recording(folder):
    """Something that an endpoint takes for speech."""
    path = folder / "speech.wav"
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        w.writeframes(bytes(9600) + marker(7, 16000, 2) + bytes(9600))
    return path


def ask(folder, name, options, command="ask", **script):
    with Endpoint(**script) as ep:
        spoken = ["-o", folder / "answer.wav", "--force"] if command == "ask" else []
        line = [HULLO, command, "--url", ep.url, "--dialect", script.get("dialect", "openai"), *options, *spoken,
                "--record", folder / f"{name}.jsonl", recording(folder)]
        subprocess.run(line, env=ENV, check=True, stdout=subprocess.DEVNULL, timeout=60)


def chat(folder):
    """Two turns in writing; the link breaks between them, and in the middle of the second answer."""
    replies = ["Paris is the capital of France.", Reply(text="It is Rome, of course, the old town.", pace=1, frames=6)]
    with Endpoint(replies=replies) as ep:
        line = [HULLO, "chat", "--url", ep.url, "--dialect", "openai", "-m", "gpt-realtime-2", "--audio", "null",
                "--record", folder / "openai-broken.jsonl"]
        with subprocess.Popen(line, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as program:
            say = lambda text: (program.stdin.write(text + "\n"), program.stdin.flush())  # noqa: E731
            say("What is the capital of France?")
            ep.wait_for("response.done", way="out")
            time.sleep(0.7)
            ep.cut()
            time.sleep(0.3)
            say("And of Italy?")
            ep.wait_for("response.output_audio.delta", n=12, way="out")
            ep.cut()
            ep.wait_for("response.done", n=2, way="out")
            time.sleep(2)
            program.stdin.close()


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jsonl"):
        old.unlink()
    chat(folder)
    ask(folder, "openai", ["-m", "gpt-realtime-2"], replies=["Thank you."])
    ask(folder, "gemini", ["-m", "gemini-3.8-live"], dialect="gemini", replies=["You are welcome."])
    ask(folder, "qwen", ["-m", "qwen3-omni-flash-realtime"], dialect="qwen", replies=["Quite so."])
    ask(folder, "transcription", ["-m", "gpt-realtime-whisper"], command="transcribe", transcripts=["these are the words"])
    for sound in folder.glob("*.wav"):
        sound.unlink()
    for made in folder.glob("*.jsonl"):
        made.chmod(0o644)


if __name__ == "__main__":
    main()

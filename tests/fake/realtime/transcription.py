"""transcription - a transcription session of OpenAI Realtime: turns and their words, no responses."""

import math

from . import shapes
from .conversation import split
from .marker import samples
from .vad import is_loud
from .voice import Voice

NO_VAD = ("gpt-realtime-whisper", "gpt-live-transcribe")  # commit is the program's
DELAYS = {"minimal": 200, "low": 400, "medium": 800, "high": 1600, "xhigh": 3000}
WORD_MS = 300  # of speech for a word, while it streams


class Transcription(Voice):
    kind = "transcription"

    def __init__(self, connection):
        self.loud_ms, self.words_out, self.item_id = 0.0, 0, None
        super().__init__(connection)

    def first_settings(self):
        return shapes.transcription_session(self.connection.script.session_seconds)

    async def run(self):
        if "model" in self.connection.query and not self.connection.dialect.transcriber_in_url:
            await self.send(shapes.error("You must not provide a model parameter for transcription sessions.",
                                         code="invalid_model"))
            self.connection.wire.close(4000, "invalid_request_error.invalid_model")
            return
        await super().run()

    def judge(self, changes):
        trouble = super().judge(changes)
        if trouble or set(changes.get("audio") or {}) - {"input"}:
            return trouble or ("Unknown parameter: 'session.audio.output'.", "unknown_parameter", "session.audio.output")
        after = shapes.merge({**self.settings["audio"]["input"]}, (changes.get("audio") or {}).get("input") or {})
        model = (after.get("transcription") or {}).get("model")
        if model in NO_VAD and after.get("turn_detection"):
            return (f"Turn detection is not supported with {model}: set it to null.", "invalid_value",
                    "session.audio.input.turn_detection")
        return None

    @property
    def streams(self):
        """The milliseconds by which words follow speech, for a model that tells them before the turn ends; or None."""
        wanted = self.settings["audio"]["input"].get("transcription") or {}
        return DELAYS[wanted.get("delay") or "medium"] if wanted.get("model") in NO_VAD else None

    async def append(self, event):
        before = self.input.end
        await super().append(event)
        new = samples(bytes(self.input.heard[-(self.input.end - before) or len(self.input.heard) :]))
        if self.streams is not None and len(new) and is_loud(new):
            self.loud_ms += len(new) * 1000 / self.input.hz
            await self.stream()

    def words(self):
        script, number = self.connection.script, len(self.connection.endpoint.turns) + 1
        return split(script.transcript(None, number)) if not callable(script.transcripts) else []

    async def stream(self):
        """The words that are due by now. The item has its name already, and no place in the conversation yet."""
        due = math.floor((self.loud_ms - self.streams) / WORD_MS)
        words = self.words()
        self.item_id = self.input.item_id = self.item_id or shapes.new_id("item")
        while self.words_out < min(due, len(words)):
            await self.send({"type": "conversation.item.input_audio_transcription.delta", "item_id": self.item_id,
                             "content_index": 0, "delta": words[self.words_out]})
            self.words_out += 1

    async def take_turn(self, begin_ms):
        self.conversation.told[self.item_id] = self.words_out
        self.loud_ms, self.words_out, self.item_id = 0.0, 0, None
        await super().take_turn(begin_ms)

    async def create_response(self, event):
        if event:
            await self.refuse(event, "A transcription session has no responses.", "invalid_value", "type")

    async def speech_stopped(self, ms):
        self.settings["audio"]["input"]["turn_detection"]["create_response"] = False
        try:
            await super().speech_stopped(ms)
        finally:
            del self.settings["audio"]["input"]["turn_detection"]["create_response"]

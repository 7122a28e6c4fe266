"""translation - OpenAI's translation sessions: sound comes without a break, and so do words and sound in another tongue."""

import asyncio
import base64
import time

from . import shapes
from .conversation import split
from .speaking import Speaking


class Translation(Speaking):
    """The words of a turn are its transcript, and its translation is the reply; new speech does not stop it."""

    def __init__(self, connection):
        super().__init__(connection)
        self.settings = {
            "type": "translation", "id": shapes.new_id("sess"),
            "model": connection.query.get("model", "gpt-realtime-translate"),
            "expires_at": int(time.time() + self.script.session_seconds),
            "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {"language": "en"}}}

    async def send(self, event):
        await self.connection.send({"event_id": shapes.new_id("event"), **event})

    async def not_an_event(self):
        await self.send(shapes.error("Could not parse your JSON payload.", code="invalid_json"))

    async def run(self):
        await self.send({"type": "session.created", "session": self.settings})
        async for _, event in self.connection.events():
            kind = event.get("type")
            if kind == "session.input_audio_buffer.append":
                if not await self.hear(event.get("audio")):
                    await self.send(shapes.error("Invalid 'audio'.", code="invalid_value", param="audio",
                                                 event_id=event.get("event_id")))
            elif kind == "session.update" and isinstance(event.get("session"), dict):
                shapes.merge(self.settings, event["session"])
                await self.send({"type": "session.updated", "session": self.settings})
            elif kind == "session.close":
                await self.ended()
                await self.finish()
                await self.send({"type": "session.closed"})
                self.connection.wire.close(1000, "")
                return
            else:
                await self.send(shapes.error(f"Invalid value: '{kind}'.", code="invalid_value", param="type",
                                             event_id=event.get("event_id")))

    async def stop(self):
        """Nothing stops a translation; the next one waits for its turn."""
        await self.finish()

    async def began(self, ms=None):
        self.input.started(self.input.ms if ms is None else ms)

    async def on_turn(self, turn):
        if self.settings["audio"]["input"].get("transcription"):
            for word in split(turn.transcript):
                await self.send({"type": "session.input_transcript.delta", "delta": word, "elapsed_ms": turn.end_ms})

    async def answer(self):
        turns, self.unanswered = self.unanswered, []
        before, made = self.answering, self.endpoint.next_reply(turns, self.connection.number)
        self.answering = self.connection.spawn(self.speak_after(before, *made))

    async def speak_after(self, before, reply, answer):
        if before and not before.done():
            await asyncio.wait([before])
        await self.speak(reply, answer)

    async def on_words(self, word):
        await self.send({"type": "session.output_transcript.delta", "delta": word, "elapsed_ms": self.input.ms})

    async def on_sound(self, pcm):
        await self.send({"type": "session.output_audio.delta", "delta": base64.b64encode(pcm).decode(), "channels": 1,
                         "sample_rate": 24000, "format": "pcm16", "elapsed_ms": self.input.ms})

    async def on_end(self, *_):
        pass

"""live - GPT-Live: one stream in, one stream out, and the model itself decides when to speak."""

import base64
import json
import time

from . import shapes, vad
from .conversation import split
from .respond import resampled
from .speaking import Speaking


class Live(Speaking):
    def __init__(self, connection):
        super().__init__(connection)
        self.session, self.began_at, self.muted = None, time.monotonic(), False
        self.out_ms = 0.0

    async def send(self, event, asked=None):
        own = {"client_event_id": asked["event_id"]} if asked and asked.get("event_id") else {}
        await self.connection.send({"event_id": shapes.new_id("event"), **event, **own})

    async def refuse(self, event, message, code="invalid_request", param=None):
        own = {"client_event_id": event["event_id"]} if event.get("event_id") else {}
        await self.send({"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": message,
                                                     "param": param, **own}}, event)

    async def not_an_event(self):
        await self.refuse({}, "Could not parse your JSON payload.", "invalid_json")

    async def run(self):
        async for _, event in self.connection.events():
            kind = event.get("type")
            action = self.actions.get(kind)
            if self.session is None and kind != "session.start":
                await self.refuse(event, "The first event of a session is session.start.", "session_not_started")
            elif action is None:
                await self.refuse(event, f"Invalid value: '{kind}'.", "invalid_value", "type")
            else:
                await action(self, event)
                if kind == "session.close":
                    return

    async def start(self, event):
        wanted = event.get("session")
        if self.session is not None or not isinstance(wanted, dict) or not wanted.get("model"):
            await self.refuse(event, "A session starts once, with a model.", "invalid_value", "session")
            return
        shape = wanted.get("audio", {}).get("format") or {"type": "audio/pcm", "rate": 24000}
        audio = {"format": shape, "output": {"voice": "marin", **(wanted.get("audio", {}).get("output") or {})}}
        self.session = {**wanted, "id": shapes.new_id("live"), "status": "active", "audio": audio,
                        "expires_at": int(time.time() + self.script.session_seconds)}
        self.input.set_format(shape)
        self.input.set_detection({"type": "server_vad", "silence_duration_ms": 500, "prefix_padding_ms": 300})
        await self.send({"type": "session.started", "session": self.session}, event)

    async def update(self, event):
        self.session.update(event.get("session") or {})
        await self.send({"type": "session.updated", "session": self.session}, event)

    async def append(self, event):
        if not self.muted and not await self.hear(event.get("audio")):
            await self.refuse(event, "Invalid 'audio'.", "invalid_value", "audio")

    async def mute(self, event):
        self.muted = event["type"].endswith(".mute")
        await self.send({"type": f"session.input_audio.{'' if self.muted else 'un'}muted"}, event)

    async def append_words(self, event):
        """Instructions, thinking and commentary; words that are to be said aloud are said."""
        await self.send({"type": event["type"] + "ed", "start_ms": self.input.ms, "end_ms": self.input.ms}, event)

    async def create_item(self, event):
        """Of delegated work: the output of a function."""

    async def create_response(self, _):
        await self.answer()

    async def close(self, event):
        await self.finish()
        await self.send({"type": "session.closed", "reason": "close_requested", "session": self.session,
                         "usage": self.usage()}, event)
        self.connection.wire.close(1000, "")

    def usage(self):
        return {"seconds": round(time.monotonic() - self.began_at, 3)}

    # --- what it says

    async def on_turn(self, turn):
        words = split(turn.transcript)
        for k, word in enumerate(words):
            at = turn.begin_ms + (turn.end_ms - turn.begin_ms) * k // len(words)
            await self.send({"type": "session.input_transcript.delta", "delta": word, "start_ms": at, "end_ms": at + 1})

    def where(self, ms):
        return {"start_ms": int(self.out_ms), "end_ms": int(self.out_ms + ms)}

    async def on_words(self, word):
        await self.send({"type": "session.output_transcript.delta", "delta": word, **self.where(1)})

    async def on_sound(self, pcm):
        ms, kind = len(pcm) / 48, self.session["audio"]["format"]["type"]
        data = base64.b64encode(vad.encode(resampled(pcm, self.input.hz), kind)).decode()
        await self.connection.send({"type": "session.output_audio.delta", "delta": data, **self.where(ms)})
        self.out_ms += ms

    async def on_call(self, call_id, name, arguments):
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        delegation, response = shapes.new_id("dele"), shapes.new_id("resp")
        await self.send({"type": "session.delegation.created", "offset_ms": self.input.ms, "delegation": {
            "id": delegation, "type": "delegation", "target": "responses", "response_id": response}})
        item = shapes.call_item(shapes.new_id("fc"), "completed", call_id, name, text)
        await self.send({"type": "response.event", "delegation_id": delegation, "event": {
            "type": "response.output_item.done", "output_index": 0, "item": item}})

    async def on_end(self, *_):
        await self.send({"type": "session.usage.updated", "usage": self.usage(),
                         "context_window": {"usage_ratio": 0.01}})

    actions = {
        "session.start": start, "session.update": update, "session.input_audio.append": append,
        "session.input_audio.mute": mute, "session.input_audio.unmute": mute,
        "session.instructions.append": append_words, "session.thinking.append": append_words,
        "session.commentary.append": append_words, "response.item.create": create_item,
        "response.create": create_response, "session.close": close,
    }

"""voice - a session of OpenAI Realtime (GA): settings, turns, and one response at a time."""

import asyncio

from . import shapes
from .conversation import Conversation
from .respond import Response
from .turns import BadAudio, InputAudio


MOST = 15 << 20  # characters of base64 in one event


class Voice:
    kind = "realtime"

    def __init__(self, connection):
        self.connection = connection
        self.model = connection.query.get("model", "gpt-realtime-2")
        self.settings = self.first_settings()
        self.conversation_id = shapes.new_id("conv")
        self.conversation = Conversation(self)
        self.input = InputAudio(connection.endpoint.light)
        self.active = None  # the Response that runs
        self.settings["audio"]["input"]["format"]["rate"] = connection.dialect.input_hz
        if connection.dialect.transcribes:
            self.settings["audio"]["input"]["transcription"] = {"model": "whisper-1"}
        self.voice_used = False
        self.quiet_since = None  # ms of input at which the last reply ended
        self.unanswered = []  # turns since the last response
        self.apply()

    def first_settings(self):
        return shapes.voice_session(self.model, self.connection.script.session_seconds)

    async def send(self, event):
        await self.connection.send({"event_id": shapes.new_id("event"), **event})

    async def refuse(self, event, message, code=None, param=None):
        await self.send(shapes.error(message, code=code, param=param, event_id=event.get("event_id")))

    async def not_an_event(self):
        await self.send(shapes.error("Could not parse your JSON payload.", code="invalid_json"))

    async def run(self):
        if "realtime" in self.connection.headers.get("openai-beta", "") and self.connection.dialect.official:
            await self.send(shapes.error("The Realtime Beta API is no longer supported.",
                                         code="beta_api_shape_disabled"))
            self.connection.wire.close(4000, "invalid_request_error.beta_api_shape_disabled")
            return
        await self.send({"type": "session.created", "session": self.settings})
        self.connection.spawn(self.expire())
        async for _, event in self.connection.events():
            await self.handle(event)

    async def expire(self):
        await asyncio.sleep(self.connection.script.session_seconds)
        await self.send(shapes.error("Your session hit the maximum duration of 60 minutes.", code="session_expired"))
        self.connection.wire.close(1001, "session expired")

    async def mind_silence(self):
        """idle_timeout_ms: after so long a silence behind a reply, the silence is a turn and is answered."""
        wanted = (self.settings["audio"]["input"].get("turn_detection") or {}).get("idle_timeout_ms")
        if self.active or self.input.item_id or self.quiet_since is None or not wanted:
            return
        if self.input.ms - self.quiet_since >= wanted:
            item_id, begin = self.input.started(self.input.ms)
            await self.send({"type": "input_audio_buffer.timeout_triggered", "audio_start_ms": begin,
                             "audio_end_ms": self.input.ms, "item_id": item_id})
            await self.take_turn(begin)
            await self.create_response({})

    async def handle(self, event):
        if len(str(event.get("event_id") or "")) > 512:
            await self.refuse({}, "Invalid 'event_id': longer than 512 characters.", "string_above_max_length", "event_id")
            return
        action = self.actions.get(event.get("type"))
        if action is None:
            await self.refuse(event, f"Invalid value: '{event.get('type')}'.", "invalid_value", "type")
        else:
            await action(self, event)

    # --- settings

    async def update(self, event):
        changes = event.get("session")
        trouble = self.judge(changes)
        if trouble:
            await self.refuse(event, *trouble)
            return
        before = self.settings["audio"]["input"].get("turn_detection")
        shapes.merge(self.settings, changes)
        if self.connection.dialect.always_detects and not self.settings["audio"]["input"].get("turn_detection"):
            self.settings["audio"]["input"]["turn_detection"] = before
        shapes.fill_turn_detection(self.settings)
        self.apply()
        await self.send({"type": "session.updated", "session": self.settings})

    def judge(self, changes):
        """(message, code, param) of what is wrong with an update, or None."""
        if not isinstance(changes, dict):
            return "Missing required parameter: 'session'.", "missing_required_parameter", "session"
        if changes.get("type") != self.kind:
            return f"Passing a session of type '{changes.get('type')}' is not allowed.", "invalid_parameter", (
                "session.type")
        voice = ((changes.get("audio") or {}).get("output") or {}).get("voice")
        if self.voice_used and voice and voice != self.settings["audio"]["output"]["voice"]:
            return ("Cannot update a conversation's voice if assistant audio is present.",
                    "cannot_update_voice", "session.audio.output.voice")
        if changes.get("output_modalities") not in (None, ["audio"], ["text"]):
            return ("Invalid modalities: supported combinations are: ['text'] and ['audio'].", "invalid_value",
                    "session.output_modalities")
        return None

    def apply(self):
        wanted = self.settings["audio"]["input"]
        self.input.set_format(wanted.get("format") or {})
        self.input.set_detection(wanted.get("turn_detection"))

    # --- the user's sound

    async def append(self, event):
        if len(event.get("audio") or "") > MOST:
            await self.refuse(event, "Invalid 'audio': longer than 15 MiB.", "string_above_max_length", "audio")
            return
        try:
            what = self.input.append(event.get("audio"))
        except BadAudio as error:
            self.connection.endpoint.violation(self.connection, f"audio that is none: {error}")
            await self.refuse(event, f"Invalid 'audio'. Expected base64-encoded audio bytes: {error}", "invalid_value",
                              "audio")
            return
        for kind, ms in what:
            await (self.speech_started if kind == "start" else self.speech_stopped)(ms)
        await self.mind_silence()

    async def speech_started(self, ms):
        item_id, begin_ms = self.input.started(ms)
        self.quiet_since = None
        await self.send({"type": "input_audio_buffer.speech_started", "audio_start_ms": begin_ms, "item_id": item_id})
        if self.active and self.settings["audio"]["input"]["turn_detection"].get("interrupt_response"):
            await self.active.stop("turn_detected")

    async def speech_stopped(self, ms):
        await self.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": self.input.ms,
                         "item_id": self.input.item_id})
        await self.take_turn(self.input.turn_begin)
        if self.settings["audio"]["input"]["turn_detection"].get("create_response"):
            await self.create_response({})

    async def commit(self, event):
        if self.input.buffered_ms < 100:
            await self.refuse(event, "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
                                     f"audio, but buffer only has {self.input.buffered_ms:.2f}ms of audio.",
                              "input_audio_buffer_commit_empty")
            return
        await self.take_turn(None)

    async def take_turn(self, begin_ms):
        """The buffer becomes an item of the conversation."""
        turn = self.connection.endpoint.new_turn(self.input.take(self.connection.number, begin_ms))
        last = self.conversation.items[-1]["id"] if self.conversation.items else None
        await self.send({"type": "input_audio_buffer.committed", "item_id": turn.item_id, "previous_item_id": last})
        self.unanswered.append(turn)
        await self.conversation.add_turn(turn)

    async def clear(self, _):
        self.input.clear()
        await self.send({"type": "input_audio_buffer.cleared"})

    # --- responses

    async def create_response(self, event):
        asked = event.get("response") or {}
        if self.active and asked.get("conversation") != "none":
            await self.refuse(event, f"Conversation already has an active response in progress: {self.active.id}. Wait "
                                     "until the response is finished before creating a new one.",
                              "conversation_already_has_active_response")
            return
        turns, self.unanswered = self.unanswered, []
        made = Response(self, *self.connection.endpoint.next_reply(turns, self.connection.number), asked)
        if not made.out_of_band:
            self.active = made
            self.voice_used = self.voice_used or not made.text_only
        self.connection.spawn(made.run())

    def ended(self, response):
        if self.active is response:
            self.active, self.quiet_since = None, self.input.ms

    async def cancel(self, event):
        wanted = event.get("response_id")
        if not self.active or wanted not in (None, self.active.id):
            await self.refuse(event, "Cancellation failed: no active response found", "response_cancel_not_active")
            return
        await self.active.stop("client_cancelled")

    async def clear_output(self, event):
        await self.refuse(event, "output_audio_buffer.clear is for WebRTC and SIP only.", "invalid_value", "type")

    actions = {
        "session.update": lambda self, e: self.update(e),
        "input_audio_buffer.append": lambda self, e: self.append(e),
        "input_audio_buffer.commit": lambda self, e: self.commit(e),
        "input_audio_buffer.clear": lambda self, e: self.clear(e),
        "output_audio_buffer.clear": lambda self, e: self.clear_output(e),
        "conversation.item.create": lambda self, e: self.conversation.create(e),
        "conversation.item.delete": lambda self, e: self.conversation.delete(e),
        "conversation.item.retrieve": lambda self, e: self.conversation.retrieve(e),
        "conversation.item.truncate": lambda self, e: self.conversation.truncate(e),
        "response.create": lambda self, e: self.create_response(e),
        "response.cancel": lambda self, e: self.cancel(e),
    }

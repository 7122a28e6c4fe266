"""gemini - Gemini Live: setup, realtimeInput, serverContent, resumption by handle."""

import base64
import json

from . import shapes
from .speaking import Speaking


class Gemini(Speaking):
    def __init__(self, connection):
        super().__init__(connection)
        self.setup, self.calls, self.history = None, [], []
        self.input.hz = 16000
        self.input.set_detection({"type": "server_vad", "silence_duration_ms": 500, "prefix_padding_ms": 300})

    async def send(self, event):
        await self.connection.send(event)

    async def not_an_event(self):
        self.connection.wire.close(1007, "Request contains an invalid argument.")

    def refuse(self, why):
        self.connection.note("refused", why=why)
        self.connection.wire.close(1007, why[:120])

    async def run(self):
        async for _, event in self.connection.events():
            kind = next(iter(event), None)
            if (self.setup is None) != (kind == "setup"):
                return self.refuse("The first message, and only the first, is setup.")
            action = self.actions.get(kind)
            if action is None or not isinstance(event[kind], dict):
                return self.refuse(f"Request contains an invalid argument: {kind}")
            await action(self, event[kind])
        return None

    async def begin(self, setup):
        resume = setup.get("sessionResumption") or {}
        known = self.endpoint.handles
        if resume.get("handle") and resume["handle"] not in known:
            return self.refuse("Invalid session resumption handle.")
        self.setup, self.history = setup, list(known.get(resume.get("handle"), []))
        detection = (setup.get("realtimeInputConfig") or {}).get("automaticActivityDetection") or {}
        if detection.get("disabled"):
            self.input.set_detection(None)
        else:
            self.input.set_detection({"type": "server_vad", "silence_duration_ms": detection.get(
                "silenceDurationMs", 500), "prefix_padding_ms": detection.get("prefixPaddingMs", 300)})
        await self.send({"setupComplete": {"sessionId": shapes.new_id("session")}})
        return await self.hand_out()

    async def hand_out(self):
        """A new handle, when the program wants to resume."""
        if "sessionResumption" in self.setup:
            handle = shapes.new_id("handle")
            self.endpoint.handles[handle] = list(self.history)
            await self.send({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

    # --- what comes

    async def realtime_input(self, what):
        if "audio" in what:
            mime = str(what["audio"].get("mimeType", ""))
            if not mime.startswith("audio/pcm"):
                return self.refuse(f"Unsupported audio: {mime}")
            rate = int(mime.partition("rate=")[2] or 16000)
            if rate != self.input.hz and self.input.end:
                return self.refuse("The rate of the audio cannot change.")
            self.input.hz = rate
            if not await self.hear(what["audio"].get("data")):
                return self.refuse("Invalid audio.")
        elif "activityStart" in what:
            if self.input.vad:
                return self.refuse("Explicit activity control is not supported when automatic activity detection is "
                                   "enabled.")
            await self.began()
        elif "activityEnd" in what or "audioStreamEnd" in what:
            if self.input.vad:
                self.input.vad.forget()
            await self.ended()
        elif "text" in what:
            self.history.append(what["text"])
            await self.answer()
        return None

    async def client_content(self, what):
        self.history += [p.get("text") for t in what.get("turns") or [] for p in t.get("parts") or []]
        if what.get("turnComplete"):
            await self.answer()

    async def tool_response(self, what):
        for r in what.get("functionResponses") or []:
            if r.get("id") not in self.calls:
                return self.refuse(f"No such call: {r.get('id')}")
            self.calls.remove(r["id"])
        return await self.answer() if not self.calls else None

    # --- what it says

    async def content(self, **what):
        await self.send({"serverContent": what})

    async def on_start(self):
        if self.calls:
            await self.send({"toolCallCancellation": {"ids": self.calls}})
            self.calls = []

    async def on_turn(self, turn):
        self.history.append(turn.transcript)
        if "inputAudioTranscription" in self.setup:
            await self.content(inputTranscription={"text": turn.transcript})

    async def on_words(self, word):
        if "TEXT" in ((self.setup.get("generationConfig") or {}).get("responseModalities") or []):
            await self.content(modelTurn={"role": "model", "parts": [{"text": word}]})
        elif "outputAudioTranscription" in self.setup:
            await self.content(outputTranscription={"text": word})

    async def on_sound(self, pcm):
        if "TEXT" not in ((self.setup.get("generationConfig") or {}).get("responseModalities") or []):
            data = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(pcm).decode()}
            await self.content(modelTurn={"role": "model", "parts": [{"inlineData": data}]})

    async def on_call(self, call_id, name, arguments):
        self.calls.append(call_id)
        args = json.loads(arguments) if isinstance(arguments, str) else arguments
        await self.send({"toolCall": {"functionCalls": [{"id": call_id, "name": name, "args": args}]}})

    async def on_end(self, answer, stopped, called):
        if stopped:
            await self.content(interrupted=True)
        elif called:
            return
        else:
            await self.content(generationComplete=True)
        heard, spoken = int(self.input.ms / 40), int(answer.sent_ms / 40)
        await self.send({"serverContent": {"turnComplete": True}, "usageMetadata": {
            "promptTokenCount": heard + 50, "responseTokenCount": spoken, "totalTokenCount": heard + 50 + spoken,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": heard}, {"modality": "TEXT", "tokenCount": 50}],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}]}})
        await self.hand_out()

    actions = {"setup": begin, "realtimeInput": realtime_input, "clientContent": client_content,
               "toolResponse": tool_response}

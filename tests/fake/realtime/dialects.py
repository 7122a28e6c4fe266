"""dialects - how other services differ from OpenAI's: paths, headers, names and shapes. Tables; no protocol logic.

A dialect sees each event on its way: `incoming` makes what the program sent into OpenAI's form, `outgoing` makes
what the sessions here send into the service's, as a list.
"""

import json

BETA_NAMES = {
    "response.output_audio.delta": "response.audio.delta", "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta", "response.output_text.done": "response.text.done",
}


class Dialect:
    """OpenAI itself."""

    name = "openai"
    paths = {"/v1/realtime": "voice", "/v1/realtime/translations": "translation", "/v1/live/sessions": "live"}
    headers = (("authorization", "Bearer {key}"),)  # any of them shows the key
    official = True  # the program's events are checked against the official types
    transcriber_in_url = False  # whether a transcription session names its model in the URL
    binary = binary_out = False  # whether messages may come, and are sent, as binary frames
    ends_on_bad_json = False
    transcribes = False  # tells the user's words without being asked
    always_detects = False  # has no turns but those that it detects itself, whatever turn_detection says
    names = {}  # GA event name: theirs
    input_hz = 24000

    def name_of(self, event):
        kind = event.get("type")
        return kind if isinstance(kind, str) else "(no type)"

    def protocol(self, path, query):
        kind = self.paths.get(path)
        return "transcription" if kind == "voice" and query.get("intent") == "transcription" else kind

    def shows_key(self, key, headers, query):
        return any(headers.get(name) == form.format(key=key) for name, form in self.headers)

    def trouble(self, event):
        """What this service does not take in an event, though it is not checked by the official types; or None."""
        return None

    def incoming(self, event):
        return event

    def outgoing(self, event):
        return [{**event, "type": self.names.get(event["type"], event["type"])}]


class Azure(Dialect):
    name = "azure"
    paths = {"/openai/v1/realtime": "voice"}
    headers = (("api-key", "{key}"),)


class ElevenLabs(Dialect):
    name = "elevenlabs"
    paths = {"/v1/convai/realtime": "voice"}
    headers = (("authorization", "Bearer {key}"), ("xi-api-key", "{key}"))
    transcribes = True


class Inworld(Dialect):
    name = "inworld"
    paths = {"/api/v1/realtime/session": "voice"}
    headers = (("authorization", "Basic {key}"),)

    def shows_key(self, key, headers, query):
        return super().shows_key(key, headers, query) and bool(query.get("key")) and query.get("protocol") == "realtime"


class Xai(Dialect):
    """voice and turn_detection at the top of the session."""

    name = "xai"
    paths = {"/v1/realtime": "voice"}
    official = False
    transcribes = True

    def trouble(self, event):
        audio = (event.get("session") or {}).get("audio") or {} if event.get("type") == "session.update" else {}
        inside = {"turn_detection"} & set(audio.get("input") or {}) | {"voice"} & set(audio.get("output") or {})
        return f"session.update: {sorted(inside)} is not at the top of the session" if inside else None

    def incoming(self, event):
        session = event.get("session")
        return {**event, "session": into_ga(session)} if isinstance(session, dict) else event

    def outgoing(self, event):
        if "session" not in event:
            return [event]
        audio = event["session"]["audio"]
        rest = {"input": {k: v for k, v in audio["input"].items() if k != "turn_detection"},
                "output": {k: v for k, v in audio["output"].items() if k != "voice"}}
        return [{**event, "session": {**event["session"], "audio": rest, "voice": audio["output"]["voice"],
                                      "turn_detection": audio["input"]["turn_detection"]}}]


class Beta(Dialect):
    """The protocol before it was GA, which others took over: a flat session, older names, one item event."""

    names = {**BETA_NAMES, "conversation.item.added": "conversation.item.created"}
    official = False
    formats = ("pcm16", "g711_ulaw", "g711_alaw")

    def trouble(self, event):
        session = event.get("session") if event.get("type") == "session.update" else None
        if isinstance(session, dict) and (odd := {"audio", "output_modalities", "type"} & set(session)):
            return f"session.update: {sorted(odd)} is of another protocol's session"
        for name in ("input_audio_format", "output_audio_format"):
            if isinstance(session, dict) and session.get(name, self.formats[0]) not in self.formats:
                return f"session.update: '{name}' {session[name]!r} is none of {self.formats}"
        return None

    def incoming(self, event):
        session = event.get("session")
        if isinstance(session, dict):
            return {**event, "session": self.session_into_ga(session)}
        if isinstance(event.get("item"), dict):
            return {**event, "item": parts_named(event["item"], {"text": "output_text", "audio": "output_audio"})}
        return event

    def session_into_ga(self, session):
        ga = into_ga({k: v for k, v in session.items() if not k.endswith("audio_format")})
        if "modalities" in ga:
            ga["output_modalities"] = ["audio"] if "audio" in ga.pop("modalities") else ["text"]
        if "input_audio_transcription" in ga:
            ga.setdefault("audio", {}).setdefault("input", {})["transcription"] = ga.pop("input_audio_transcription")
        if "max_response_output_tokens" in ga:
            ga["max_output_tokens"] = ga.pop("max_response_output_tokens")
        kinds = dict(zip(self.formats, ("audio/pcm", "audio/pcmu", "audio/pcma")))
        for side in ("input", "output"):
            kind = kinds.get(session.get(side + "_audio_format", self.formats[0]), "audio/pcm")
            rate = {"rate": self.input_hz if side == "input" else 24000} if kind == "audio/pcm" else {}
            ga.setdefault("audio", {}).setdefault(side, {})["format"] = {"type": kind, **rate}
        return {"type": "realtime", **ga}

    def outgoing(self, event):
        if event["type"] == "conversation.item.done":
            return []
        out = {**event, "type": self.names.get(event["type"], event["type"])}
        if "session" in event:
            out["session"] = self.flat(event["session"])
        if isinstance(event.get("item"), dict):
            out["item"] = parts_named(event["item"], {"output_text": "text", "output_audio": "audio"})
        return [out]

    def flat(self, session):
        sound = session["audio"]
        return {"id": session["id"], "object": "realtime.session", "model": session.get("model"),
                "modalities": ["text", "audio"] if session.get("output_modalities") == ["audio"] else ["text"],
                "instructions": session.get("instructions"), "voice": sound.get("output", {}).get("voice"),
                "input_audio_format": self.formats[0], "output_audio_format": self.formats[0],
                "input_audio_transcription": sound["input"].get("transcription"), "temperature": 0.8,
                "turn_detection": sound["input"].get("turn_detection"), "tools": session.get("tools"),
                "tool_choice": session.get("tool_choice"), "max_response_output_tokens": "inf"}


class Qwen(Beta):
    name = "qwen"
    paths = {"/api-ws/v1/realtime": "voice"}
    formats = ("pcm", "pcm16", "pcm24")
    input_hz = 16000


class Speaches(Beta):
    """Its session events of a transcription have the beta's names too."""

    name = "speaches"
    paths = {"/v1/realtime": "voice"}
    headers = (("authorization", "Bearer {key}"), ("x-api-key", "{key}"))
    transcriber_in_url = transcribes = True

    def shows_key(self, key, headers, query):
        return super().shows_key(key, headers, query) or query.get("api_key") == key


class LocalAi(Dialect):
    name = "localai"
    paths = {"/v1/realtime": "voice"}
    transcriber_in_url = transcribes = True


class HuggingFace(Dialect):
    """speech-to-speech: conversation.item.created in place of added and done; the code of an error in its type."""

    name = "huggingface"
    paths = {"/v1/realtime": "voice"}
    ends_on_bad_json = transcribes = always_detects = True

    def outgoing(self, event):
        if event["type"] == "conversation.item.done":
            return []
        if event["type"] == "conversation.item.added":
            return [{**event, "type": "conversation.item.created"}]
        if event["type"] == "error":
            error = event["error"]
            return [{**event, "error": {**error, "type": error.get("code") or error["type"], "code": None}}]
        return [event]


class Generic(Dialect):
    """OpenAI's protocol with names of its own for some events, as a configuration may say."""

    name = "generic"
    names = {"response.output_audio.delta": "voice.delta", "response.done": "voice.done"}


class Gemini(Dialect):
    """Another protocol altogether; JSON in binary frames."""

    name = "gemini"
    paths = {"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent": "gemini"}
    headers = (("x-goog-api-key", "{key}"),)
    binary = binary_out = True

    def shows_key(self, key, headers, query):
        return super().shows_key(key, headers, query) or query.get("key") == key

    def from_binary(self, data):
        try:
            return json.loads(data)
        except ValueError:
            return None

    def name_of(self, event):
        """ "realtimeInput.audio", "serverContent.modelTurn", "setupComplete" """
        first = next(iter(event), "(empty)")
        inner = event.get(first)
        has_kinds = first in ("realtimeInput", "serverContent") and isinstance(inner, dict) and inner
        return f"{first}.{next(iter(inner))}" if has_kinds else first

    def outgoing(self, event):
        return [event]


def into_ga(session):
    """voice and turn_detection from the top to where GA has them."""
    ga = {k: v for k, v in session.items() if k not in ("voice", "turn_detection")}
    ga.setdefault("type", "realtime")
    for name, side in (("voice", "output"), ("turn_detection", "input")):
        if name in session:
            audio = ga["audio"] = dict(ga.get("audio") or {})
            audio[side] = {**(audio.get(side) or {}), name: session[name]}
    return ga


def parts_named(item, names):
    """An item of the assistant's with other names for the kinds of its content."""
    if item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    return {**item, "content": [{**p, "type": names.get(p.get("type"), p.get("type"))} for p in item["content"]]}


DIALECTS = {d.name: d for d in (Dialect, Azure, ElevenLabs, Inworld, Xai, Qwen, Speaches, LocalAi, HuggingFace,
                                Generic, Gemini)}

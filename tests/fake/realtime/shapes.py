"""shapes - the objects of OpenAI's protocol as its server sends them: sessions, items, responses, usage, errors."""

import random
import string
import time

LETTERS = string.ascii_letters + string.digits
rng = random.Random()


def new_id(prefix):
    return prefix + "_" + "".join(rng.choices(LETTERS, k=21))


def voice_session(model, seconds):
    return {
        "type": "realtime", "object": "realtime.session", "id": new_id("sess"), "model": model,
        "output_modalities": ["audio"], "instructions": "You are scripted.", "tools": [], "tool_choice": "auto",
        "max_output_tokens": "inf", "tracing": None, "prompt": None, "expires_at": int(time.time() + seconds),
        "truncation": "auto", "include": None,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000}, "transcription": None, "noise_reduction": None,
                "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                                   "silence_duration_ms": 500, "idle_timeout_ms": None, "create_response": True,
                                   "interrupt_response": True},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
        },
    }


def transcription_session(seconds):
    return {
        "type": "transcription", "object": "realtime.transcription_session", "id": new_id("sess"),
        "expires_at": int(time.time() + seconds), "include": None,
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "transcription": None,
                            "noise_reduction": None,
                            "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                                               "silence_duration_ms": 500}}},
    }


def merge(into, changes):
    """A session with an update: objects are merged, all else is replaced; turn_detection is whole, or null."""
    for name, value in changes.items():
        whole = name in ("turn_detection", "transcription", "truncation", "format", "tool_choice", "tracing")
        if isinstance(value, dict) and isinstance(into.get(name), dict) and not whole:
            merge(into[name], value)
        else:
            into[name] = value
    return into


def fill_turn_detection(session):
    """What an update left out gets the service's default."""
    turn = session["audio"]["input"].get("turn_detection")
    if not turn:
        return
    defaults = {"create_response": True, "interrupt_response": True}
    if session["type"] == "transcription":
        defaults = {}
    if turn.get("type") == "server_vad":
        defaults = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500, **defaults}
    for name, value in defaults.items():
        turn.setdefault(name, value)


def user_audio_item(item_id, transcript=None):
    return {"id": item_id, "object": "realtime.item", "type": "message", "status": "completed", "role": "user",
            "content": [{"type": "input_audio", "transcript": transcript}]}


def assistant_item(item_id, status, content=(), phase=None):
    item = {"id": item_id, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
            "content": list(content)}
    return {**item, "phase": phase} if phase else item


def call_item(item_id, status, call_id, name, arguments):
    return {"id": item_id, "object": "realtime.item", "type": "function_call", "status": status, "call_id": call_id,
            "name": name, "arguments": arguments}


def response(response_id, conversation_id, session, asked, status, **more):
    output = session["audio"]["output"]
    return {"object": "realtime.response", "id": response_id, "status": status, "status_details": None, "output": [],
            "conversation_id": conversation_id, "output_modalities": asked.get(
                "output_modalities", session["output_modalities"]),
            "max_output_tokens": asked.get("max_output_tokens", session["max_output_tokens"]),
            "audio": {"output": {"format": output["format"], "voice": output["voice"]}}, "usage": None,
            "metadata": asked.get("metadata"), **more}


def usage(text_in, audio_in, text_out, audio_out, cached=0):
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out, "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {"text_tokens": text_in, "audio_tokens": audio_in, "image_tokens": 0,
                                "cached_tokens": cached, "cached_tokens_details":
                                {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0}},
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }


def error(message, kind="invalid_request_error", code=None, param=None, event_id=None):
    return {"type": "error", "error": {"type": kind, "code": code, "message": message, "param": param,
                                       "event_id": event_id}}


# Errors of the service that no event of the program's causes, by code; for the fault `event`.
ERRORS = {code: {"event_id": "event_scripted", **error(message, kind, code)} for code, kind, message in (
    ("rate_limit_exceeded", "rate_limit_error", "Rate limit reached for gpt-realtime-2. Please try again in 1.2s."),
    ("insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing "
                                                 "details."),
    ("invalid_api_key", "invalid_request_error", "Incorrect API key provided: sk-****."),
    ("model_not_found", "invalid_request_error", "The model does not exist or you do not have access to it."),
    ("session_expired", "invalid_request_error", "Your session hit the maximum duration of 60 minutes."),
    ("server_error", "server_error", "The server had an error while processing your request. Sorry about that!"),
)}

PLENTY = [{"name": "requests", "limit": 5000, "remaining": 4999, "reset_seconds": 0.012},
          {"name": "tokens", "limit": 2000000, "remaining": 1999000, "reset_seconds": 0.03}]

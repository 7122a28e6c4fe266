"""bad - messages that no honest server sends, by name; for the fault `text` and for tables of tests."""

import base64
import json

ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07bell \u009b2Jclear \r\x08back\x7f \u202eright to left\u202c"


def audio(data, **fields):
    event = {"type": "response.output_audio.delta", "event_id": "event_x", "response_id": "resp_unknown",
             "item_id": "item_unknown", "output_index": 0, "content_index": 0, "delta": data}
    return json.dumps({**event, **fields})


def b64(data):
    return base64.b64encode(data).decode()


EVENTS = {
    "empty": "",
    "not-json": "this is no JSON",
    "cut-json": '{"type": "response.done", "response": {"id": "resp_1", "out',
    "trailing": '{"type": "session.updated"} and more',
    "null": "null",
    "number": "17",
    "string": '"session.created"',
    "list": '[{"type": "session.created"}]',
    "no-type": '{"event_id": "event_1", "session": {}}',
    "type-null": '{"type": null}',
    "type-number": '{"type": 5}',
    "type-object": '{"type": {"type": "error"}}',
    "unknown": '{"type": "response.hologram.delta", "event_id": "event_1", "delta": "?"}',
    "deep-list": "[" * 100_000,
    "deep-object": '{"a":' * 100_000,
    "deep-closed": '{"type": "error", "error": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "long-type": json.dumps({"type": "x" * 100_000}),
    "nul": '{"type": "error\\u0000", "error": {"message": "a\\u0000b"}}',
    "lone-surrogate": '{"type": "error", "error": {"type": "x", "message": "\\ud800"}}',
    "huge-number": '{"type": "input_audio_buffer.speech_started", "audio_start_ms": 1e400, "item_id": "i"}',
    "negative": '{"type": "input_audio_buffer.speech_started", "audio_start_ms": -99999999999999, "item_id": "i"}',
    "error-null": '{"type": "error", "error": null}',
    "error-string": '{"type": "error", "error": "it broke"}',
    "error-types": '{"type": "error", "error": {"type": 1, "code": [], "message": {}, "event_id": 2}}',
    "error-escapes": json.dumps({"type": "error", "error": {"type": "invalid_request_error", "code": "x" + ESCAPES,
                                                             "message": ESCAPES}}),
    "audio-unknown-item": audio(b64(bytes(4800))),
    "audio-not-base64": audio("*** not base64 ***"),
    "audio-cut-base64": audio("AAAAA"),
    "audio-odd": audio(b64(bytes(4801))),
    "audio-one-byte": audio(b64(b"\1")),
    "audio-empty": audio(""),
    "audio-null": audio(None),
    "audio-number": audio(12345),
    "audio-types": audio(b64(bytes(480)), response_id=7, item_id=[], output_index="x", content_index=-1),
    "audio-index": audio(b64(bytes(480)), output_index=10**18, content_index=10**18),
    "audio-big": audio(b64(bytes(8 << 20))),
    "created-twice": '{"type": "response.created", "response": {"id": "resp_a", "status": "in_progress", "output": []}}',
    "created-bare": '{"type": "response.created"}',
    "done-unknown": '{"type": "response.done", "response": {"id": "resp_unknown", "status": "completed", "output": []}}',
    "done-bare": '{"type": "response.done"}',
    "done-types": '{"type": "response.done", "response": {"id": [], "status": 5, "output": {}, "usage": "much"}}',
    "usage-types": json.dumps({"type": "response.done", "response": {
        "id": "resp_unknown", "status": "completed", "output": [], "usage": {
            "total_tokens": "many", "input_tokens": -5, "output_tokens": 1e300, "input_token_details": []}}}),
    "transcript-unknown": json.dumps({
        "type": "conversation.item.input_audio_transcription.completed", "event_id": "e", "item_id": "item_unknown",
        "content_index": 0, "transcript": ESCAPES, "usage": {"type": "duration", "seconds": 1}}),
    "item-types": '{"type": "conversation.item.added", "item": [], "previous_item_id": 5}',
    "call-unknown": json.dumps({"type": "response.function_call_arguments.done", "event_id": "e", "item_id": "i",
                                "call_id": "c", "response_id": "r", "output_index": 0, "name": "no_such_tool",
                                "arguments": "{not json"}),
    "rate-types": '{"type": "rate_limits.updated", "rate_limits": {"name": 1}}',
    "session-types": '{"type": "session.updated", "session": {"audio": 5, "expires_at": "soon"}}',
}


def huge(size=100_000_000):
    """A message that is valid and far too long."""
    head, tail = '{"type": "response.output_audio.delta", "delta": "', '"}'
    return head + "A" * (size - len(head) - len(tail)) + tail


def content(**what):
    return json.dumps({"serverContent": what})


def inline(data, mime="audio/pcm;rate=24000"):
    return content(modelTurn={"parts": [{"inlineData": {"mimeType": mime, "data": data}}]})


# The same for Gemini Live; those of EVENTS that are no events at all serve there as well.
GEMINI = {
    "empty-object": "{}",
    "unknown": '{"hologram": {"parts": []}}',
    "content-null": '{"serverContent": null}',
    "content-list": '{"serverContent": []}',
    "turn-types": content(modelTurn="text"),
    "parts-types": content(modelTurn={"parts": {"text": "x"}}),
    "part-null": content(modelTurn={"parts": [None, 5, [], {}]}),
    "audio-not-base64": inline("*** not base64 ***"),
    "audio-odd": inline(b64(bytes(4801))),
    "audio-null": inline(None),
    "audio-mime": inline(b64(bytes(480)), "video/mp4"),
    "audio-rate": inline(b64(bytes(480)), "audio/pcm;rate=99999999999"),
    "audio-rate-negative": inline(b64(bytes(480)), "audio/pcm;rate=-1"),
    "text-escapes": content(modelTurn={"parts": [{"text": ESCAPES}]}, outputTranscription={"text": ESCAPES}),
    "complete-types": content(turnComplete="yes", interrupted=1, generationComplete=None),
    "call-types": '{"toolCall": {"functionCalls": [{"id": 5, "name": [], "args": "x"}]}}',
    "cancel-types": '{"toolCallCancellation": {"ids": "all"}}',
    "going-types": '{"goAway": {"timeLeft": 5}}',
    "going-odd": '{"goAway": {"timeLeft": "soon"}}',
    "handle-types": '{"sessionResumptionUpdate": {"newHandle": 5, "resumable": "yes"}}',
    "handle-long": json.dumps({"sessionResumptionUpdate": {"newHandle": "h" * 1_000_000, "resumable": True}}),
    "usage-types": '{"usageMetadata": {"promptTokenCount": "many", "responseTokensDetails": {}}}',
    "setup-again": '{"setupComplete": {}}',
}

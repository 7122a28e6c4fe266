"""conversation - the items of a voice session, and the events of the program that concern them."""

import asyncio

from . import shapes
from .turns import BadAudio, InputAudio


class Conversation:
    def __init__(self, session):
        self.session = session
        self.items = []
        self.sound = {}  # item id: ms of audio that were sent of it
        self.user_ms = 0.0  # of speech, over all turns
        self.told = {}  # item id: how many of its words were told already

    def find(self, item_id):
        return next((i for i in self.items if i["id"] == item_id), None)

    def before(self, item_id):
        at = next((k for k, i in enumerate(self.items) if i["id"] == item_id), 0)
        return self.items[at - 1]["id"] if at else None

    def words_in(self):
        texts = [p.get("text") or "" for i in self.items if i["type"] == "message" for p in i["content"]]
        return sum(len(t.split()) for t in texts)

    async def add(self, item, after=None, announce=None):
        """after: the item before it, "root", or None: the end. announce: the one event to send, or None: both."""
        at = len(self.items)
        if after == "root":
            at = 0
        elif after:
            at = 1 + self.items.index(self.find(after))
        self.items.insert(at, item)
        for kind in [announce] if announce else ["conversation.item.added", "conversation.item.done"]:
            await self.session.send({"type": kind, "item": item, "previous_item_id": self.before(item["id"])})

    # --- what the program asks for

    async def create(self, event):
        item, after = dict(event.get("item") or {}), event.get("previous_item_id")
        if item.get("id") and self.find(item["id"]):
            return await self.session.refuse(event, f"Item with item_id already exists: {item['id']}",
                                             "item_create_duplicate_item_id", "item.id")
        if after and after != "root" and not self.find(after):
            return await self.session.refuse(event, f"Previous item with item_id not found: {after}",
                                             "item_create_invalid_previous_item_id", "previous_item_id")
        if trouble := self.judge(item):
            return await self.session.refuse(event, *trouble)
        item.setdefault("id", shapes.new_id("item"))
        item.update(object="realtime.item", status=item.get("status") or "completed")
        if item.get("role") == "user" and any(p.get("audio") for p in item["content"]):
            await self.said(item)
        await self.add(item, after)

    async def said(self, item):
        """A turn that comes whole, as an item. What is told of it afterwards lacks the sound, as the service has it."""
        sound = InputAudio()
        try:
            for part in item["content"]:
                sound.append(part.pop("audio", None) or "")
        except BadAudio as error:
            self.session.connection.endpoint.violation(self.session.connection, f"audio that is none: {error}")
        sound.item_id = item["id"]
        turn = self.session.connection.endpoint.new_turn(sound.take(self.session.connection.number))
        self.user_ms += turn.end_ms
        self.session.unanswered.append(turn)

    def judge(self, item):
        """(message, code, param) of what is wrong with an item, or None."""
        kind = item.get("type")
        if kind == "function_call_output":
            known = any(i.get("call_id") == item.get("call_id") for i in self.items if i["type"] == "function_call")
            return None if known else (f"Tool call ID '{item.get('call_id')}' not found in conversation.",
                                       "invalid_tool_call_id", "item.call_id")
        if kind != "message":
            known = ("function_call", "mcp_approval_response", "mcp_list_tools", "mcp_call", "mcp_approval_request")
            return None if kind in known else (f"Invalid value: '{kind}'.", "invalid_value", "item.type")
        allowed = {"user": ("input_text", "input_audio", "input_image"), "assistant": ("output_text", "output_audio"),
                   "system": ("input_text",)}.get(item.get("role"))
        if allowed is None:
            return f"Invalid value: '{item.get('role')}'.", "invalid_value", "item.role"
        for k, part in enumerate(item.get("content") or []):
            if part.get("type") not in allowed:
                return (f"Invalid value: '{part.get('type')}'. Value must be one of {allowed}.", "invalid_value",
                        f"item.content[{k}].type")
        return None

    async def delete(self, event):
        item = await self.known(event, "item_delete_invalid_item_id", "deleting")
        if item:
            self.items.remove(item)
            await self.session.send({"type": "conversation.item.deleted", "item_id": item["id"]})

    async def retrieve(self, event):
        item = await self.known(event, "item_retrieve_invalid_item_id", "retrieving")
        if item:
            await self.session.send({"type": "conversation.item.retrieved", "item": item})

    async def known(self, event, code, doing):
        item = self.find(event.get("item_id"))
        if not item:
            await self.session.refuse(event, f"Error {doing} item: the item with id '{event.get('item_id')}' does not "
                                             "exist.", code, "item_id")
        return item

    async def truncate(self, event):
        """Too large an end is an error of nobody's event, and truncates all the same."""
        item = await self.known(event, "item_truncate_invalid_item_id", "truncating")
        if not item:
            return
        end, index = event.get("audio_end_ms"), event.get("content_index")
        if item.get("role") != "assistant" or item["id"] not in self.sound or not self.has_sound(item):
            await self.session.refuse(event, "Only model output audio messages can be truncated",
                                      "unsupported_content_type", None)
            return
        if not isinstance(end, int) or end < 0 or index != 0:
            await self.session.refuse(event, "Invalid 'audio_end_ms' or 'content_index'.", "invalid_value",
                                      "audio_end_ms")
            return
        have = self.sound[item["id"]]
        if end > have:
            await self.session.send(shapes.error(f"Audio content of {have:.0f}ms is already shorter than {end}ms",
                                                 code="invalid_value"))
        self.sound[item["id"]] = min(end, have)
        for part in item["content"]:
            part.pop("transcript", None)
        await self.session.send({"type": "conversation.item.truncated", "item_id": item["id"], "content_index": 0,
                                 "audio_end_ms": min(end, int(have))})

    @staticmethod
    def has_sound(item):
        return any(p["type"] == "output_audio" for p in item["content"]) or item["status"] == "in_progress"

    # --- what the user said

    async def add_turn(self, turn):
        """A committed turn becomes an item, and its transcript follows when the session wants one."""
        item = shapes.user_audio_item(turn.item_id)
        self.user_ms += turn.end_ms - turn.begin_ms
        await self.add(item)
        if self.session.settings["audio"]["input"].get("transcription"):
            self.session.connection.spawn(self.transcribe(turn, item))

    async def transcribe(self, turn, item):
        script = self.session.connection.script
        await asyncio.sleep(script.transcript_ms / 1000)
        head = "conversation.item.input_audio_transcription."
        where = {"item_id": turn.item_id, "content_index": 0}
        for word in split(turn.transcript)[self.told.get(turn.item_id, 0) :]:
            await self.session.send({"type": head + "delta", **where, "delta": word})
        if item["type"] == "message":
            item["content"][0]["transcript"] = turn.transcript
        seconds = round((turn.end_ms - turn.begin_ms) / 1000, 3)
        await self.session.send({"type": head + "completed", **where, "transcript": turn.transcript,
                                 "usage": {"type": "duration", "seconds": seconds}})


def split(text):
    parts = text.split(" ")
    return [w + (" " if k + 1 < len(parts) else "") for k, w in enumerate(parts)]

"""respond - one response of a voice session: its items, deltas and end, in the order of the service."""

import asyncio
import base64
import json

from . import shapes, vad
from .marker import samples, to_bytes


class Response:
    """Runs as a task; stop() ends it early, and returns when its response.done is out."""

    def __init__(self, session, reply, answer, asked):
        self.session, self.reply, self.answer, self.asked = session, reply, answer, asked
        self.id, self.count = answer.id, answer.number
        self.reason = None  # why it was stopped
        self.stopping, self.over = asyncio.Event(), asyncio.Event()
        self.output, self.words_out = [], 0
        self.out_of_band = asked.get("conversation") == "none"
        self.text_only = reply.text_only or (
            asked.get("output_modalities") or session.settings["output_modalities"]) == ["text"]

    async def send(self, kind, **fields):
        await self.session.send({"type": kind, "response_id": self.id, **fields})

    def shape(self, status, **more):
        conversation = None if self.out_of_band else self.session.conversation_id
        return shapes.response(self.id, conversation, self.session.settings, self.asked, status, **more)

    async def stop(self, reason):
        if not self.over.is_set():
            self.reason = self.reason or reason
            self.stopping.set()
            await self.over.wait()

    async def until(self, due):
        """Waits for a moment of the loop's clock; True when the response was stopped meanwhile."""
        left = due - asyncio.get_running_loop().time()
        if left > 0 and not self.stopping.is_set():
            try:
                await asyncio.wait_for(self.stopping.wait(), left)
            except asyncio.TimeoutError:
                pass
        return self.stopping.is_set()

    async def run(self):
        try:
            script = self.session.connection.script
            await self.session.send({"type": "response.created", "response": self.shape("in_progress")})
            await self.session.send({"type": "rate_limits.updated",
                                     "rate_limits": script.rate_limits or shapes.PLENTY})
            if self.reply.silent:
                await self.stopping.wait()
            elif not self.reply.failed:
                await self.speak_all()
            await self.finish()
        finally:
            self.answer.lost()
            self.over.set()

    async def speak_all(self):
        reply = self.reply
        if reply.preamble:
            await self.speak(reply.preamble, "commentary")
        if not self.stopping.is_set() and (reply.words(self.count) or reply.pcm(self.count)):
            await self.speak(reply, "final_answer" if reply.preamble else None)
        for name, arguments in reply.calls:
            if not self.stopping.is_set():
                await self.call(name, arguments)

    # --- a message

    async def speak(self, reply, phase):
        index, item_id = len(self.output), shapes.new_id("item")
        where = {"item_id": item_id, "output_index": index, "content_index": 0}
        item = shapes.assistant_item(item_id, "in_progress", (), phase)
        self.output.append(item)
        if await self.until(asyncio.get_running_loop().time() + reply.first_ms / 1000):
            self.output.pop()
            return
        await self.send("response.output_item.added", output_index=index, item=item)
        await self.joins(item)
        empty = {"type": "text", "text": ""} if self.text_only else {"type": "audio", "transcript": ""}
        await self.send("response.content_part.added", **where, part=empty)
        said, pcm_ms = await self.deltas(reply, where)
        await self.end_of_message(item, where, said, pcm_ms)

    async def joins(self, item):
        """The item becomes part of the conversation."""
        if not self.out_of_band:
            await self.session.conversation.add(item, announce="conversation.item.added")

    async def deltas(self, reply, where):
        kind = self.session.settings["audio"]["output"]["format"]["type"]
        start, said, sent, late = asyncio.get_running_loop().time(), "", 0, reply.late
        text = "response.output_text.delta" if self.text_only else "response.output_audio_transcript.delta"
        for due, piece, words in reply.parts(self.count, mute=self.text_only):
            data = base64.b64encode(vad.encode(resampled(piece, 24000 if kind == "audio/pcm" else 8000), kind)).decode()
            if await self.until(start + due):
                late -= 1
                if late < 0:
                    break
            for word in words:
                said += word
                self.words_out += 1
                await self.send(text, **where, delta=word)
            if piece:
                await self.send("response.output_audio.delta", **where, delta=data)
                sent += len(piece)
                self.answer.sent_ms += len(piece) / 48
        self.session.conversation.sound[where["item_id"]] = sent / 48
        return said, sent / 48

    async def end_of_message(self, item, where, said, pcm_ms):
        if self.text_only:
            await self.send("response.output_text.done", **where, text=said)
            part, content = {"type": "text", "text": said}, {"type": "output_text", "text": said}
        else:
            await self.send("response.output_audio.done", **where)
            await self.send("response.output_audio_transcript.done", **where, transcript=said)
            part, content = {"type": "audio", "transcript": said}, {"type": "output_audio", "transcript": said}
        await self.send("response.content_part.done", **where, part=part)
        item["content"] = [content]
        await self.end_of_item(item, where["output_index"])

    async def end_of_item(self, item, index):
        item["status"] = "incomplete" if self.stopping.is_set() or self.reply.incomplete else "completed"
        if not self.out_of_band:
            await self.session.send({"type": "conversation.item.done", "item": item,
                                     "previous_item_id": self.session.conversation.before(item["id"])})
        await self.send("response.output_item.done", output_index=index, item=item)

    # --- a function call

    async def call(self, name, arguments):
        index, item_id, call_id = len(self.output), shapes.new_id("item"), shapes.new_id("call")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        where = {"item_id": item_id, "output_index": index, "call_id": call_id}
        item = shapes.call_item(item_id, "in_progress", call_id, name, "")
        self.output.append(item)
        await self.send("response.output_item.added", output_index=index, item=dict(item))
        await self.joins(item)
        for at in range(0, len(text), 8):
            await self.send("response.function_call_arguments.delta", **where, delta=text[at : at + 8])
        await self.send("response.function_call_arguments.done", **where, name=name, arguments=text)
        item["arguments"] = text
        await self.end_of_item(item, index)

    # --- the end

    async def finish(self):
        status, details = "completed", None
        if self.reply.failed:
            status, details = "failed", {"type": "failed", "error": self.reply.failed}
        elif self.stopping.is_set():
            status, details = "cancelled", {"type": "cancelled", "reason": self.reason}
        elif self.reply.incomplete:
            status, details = "incomplete", {"type": "incomplete", "reason": self.reply.incomplete}
        done = self.shape(status, output=self.output, usage=self.reply.usage or self.usage())
        done["status_details"] = details
        self.session.ended(self)
        with self.answer.told(status):
            await self.session.send({"type": "response.done", "response": done})

    def usage(self):
        """One token for 100 ms of the user and for 50 ms of the assistant, and some for each word."""
        c = self.session.conversation
        spoken = 0 if self.text_only else int(self.answer.sent_ms / 50)
        return shapes.usage(120 + c.words_in() + self.session.connection.script.context_tokens,
                            int(c.user_ms / 100), self.words_out + 10, spoken)


def resampled(pcm, hz):
    """24 kHz to 8, 16 or 24 kHz; rough, and good enough for markers."""
    x = samples(pcm)
    if hz == 8000:
        return to_bytes([(a + b + c) // 3 for a, b, c in zip(x[0::3], x[1::3], x[2::3])])
    if hz == 16000:
        return to_bytes([v for a, b, c in zip(x[0::3], x[1::3], x[2::3]) for v in (a, (b + c) // 2)])
    return pcm

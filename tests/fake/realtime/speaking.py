"""speaking - what the sessions without responses of their own share: continuous sound in, replies out, barge-in."""

import asyncio

from . import shapes
from .turns import BadAudio, InputAudio


class Speaking:
    """Sound comes; where speech ends, a Turn is made and answered; where it begins, the answer stops. The protocols say
    how that is told: on_start, on_turn, on_words, on_sound, on_end."""

    detects = True

    def __init__(self, connection):
        self.connection = connection
        self.input = InputAudio(connection.endpoint.light)
        self.input.set_detection({"type": "server_vad", "silence_duration_ms": 500, "prefix_padding_ms": 300})
        self.unanswered = []
        self.answering = None  # the task that speaks
        self.stopped = asyncio.Event()

    @property
    def endpoint(self):
        return self.connection.endpoint

    @property
    def script(self):
        return self.connection.script

    async def hear(self, text):
        """base64 from the program. False: it was none."""
        try:
            what = self.input.append(text)
        except BadAudio as error:
            self.endpoint.violation(self.connection, f"audio that is none: {error}")
            return False
        for kind, ms in what:
            await (self.began(ms) if kind == "start" else self.ended())
        return True

    async def began(self, ms=None):
        self.input.started(self.input.ms if ms is None else ms)
        await self.stop()
        await self.on_start()

    async def ended(self):
        if self.input.item_id is None:
            return
        turn = self.endpoint.new_turn(self.input.take(self.connection.number, self.input.turn_begin))
        self.unanswered.append(turn)
        await self.on_turn(turn)
        await self.answer()

    async def stop(self):
        """Ends the answer that is being given; returns when it has ended."""
        if self.answering and not self.answering.done():
            self.stopped.set()
            await asyncio.wait([self.answering])

    async def answer(self):
        await self.stop()
        turns, self.unanswered = self.unanswered, []
        self.stopped.clear()
        self.answering = self.connection.spawn(self.speak(*self.endpoint.next_reply(turns, self.connection.number)))

    async def speak(self, reply, answer):
        if reply.silent:
            return
        try:
            await self.say(reply, answer)
        finally:
            answer.lost()

    async def say(self, reply, answer):
        loop = asyncio.get_running_loop()
        begin = loop.time() + reply.first_ms / 1000
        for due, piece, words in reply.parts(answer.number, mute=reply.text_only):
            if await self.until(begin + due):
                break
            for word in words:
                await self.on_words(word)
            if piece:
                await self.on_sound(piece)
                answer.sent_ms += len(piece) / 48
        if not self.stopped.is_set():
            for name, arguments in reply.calls:
                await self.on_call(shapes.new_id("call"), name, arguments)
        with answer.told("cancelled" if self.stopped.is_set() else "completed"):
            await self.on_end(answer, self.stopped.is_set(), bool(reply.calls))

    async def until(self, due):
        left = due - asyncio.get_running_loop().time()
        if left > 0 and not self.stopped.is_set():
            try:
                await asyncio.wait_for(self.stopped.wait(), left)
            except asyncio.TimeoutError:
                pass
        return self.stopped.is_set()

    async def finish(self):
        """Lets what is being said be said."""
        if self.answering and not self.answering.done():
            await asyncio.wait([self.answering])

    async def on_start(self):
        pass

    async def on_call(self, call_id, name, arguments):
        pass

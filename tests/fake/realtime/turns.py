"""turns - what the user said, as the endpoint got it."""

import base64
import binascii
import contextlib
import dataclasses
import functools
import time

from . import marker, shapes, vad


class BadAudio(ValueError):
    pass


@dataclasses.dataclass
class Turn:
    """pcm is what was committed: 16-bit mono at hz, with the silence around the speech."""

    number: int  # 1, 2 ... over all connections
    connection: int
    item_id: str
    begin_ms: int  # of all sound that came on this connection
    end_ms: int
    pcm: bytes
    hz: int
    t_ns: int  # when it was committed
    transcript: str = ""

    @functools.cached_property
    def markers(self):
        """The markers in it: marker.Found, each with its number and whether it is whole."""
        return marker.find(self.pcm, self.hz)

    @property
    def numbers(self):
        """Of the markers that are whole."""
        return [m.number for m in self.markers if m.whole]

    @property
    def broken(self):
        return [m for m in self.markers if not m.whole]


@dataclasses.dataclass
class Answer:
    """A response that was begun."""

    number: int  # 1, 2 ... over all connections
    connection: int
    id: str
    turns: list  # those that came since the last response of this connection; none: it was asked for without one
    status: str = "in_progress"  # then what its response.done says; "lost": the connection ended before that was sent
    sent_ms: float = 0.0  # of audio

    @contextlib.contextmanager
    def told(self, status):
        """While its end is sent: who gets it, finds it in here."""
        self.status = status
        try:
            yield
        except BaseException:
            self.status = "lost"
            raise

    def lost(self):
        if self.status == "in_progress":
            self.status = "lost"


class InputAudio:
    """The input audio buffer of a connection, with its turn detection. Times are ms of all sound that came."""

    def __init__(self, light=False):
        self.kind, self.hz, self.light = "audio/pcm", 24000, light
        self.heard = bytearray()  # everything, as PCM; when light, without what no turn can need any more
        self.dropped = 0  # bytes before it
        self.begin = 0  # byte at which the buffer begins; of all that came, as all places here
        self.vad, self.prefix_ms, self.item_id, self.turn_begin = None, 300, None, 0

    def set_format(self, wanted):
        self.kind = wanted.get("type", "audio/pcm")
        self.hz = wanted.get("rate", 24000) if self.kind == "audio/pcm" else 8000

    def set_detection(self, wanted):
        """wanted: the session's turn_detection; None switches it off."""
        if not wanted:
            self.vad = None
            return
        self.prefix_ms = wanted.get("prefix_padding_ms") or 0 if wanted.get("type") == "server_vad" else 300
        silence = wanted.get("silence_duration_ms", 500) if wanted.get("type") == "server_vad" else 500
        old, self.vad = self.vad, vad.Vad(self.hz, silence)
        self.vad.ms = self.ms
        if old:
            self.vad.loud_ms, self.vad.quiet_ms, self.vad.speaking = old.loud_ms, old.quiet_ms, old.speaking

    @property
    def end(self):
        return self.dropped + len(self.heard)

    @property
    def ms(self):
        return self.end * 1000 // (2 * self.hz)

    @property
    def buffered_ms(self):
        return (self.end - self.begin) * 1000 / (2 * self.hz)

    def at(self, ms):
        return max(self.begin, self.dropped, min(int(ms * self.hz / 1000) * 2, self.end))

    def append(self, text):
        """base64 as it came; returns [("start" | "stop", ms)]. BadAudio."""
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise BadAudio(str(error)) from error
        if self.kind == "audio/pcm" and len(data) % 2:
            raise BadAudio(f"{len(data)} bytes are no whole samples")
        pcm = vad.decode(data, self.kind)
        self.heard += pcm
        told = list(self.vad.feed(pcm)) if self.vad else []
        if self.light and not told and not self.item_id and len(self.heard) > 8 * self.hz:
            needless = len(self.heard) - 4 * self.hz if self.vad else max(0, self.begin - self.dropped)
            del self.heard[:needless]
            self.dropped += needless
        return told

    def started(self, ms):
        """Speech began; returns (item id, where the turn begins)."""
        self.item_id = shapes.new_id("item")
        self.turn_begin = max(int(ms - self.prefix_ms), self.begin * 1000 // (2 * self.hz))
        return self.item_id, self.turn_begin

    def take(self, connection, begin_ms=None):
        """The buffer, or its part from begin_ms on, as a Turn without a number; the buffer is empty then."""
        begin = max(self.begin, self.dropped) if begin_ms is None else self.at(begin_ms)
        turn = Turn(0, connection, self.item_id or shapes.new_id("item"), begin * 1000 // (2 * self.hz), self.ms,
                    bytes(self.heard[begin - self.dropped :]), self.hz, time.monotonic_ns())
        self.clear()
        return turn

    def clear(self):
        self.begin, self.item_id = self.end, None
        if self.vad:
            self.vad.forget()

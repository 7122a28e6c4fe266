"""script - what the endpoint answers, and when: replies, transcripts, pace."""

import dataclasses
import random

from . import marker as tones

HZ = 24000  # of all sound in here: 16-bit mono
VOICE_MS = 960


@dataclasses.dataclass
class Reply:
    """One answer of the model. Times in ms; audio is PCM at 24 kHz, or None: a marker (see `number`).

    pace: 0 sends all at once, 1 in real time, 4 four times faster. A chunk's time is counted from the first
    delta, so that jitter and stalls do not add up."""

    text: str = ""
    audio: bytes = None
    number: int = None  # which marker is spoken when there is no audio; None: the number of the reply
    frames: int = 3  # of that marker: 320 ms each
    pace: float = 0.0
    first_ms: float = 0.0  # from response.created to the first delta
    chunk_ms: float = 100.0
    jitter_ms: float = 0.0  # a chunk comes up to that much later
    late: int = 0  # so many chunks still come after the reply was stopped, as what was under way does
    stalls: tuple = ()  # of (ms of audio, ms): at that place nothing comes for so long
    seed: int = 1
    calls: tuple = ()  # of (name, arguments as JSON text): functions that are called instead of speaking
    preamble: "Reply" = None  # spoken first, as an item of its own (phase commentary)
    text_only: bool = False  # output_modalities ["text"]; a session or a response that asks for text gets it anyway
    failed: dict = None  # {"type", "code", "message"}: response.done with status failed
    incomplete: str = None  # "max_output_tokens" or "content_filter": status incomplete
    usage: dict = None  # in place of what is counted
    silent: bool = False  # nothing after response.created, for ever

    def pcm(self, count):
        if self.audio is not None:
            return self.audio
        if self.calls or self.silent:
            return b""
        return tones.marker(count if self.number is None else self.number, HZ, self.frames)

    def words(self, count):
        text = self.text or (f"This is reply {count}." if not (self.calls or self.silent) else "")
        parts = text.split(" ")
        return [w + (" " if k + 1 < len(parts) else "") for k, w in enumerate(parts)] if text else []

    def parts(self, count, mute=False):
        """The reply in pieces: [(seconds after the first, PCM, [words])]. mute: without its sound."""
        pcm, words = b"" if mute else self.pcm(count), self.words(count)
        step = int(self.chunk_ms * HZ / 1000) * 2
        chunks = [pcm[at : at + step] for at in range(0, len(pcm), step)] or [b""]
        share = [words[len(words) * k // len(chunks) : len(words) * (k + 1) // len(chunks)] for k in range(len(chunks))]
        return list(zip(self.schedule(len(chunks)), chunks, share))

    def schedule(self, chunks):
        """When each chunk is due, in seconds after the first."""
        rng = random.Random(self.seed)
        pause, left, out = 0.0, sorted(self.stalls), []
        for k in range(chunks):
            while left and left[0][0] <= k * self.chunk_ms:
                pause += left.pop(0)[1]
            due = (k * self.chunk_ms / self.pace if self.pace else 0.0) + pause
            out.append((due + (rng.random() * self.jitter_ms if k else 0.0)) / 1000)
        return out


def by_marker(**fields):
    """For Script.replies: the reply speaks the number that the turn did, so that a listener knows what is answered.
    Takes 15 ms for each second of the turn."""
    def reply(turn):
        number = turn.numbers[-1] if turn and turn.numbers else tones.HIGHEST
        return Reply(text=f"This answers {number}.", number=number, **fields)
    return reply


@dataclasses.dataclass
class Script:
    """replies and transcripts: lists, of which the last serves for all that follow, or functions of the Turn (None for
    a response without one). A reply may be a text alone."""

    replies: object = ()
    transcripts: object = ()
    faults: list = dataclasses.field(default_factory=list)
    dialect: str = "openai"
    key: str = "sk-test"  # which the program must show; None: any
    models: tuple = ()  # which may be asked for; none: any
    pace: float = 0.0  # of the replies that are texts or made up here, as in Reply
    first_ms: float = 0.0
    transcript_ms: float = 20.0  # from the end of a turn to its transcript
    rate_limits: list = None  # of rate_limits.updated; None: plenty
    session_seconds: float = 3600.0  # then session_expired, close 1001
    context_tokens: int = 0  # input tokens that the session begins with, for tests of cost

    def reply(self, turn, count):
        made = self.pick(self.replies, turn, count)
        if made is None or isinstance(made, str):
            return Reply(text=made or "", pace=self.pace, first_ms=self.first_ms)
        return made

    def transcript(self, turn, count):
        return self.pick(self.transcripts, turn, count) or f"this is turn {count}"

    @staticmethod
    def pick(of, turn, count):
        if callable(of):
            return of(turn)
        return of[min(count - 1, len(of) - 1)] if of else None

"""journal - everything that went over the wire, both ways, with the time; safe to read from any thread."""

import dataclasses
import json
import threading
import time

LONG = 600  # characters, from which on a text is taken for sound


@dataclasses.dataclass
class Entry:
    """t_ns is CLOCK_MONOTONIC: of what came, when its last byte was read; of what was sent, right before it was."""

    t_ns: int
    connection: int  # 1, 2 ... in the order in which they were accepted
    way: str  # "in": from the program; "out": to it; "note": what happened to the connection
    type: str  # of the event, or "accept", "request", "open", "ping", "pong", "close", "binary", "text", "end"
    event: dict  # the event as it was on the wire; of a note, what there is to say
    size: int = 0  # bytes on the wire, frame headers left out

    def line(self):
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))


def thin(value):
    """An event without its sound: long texts become their lengths."""
    if isinstance(value, str):
        return value if len(value) < LONG else f"({len(value)} characters)"
    if isinstance(value, dict):
        return {k: thin(v) for k, v in value.items()}
    return [thin(v) for v in value] if isinstance(value, list) else value


class Journal:
    def __init__(self, file=None, light=False):
        """file: gets each entry as a line of JSON. light: entries are kept without sound."""
        self.file, self.light, self.entries, self.changed = file, light, [], threading.Condition()

    def add(self, t_ns, connection, way, kind, event=None, size=0):
        event = thin(event) if self.light else event
        entry = Entry(t_ns, connection, way, kind, event if event is not None else {}, size)
        with self.changed:
            self.entries.append(entry)
            if self.file:
                self.file.write(entry.line() + "\n")
                self.file.flush()
            self.changed.notify_all()
        return entry

    def note(self, connection, kind, **what):
        return self.add(time.monotonic_ns(), connection, "note", kind, what)

    def select(self, kind=None, way=None, connection=None, where=None):
        with self.changed:
            entries = list(self.entries)
        return [e for e in entries if matches(e, kind, way, connection, where)]

    def wait_for(self, kind=None, n=1, way=None, connection=None, where=None, timeout=20, after=None):
        """The n-th entry like that, which may be there already; of those after the entry `after`, when given.
        AssertionError with the last entries when it does not come."""
        end = time.monotonic() + timeout
        at, seen, found_after = 0, 0, after is None
        with self.changed:
            while True:
                while at < len(self.entries):
                    entry = self.entries[at]
                    at += 1
                    if found_after and matches(entry, kind, way, connection, where):
                        seen += 1
                        if seen == n:
                            return entry
                    found_after = found_after or entry is after
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(self.story(f"no '{kind}' ({n}) within {timeout} s, {seen} came"))
                self.changed.wait(left)

    def story(self, head, last=25):
        first = self.entries[0].t_ns if self.entries else 0
        lines = [f"{(e.t_ns - first) / 1e6:9.1f} ms  {e.connection} {e.way:4} {e.type}" for e in self.entries[-last:]]
        return "\n".join([head, *lines])


def matches(entry, kind, way, connection, where):
    return ((kind is None or entry.type == kind) and (way is None or entry.way == way)
            and (connection is None or entry.connection == connection) and (where is None or where(entry.event)))

"""faults - what goes wrong, and at which point of which connection.

Points of a connection, in order:

    accept          the TCP connection is there, nothing was read (before TLS)
    request         the HTTP request was read
    open            the 101 was sent
    received:TYPE   an event came from the program ("received": any), before it is acted upon
    before:TYPE     an event is about to be sent ("before": any)
    sent:TYPE       it was sent ("sent": any)

What may happen there (`what`; `value` is what the description names):

    rst, fin        the TCP connection is reset (what the program has not read yet is lost), or closed without a close frame
    close           a close frame: value is the code, or (code, reason)
    hang            half-open: everything is swallowed, also pings, nothing is sent any more
    deaf            nothing is read any more (the program's sends back up), sending goes on
    mute            nothing is sent any more, pings are not answered, reading goes on
    wait            value seconds pass before it goes on
    status          at request: an answer that is no upgrade; value is the status, or (status, {header: value}, body)
    half            at request: only the first value bytes (20) of the 101, then nothing
    wrong-accept    at request: a 101 whose Sec-WebSocket-Accept is wrong
    subprotocol     at request: a 101 with a subprotocol that nobody asked for
    bytes           these bytes on the stream, as they are
    text, binary    a message with this content: str, bytes, or a name out of bad.EVENTS
    event           this event (a dict, or a list of them), sent as the endpoint's own
    flood           (event, how often): as fast as they are taken
    ping            a ping with value (bytes) in it
    fragments       at before: the event comes in value frames, with a ping between them
    drop            at before: the event is left out
    twice           at before: it is sent two times
    swap            at before: it is sent after the next one
    edit            at before: value(event) is sent in place of it: a dict, a text, bytes, a list of these, or None
    silence         no event is sent any more (pings are answered)
"""

import dataclasses
import threading


@dataclasses.dataclass
class Fault:
    what: str
    at: str = "open"
    value: object = None
    nth: int = 1  # the n-th time that a connection comes to that point; 0: every time
    connection: int = 0  # only on the n-th connection; 0: on any
    times: int = 1  # on how many occasions in all; 0: without end
    seconds: float = 0.0  # this long after the point is reached, while everything else goes on
    happened: int = 0  # how often it did


class Plan:
    """The faults of a script, and how often each connection came to each point. Any thread."""

    def __init__(self, faults=()):
        self.faults, self.lock = list(faults), threading.Lock()

    def add(self, fault):
        with self.lock:
            self.faults.append(fault)
        return fault

    def due(self, connection, counts, *points):
        """The faults for a connection that has come to these points (names for the same moment)."""
        out = []
        with self.lock:
            for point in points:
                counts[point] = counts.get(point, 0) + 1
            for f in self.faults:
                if f.at in points and f.connection in (0, connection) and f.nth in (0, counts[f.at]):
                    if not f.times or f.happened < f.times:
                        f.happened += 1
                        out.append(f)
        return out

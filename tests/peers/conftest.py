"""What the tests of the scripted endpoint share: each of its own events is held against the official types too."""

import contextlib

import pytest
from fake.realtime import Endpoint, official

SPOILT = ("text", "binary")


def own_events(ep):
    """What the endpoint itself sent, with the protocol of the connection."""
    for entry in ep.journal.select(way="out"):
        connection = ep.connections[entry.connection - 1]
        renamed = entry.type in connection.dialect.names.values()
        if entry.type not in SPOILT and connection.dialect.official and not renamed:
            yield connection.dialect.protocol(connection.path, connection.query), entry.event


def as_typed(event):
    """Without what the service sends by its documentation and the types lack: the phase of items, and what a session
    of OpenAI's has beyond its settings."""
    if isinstance(event, list):
        return [as_typed(v) for v in event]
    if not isinstance(event, dict):
        return event
    out = {k: as_typed(v) for k, v in event.items() if k != "phase"}
    if isinstance(out.get("session"), dict) and "object" in out["session"]:
        out["session"] = {k: v for k, v in out["session"].items() if k not in ("object", "id", "expires_at")}
    return out


@pytest.fixture
def endpoint():
    started = []
    with contextlib.ExitStack() as running:
        def start(*script, honest=True, **how):
            ep = running.enter_context(Endpoint(*script, **how))
            started.append((ep, honest))
            return ep
        yield start
    for ep, honest in started:
        for kind, event in own_events(ep) if honest else ():
            assert official.check(kind, as_typed(event), server=True) == []

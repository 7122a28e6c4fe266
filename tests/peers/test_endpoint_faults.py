"""The faults of the scripted endpoint: each happens, at its point, as often as it should and no more."""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import time

import pytest
from client import Client, Socket
from fake.realtime import ERRORS, Fault, bad, marker
from websockets.exceptions import ConnectionClosed, InvalidHandshake

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "fake" / "realtime"


def create(client):
    client.send("response.create")


def ends(client):
    """Receives to the end; the exception that ended it."""
    with pytest.raises(ConnectionClosed) as info:
        while True:
            client.receive(3)
    return info.value


def upgrade(ep, seconds=1):
    """What the endpoint says to an upgrade, read until it ends the connection or says nothing more."""
    with socket.create_connection((ep.host, ep.port)) as s:
        s.settimeout(seconds)
        s.sendall(b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                  b"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer sk-test\r\n\r\n")
        got = b""
        try:
            while data := s.recv(1000):
                got += data
        except TimeoutError:
            pass
        return got


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
def test_an_upgrade_can_be_refused_once(endpoint, status):
    ep = endpoint(faults=[Fault("status", "request", (status, {"Retry-After": "2", "Location": "http://x/"}, b"no"))])
    head, _, body = upgrade(ep).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and body == b"no"
    assert b"Retry-After: 2" in head and b"Location: http://x/" in head
    Client(ep).__exit__()


@pytest.mark.parametrize("at", ["accept", "request"])
@pytest.mark.parametrize("what", ["rst", "fin"])
@pytest.mark.parametrize("tls", [False, True])
def test_the_handshake_can_end_at_every_step(endpoint, at, what, tls):
    ep = endpoint(faults=[Fault(what, at)], tls=tls)
    with pytest.raises((OSError, EOFError, InvalidHandshake, ConnectionClosed)):
        Client(ep)
    Client(ep).__exit__()


@pytest.mark.parametrize("fault", [Fault("hang", "accept"), Fault("hang", "request"), Fault("half", "request", 60)])
def test_the_handshake_can_hang(endpoint, fault):
    ep = endpoint(faults=[fault])
    assert len(upgrade(ep, 0.2)) == (60 if fault.what == "half" else 0)


@pytest.mark.parametrize("what", ["wrong-accept", "subprotocol"])
def test_the_upgrade_can_be_wrong(endpoint, what):
    ep = endpoint(faults=[Fault(what, "request")])
    with pytest.raises(InvalidHandshake):
        Client(ep)


@pytest.mark.parametrize(("what", "value", "code"), [
    ("rst", None, None), ("fin", None, None), ("close", 1001, 1001), ("close", (4000, "beta"), 4000), ("close", 1005, None)])
def test_a_connection_can_end_after_the_nth_event(endpoint, what, value, code):
    ep = endpoint(faults=[Fault(what, "sent:response.output_audio.delta", value, nth=3)])
    with Client(ep) as client:
        create(client)
        end = ends(client)
        came = client.types().count("response.output_audio.delta")
        assert len(ep.sent("response.output_audio.delta")) == 3
        assert came == 3 or what == "rst" and came <= 3  # a reset discards what was not read yet
        assert (end.rcvd.code if end.rcvd else None) in (code, 1005 if value == 1005 else code)
    with Client(ep) as client:
        create(client)
        client.until("response.done")


def test_a_fault_can_wait_and_be_for_one_connection_only(endpoint):
    ep = endpoint(faults=[Fault("close", "open", 1001, connection=2, seconds=0.15)])
    with Client(ep) as first, Client(ep) as second:
        begin = time.monotonic()
        assert ends(second).rcvd.code == 1001
        assert time.monotonic() - begin > 0.1
        create(first)
        first.until("response.done")


def test_half_open_swallows_everything_and_answers_no_ping(endpoint):
    ep = endpoint(faults=[Fault("hang", "received:input_audio_buffer.append", nth=2)])
    with Client(ep) as client:
        client.receive()
        assert client.ws.pings(1)
        client.say(marker(1))
        ep.wait_for("fault")
        assert not client.ws.pings(0.2) and not client.ws.messages
    assert len(ep.received("input_audio_buffer.append")) == 2


def test_silence_answers_pings_and_nothing_else(endpoint):
    ep = endpoint(faults=[Fault("silence", "sent:session.created")])
    with Client(ep) as client:
        client.receive()
        create(client)
        with pytest.raises(TimeoutError):
            client.receive(0.2)
        assert client.ws.pings(1)


def test_who_is_not_read_backs_up(endpoint):
    ep = endpoint(faults=[Fault("deaf", "open")])
    with Client(ep) as client:
        client.ws.socket.settimeout(0.3)
        with pytest.raises((TimeoutError, ConnectionClosed)):
            for _ in range(2000):
                client.say(bytes(48000), piece=48000)


def deltas(client):
    """Numbers of the audio deltas in the order in which they came, by the sound of the first run."""
    create(client)
    client.until("response.done")
    return [e["delta"] for e in client.events if e["type"] == "response.output_audio.delta"]


@pytest.mark.parametrize(("fault", "order"), [
    (Fault("drop", "before:response.output_audio.delta", nth=2), [0, 2, 3]),
    (Fault("twice", "before:response.output_audio.delta", nth=2), [0, 1, 1, 2])])
def test_events_can_be_left_out_and_doubled(endpoint, fault, order):
    ep, honest = endpoint(faults=[fault], honest=False), endpoint()
    with Client(ep) as client, Client(honest) as other:
        right = deltas(other)
        got = deltas(client)
    assert [right.index(d) for d in got][: len(order)] == order


def test_an_event_can_come_after_the_next_one(endpoint):
    ep = endpoint(faults=[Fault("swap", "before:response.output_audio.done")])
    with Client(ep) as client:
        create(client)
        client.until("response.done")
    types = client.types()
    assert types.index("response.output_audio_transcript.done") + 1 == types.index("response.output_audio.done")


def test_an_event_can_be_another_one(endpoint):
    def odd(event):
        return [{**event, "item_id": "item_other"}, "{broken"]
    fault = Fault("edit", "before:response.output_audio.delta", odd)
    ep = endpoint(faults=[fault], honest=False)
    with Client(ep) as client:
        create(client)
        assert client.until("response.output_audio.delta")["item_id"] == "item_other"
        with pytest.raises(json.JSONDecodeError):
            client.receive()


def test_an_event_can_come_in_pieces_with_pings_between(endpoint):
    ep = endpoint(faults=[Fault("fragments", "before:response.created", 7), Fault("ping", "sent:response.created", b"me")])
    with Client(ep) as client:
        create(client)
        assert client.until("response.created")["response"]["status"] == "in_progress"
        client.until("response.done")
        ep.wait_for("pong", where=lambda e: e["data"] == "me")
    assert len(ep.journal.select("pong")) == 7


def test_every_bad_message_goes_out(endpoint):
    ep = endpoint(faults=[Fault("text", "sent:session.created", name) for name in bad.EVENTS], honest=False)
    with Client(ep) as client:
        client.receive()
        for _, text in bad.EVENTS.items():
            assert client.ws.recv(5) == text
    assert bad.EVENTS["lone-surrogate"].isascii()


def test_a_message_can_be_far_too_long_and_a_flood_is_bounded_by_the_reader(endpoint):
    ep = endpoint(faults=[Fault("text", "sent:session.created", bad.huge(30_000_000)),
                          Fault("flood", "received:response.cancel", ({"type": "x", "y": "z" * 1000}, 5000))], honest=False)
    with Client(ep) as client:
        client.receive()
        assert len(client.ws.recv(10)) == 30_000_000
        client.send("response.cancel")
        for _ in range(5000):
            client.receive()
        assert client.until("error")


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_errors_of_the_service_can_come_at_any_time(endpoint, code):
    with Client(endpoint(faults=[Fault("event", "sent:response.created", ERRORS[code])])) as client:
        create(client)
        assert client.until("error")["error"]["code"] == code
        client.until("response.done")


def test_faults_at_once(endpoint):
    ep = endpoint()
    with Client(ep) as client:
        client.receive()
        ep.say({"type": "error", "event_id": "e", "error": {"type": "server_error", "message": "it broke"}})
        assert client.until("error")["error"]["message"] == "it broke"
        ep.cut()
        ends(client)


def ask(program, line):
    program.stdin.write(line + "\n")
    program.stdin.flush()
    return program.stdout.readline().strip()


def test_it_is_a_program_too(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, PROGRAM, "--log", log, "--reply", "Paris.", "--key", ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        with contextlib.closing(Socket(p.stdout.readline().strip())) as ws:
            ws.send('{"type": "response.create"}')
            while json.loads(ws.recv(5))["type"] != "response.done":
                pass
            assert json.loads(ask(p, "report"))["answers"][0]["status"] == "completed"
            assert ask(p, 'fault {"what": "ping", "at": "received"}') == "done"
            assert ask(p, 'say {"type": "hello"}') == "done"
            assert json.loads(ws.recv(5)) == {"type": "hello"}
            assert [ask(p, "what"), ask(p, "say {")[:6], ask(p, "cut")] == ["unknown: what", "wrong:", "done"]
            with pytest.raises(ConnectionClosed):
                ws.recv(5)
        p.communicate(timeout=20)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert p.returncode == 0
    assert "response.output_audio_transcript.delta" in [e["type"] for e in entries]


def test_the_log_has_a_line_for_each_entry(endpoint, tmp_path):
    with open(tmp_path / "log", "w") as log:
        ep = endpoint(log=log)
        with Client(ep) as client:
            create(client)
            client.until("response.done")
        ep.wait_for("end")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [e["type"] for e in lines] == [e.type for e in ep.events]
    assert {"accept", "request", "open", "session.created", "response.create", "end"} <= {e["type"] for e in lines}


def test_an_answer_that_was_cut_is_no_answer(endpoint):
    ep = endpoint(faults=[Fault("fin", "before:response.done", times=2)])
    for _ in range(3):
        with Client(ep) as client:
            client.turn(marker(5))
            with contextlib.suppress(ConnectionClosed):
                client.until("response.done")
    ep.wait_for("end", 3)
    assert [a.status for a in ep.answers] == ["lost", "lost", "completed"] and ep.answered == [5]

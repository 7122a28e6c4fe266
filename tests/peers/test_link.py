"""The link over real connections: servers that refuse, lines that are cut or dead, and when it comes back."""

import contextlib
import json
import os
import pathlib
import queue
import socket
import subprocess
import threading
import time

import pytest
from fake.realtime import Fault
from fake.wire_cutter import WireCutter

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = pathlib.Path(os.environ.get("HULLO_BUILD", ROOT / "build")) / "peers" / "link_probe"
HELLO = json.dumps({"type": "input_audio_buffer.clear"})


class Link:
    """The program under test, and what it told."""

    def __init__(self, *urls):
        self.p = subprocess.Popen([str(PROBE), *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  env=os.environ | {"HULLO_LINK_HEADER": "Authorization: Bearer sk-test"})
        self.told, self.new = [], queue.Queue()
        self.threads = [threading.Thread(target=self.read, daemon=True),
                        threading.Thread(target=self.drain, daemon=True)]
        self.log = []
        for t in self.threads:
            t.start()

    def read(self):
        for line in self.p.stdout:
            self.new.put(json.loads(line))

    def drain(self):
        for line in self.p.stderr:
            self.log.append(line)

    def do(self, *commands):
        self.p.stdin.write("".join(c + "\n" for c in commands))
        self.p.stdin.flush()

    def until(self, event, timeout=10.0, **having):
        """The next event of that name; what comes before it is kept in `told`."""
        end = time.monotonic() + timeout
        while True:
            try:
                got = self.new.get(timeout=max(0.001, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no '{event}' in {timeout} s; told {self.told[-5:]}, {self.log[-9:]}") from None
            self.told.append(got)
            if got["event"] == event and all(got[k] == v for k, v in having.items()):
                return got

    def none(self, event, seconds):
        with contextlib.suppress(AssertionError):
            got = self.until(event, seconds)
            pytest.fail(f"an event that should not be: {got}")

    def close(self):
        self.p.stdin.close()
        status = self.p.wait(5)
        for t in self.threads:
            t.join(5)
        assert status == 0, "".join(self.log)


@pytest.fixture
def link():
    running = []

    def start(*urls):
        running.append(Link(*urls))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def cutter():
    with contextlib.ExitStack() as stack:
        yield lambda *how: stack.enter_context(WireCutter(*how))


def url_of(ep, port=None):
    return ep.url.replace(f":{ep.port}/", f":{port or ep.port}/")


def times(ep, what):
    """When connections came to that point, in ms."""
    return [e.t_ns / 1e6 for e in ep.journal.select(what, "note")]


def gaps(at):
    return [b - a for a, b in zip(at, at[1:])]


def test_what_is_said_arrives_and_is_answered(endpoint, link):
    ep = endpoint()
    one = link(ep.url)
    one.until("open")
    one.until("message")
    one.do("say " + HELLO)
    assert json.loads(one.until("message")["text"])["type"] == "input_audio_buffer.cleared"
    ep.wait_for("input_audio_buffer.clear", way="in")


def test_an_endpoint_that_refuses_for_two_seconds_is_back_within_a_quarter_of_one(endpoint, link):
    ep = endpoint(faults=[Fault("status", at="request", value=(503, {}, b"busy"), times=0)])
    one = link(ep.url)
    one.until("lost")
    time.sleep(2)
    ep.plan.faults.clear()
    cleared = time.monotonic()
    opened = one.until("open")
    at = times(ep, "request")
    assert len(at) >= 8
    assert max(gaps(at)) <= 300  # 250, and what a busy machine adds
    assert sorted(gaps(at))[len(at) // 2] <= 250
    assert opened["t_ns"] / 1e9 - cleared < 1
    one.none("lost", 0.3)  # the same reason is told once


def test_an_endpoint_that_is_not_there_for_two_seconds_is_found(endpoint, link):
    ep = endpoint()
    ep.down()
    one = link(ep.url)
    assert "refused" in one.until("lost")["text"]
    time.sleep(2)
    ep.up()
    back = time.monotonic_ns()
    assert (one.until("open")["t_ns"] - back) / 1e6 < 500
    one.do("say " + HELLO)
    ep.wait_for("input_audio_buffer.clear", way="in")


def test_a_cut_line_is_made_again_at_once(endpoint, cutter, link):
    ep = endpoint()
    wire = cutter(ep.port)
    one = link(url_of(ep, wire.port))
    one.until("open")
    took = []
    for _ in range(10):
        one.do("good", "say " + HELLO)
        one.until("message")
        before = time.monotonic_ns()
        wire.cut()
        one.until("lost")
        took.append((one.until("open")["t_ns"] - before) / 1e6)
    assert sorted(took)[5] < 100


@pytest.mark.parametrize("talking", [True, False])
def test_a_dead_line_is_noticed_within_three_seconds_while_somebody_talks(endpoint, cutter, link, talking):
    ep = endpoint()
    wire = cutter(ep.port)
    one = link(url_of(ep, wire.port))
    one.until("open")
    if talking:
        one.do("attend")
    time.sleep(1.3)  # a ping was answered
    one.do("rtt")
    assert (float(one.until("rtt")["text"]) > 0) == talking
    wire.blackhole()
    before = time.monotonic_ns()
    if not talking:
        one.none("lost", 3.5)
        return
    assert (one.until("lost", 4)["t_ns"] - before) / 1e6 < 3000
    wire.blackhole(False)
    back = time.monotonic_ns()
    assert (one.until("open")["t_ns"] - back) / 1e6 < 500


def test_somebody_who_begins_to_talk_into_a_dead_line_is_heard(endpoint, cutter, link):
    ep = endpoint()
    wire = cutter(ep.port)
    one = link(url_of(ep, wire.port))
    one.until("open")
    wire.blackhole()
    time.sleep(0.5)
    wire.blackhole(False)  # the old connection stays dead
    before = time.monotonic_ns()
    one.do("attend")
    one.until("lost", 4)
    assert (one.until("open")["t_ns"] - before) / 1e6 < 3000


def test_a_server_that_answers_no_ping_but_talks_is_alive(endpoint, link):
    ep = endpoint()
    one = link(ep.url)
    one.until("open")
    one.do("attend")
    for _ in range(14):
        one.do("say " + HELLO)
        time.sleep(0.25)
    assert not [e for e in one.told if e["event"] == "lost"]


@pytest.fixture
def swallow():
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_place_that_hangs_does_not_hold_up_the_next(endpoint, link, swallow):
    ep = endpoint()
    begun = time.monotonic_ns()
    one = link(f"ws://127.0.0.1:{swallow}/", ep.url)
    opened = one.until("open")
    assert opened["place"] == 1
    assert 900 < (opened["t_ns"] - begun) / 1e6 < 2500


def test_endpoints_follow_each_other_and_the_order_is_kept(endpoint, link):
    one_ep, two_ep = endpoint(), endpoint()
    one_ep.down()
    one = link(one_ep.url, two_ep.url)
    assert one.until("open")["place"] == 1
    one_ep.up()
    one.do("good")
    two_ep.down()
    two_ep.cut()
    one.until("lost")
    assert one.until("open", 2)["place"] == 0


@pytest.mark.parametrize("status", [401, 403, 404, 400, 301])
def test_a_final_refusal_ends_it_with_a_word(endpoint, link, status):
    ep = endpoint(faults=[Fault("status", at="request", value=(status, {}, b"no"), times=0)])
    one = link(ep.url)
    dead = one.until("dead")
    assert str(status) in dead["text"] or "key" in dead["text"], dead
    time.sleep(0.6)
    assert len(times(ep, "request")) == 1


def test_a_limit_is_waited_out(endpoint, link):
    ep = endpoint(faults=[Fault("status", at="request", value=(429, {"Retry-After": "2"}, b"slow"), times=1)])
    one = link(ep.url)
    assert 1500 < one.until("lost")["wait_ms"] <= 2000
    one.until("open")
    assert gaps(times(ep, "request"))[0] >= 1990


def test_a_session_is_renewed_before_the_old_one_goes(endpoint, link):
    ep = endpoint()
    one = link(ep.url)
    one.until("open")
    one.do("renew")
    one.until("next")
    one.do("say " + HELLO)
    one.until("message", next=False)
    one.do("switch", "say " + HELLO)
    ep.wait_for("input_audio_buffer.clear", way="in", connection=2)
    closed = ep.wait_for("close", connection=1, way="in")
    assert closed
    one.none("lost", 0.5)


def test_closing_into_a_dead_line_takes_half_a_second_at_most(endpoint, cutter, link):
    ep = endpoint()
    wire = cutter(ep.port)
    one = link(url_of(ep, wire.port))
    one.until("open")
    wire.blackhole()
    before = time.monotonic()
    one.p.stdin.close()
    one.p.wait(5)
    assert 0.3 < time.monotonic() - before < 1.5


def test_a_server_that_ends_each_session_at_once_is_not_hammered(endpoint, link):
    ep = endpoint(faults=[Fault("close", at="open", value=1011, times=0)])
    link(ep.url)
    time.sleep(3)
    at = times(ep, "request")
    assert 8 <= len(at) <= 32
    assert min(gaps(at)) > 50

"""The wire cutter: it cuts, refuses, swallows, delays and counts when it is told to."""

import socket
import time

import pytest
from client import Client
from fake.wire_cutter import WireCutter


@pytest.fixture
def wire(endpoint):
    ep = endpoint()
    with WireCutter(ep.port) as cutter:
        cutter.ep = ep
        yield cutter


def through(wire):
    client = Client(wire.ep, f"ws://127.0.0.1:{wire.port}/v1/realtime")
    client.receive()
    return client


def test_it_passes_on_and_counts(wire):
    with through(wire) as client:
        client.send("response.create")
        client.until("response.done")
    assert wire.bytes_in > 40000 and wire.bytes_out > 100 and wire.connections == 1


def test_a_cut_ends_what_is_there_and_the_next_one_lives(wire):
    with through(wire) as client:
        wire.cut()
        with pytest.raises(Exception, match="close"):
            client.receive()
    wire.ep.wait_for("end")
    through(wire).__exit__()


def test_down_refuses_and_up_takes_again(wire):
    wire.down()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", wire.port), 1)
    wire.up()
    through(wire).__exit__()


def test_a_blackhole_swallows_without_a_word(wire):
    with through(wire) as client:
        wire.blackhole()
        client.send("response.create")
        with pytest.raises(TimeoutError):
            client.receive(0.2)
        assert not wire.ep.received("response.create")
        wire.blackhole(False)
        with through(wire) as other:
            other.send("response.create")
            other.until("response.done")


def test_bytes_to_the_server_can_be_counted_out(wire):
    with through(wire) as client:
        before = wire.bytes_out
        wire.cut_after(out=3000)
        with pytest.raises(Exception, match="close"):
            client.say(bytes(9600))
            client.receive()
    assert wire.bytes_out == before + 3000


def test_delay_is_for_each_way(wire):
    with through(wire) as client:
        wire.delay_ms = 50
        before = time.monotonic()
        client.send("input_audio_buffer.clear")
        client.until("input_audio_buffer.cleared")
        assert time.monotonic() - before >= 0.1

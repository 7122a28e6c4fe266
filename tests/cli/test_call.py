"""What a conversation with an endpoint costs, when it ends by itself, and what can be changed in the middle of it."""

import contextlib
import json
import subprocess

import pytest

from fake.realtime import Reply

DEAR = {"total_tokens": 500, "input_tokens": 0, "output_tokens": 500,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": 0, "audio_tokens": 500}}  # $0.032 at $64 a million


@pytest.fixture
def call(world):
    """A conversation in writing, whose user types through a pipe."""
    world.env["HULLO_API_KEY"] = "sk-test"
    with contextlib.ExitStack() as stack:
        def start(ep, *options):
            p = world.start("chat", "--audio", "null", "--url", ep.url, "--dialect", "openai", "-m", "gpt-realtime-2",
                            *options, stdin=subprocess.PIPE)
            stack.enter_context(p)
            stack.callback(p.kill)
            return p

        yield start


def say(p, *lines):
    p.stdin.write("".join(line + "\n" for line in lines).encode())
    p.stdin.flush()


def ended(p):
    out, err = p.communicate(timeout=60)
    return p.returncode, out.decode(), err.decode()


def test_a_setting_changes_in_the_middle_of_a_conversation(call, endpoint):
    ep = endpoint(replies=["One.", "Two."])
    p = call(ep)
    say(p, "hello")
    ep.wait_for("response.done", way="out")
    say(p, "/effort high", "and now?")
    ep.wait_for("response.done", n=2, way="out")
    status, out, err = ended(p)
    assert status == 0 and "from here on: effort high" in err
    efforts = [u["session"].get("reasoning", {}).get("effort") for u in ep.received("session.update")]
    assert efforts[0] is None and efforts[-1] == "high"
    assert "/effort" not in out and "Two." in out


def test_a_setting_that_will_not_do_is_refused_and_nothing_is_sent(call, endpoint):
    ep = endpoint(replies=["One."])
    p = call(ep)
    say(p, "hello", "/effort loud")
    status, _, err = ended(p)
    assert status == 0 and "low, medium" in err
    assert len(ep.received("session.update")) == 1


def test_a_call_that_costs_too_much_ends_behind_the_answer_that_did(call, endpoint):
    ep = endpoint(replies=[Reply(text="That was dear.", usage=DEAR)])
    p = call(ep, "--max-cost", "0.03")
    say(p, "hello")
    p.wait(30)
    status, out, err = ended(p)
    assert status == 6
    assert "That was dear." in out
    assert "--max-cost" in err and "$0.03" in err


def test_a_call_within_its_limit_goes_on_and_tells_what_it_cost(call, endpoint):
    ep = endpoint(replies=[Reply(text="Dear.", usage=DEAR), Reply(text="Dear again.", usage=DEAR)])
    p = call(ep, "--max-cost", "10", "--json")
    say(p, "hello", "again")
    status, out, err = ended(p)
    costs = [json.loads(line)["cost_usd"] for line in out.splitlines()]
    assert status == 0
    assert costs == [pytest.approx(0.032), pytest.approx(0.064)]
    assert "this call cost $0.064" in err


def test_a_limit_that_cannot_be_kept_is_refused_before_anything_is_sent(world, endpoint):
    ep = endpoint()
    r = world.run("chat", "--audio", "null", "--url", ep.url, "--dialect", "openai", "-m", "nobody-knows",
                  "--max-cost", "1")
    assert r.status == 2 and "nobody-knows" in r.err
    assert ep.received() == []


def test_a_call_in_which_nobody_speaks_is_hung_up(call, endpoint):
    ep = endpoint(replies=["One."])
    p = call(ep, "--idle-minutes", "0.02")
    say(p, "hello")
    p.wait(30)
    status, out, err = ended(p)
    assert status == 0
    assert "One." in out and "hung up" in err

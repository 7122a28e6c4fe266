"""The program and the scripted endpoint as Gemini Live: what is said over more than one connection."""

import json
import os
import subprocess

import pytest
from fake.realtime import Fault

pytestmark = pytest.mark.models  # a conversation wants to know whether somebody speaks


@pytest.fixture
def chat(hullo, tmp_path):
    """Starts a conversation in writing."""
    running = []

    def start(ep):
        env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "GEMINI_API_KEY": "sk-test"}
        running.append(subprocess.Popen(
            [hullo, "chat", "--audio", "null", "--json", "-s", "Be brief.", "--dialect", "gemini", "--url", ep.url],
            env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return running[-1]
    yield start
    for run in running:
        run.kill()
        run.communicate()


def ask(run, words):
    """Writes a line; returns the turn that answers it."""
    run.stdin.write(words + "\n")
    run.stdin.flush()
    turn = json.loads(run.stdout.readline())
    assert turn["heard"] == words
    return turn["text"]


def setups(ep):
    return [e["setup"] for e in ep.received("setup")]


def second_setup(ep):
    return ep.wait_for("setup", 2).event["setup"]


def last_handle(ep):
    return [e["sessionResumptionUpdate"]["newHandle"] for e in ep.sent("sessionResumptionUpdate")][-1]


def test_a_connection_that_has_to_go_is_renewed_between_two_turns(endpoint, chat):
    ep = endpoint(dialect="gemini", replies=["Paris.", "Rome."])
    run = chat(ep)
    assert ask(run, "And of France?") == "Paris."
    handle = last_handle(ep)
    ep.say({"goAway": {"timeLeft": "30s"}})
    assert second_setup(ep)["sessionResumption"] == {"handle": handle}
    assert ask(run, "And of Italy?") == "Rome."
    assert "historyConfig" not in setups(ep)[1] and len(setups(ep)) == 2


def test_a_question_is_asked_again_when_the_connection_breaks_under_it(endpoint, chat):
    ep = endpoint(dialect="gemini", replies=["Paris.", "Rome.", "Bern."],
                  faults=[Fault("rst", at="received:realtimeInput.text", nth=2, connection=1)])
    run = chat(ep)
    assert ask(run, "And of France?") == "Paris."
    handle = last_handle(ep)
    assert ask(run, "And of Italy?") == "Rome."
    assert second_setup(ep)["sessionResumption"] == {"handle": handle}
    asked = [(e.connection, e.event["realtimeInput"]["text"]) for e in ep.events if e.type == "realtimeInput.text"]
    assert asked == [(1, "And of France?"), (1, "And of Italy?"), (2, "And of Italy?")]


def test_a_session_that_cannot_go_on_is_told_what_was_said(endpoint, chat):
    ep = endpoint(dialect="gemini", replies=["Paris.", "Rome."], faults=[
        Fault("drop", at="before:sessionResumptionUpdate", nth=0, times=0)])
    run = chat(ep)
    assert ask(run, "And of France?") == "Paris."
    ep.cut()
    assert second_setup(ep)["historyConfig"] == {"initialHistoryInClientContent": True}
    assert ask(run, "And of Italy?") == "Rome."
    told = [e["clientContent"] for e in ep.received("clientContent")]
    assert told == [{"turnComplete": True, "turns": [{"role": "user", "parts": [{"text": "And of France?"}]},
                                                     {"role": "model", "parts": [{"text": "Paris."}]}]}]


@pytest.mark.parametrize("code, reason, status, told", [
    (1007, "API key not valid. Please pass a valid API key.", 3, "GEMINI_API_KEY"),
    (1011, "You exceeded your current quota, please check your plan and billing details.", 3, "no money left"),
    (1008, "models/x is not found for API version v1beta, or is not supported.", 2, "check the model"),
])
def test_a_close_that_is_final_ends_at_once_and_says_what_to_do(endpoint, chat, code, reason, status, told):
    ep = endpoint(dialect="gemini", faults=[Fault("close", at="received:setup", value=(code, reason), times=0)])
    run = chat(ep)
    _, errors = run.communicate(timeout=20)
    assert run.returncode == status
    assert told in errors and reason.split(".")[0] in errors
    assert len(setups(ep)) == 1

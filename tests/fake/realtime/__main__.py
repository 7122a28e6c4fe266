"""The endpoint as a program: python3 tests/fake/realtime [options]

Prints its address as the first line of stdout; with --tls the path of its authority's certificate as the second. Then it
answers each line of stdin with one of its own, and ends with it:

    cut, hang, down, up     as the methods of Endpoint
    say EVENT               sends that event on every connection that is there
    fault FIELDS            a Fault, as {"what": "rst", "at": "sent:response.created", "nth": 2}
    report                  what was said and answered so far, as JSON
"""

import argparse
import json
import pathlib
import runpy
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from fake.realtime import Endpoint, Fault, Script  # noqa: E402
from fake.realtime.dialects import DIALECTS  # noqa: E402


def script_of(a):
    """A file of Python that makes `script`, or one out of the options."""
    if a.script:
        return runpy.run_path(a.script)["script"]
    return Script(replies=a.reply, transcripts=a.transcript, dialect=a.dialect, key=a.key or None, pace=a.pace,
                  first_ms=a.first_ms)


def report(endpoint):
    turns = [{"connection": t.connection, "item": t.item_id, "begin_ms": t.begin_ms, "end_ms": t.end_ms, "t_ns": t.t_ns,
              "numbers": t.numbers, "broken": [str(m) for m in t.broken]} for t in endpoint.turns]
    answers = [{"connection": a.connection, "id": a.id, "status": a.status, "sent_ms": a.sent_ms,
                "turns": [t.number for t in a.turns]} for a in endpoint.answers]
    return json.dumps({"turns": turns, "answers": answers, "answered": endpoint.answered,
                       "connections": len(endpoint.connections), "violations": endpoint.violations})


def obey(endpoint, line):
    """What is answered to a line."""
    word, _, rest = line.strip().partition(" ")
    commands = {"cut": endpoint.cut, "down": endpoint.down, "up": endpoint.up,
                "hang": lambda: endpoint.do(Fault("hang")), "say": lambda: endpoint.say(json.loads(rest)),
                "fault": lambda: endpoint.plan.add(Fault(**json.loads(rest))) and None,
                "report": lambda: report(endpoint)}
    if word not in commands:
        return f"unknown: {line.strip()}"
    try:
        return commands[word]() or "done"
    except (ValueError, TypeError) as error:
        return f"wrong: {error}"


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--log", type=argparse.FileType("w"), help="JSON Lines of everything, both ways")
    p.add_argument("--script", help="a file of Python that sets `script` to a Script")
    p.add_argument("--reply", action="append", default=[])
    p.add_argument("--transcript", action="append", default=[])
    p.add_argument("--pace", type=float, default=0.0, help="of replies; 0: at once, 1: real time")
    p.add_argument("--first-ms", type=float, default=0.0, help="before the first delta of a reply")
    p.add_argument("--dialect", choices=sorted(DIALECTS), default="openai")
    p.add_argument("--key", default="sk-test", help="what must be shown; '' for any")
    p.add_argument("--light", action="store_true", help="keep no sound, and log none")
    p.add_argument("--no-check", action="store_true", help="take events that the official types forbid")
    p.add_argument("--tls", nargs="?", const="good", help="with this kind of certificate")
    a = p.parse_args()
    sys.setswitchinterval(0.0005)  # the thread that stamps does not wait for this one
    with Endpoint(script_of(a), port=a.port, tls=a.tls, log=a.log, check=not a.no_check, light=a.light) as endpoint:
        print(endpoint.url, flush=True)
        if a.tls:
            print(endpoint.cacert, flush=True)
        for line in sys.stdin:
            print(obey(endpoint, line), flush=True)


if __name__ == "__main__":
    main()

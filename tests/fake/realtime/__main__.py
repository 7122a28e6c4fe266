"""The endpoint as a program: python3 tests/fake/realtime [options]

Prints its address as the first line of stdout; with --tls the path of its authority's certificate as the second. Then it
obeys the lines of stdin (cut, hang, down, up) and ends with it.
"""

import argparse
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


def obey(endpoint, line):
    commands = {"cut": endpoint.cut, "down": endpoint.down, "up": endpoint.up,
                "hang": lambda: endpoint.do(Fault("hang"))}
    action = commands.get(line.strip())
    if action:
        action()
    print("done" if action else f"unknown: {line.strip()}", flush=True)


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
            obey(endpoint, line)


if __name__ == "__main__":
    main()

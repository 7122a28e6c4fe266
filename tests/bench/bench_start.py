#!/usr/bin/env python3
"""bench_start - how soon hullo is there, and what it weighs.

    bench_start.py [--runs N] [--loads N] [--nolocal PROGRAM]

version_ms: wall time of `hullo --version`; version_cpu_ms: processor time of it, which other work on
the machine disturbs less. ready_ms: from the start of `hullo ask` to "hears with ..." of `-v`, all
models loaded, once without counting so that the files are in the page cache. idle_rss: kB of a
build without local engines (LOCAL=0; HULLO_NOLOCAL names it, `make bench` builds it), live on the
null driver with a server on loopback, two seconds after it is ready.
Prints one JSON object. Targets: 20 ms, 1500 ms, 15 MB.
"""

import argparse
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fake"))

import speech
from openai_http import Server
from measure import HULLO, emit, has_models, load, summary

READY = b"hears with"


def version(program):
    """Wall and processor milliseconds of one run."""
    null = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    pid = os.posix_spawn(program, [program, "--version"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    os.close(null)
    if status != 0:
        sys.exit("%s --version: status %d" % (program, status))
    return wall * 1000, (used.ru_utime + used.ru_stime) * 1000


def wait_ready(process, seconds):
    """What the program says on stderr, until it is ready; None when it never is."""
    end, said = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        if select.select([process.stderr], [], [], 0.1)[0]:
            piece = os.read(process.stderr.fileno(), 65536)
            said += piece
            if READY in said:
                return said
            if not piece:
                break
    return None


def until_ready(recording):
    """ms from the start of `hullo ask` to loaded models, or None."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [HULLO, "ask", "-v", "-o", os.devnull, "--force", recording], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = wait_ready(process, 60)
    ms = (time.perf_counter() - start) * 1000
    process.kill()
    process.communicate()
    return ms if said else None


def idle(program):
    """Resident kB, in all and of its own, of a conversation in which nobody speaks."""
    with Server() as url:
        return conversation(program, url)


def conversation(program, url):
    command = [program, "chat", "-v", "--no-input", "--audio", "null", "--llm-url", url, "--stt-url", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        if wait_ready(process, 30) is None:
            return {"failed": process.poll()}
        time.sleep(2)
        with open("/proc/%d/status" % process.pid) as status:
            fields = dict(line.split(":", 1) for line in status)
        return {k: int(fields[k].split()[0]) for k in ("VmRSS", "RssAnon", "RssFile", "VmHWM")}
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--runs", type=int, default=20, help="of --version")
    p.add_argument("--loads", type=int, default=7, help="of the models")
    p.add_argument("--nolocal", default=os.environ.get("HULLO_NOLOCAL"), help="a program built with LOCAL=0")
    args = p.parse_args()
    before, result = load(), {}
    version(HULLO)
    runs = [version(HULLO) for _ in range(args.runs)]
    result["version_ms"] = summary([wall for wall, _ in runs])
    result["version_cpu_ms"] = summary([cpu for _, cpu in runs])
    if has_models():
        with tempfile.TemporaryDirectory() as folder:
            spoken = speech.synthetic(speech.QUESTIONS[:1], folder)
            if spoken:
                recording = str(spoken[0][0])
                until_ready(recording)
                result["ready_ms"] = summary([until_ready(recording) for _ in range(args.loads)])
    if args.nolocal:
        runs = [version(args.nolocal) for _ in range(args.runs)]
        result["nolocal_version_ms"] = summary([wall for wall, _ in runs])
        found = [idle(args.nolocal) for _ in range(3)]
        keys = sorted(set.intersection(*(set(f) for f in found)))
        result["idle_rss_kb"] = {k: summary([f[k] for f in found], 0) for k in keys}
    emit(
        "start",
        before,
        target={"version_ms": 20, "ready_ms": 1500, "idle_rss_kb": {"VmRSS": 15000}},
        **result,
    )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""run - runs the unit test programs, the pytest folders and the checks, and adds up their results.

    run.py [--unit PROGRAM...] [--pytest FOLDER...] [--check 'NAME: COMMAND'...]

The last line is 'N passed, N failed, N skipped'. Exits 1 when something failed or nothing ran.
With HULLO_RESULTS in the environment the three numbers are also appended to that file.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

UNIT_SECONDS = 300  # for one program
PYTEST_SECONDS = 300  # for one test
CMOCKA_LINE = re.compile(r"^\[  (PASSED|FAILED|SKIPPED)\s*\] (\d+) test", re.M)


@dataclasses.dataclass
class Result:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Result(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def how_it_ended(code):
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit status {code}"


def run_quietly(command, seconds, **options):
    """Returns (exit status, output). A command that takes too long is ended and counts as SIGKILL."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=seconds, check=False, **options
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        return -signal.SIGKILL, (late.stdout or b"").decode("utf-8", "replace") + f"\nno end after {seconds} s\n"


def run_unit(program):
    started = time.monotonic()
    code, output = run_quietly([os.path.abspath(program)], UNIT_SECONDS)
    counts = dict.fromkeys(("PASSED", "FAILED", "SKIPPED"), 0)
    for word, number in CMOCKA_LINE.findall(output):
        counts[word] += int(number)
    result = Result(counts["PASSED"], counts["FAILED"], counts["SKIPPED"])
    if code != 0 and result.failed == 0:
        result.failed = 1  # it crashed, or a sanitizer spoke after the last test
    if code == 0 and result == Result():
        result.failed, output = 1, output + "no test ran\n"
    report = f"unit {pathlib.Path(program).name}: {result} ({time.monotonic() - started:.1f} s)"
    if result.failed:
        report = f"{output}{report}, {how_it_ended(code)}"
    return result, report


def run_units(programs):
    total = Result()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for result, report in pool.map(run_unit, programs):
            print(report, flush=True)
            total += result
    return total


def read_junit(path):
    total = Result()
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed = count["failures"] + count["errors"]
        total += Result(count["tests"] - failed - count["skipped"], failed, count["skipped"])
    return total


def run_pytest(folders):
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "junit.xml")
        code = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", f"--timeout={PYTEST_SECONDS}",
             "--junitxml", report, *folders],
            stdin=subprocess.DEVNULL, check=False
        ).returncode
        result = read_junit(report) if os.path.exists(report) else Result()
    if code not in (0, 5) and result.failed == 0:
        result.failed = 1  # 5: no test there, which is for the total to judge
    return result


def run_check(text):
    name, _, command = text.partition(": ")
    code, output = run_quietly(command, 600, shell=True)
    print(output, end="", flush=True)
    print(f"check {name}: {'passed' if code == 0 else how_it_ended(code)}", flush=True)
    return Result(passed=int(code == 0), failed=int(code != 0))


def main():
    parser = argparse.ArgumentParser()
    for name in ("--unit", "--pytest", "--check"):
        parser.add_argument(name, nargs="*", default=[])
    arguments = parser.parse_args()
    total = Result()
    for check in arguments.check:
        total += run_check(check)
    if arguments.unit:
        total += run_units(arguments.unit)
    if arguments.pytest:
        total += run_pytest(arguments.pytest)
    if os.environ.get("HULLO_RESULTS"):
        with open(os.environ["HULLO_RESULTS"], "a", encoding="ascii") as results:
            print(total.passed, total.failed, total.skipped, file=results)
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""run - runs the unit test programs, the pytest folders and the checks, and adds up their results.

    run.py [--unit PROGRAM...] [--pytest FOLDER...] [--check 'NAME: COMMAND'...]

The last line is 'N passed, N failed, N skipped'. Right before it, what failed is repeated: the output that tells
why, and then the names. Exits 1 when something failed or nothing ran. With HULLO_RESULTS in the environment the
three numbers are also appended to that file, and with HULLO_FAILED what failed is.
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
EXCERPT_LINES = 25  # of the output of one failure
EXCERPT_COLUMNS = 300
NAMES = 12
PASSING_LINE = re.compile(r"^(\[ RUN|\[       OK|\[  SKIPPED|skipped: |\s*$)")
CMOCKA_LINE = re.compile(r"^\[  (PASSED|FAILED|SKIPPED)\s*\] (\d+) test", re.M)


@dataclasses.dataclass
class Result:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = dataclasses.field(default_factory=list)  # of (name, output)

    def __add__(self, other):
        return Result(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped,
                      self.failures + other.failures)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def excerpt(output):
    """The lines of `output` that tell why: its end, and its beginning, for sanitizers speak last and at length."""
    lines = [line[:EXCERPT_COLUMNS] for line in output.splitlines() if not PASSING_LINE.match(line)]
    if len(lines) > EXCERPT_LINES:
        head = EXCERPT_LINES // 2
        lines = [*lines[:head], "...", *lines[head + 1 - EXCERPT_LINES:]]
    return lines


def summary_of_failures(failures):
    lines = []
    for name, output in failures:
        lines += [f"--- failed: {name}", *excerpt(output)]
    lines += [f"failed: {name}" for name, _ in failures[:NAMES]]
    if len(failures) > NAMES:
        lines.append(f"failed: and {len(failures) - NAMES} more")
    return "".join(line + "\n" for line in lines)


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
    name = f"unit {pathlib.Path(program).name}"
    report = f"{name}: {result} ({time.monotonic() - started:.1f} s)"
    if result.failed:
        report = f"{output}{report}, {how_it_ended(code)}"
        result.failures.append((name, report))
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
        for case in suite.iter("testcase"):
            for kind in ("failure", "error"):
                total.failures += [
                    (f"{case.get('classname')}::{case.get('name')}", f"{what.text or ''}\n{kind}: {what.get('message')}")
                    for what in case.findall(kind)
                ]
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
    if result.failed and not result.failures:
        result.failures.append((f"pytest {' '.join(folders)}", how_it_ended(code)))
    return result


def run_check(text):
    name, _, command = text.partition(": ")
    code, output = run_quietly(command, 600, shell=True)
    print(output, end="", flush=True)
    print(f"check {name}: {'passed' if code == 0 else how_it_ended(code)}", flush=True)
    if code == 0:
        return Result(passed=1)
    return Result(failed=1, failures=[(f"check {name}", f"{output}\n{how_it_ended(code)}")])


def heed_signals():
    """Who was started in the background, or by nohup, ignores some, and so would every program that is tested."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    heed_signals()
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
    told = summary_of_failures(total.failures)
    if os.environ.get("HULLO_FAILED"):
        with open(os.environ["HULLO_FAILED"], "a", encoding="utf-8") as file:
            file.write(told)
    print(f"{told}{total}", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())

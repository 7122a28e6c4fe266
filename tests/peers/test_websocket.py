"""The WebSocket client against servers and proxies of others: the Autobahn cases, TLS, proxies, IPv6."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

import pytest
from fake.proxy import Proxy, Relay
from fake.realtime import certificate
from websockets.sync.server import serve

HERE = pathlib.Path(__file__).parent
SECONDS = 120  # a hang


def echo(url, count=1, **settings):
    """What became of each connection: [(how it ended, the message)]."""
    env = {k: v for k, v in os.environ.items() if not re.match(r".*_proxy$|CURL_|SSL_|HULLO_WS", k, re.IGNORECASE)}
    env.update({k: str(v) for k, v in settings.items()})
    program = pathlib.Path(os.environ["BUILD"]) / "peers" / "ws_echo"
    done = subprocess.run([program, url, str(count)], env=env, capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    assert done.returncode == 0, done.stderr
    lines = sorted((line.split(" ", 1) for line in done.stdout.splitlines()), key=lambda line: int(line[0]))
    assert [int(number) for number, _ in lines] == list(range(1, count + 1))
    return [tuple(rest.split("\t", 1)) for _, rest in lines]


def echo_one(url, **settings):
    return echo(url, HULLO_WS_SEND="hello", HULLO_WS_TURNS=3, **settings)[0]


class Server:
    """Sends back what it gets; `requests` are the paths."""

    def __init__(self, host="127.0.0.1", tls=None, late=0, receive_buffer=None):
        self.requests, self.received, self.late = [], [], late
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family)
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.server = serve(self.handle, sock=listener, ssl=tls, compression=None)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def handle(self, connection):
        self.requests.append(connection.request.path)
        time.sleep(self.late)
        for message in connection:
            self.received.append(len(message))
            connection.send(message)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join(10)


@pytest.fixture(scope="module")
def plain():
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def secure():
    with Server(tls=certificate.context("good")) as server:
        yield server


# --- the Autobahn cases


def run_autobahn(relay=None, **settings):
    pytest.importorskip("kosoku", reason="the Autobahn cases are not there for this machine")
    with subprocess.Popen([sys.executable, HERE / "autobahn.py"], stdout=subprocess.PIPE, text=True) as suite:
        try:
            port = int(suite.stdout.readline())
            if relay is None:
                url = f"ws://127.0.0.1:{port}"
            else:
                relay.to, url = port, f"wss://127.0.0.1:{relay.port}"
            echo(f"{url}/runCase?case=%d&agent=hullo", 101, **settings)
            echo(f"{url}/updateReports?agent=hullo", **settings)
            return json.loads(suite.stdout.read())
        finally:
            suite.kill()


def assert_all_pass(*how, **settings):
    """The suite gives some cases half a second, however busy the machine is: what failed has another chance."""
    for _ in range(3):
        cases = run_autobahn(*how, **settings)
        assert len(cases) == 101
        # Not merely passed: what is no UTF-8 is refused as soon as that can be known, and so on.
        failed = [case for case in cases if not case["passed"] or case["behavior"] not in ("OK", "INFORMATIONAL")]
        if not failed:
            return
    assert failed == []


def test_every_autobahn_case_passes():
    assert_all_pass()


def test_every_autobahn_case_passes_over_tls():
    with Relay(tls=certificate.context("good")) as relay:
        assert_all_pass(relay, HULLO_WS_CACERT=certificate.authority())


# --- TLS


def test_a_server_with_tls_is_spoken_to(secure):
    assert echo_one(f"wss://localhost:{secure.port}/a?b=c", HULLO_WS_CACERT=certificate.authority())[0] == "closed 1000"
    assert secure.requests[-1] == "/a?b=c"


def test_the_environment_names_the_bundle_as_well(secure):
    url = f"wss://127.0.0.1:{secure.port}/"
    assert echo_one(url, CURL_CA_BUNDLE=certificate.authority())[0] == "closed 1000"
    assert echo_one(url, SSL_CERT_FILE=certificate.authority())[0] == "closed 1000"


def test_messages_of_all_sizes_go_over_tls(secure):
    text = "x" * 100_000
    ends = echo(f"wss://localhost:{secure.port}/", 4, HULLO_WS_CACERT=certificate.authority(), HULLO_WS_SEND=text,
                HULLO_WS_TURNS=20)
    assert ends == [("closed 1000", f"the connection to 'wss://localhost:{secure.port}' was closed (code 1000)")] * 4


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_reads_late_gets_everything(tls):
    """TLS insists that what it did not take comes again exactly as it was."""
    with Server(tls=certificate.context("good") if tls else None, late=0.2, receive_buffer=20_000) as server:
        how, message = echo(f"ws{'s' if tls else ''}://localhost:{server.port}/", HULLO_WS_SEND="x" * 70_001,
                            HULLO_WS_COPIES=100, HULLO_WS_TURNS=100, HULLO_WS_CACERT=certificate.authority())[0]
    assert how == "closed 1000", message
    assert server.received == [70_001] * 100


def refused(kind, host="localhost", cacert=True):
    with Server(tls=certificate.context(kind)) as server:
        settings = {"HULLO_WS_CACERT": certificate.authority()} if cacert else {}
        how, message = echo_one(f"wss://{host}:{server.port}/?key=topsecret", **settings)
        assert server.requests == []
    assert how == "broken"
    assert f"cannot trust the server 'wss://{host}:{server.port}'" in message
    assert "topsecret" not in message
    return message


def test_a_certificate_that_has_expired_is_not_trusted():
    assert "has expired; its operator has to renew it" in refused("expired")


def test_a_certificate_of_another_host_is_not_trusted():
    assert "'localhost'; check the address" in refused("wrong-host")


@pytest.mark.parametrize(("kind", "cacert"), [("self-signed", True), ("good", False)])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(kind, cacert):
    assert "name its CA file in CURL_CA_BUNDLE" in refused(kind, cacert=cacert)


def test_a_server_without_tls_is_told_as_such(plain):
    how, message = echo_one(f"wss://127.0.0.1:{plain.port}/")
    assert how == "broken"
    assert "cannot speak TLS" in message
    assert "write ws://" in message


def test_a_server_with_tls_only_is_told(secure):
    how, message = echo_one(f"ws://127.0.0.1:{secure.port}/")
    assert how in ("broken", "refused 0", "refused 400")
    assert "127.0.0.1" in message


# --- proxies


@pytest.mark.parametrize("proxy_tls", [False, True])
@pytest.mark.parametrize("server_tls", [False, True])
def test_a_proxy_with_a_password_is_gone_through(plain, secure, proxy_tls, server_tls):
    server = secure if server_tls else plain
    with Proxy(user="me", password="s3cret!", tls=certificate.context("good") if proxy_tls else None) as proxy:
        name = "https_proxy" if server_tls else "http_proxy"
        how, message = echo_one(f"ws{'s' if server_tls else ''}://localhost:{server.port}/",
                                **{name: proxy.url.replace("!", "%21"), "CURL_CA_BUNDLE": certificate.authority()})
    assert (how, proxy.asked) == ("closed 1000", [(f"CONNECT localhost:{server.port} HTTP/1.1", True)]), message


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_proxy_that_wants_another_password_is_told(plain, scheme):
    with Proxy(user="me", password="s3cret") as proxy:
        how, message = echo_one(f"{scheme}://localhost:{plain.port}/?key=topsecret",
                                all_proxy=proxy.url.replace("s3cret", "wr0ngword"))
    assert how == "broken"
    assert "the proxy on the way to" in message
    assert "407: it wants a name and a password" in message
    assert not re.search("wr0ngword|topsecret|s3cret", message)


def test_a_proxy_that_refuses_is_told(plain):
    with Proxy(status=403) as proxy:
        how, message = echo_one(f"ws://localhost:{plain.port}/", http_proxy=proxy.url)
    assert how == "broken"
    assert "the proxy on the way to" in message
    assert "HTTP 403" in message


def test_a_proxy_with_a_bad_certificate_is_not_trusted(plain):
    with Proxy(user="me", password="s3cret", tls=certificate.context("expired")) as proxy:
        how, message = echo_one(f"ws://localhost:{plain.port}/", http_proxy=proxy.url,
                                CURL_CA_BUNDLE=certificate.authority())
    assert how == "broken"
    assert "cannot trust the proxy on the way to" in message
    assert "s3cret" not in message
    assert proxy.asked == []


def test_a_proxy_that_is_not_there_is_told(plain):
    how, message = echo_one(f"ws://localhost:{plain.port}/", http_proxy="http://me:s3cret@127.0.0.1:1")
    assert how == "broken"
    assert "s3cret" not in message


def test_what_needs_no_proxy_goes_without(plain):
    with Proxy() as proxy:
        how, _ = echo_one(f"ws://localhost:{plain.port}/", http_proxy=proxy.url, no_proxy="localhost")
    assert (how, proxy.asked) == ("closed 1000", [])


# --- addresses


def test_a_host_that_nobody_knows_is_told():
    how, message = echo_one("wss://nobody.invalid/?key=topsecret")
    assert how == "broken"
    assert message == "cannot find the host of 'wss://nobody.invalid': check its name and the network"


def test_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Server(host="::1") as server:
        assert echo_one(f"ws://[::1]:{server.port}/")[0] == "closed 1000"
    with Server(host="::1", tls=certificate.context("good")) as server:
        assert echo_one(f"wss://[::1]:{server.port}/", HULLO_WS_CACERT=certificate.authority())[0] == "closed 1000"

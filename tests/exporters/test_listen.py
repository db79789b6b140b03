"""Listen addresses, what counts as insecure, and signals."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporters.prometheus.listen import ListenError, is_loopback, listen, parse, shown
from exporters.prometheus.server import WebServer
from exporters.prometheus.settings import WebSettings
from tests.exporters.certificates import Authority
from tests.exporters.httpserver import SmallBackend, running
from tests.exporters.test_auth import users

ALL = "0.0.0.0:0"


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 loopback on this machine")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":9808", ("", 9808)),
        ("127.0.0.1:9808", ("127.0.0.1", 9808)),
        ("[::1]:9808", ("::1", 9808)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert parse(address) == expected


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("::1:9808", "an IPv6 address stands in brackets"),
        ("9808", "write host:port or :port"),
        ("", "write host:port or :port"),
        ("localhost:", "write host:port or :port"),
        ("localhost:http", "write host:port or :port"),
        ("127.0.0.1:65536", "write host:port or :port"),
        ("127.0.0.1:-1", "write host:port or :port"),
        ("[::1]", "brackets"),
    ],
)
def test_bad_addresses(address: str, problem: str) -> None:
    with pytest.raises(ListenError, match=problem) as error:
        parse(address)
    assert repr(address) in str(error.value)


def test_a_port_in_use() -> None:
    first = listen("127.0.0.1:0", 8)[0]
    with first, pytest.raises(ListenError, match=r"cannot listen on .*: Address already in use"):
        listen(shown(first), 8)


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:0: Cannot assign requested address"):
        listen("192.0.2.1:0", 8)


def test_one_bad_address_leaves_nothing_bound() -> None:
    with listen("127.0.0.1:0", 8)[0] as taken:
        free = listen("127.0.0.1:0", 8)[0]
        address = shown(free)
        free.close()
        server = WebServer(SmallBackend(), WebSettings(listen=(address, shown(taken))))
        with pytest.raises(ListenError):
            server.bind()
        listen(address, 8)[0].close()


@needs_ipv6
def test_both_families() -> None:
    with running(WebSettings(listen=("127.0.0.1:0", "[::1]:0"))) as site:
        for host, port in zip(("127.0.0.1", "::1"), site.ports, strict=True):
            with socket.create_connection((host, port), 15) as client:
                client.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert [url.rpartition(":")[0] for url in site.server.urls()] == [
            "http://127.0.0.1",
            "http://[::1]",
        ]
        assert site.server.insecure() == ""


@needs_ipv6
def test_no_host_is_every_address() -> None:
    with running(WebSettings(listen=(":0",))) as site:
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, site.port), 15) as client:
                client.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


@needs_ipv6
def test_loopback() -> None:
    for address, expected in (
        ("127.0.0.1:0", True),
        ("[::1]:0", True),
        (ALL, False),
        ("[::]:0", False),
    ):
        with listen(address, 8)[0] as one:
            assert is_loopback(one) is expected


def test_insecure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(WebSettings(listen=("127.0.0.1:0", ALL))) as site:
        assert site.server.insecure() == "without TLS and authentication"
        assert site.metric("jianwei_web_insecure") == 1
        assert "served elsewhere than on loopback without TLS and authentication" in caplog.text
        assert "web.config_file" in site.ask("/").text


@pytest.mark.parametrize(
    ("tls", "password", "missing"),
    [(True, True, ""), (True, False, "without authentication"), (False, True, "without TLS")],
)
def test_insecure_by_parts(tmp_path: Path, tls: bool, password: bool, missing: str) -> None:
    Authority().issue("server").write(tmp_path, "server")
    path = tmp_path / "web.yaml"
    pair = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
    path.write_text((pair if tls else "") + (users() if password else ""))
    server = WebServer(SmallBackend(), WebSettings(listen=(ALL,), config_file=str(path)))
    server.bind()
    assert server.insecure() == missing
    assert server.families()[0].samples[0].value == bool(missing)


SCRIPT = """
import logging, sys
from exporters.prometheus.server import WebServer
from tests.exporters.httpserver import LOOPBACK, SmallBackend
from exporters.prometheus.settings import WebSettings

class Backend(SmallBackend):
    def reload(self):
        print("reload", flush=True)
        super().reload()

logging.basicConfig(level="INFO")
backend = Backend()
backend.problem = "the reason"
server = WebServer(backend, WebSettings(listen=LOOPBACK))
print(*server.bind(), flush=True)
server.run()
print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_signals(number: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 15) as client:
            client.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            process.send_signal(signal.SIGHUP)
            assert process.stdout.readline() == "reload\n"
            time.sleep(0.1)  # the reason is logged after
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        assert out == "ended\n"
        assert "not reloaded: the reason" in err
        assert process.returncode == 0

"""Receivers of findings: real rsyslog over TLS, TCP and UDP, a real HTTPS server, a file that is rotated."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from collectors.strictyaml import Duration, Secret
from exporters.findings.delivery import SinkError
from exporters.findings.ocsffile import FileSink
from exporters.findings.ocsfhttps import HttpsSink
from exporters.findings.settings import CefSettings, HttpsSettings, Transport
from exporters.findings.syslog import DatagramSink, StreamSink
from tests.exporters.certificates import Authority
from tests.rsysloglab import Rsyslog, needs_rsyslogd
from tests.sshlab import wait_until

HEAD = b"<134>1 2026-01-02T03:04:05.678901Z gov-node-01 jianwei - finding - "
BODIES = [HEAD + "CEF:0|见微|%d".encode() % n for n in range(3)]
RECEIVED = [f"local0.info gov-node-01 jianwei finding CEF:0|见微|{n}" for n in range(3)]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def tls_settings(folder: Path, address: str, **more: Any) -> CefSettings:
    return CefSettings(address=address, ca_file=str(folder / "r/ca.crt"), **more)


@needs_rsyslogd
def test_rsyslog_has_it_over_tls(tmp_path: Path, authority: Authority) -> None:
    with Rsyslog(tmp_path / "r", "tls", authority) as receiver:
        StreamSink(tls_settings(tmp_path, receiver.address), hold=0.1).send(BODIES)
        wait_until(lambda: receiver.lines() == RECEIVED)


@needs_rsyslogd
def test_rsyslog_that_asks_for_a_certificate_gets_ours(
    tmp_path: Path, authority: Authority
) -> None:
    cert, key = authority.issue("agent").write(tmp_path, "agent")
    with Rsyslog(tmp_path / "r", "tls", authority, auth="x509/certvalid") as receiver:
        settings = tls_settings(tmp_path, receiver.address, cert_file=str(cert), key_file=str(key))
        StreamSink(settings, hold=0.1).send(BODIES)
        wait_until(lambda: receiver.lines() == RECEIVED)
        with pytest.raises(SinkError):
            StreamSink(tls_settings(tmp_path, receiver.address), hold=0.3).send(BODIES)
        assert receiver.lines() == RECEIVED


@needs_rsyslogd
def test_rsyslog_that_nobody_vouches_for_gets_nothing(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "other.crt").write_bytes(Authority("Another CA").pem)
    with Rsyslog(tmp_path / "r", "tls", authority) as receiver:
        other = CefSettings(address=receiver.address, ca_file=str(tmp_path / "other.crt"))
        with pytest.raises(SinkError, match=r"not trusted: .*issuer"):
            StreamSink(other, hold=0.1).send(BODIES)
        named = tls_settings(tmp_path, receiver.address, server_name="siem.example")
        with pytest.raises(SinkError, match=r"not trusted: .*mismatch"):
            StreamSink(named, hold=0.1).send(BODIES)
        time.sleep(0.2)
        assert receiver.lines() == []


@needs_rsyslogd
def test_rsyslog_has_it_over_tcp_and_udp(tmp_path: Path, authority: Authority) -> None:
    with Rsyslog(tmp_path / "t", "tcp", authority) as receiver:
        sink = StreamSink(CefSettings(address=receiver.address, transport="tcp"), hold=0.1)
        sink.send([*BODIES, HEAD + b"CEF:" + b"x" * 20_000])
        wait_until(lambda: len(receiver.lines()) == 4)
        assert receiver.lines()[:3] == RECEIVED
        assert len(receiver.lines()[3]) < 8192
    with Rsyslog(tmp_path / "u", "udp", authority) as receiver:
        datagrams = DatagramSink(CefSettings(address=receiver.address, transport="udp"))
        datagrams.send([*BODIES, HEAD + b"CEF:" + b"x" * 20_000])
        wait_until(lambda: len(receiver.lines()) == 4)
        assert receiver.lines()[:3] == RECEIVED
        receiver.kill()
        with pytest.raises(SinkError, match="refused"):
            datagrams.send(BODIES)


@needs_rsyslogd
@pytest.mark.parametrize("transport", ["tls", "tcp"])
def test_a_receiver_that_stands_still_has_taken_nothing(
    tmp_path: Path, authority: Authority, transport: Transport
) -> None:
    """Its kernel takes the bytes and acknowledges them: that is not it."""
    with Rsyslog(tmp_path / "r", transport, authority) as receiver:
        ca = str(tmp_path / "r/ca.crt") if transport == "tls" else ""
        settings = CefSettings(
            address=receiver.address, transport=transport, ca_file=ca, timeout=Duration(1)
        )
        receiver.signal(signal.SIGSTOP)
        with pytest.raises(SinkError, match="in time"):
            StreamSink(settings, hold=0.1).send(BODIES)
        receiver.kill()


def test_a_receiver_that_closes_or_resets_early_has_taken_nothing() -> None:
    for linger in (b"\0" * 8, b"\1\0\0\0\0\0\0\0"):  # an orderly end, a reset
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve(server: socket.socket = server, linger: bytes = linger) -> None:
                peer, _ = server.accept()
                peer.recv(10)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                peer.close()

            thread = threading.Thread(target=serve)
            thread.start()
            address = f"127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(SinkError):
                StreamSink(CefSettings(address=address, transport="tcp"), hold=1).send(BODIES)
            thread.join()


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_receiver_may_close_with_a_close_notify_or_without(
    tmp_path: Path, authority: Authority, answers: bool, version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("receiver").write(tmp_path, "receiver"))
    context.maximum_version = version
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    seen = b""

    def serve() -> None:
        nonlocal seen
        plain, _ = server.accept()
        with context.wrap_socket(plain, server_side=True) as peer:
            while part := peer.recv(100):
                seen += part
            if answers:
                peer.unwrap().close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        settings = CefSettings(address=address, ca_file=str(tmp_path / "ca.crt"))
        StreamSink(settings, hold=0.1).send(BODIES)
        thread.join()
    assert seen == b"".join(b"%d %s" % (len(body), body) for body in BODIES)


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Answers as the list on its server says: a status, or what to do instead."""

    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        self.server.seen.append((self.path, dict(self.headers), body))
        if answer == "slow":
            self.server.hold.wait(20)
            return
        if answer == "trickle":
            for _ in range(200):
                self.wfile.write(b"H")
                self.wfile.flush()
                if self.server.hold.wait(0.1):
                    return
        if answer == "junk":
            self.wfile.write(b"\x1b[2Jno http at all\r\n\r\n")
            return
        if isinstance(answer, tuple):  # refuses what holds a word
            answer = answer[0] if answer[1] in body else 200
        if answer == "full" and body.count(b"\n") > 2:
            answer = 413
        self.send_response(200 if answer == "full" else answer, "\x1b[31mwhy")
        self.send_header("Location", "https://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def https(authority: Authority, folder: Path, *answers: Any, ask: bool = False) -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("receiver").write(folder, "receiver"))
    if ask:
        context.load_verify_locations(cadata=authority.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    (folder / "ca.crt").write_bytes(authority.pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    server.answers, server.seen, server.hold = list(answers), [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def https_settings(server: Any, folder: Path, **more: Any) -> HttpsSettings:
    url = f"https://127.0.0.1:{server.server_address[1]}/ocsf?tenant=1"
    return HttpsSettings(url=url, ca_file=str(folder / "ca.crt"), **more)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("place", range(4))
def test_one_message_that_is_refused_is_known(
    tmp_path: Path, authority: Authority, status: int, place: int
) -> None:
    bodies = [b"bad" if n == place else b"good" for n in range(4)]
    with (
        https(authority, tmp_path, *[(status, b"bad")] * 20) as server,
        pytest.raises(SinkError) as told,
    ):
        HttpsSink(https_settings(server, tmp_path)).send(bodies)
    assert (told.value.taken, told.value.refused) == (place, True)


@pytest.mark.parametrize(
    ("status", "refused"), [(400, False), (422, False), (413, True), (503, False)]
)
def test_a_receiver_that_takes_nothing_is_not_the_message_s_fault(
    tmp_path: Path, authority: Authority, status: int, refused: bool
) -> None:
    with https(authority, tmp_path, *[status] * 20) as server, pytest.raises(SinkError) as told:
        HttpsSink(https_settings(server, tmp_path)).send([b"a", b"b", b"c"])
    assert (told.value.taken, told.value.refused) == (0, refused)


def test_a_file_that_somebody_holds_a_lock_on(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.touch()
    with path.open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        with pytest.raises(SinkError, match="another process holds a lock on it"):
            FileSink(str(path)).send([b"{}"])
    FileSink(str(path)).send([b"{}"])
    assert path.read_bytes() == b"{}\n"


def test_https_posts_ndjson_with_its_headers(tmp_path: Path, authority: Authority) -> None:
    with https(authority, tmp_path) as server:
        headers = {"Authorization": Secret("Bearer t0ken")}
        HttpsSink(https_settings(server, tmp_path, headers=headers)).send([b'{"a":1}', b'{"b":2}'])
    ((path, seen, body),) = server.seen
    assert path == "/ocsf?tenant=1"
    assert body == b'{"a":1}\n{"b":2}\n'
    assert seen["Authorization"] == "Bearer t0ken"
    assert seen["Content-Type"] == "application/x-ndjson"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 429, 500, 503])
def test_https_takes_nothing_but_2xx_for_taken(
    tmp_path: Path, authority: Authority, status: int
) -> None:
    with https(authority, tmp_path, status) as server:
        headers = {"Authorization": Secret("Bearer t0ken")}
        sink = HttpsSink(https_settings(server, tmp_path, headers=headers))
        with pytest.raises(SinkError, match=rf"answered {status} \\x1b\[31mwhy") as told:
            sink.send([b"{}"])
        assert "t0ken" not in str(told.value)
        sink.send([b"{}"])
    assert len(server.seen) == 2  # a redirect is followed nowhere


@pytest.mark.parametrize("answer", ["slow", "trickle"])
def test_https_that_does_not_answer_in_time(
    tmp_path: Path, authority: Authority, answer: str
) -> None:
    with https(authority, tmp_path, answer) as server:
        sink = HttpsSink(https_settings(server, tmp_path, timeout=Duration(0.5)))
        begin = time.monotonic()
        with pytest.raises(SinkError, match="in time"):
            sink.send([b"{}"])
        assert time.monotonic() - begin < 15


def test_https_that_is_something_else(tmp_path: Path, authority: Authority) -> None:
    with (
        https(authority, tmp_path, "junk") as server,
        pytest.raises(SinkError, match="no HTTP") as told,
    ):
        HttpsSink(https_settings(server, tmp_path)).send([b"{}"])
    assert "\x1b" not in str(told.value)


def test_https_that_takes_less_at_once_gets_less(tmp_path: Path, authority: Authority) -> None:
    with https(authority, tmp_path, *["full"] * 9) as server:
        HttpsSink(https_settings(server, tmp_path)).send([b"%d" % n for n in range(5)])
    taken = [body for _, _, body in server.seen if body.count(b"\n") <= 2]
    assert b"".join(taken).split() == [b"0", b"1", b"2", b"3", b"4"]


def test_https_verifies_always_and_shows_its_certificate(
    tmp_path: Path, authority: Authority
) -> None:
    with https(authority, tmp_path, ask=True) as server:
        cert, key = authority.issue("agent").write(tmp_path, "agent")
        settings = https_settings(server, tmp_path, cert_file=str(cert), key_file=str(key))
        HttpsSink(settings).send([b"{}"])
        with pytest.raises(SinkError):
            HttpsSink(https_settings(server, tmp_path)).send([b"{}"])
        (tmp_path / "other.crt").write_bytes(Authority("Another CA").pem)
        other = HttpsSettings(url=settings.url, ca_file=str(tmp_path / "other.crt"))
        with pytest.raises(SinkError, match=r"not trusted"):
            HttpsSink(other).send([b"{}"])
    assert len(server.seen) == 1
    named = authority.issue("elsewhere", x509.DNSName("siem.example"))
    with (
        https(_Named(authority, named), tmp_path) as server,  # type: ignore[arg-type]
        pytest.raises(SinkError, match=r"not trusted: .*mismatch"),
    ):
        HttpsSink(https_settings(server, tmp_path)).send([b"{}"])
    assert server.seen == []


class _Named:
    """An authority that issues one certificate."""

    def __init__(self, authority: Authority, pair: Any) -> None:
        self.pem, self._pair = authority.pem, pair

    def issue(self, name: str) -> Any:
        return self._pair


def test_a_file_gets_lines_and_may_be_rotated(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    sink = FileSink(str(path))
    sink.send([b'{"a":1}', b'{"b":2}'])
    path.rename(tmp_path / "findings.1")
    sink.send([b'{"c":3}'])
    assert (tmp_path / "findings.1").read_bytes() == b'{"a":1}\n{"b":2}\n'
    assert json.loads(path.read_text()) == {"c": 3}
    assert path.stat().st_mode & 0o137 == 0


def test_a_line_that_a_crash_cut_stays_apart(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    path.write_bytes(b'{"a":1}\n{"b"')
    FileSink(str(path)).send([b'{"b":2}'])
    assert path.read_bytes() == b'{"a":1}\n{"b"\n{"b":2}\n'


def test_a_full_disk_leaves_no_half_batch(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    path.write_bytes(b"old\n")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(SinkError, match="too large"):
            FileSink(str(path)).send([b"x" * 700, b"y" * 700])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == b"old\n"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("fifo", "link", "no/folder"):
        with pytest.raises(SinkError, match=name):
            FileSink(str(tmp_path / name)).send([b"{}"])
    assert not (tmp_path / "elsewhere").exists()

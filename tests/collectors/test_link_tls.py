"""TLS under the tls and tcp probers: certificates good and bad, and servers that speak none."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import tcp, tls
from collectors.link.tcp import QueryResponse, TcpModule
from collectors.link.tls import TlsModule
from collectors.link.tlsconfig import TlsConfig
from collectors.strictyaml import Regex
from tests.collectors.seriesof import family, names, value
from tests.collectors.servers import (
    Care,
    greeting,
    over_tls,
    serving,
    silent,
    target,
)
from tests.exporters.certificates import Authority

AUTHORITY = Authority()
BOTH = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


def step(expect: str = "", send: str = "", starttls: bool = False) -> QueryResponse:
    return QueryResponse(Regex(expect), send, starttls)


@pytest.fixture
def trusting(tmp_path: Path) -> Callable[..., TlsConfig]:
    path = tmp_path / "ca.pem"
    path.write_bytes(AUTHORITY.pem)
    return lambda **more: TlsConfig(ca_file=str(path), **more)


TLS_SERIES = {
    "probe_tls_version_info",
    "probe_ssl_earliest_cert_expiry",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "probe_ssl_last_chain_info",
    "jianwei_probe_tls_cipher_info",
    "jianwei_probe_tls_expiry_seconds",
    "jianwei_probe_tls_certificate_expiry_timestamp_seconds",
}


@BOTH
def test_tls(address: str, tmp_path: Path, trusting: Callable[..., TlsConfig]) -> None:
    with serving(over_tls(AUTHORITY.issue("s"), tmp_path, silent), address) as port:
        result = tls.probe(target(port, address), TlsModule(tls_config=trusting()), 5)
        same = tcp.probe(target(port, address), TcpModule(tls=True, tls_config=trusting()), 5)
    assert result.success, result
    assert same.success, same
    assert names(result) == TLS_SERIES
    assert names(same) == TLS_SERIES | {"probe_failed_due_to_regex"}
    assert set(dict(result.phases)) == {"connect", "tls"}
    left = value(result, "jianwei_probe_tls_expiry_seconds")
    assert 29 * 86400 < left < 30 * 86400
    (info,) = family(result, "probe_ssl_last_chain_info").samples
    assert dict(info.labels)["subject"] == "CN=s"
    (version,) = family(result, "probe_tls_version_info").samples
    assert version.labels == (("version", "TLS 1.3"),)


NAME = x509.DNSName("portal.example")


@pytest.mark.parametrize(
    ("issue", "reason", "words", "days"),
    [
        ({"begins": -40, "ends": -10}, "tls_expired", "expired 10.0 days ago", -10),
        ({"begins": 5}, "tls_not_yet_valid", "valid only in 5.0 days", 30),
        ({"sans": NAME}, "tls_name_mismatch", "for portal.example", 30),
        ({"sans": NAME, "ends": -0.5}, "tls_name_mismatch", "expired 0.5 days ago", -0.5),
        ({"authority": Authority("Other")}, "tls_untrusted", "subject CN=s", 30),
    ],
    ids=["expired", "not-yet", "name", "name-and-expired", "untrusted"],
)
@pytest.mark.parametrize("starttls", [False, True])
def test_certificates_that_are_bad_are_shown_all_the_same(
    issue: dict[str, object],
    reason: str,
    words: str,
    days: float,
    starttls: bool,
    tmp_path: Path,
    trusting: Callable[..., TlsConfig],
) -> None:
    how = dict(issue)
    authority = how.pop("authority", AUTHORITY)
    sans = [how.pop("sans")] if "sans" in how else []
    assert isinstance(authority, Authority)
    care = over_tls(authority.issue("s", *sans, **how), tmp_path, silent)  # type: ignore[arg-type]
    settings = TcpModule(tls=True, tls_config=trusting())
    if starttls:
        care = smtp(care)
        settings = TcpModule(query_response=SMTP, tls_config=trusting())
    with serving(care) as port:
        result = tcp.probe(target(port), settings, 5)
    assert result.reason == reason, result
    assert words in result.detail
    assert names(result) == TLS_SERIES | {"probe_failed_due_to_regex"}
    left = value(result, "jianwei_probe_tls_expiry_seconds")
    assert days * 86400 - 60 < left <= days * 86400
    assert not result.success
    assert result.received == 1


SMTP = (
    step("^220 ", "EHLO prober"),
    step("^250[ -]STARTTLS", "STARTTLS"),
    step("^220"),
    step(starttls=True),
    step(send="EHLO prober"),
    step("^250 secured"),
)


def smtp(secured: Care) -> Care:
    def care(connection: socket.socket) -> None:
        lines = connection.makefile("rwb", buffering=0)
        lines.write(b"220 mail\r\n")
        assert lines.readline() == b"EHLO prober\n"
        lines.write(b"250-mail\r\n250-STARTTLS\r\n250 HELP\r\n")
        assert lines.readline() == b"STARTTLS\n"
        lines.write(b"220 go\r\n")
        secured(connection)

    return care


def test_starttls(tmp_path: Path, trusting: Callable[..., TlsConfig]) -> None:
    def inside(connection: socket.socket) -> None:
        assert connection.recv(100) == b"EHLO prober\n"
        connection.sendall(b"250 secured\r\n")

    care = smtp(over_tls(AUTHORITY.issue("s"), tmp_path, inside))
    with serving(care) as port:
        settings = TcpModule(query_response=SMTP, tls_config=trusting())
        result = tcp.probe(target(port), settings, 5)
    assert result.success, result
    assert set(dict(result.phases)) == {"connect", "tls", "dialogue"}


def test_verification_that_is_not_wanted(tmp_path: Path) -> None:
    pair = Authority("Other").issue("s", NAME, ends=-1)
    with serving(over_tls(pair, tmp_path, silent)) as port:
        settings = TlsModule(tls_config=TlsConfig(insecure_skip_verify=True))
        result = tls.probe(target(port), settings, 5)
    assert result.success, result
    assert names(result) == TLS_SERIES


def test_the_name_is_the_targets_or_the_modules(
    tmp_path: Path, trusting: Callable[..., TlsConfig]
) -> None:
    with serving(over_tls(AUTHORITY.issue("s", NAME), tmp_path, silent)) as port:
        named = tls.probe(target(port, host="Portal.example."), TlsModule(tls_config=trusting()), 5)
        config = trusting(server_name="portal.example")
        told = tls.probe(target(port, host="other.example"), TlsModule(tls_config=config), 5)
        other = tls.probe(target(port, host="other.example"), TlsModule(tls_config=trusting()), 5)
        odd = tls.probe(target(port, host=".a"), TlsModule(tls_config=trusting()), 5)
    assert (named.reason, told.reason, other.reason, odd.reason) == (
        *("", "", "tls_name_mismatch"),
        "error",
    )


def closing(connection: socket.socket) -> None:
    connection.recv(100)


@pytest.mark.parametrize(
    ("care", "reason"),
    [
        (greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls_handshake"),
        (greeting(b"\x16\x03\x03\xff\xff" + b"\0" * 70000), "tls_handshake"),
        (greeting(b"\x15\x03\x01\x00\x02\x02\x28"), "tls_handshake"),  # an alert
        (closing, "tls_handshake"),
        (silent, "timeout"),
    ],
    ids=["plain-http", "nonsense", "alert", "closed", "silent"],
)
def test_no_tls_there(care: Care, reason: str) -> None:
    with serving(care) as port:
        start = time.monotonic()
        result = tls.probe(target(port), TlsModule(), 0.7)
        assert time.monotonic() - start < 5
    assert result.reason in (reason, "connect_reset")
    assert reason == "tls_handshake" or result.reason == reason
    assert result.families == ()
    assert not re.search(r"\.c:\d+", result.detail)


def test_a_handshake_that_trickles_stops_at_the_deadline() -> None:
    def care(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            connection.sendall(b"\x02")
            time.sleep(0.05)

    with serving(care) as port:
        start = time.monotonic()
        result = tls.probe(target(port), TlsModule(), 0.7)
        assert time.monotonic() - start < 5
    assert result.reason in ("timeout", "tls_handshake")


@given(st.binary(max_size=200))
def test_any_bytes_for_a_handshake(answer: bytes) -> None:
    def care(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1000)

    with serving(care) as port:
        result = tls.probe(target(port), TlsModule(), 2)
    assert result.reason in ("tls_handshake", "connect_reset", "timeout")


def test_a_client_certificate(tmp_path: Path, trusting: Callable[..., TlsConfig]) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*AUTHORITY.issue("s").write(tmp_path, "s"))
    context.load_verify_locations(cadata=AUTHORITY.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    cert, key = AUTHORITY.issue("client").write(tmp_path, "client")

    def care(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as over:
            over.sendall(b"welcome\n")

    steps = (step("^welcome"),)
    with serving(care) as port:
        mine = trusting(cert_file=str(cert), key_file=str(key))
        good = TcpModule(tls=True, tls_config=mine, query_response=steps)
        bare = TcpModule(tls=True, tls_config=trusting(), query_response=steps)
        assert tcp.probe(target(port), good, 5).success
        assert tcp.probe(target(port), bare, 5).reason == "tls_handshake"


def test_an_authority_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(Authority("Other").pem)
    settings = TlsModule(tls_config=TlsConfig(ca_file=str(path)))
    with serving(over_tls(AUTHORITY.issue("s"), tmp_path, silent)) as port:
        assert tls.probe(target(port), settings, 5).reason == "tls_untrusted"
        path.write_bytes(AUTHORITY.pem)
        assert tls.probe(target(port), settings, 5).success
        path.unlink()
        assert tls.probe(target(port), settings, 5).reason == "error"

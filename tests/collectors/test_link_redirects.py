"""The http prober where it is led elsewhere, and over TLS."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509

from collectors.link import http
from collectors.link.connect import Failure
from collectors.link.http import LookUp
from collectors.link.httpsettings import BasicAuth, HttpModule
from collectors.link.tlsconfig import TlsConfig
from collectors.strictyaml import Secret
from tests.collectors.servers import (
    Care,
    over_tls,
    receive_head,
    saying,
    serving,
    web_target,
)
from tests.collectors.weblab import answer, asked, values
from tests.exporters.certificates import Authority

AUTHORITY = Authority()


def to(location: str, status: str = "302 Found", **headers: str) -> bytes:
    return answer(b"", status, Location=location, **headers)


def site(pages: Mapping[str, bytes], seen: list[bytes] | None = None) -> Care:
    """Answers by path."""

    def care(connection: socket.socket) -> None:
        head = receive_head(connection)
        if seen is not None:
            seen.append(head)
        path = head.split(b" ")[1].decode()
        connection.sendall(pages.get(path, answer(b"", "404 Not Found")))

    return care


def test_a_redirect_on_the_same_host() -> None:
    seen: list[bytes] = []
    pages = {
        "/": to("/b?x", Set_Cookie="session=42; Path=/; HttpOnly"),
        "/b?x": to("c?next=http://x.example/", "307 Temporary Redirect"),
        "/c?next=http://x.example/": answer(b"here"),
    }
    settings = HttpModule(headers={"Host": "portal.example"}, bearer_token=Secret("t"))
    result = asked(site(pages, seen), settings)
    assert result.success, result
    assert values(result)["http_redirects"] == 2
    assert values(result)["http_uncompressed_body_length"] == 4
    assert [b"session=42" in head for head in seen] == [False, True, True]
    assert all(b"\r\nHost: portal.example\r\n" in head for head in seen)
    assert all(b"Bearer t" in head for head in seen)


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        ("301 M", "POST", "GET"),
        ("302 F", "POST", "GET"),
        ("303 S", "PUT", "GET"),
        ("302 F", "HEAD", "HEAD"),
        ("307 T", "POST", "POST"),
        ("308 P", "POST", "POST"),
    ],
)
def test_the_method_after_a_redirect(status: str, method: str, after: str) -> None:
    seen: list[bytes] = []
    result = asked(site({"/": to("/b", status), "/b": answer()}, seen), HttpModule(method=method))
    assert result.success, result
    assert seen[1].startswith(after.encode() + b" /b ")


def test_redirects_that_are_not_followed() -> None:
    care = site({"/": to("/b")})
    plain = asked(care, HttpModule(follow_redirects=False))
    assert plain.reason == "http_status"
    for settings in (
        HttpModule(follow_redirects=False, valid_status_codes=(302,)),
        HttpModule(no_follow_redirects=True, valid_status_codes=(302,)),
    ):
        result = asked(care, settings)
        assert result.success, result
        assert values(result)["http_redirects"] == 1


@pytest.mark.parametrize(
    ("location", "reason", "status"),
    [
        ("/", "http_redirect", 302),  # for ever
        ("ftp://127.0.0.1/", "http_redirect", 0),
        ("http://u:p@127.0.0.1/", "http_redirect", 0),
        ("http://other.example/", "not_allowed", 0),
        ("http://169.254.169.254/latest/meta-data/", "not_allowed", 0),
        ("http://[::1]/", "not_allowed", 0),
    ],
)
def test_redirects_to_nowhere(location: str, reason: str, status: int) -> None:
    result = asked(site({"/": to(location)}))
    assert result.reason == reason, result
    assert values(result)["http_status_code"] == status
    assert result.received == 1


def test_a_redirect_whose_location_is_no_text() -> None:
    result = asked(site({"/": to("/\xe9".encode("latin-1").decode("latin-1"))}))
    assert result.reason == "http_status"  # 404 of what was asked then


def looks_up(answers: Mapping[str, str | Failure]) -> LookUp:
    def look_up(host: str, port: int) -> str:
        found = answers[host]
        if isinstance(found, Failure):
            raise found
        return found

    return look_up


def test_a_redirect_to_another_host_is_looked_up_and_gets_no_secrets(tmp_path: Path) -> None:
    seen: list[bytes] = []
    ca = tmp_path / "ca.pem"
    ca.write_bytes(AUTHORITY.pem)
    pair = AUTHORITY.issue("b", x509.DNSName("b.example"))
    inner = site({"/x": answer(b"here")}, seen)
    with serving(over_tls(pair, tmp_path, inner)) as secure_port:
        pages = {"/": to(f"https://b.example:{secure_port}/x", Set_Cookie="session=42")}
        settings = HttpModule(
            basic_auth=BasicAuth("me", Secret("secret")),
            headers={"Cookie": "mine=1", "X-Plain": "1", "Host": "a.example"},
            tls_config=TlsConfig(ca_file=str(ca), server_name="a.example"),
        )
        with serving(site(pages)) as port:
            target = web_target(port, host="a.example")
            look_up = looks_up({"b.example": "127.0.0.1"})
            result = http.probe(target, settings, 5, look_up)
            gone = Failure("dns_nxdomain", "no such name")
            lost = http.probe(target, settings, 5, looks_up({"b.example": gone}))
    assert result.success, result
    assert values(result)["http_ssl"] == 1
    (head,) = seen
    assert f"Host: b.example:{secure_port}".encode() in head
    assert b"X-Plain: 1" in head
    assert b"Authorization" not in head
    assert b"Cookie" not in head
    assert (lost.reason, values(lost)["http_status_code"]) == ("dns_nxdomain", 0)
    assert f"https://b.example:{secure_port}/x" in lost.detail


def test_secrets_do_not_go_from_tls_to_plain_text(tmp_path: Path) -> None:
    seen: list[bytes] = []
    settings = HttpModule(bearer_token=Secret("t"), tls_config=TlsConfig(insecure_skip_verify=True))
    with serving(site({"/x": answer()}, seen)) as plain:
        inner = site({"/": to(f"http://127.0.0.1:{plain}/x", Set_Cookie="session=42")})
        with serving(over_tls(AUTHORITY.issue("s"), tmp_path, inner)) as port:
            result = http.probe(web_target(port, "https:/"), settings, 5)
    assert result.success, result
    assert b"Bearer" not in seen[0]
    assert b"session" not in seen[0]
    assert values(result)["http_ssl"] == 0  # of the last hop


@pytest.mark.parametrize(
    ("days", "reason"), [((-9, -1), "tls_expired"), ((-1, 30), ""), ((1, 30), "tls_not_yet_valid")]
)
def test_https(days: tuple[float, float], reason: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(AUTHORITY.pem)
    settings = HttpModule(tls_config=TlsConfig(ca_file=str(ca)), fail_if_not_ssl=True)
    pair = AUTHORITY.issue("s", begins=days[0], ends=days[1])
    with serving(over_tls(pair, tmp_path, saying(answer(b"x")))) as port:
        result = http.probe(web_target(port, "https:/"), settings, 5)
        plain = http.probe(web_target(port), settings, 5)
    assert result.reason == reason, result
    assert values(result)["http_ssl"] == (not reason)
    assert values(result)["http_status_code"] == (0 if reason else 200)
    expiry = values(result)["ssl_earliest_cert_expiry"]
    assert abs(expiry - time.time() - days[1] * 86400) < 60
    assert plain.reason in ("http_protocol", "connect_reset")


def test_tls_that_must_not_be(tmp_path: Path) -> None:
    settings = HttpModule(fail_if_ssl=True, tls_config=TlsConfig(insecure_skip_verify=True))
    with serving(over_tls(AUTHORITY.issue("s"), tmp_path, saying(answer()))) as port:
        result = http.probe(web_target(port, "https:/"), settings, 5)
    assert result.reason == "tls_unwanted"

"""The http prober: answers as a module wants them or not, redirects, and servers that mean harm."""

from __future__ import annotations

import gzip
import itertools
import socket
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import http
from collectors.link.connect import Failure
from collectors.link.http import LookUp
from collectors.link.httpsettings import Authorization, BasicAuth, HeaderMatch, HttpModule
from collectors.link.tlsconfig import TlsConfig
from collectors.model import ProbeResult
from collectors.strictyaml import Regex, Secret
from tests.collectors.servers import (
    Care,
    over_tls,
    receive_head,
    resetting,
    saying,
    serving,
    silent,
    web_target,
)
from tests.exporters.certificates import Authority

AUTHORITY = Authority()
BOTH = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
PHASES = ("resolve", "connect", "tls", "processing", "transfer")


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    told = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    told.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status}", *told, "", ""]).encode() + body


def asked(
    care: Care, settings: HttpModule | None = None, path: str = "/", timeout: float = 5
) -> ProbeResult:
    """One probe of a server that does `care`; it ends in time, whatever that is."""
    with serving(care) as port:
        start = time.monotonic()
        result = http.probe(web_target(port, path), settings or HttpModule(), timeout)
        assert time.monotonic() - start < timeout + 5
    return result


def values(result: ProbeResult) -> dict[str, float]:
    """The series that have no labels."""
    return {
        f.name.removeprefix("probe_"): s.value
        for f in result.families
        for s in f.samples
        if not s.labels
    }


@BOTH
def test_an_answer(address: str) -> None:
    care = saying(answer(b"hello", Last_Modified="Wed, 21 Oct 2026 07:28:00 GMT"))
    with serving(care, address) as port:
        result = http.probe(web_target(port, address=address), HttpModule(), 5)
    assert result.success, result
    assert (result.sent, result.received) == (1, 1)
    assert tuple(dict(result.phases)) == PHASES
    assert result.rtts == (dict(result.phases)["processing"],)
    assert result.rtts[0] > 0
    told = values(result)
    assert told == {
        "http_status_code": 200,
        "http_version": 1.1,
        "http_content_length": 5,
        "http_uncompressed_body_length": 5,
        "http_redirects": 0,
        "http_ssl": 0,
        "failed_due_to_regex": 0,
        "http_last_modified_timestamp_seconds": 1792567680,
    }


def test_what_is_asked() -> None:
    heads: list[bytes] = []

    def care(connection: socket.socket) -> None:
        head = receive_head(connection)
        posted = head.startswith(b"POST") and not head.endswith(b"{}")
        heads.append(head + connection.recv(2) if posted else head)
        connection.sendall(answer())

    settings = HttpModule(
        method="POST",
        body="{}",
        headers={"Content-Type": "application/json", "X-N": "名"},
        basic_auth=BasicAuth("me", Secret("a:b")),
    )
    with serving(care) as port:
        assert http.probe(web_target(port, "/a?b=c"), settings, 5).success
        assert http.probe(
            web_target(port, host="portal.example"),
            HttpModule(authorization=Authorization("Token", Secret("abc"))),
            5,
        ).success
        named = HttpModule(headers={"host": "other.example"}, bearer_token=Secret("xyz"))
        assert http.probe(web_target(port), named, 5).success
    first = heads[0].decode().split("\r\n")
    assert first[0] == "POST /a?b=c HTTP/1.1"
    assert first[-1] == "{}"
    assert {
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        "X-N: 名",
        "User-Agent: Jianwei",
        "Authorization: Basic bWU6YTpi",
        "Connection: close",
        "Content-Length: 2",
    } == set(first[1:-2])
    assert f"Host: portal.example:{port}".encode() in heads[1]
    assert b"Authorization: Token abc" in heads[1]
    assert b"\r\nHost: other.example\r\n" in heads[2]
    assert b"Authorization: Bearer xyz" in heads[2]


def matches(header: str, regexp: str, allow_missing: bool = False) -> HeaderMatch:
    return HeaderMatch(header, Regex(regexp), allow_missing)


OK = answer(b"<p>Hello\nWorld</p>", Server="nginx/1.22", X_Twice="a\r\nX-Twice: b")


@pytest.mark.parametrize(
    ("settings", "reason", "regex"),
    [
        (HttpModule(), "", 0),
        (HttpModule(valid_status_codes=(404,)), "http_status", 0),
        (HttpModule(valid_http_versions=("HTTP/1.0",)), "http_version", 0),
        (HttpModule(valid_http_versions=("HTTP/2", "HTTP/1.1")), "", 0),
        (HttpModule(fail_if_not_ssl=True), "tls_missing", 0),
        (HttpModule(fail_if_ssl=True), "", 0),
        (HttpModule(fail_if_body_matches_regexp=(Regex("Hello"),)), "body_mismatch", 1),
        (HttpModule(fail_if_body_matches_regexp=(Regex("Hello.World"),)), "", 0),
        (HttpModule(fail_if_body_not_matches_regexp=(Regex("(?s)lo.Wo"),)), "", 0),
        (HttpModule(fail_if_body_not_matches_regexp=(Regex("p"), Regex("q"))), "body_mismatch", 1),
        (HttpModule(fail_if_header_matches=(matches("server", "nginx"),)), "header_mismatch", 1),
        (HttpModule(fail_if_header_matches=(matches("Via", ".*"),)), "header_mismatch", 1),
        (HttpModule(fail_if_header_matches=(matches("Via", ".*", True),)), "", 0),
        (HttpModule(fail_if_header_not_matches=(matches("X-Twice", "^b$"),)), "", 0),
        (HttpModule(fail_if_header_not_matches=(matches("X-Twice", "c"),)), "header_mismatch", 1),
        (HttpModule(fail_if_header_not_matches=(matches("Via", "a"),)), "header_mismatch", 1),
        (HttpModule(fail_if_header_not_matches=(matches("Via", "a", True),)), "", 0),
        (HttpModule(body_size_limit=17), "body_too_large", 0),
        (HttpModule(body_size_limit=18), "", 0),
    ],
)
def test_verdicts(settings: HttpModule, reason: str, regex: float) -> None:
    result = asked(saying(OK), settings)
    assert result.reason == reason, result
    assert values(result)["failed_due_to_regex"] == regex
    assert values(result)["http_status_code"] == 200


@pytest.mark.parametrize(
    ("raw", "length", "size"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nold", -1, 3),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 0, 0),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            -1,
            5,
        ),
        (
            b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            1,
            1,
        ),
    ],
    ids=["http-1.0", "204", "chunked", "103-first"],
)
def test_framing(raw: bytes, length: int, size: int) -> None:
    result = asked(saying(raw))
    assert result.success, result
    told = values(result)
    assert (told["http_content_length"], told["http_uncompressed_body_length"]) == (length, size)


DATA = b"see the whole " * 1000
RAW = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("compression", "body", "reason"),
    [
        ("gzip", gzip.compress(DATA), ""),
        ("gzip", gzip.compress(DATA[:7000]) + gzip.compress(DATA[7000:]), ""),
        ("deflate", zlib.compress(DATA), ""),
        ("deflate", RAW.compress(DATA) + RAW.flush(), ""),
        ("identity", DATA, ""),
        ("gzip", gzip.compress(DATA)[:-9], "http_protocol"),
        ("gzip", DATA, "http_protocol"),
        ("gzip", b"", "http_protocol"),
    ],
)
def test_compression(compression: str, body: bytes, reason: str) -> None:
    settings = HttpModule(
        compression=compression,  # type: ignore[arg-type]
        fail_if_body_not_matches_regexp=(Regex("whole $"),),
    )
    result = asked(saying(answer(body)), settings)
    assert result.reason == reason, result
    if not reason:
        assert values(result)["http_uncompressed_body_length"] == len(DATA)
        assert values(result)["http_content_length"] == len(body)


# --- redirects ----------------------------------------------------------------------------------


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


# --- harm ---------------------------------------------------------------------------------------


def endless(head: bytes, piece: bytes, pause: float = 0) -> Care:
    def care(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(head)
        for _ in itertools.count():
            connection.sendall(piece)
            time.sleep(pause)

    return care


BOMB = gzip.compress(bytes(300 << 20))
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = HttpModule(compression="gzip", fail_if_body_not_matches_regexp=(Regex("x"),))


@pytest.mark.parametrize(
    ("care", "settings", "reasons"),
    [
        (silent, None, "timeout"),
        (resetting, None, "connect_reset"),
        (saying(b""), None, "http_protocol"),
        (saying(b"\0\xff nonsense\r\n\r\n"), None, "http_protocol"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), None, "http_protocol"),
        (saying(b"HTTP/1.1 999999 X\r\n\r\n"), None, "http_protocol"),
        (saying(HEAD + b"Content-Length: 99\r\n\r\nshort"), None, "http_protocol"),
        (saying(HEAD + b"Content-Length: 9, 10\r\n\r\nx"), None, "http_protocol"),
        (saying(HEAD + b"No colon here\r\n\r\n"), None, "http_protocol"),
        (saying(CHUNKED + b"zz\r\n"), None, "http_protocol"),
        (saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), None, "http_protocol"),
        (endless(HEAD, b"X-More: yes\r\n" * 100), None, "http_protocol"),
        (endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), None, "http_protocol"),
        (endless(b"", b"\x00" * 65536), None, "http_protocol"),
        (endless(HEAD + b"\r\n", b"x" * 65536), None, "body_too_large"),
        (endless(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n"), None, "body_too_large"),
        (endless(HEAD + b"Content-Length: 99999999999999\r\n\r\n", bytes(65536)), None, "body_too_large"),
        (endless(CHUNKED + b"0\r\n", b"X-More: yes\r\n" * 100), None, "http_protocol"),
        (endless(HEAD, b"X", 0.02), None, "timeout"),
        (endless(HEAD + b"\r\n", b"x", 0.02), None, "timeout"),
        (endless(b"", b"\r\n", 0.02), None, "http_protocol"),
        (saying(answer(BOMB)), ZIPPED, "body_too_large"),
        (endless(HEAD + b"\r\n", gzip.compress(b"") * 1000), ZIPPED, "body_too_large"),
    ],
    ids=[
        *("silent", "reset", "closed", "nonsense", "ssh", "status", "short-body", "two-lengths"),
        *("no-colon", "bad-chunk", "101", "endless-headers", "endless-interim", "endless-zeros"),
        *("endless-body", "endless-chunks", "huge-length", "endless-trailer", "slow-headers"),
        *("slow-body", "blank-lines", "gzip-bomb", "gzip-of-nothing"),
    ],
)  # fmt: skip
def test_servers_that_mean_harm(care: Care, settings: HttpModule | None, reasons: str) -> None:
    result = asked(care, settings, timeout=3 if reasons != "timeout" else 0.4)
    assert result.reason == reasons, result
    assert not result.success


def test_a_bomb_costs_no_memory() -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert asked(saying(answer(BOMB)), ZIPPED).reason == "body_too_large"
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 60 << 10  # KiB


def test_a_server_that_does_not_read() -> None:
    def care(connection: socket.socket) -> None:
        time.sleep(1.5)

    result = asked(care, HttpModule(method="POST", body="x" * (8 << 20)), timeout=0.5)
    assert result.reason == "timeout"


@given(st.binary(max_size=300))
def test_any_bytes_for_an_answer(data: bytes) -> None:
    result = asked(saying(data), timeout=2)
    assert result.reason in ("http_protocol", "connect_reset"), result


LINES = st.lists(
    st.sampled_from(
        [
            *(
                "Content-Length: 3",
                "Content-Length: 0",
                "Transfer-Encoding: chunked",
                "Location: /",
            ),
            *(
                "Location: http://[",
                "Last-Modified: x",
                "Last-Modified: Wed, 21 Oct 99999 07:28:00",
            ),
            *("Set-Cookie: \xe9=1", "Set-Cookie: =", "Set-Cookie: a", ": x", "A : b", " folded"),
        ]
    ),
    max_size=4,
)


@given(
    st.sampled_from([200, 204, 302, 304, 307, 500]),
    LINES,
    st.sampled_from(["", "abc", "0\r\n\r\n"]),
)
def test_any_head_for_an_answer(status: int, lines: list[str], body: str) -> None:
    head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", body]).encode("latin-1")
    result = asked(saying(head), timeout=2)
    assert result.success == (not result.reason)
    assert result.reason in ("", "http_status", "http_protocol", "http_redirect", "connect_reset")

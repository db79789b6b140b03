"""The http prober: what is asked, and answers as a module wants them or not."""

from __future__ import annotations

import gzip
import socket
import zlib

import pytest

from collectors.link import http
from collectors.link.httpsettings import Authorization, BasicAuth, HeaderMatch, HttpModule
from collectors.strictyaml import Regex, Secret
from tests.collectors.servers import (
    receive_head,
    saying,
    serving,
    web_target,
)
from tests.collectors.weblab import answer, asked, values

BOTH = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
PHASES = ("resolve", "connect", "tls", "processing", "transfer")


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

"""The http prober and servers that mean harm: always a reason, always in time."""

from __future__ import annotations

import gzip
import itertools
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.httpsettings import HttpModule
from collectors.strictyaml import Regex
from tests.collectors.servers import (
    Care,
    receive_head,
    resetting,
    saying,
    silent,
)
from tests.collectors.weblab import answer, asked


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
    result = asked(care, settings, timeout=20 if reasons != "timeout" else 0.4)
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

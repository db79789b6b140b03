"""The client of the Prometheus API against a server that misbehaves in every way that servers and proxies do."""

from __future__ import annotations

import gzip
import math
import time
from urllib.parse import parse_qs

import numpy as np
import pytest

from collectors.strictyaml import Duration
from exporters.promapi.client import PromClient, Sample, TooMuch
from tests.exporters.promasking import (
    AT,
    BUSY,
    GOOD,
    asked,
    problem,
    refused,
    said,
    settings,
    told,
)
from tests.exporters.rudeserver import Reply, http, reset, rude, trickling


def test_a_query_is_a_form_that_says_what_each_kind_of_server_needs() -> None:
    with (
        rude(GOOD) as server,
        PromClient(settings(f"{server.url}/prometheus/", headers={})) as client,
    ):
        assert client.instant('up{a="北京"}', AT + 0.25) == [Sample({"resource": "a"}, 12.5)]
        assert client.name == f"{server.url}/prometheus"
        head, _, body = server.requests[0].partition("\r\n\r\n")
    assert head.startswith("POST /prometheus/api/v1/query HTTP/1.1")
    assert "content-type: application/x-www-form-urlencoded" in head.lower()
    form = {name: values[0] for name, values in parse_qs(body).items()}
    assert form == {
        "query": 'up{a="北京"}',
        "time": "1790000000.25",
        "timeout": "5000ms",
        "dedup": "true",
        "partial_response": "false",
        "deny_partial_response": "1",
        "max_source_resolution": "0s",
        "nocache": "1",
    }


def test_ranges_are_asked_for_in_parts_of_max_points() -> None:
    def part(first: int, count: int) -> bytes:
        values = [[AT + 300 * (first + n), str(first + n)] for n in range(count)]
        return http(200, said([{"metric": {"resource": "a"}, "values": values}], "matrix"))

    with (
        rude(part(0, 4), part(4, 4), part(8, 2)) as server,
        PromClient(settings(server.url, max_points=4)) as client,
    ):
        (series,) = client.over("x", AT, AT + 300 * 9.5, 300)
        asked_for = [parse_qs(one.partition("\r\n\r\n")[2]) for one in server.requests]
    assert series.labels == {"resource": "a"}
    assert series.values.tolist() == list(range(10))
    assert np.all(np.diff(series.times) == 300)
    assert [(float(one["end"][0]) - float(one["start"][0])) / 300 for one in asked_for] == [3, 3, 1]
    with (
        PromClient(settings("http://127.0.0.1:1")) as client,
        pytest.raises(ValueError, match="step"),
    ):
        client.over("x", AT, AT - 1, 300)


def test_numbers_that_are_none_are_kept_as_they_are() -> None:
    def value(text: str) -> float:
        return asked(http(200, said([{"metric": {}, "value": [AT, text]}])))[0][0].value

    assert math.isnan(value("NaN"))
    assert (value("+Inf"), value("-Inf"), value("1e-7")) == (math.inf, -math.inf, 1e-7)
    assert asked(http(200, said([AT, "7"], "scalar")))[0] == [Sample({}, 7.0)]
    assert asked(http(200, said([])))[0] == []


@pytest.mark.parametrize(
    "bad",
    [
        BUSY,
        http(429, "slow down"),
        http(502, "", kind="text/html"),
        http(504, refused("internal", "upstream")),
        reset,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + said().encode(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + said().encode()[:16],
        b"HTTP/1.1 200 OK\r\n\r\n" + said().encode()[:-9],
        http(200, gzip.compress(said().encode())[:-12], "Content-Encoding: gzip"),
        http(200, b"\x1f\x8b no gzip at all", "Content-Encoding: gzip"),
        b"SSH-2.0-OpenSSH\r\n",
        http(200, said(isPartial=True)),
        http(200, said(warnings=["No StoreAPIs matched for this query"])),
    ],
)
def test_what_may_be_over_is_tried_again(bad: Reply) -> None:
    assert asked(bad, GOOD) == ([Sample({"resource": "a"}, 12.5)], 2)
    text, tries = problem(bad)
    assert tries == 3
    assert "(3 tries)" in text


def test_nothing_is_tried_again_where_that_was_said() -> None:
    text, tries = problem(BUSY, retries=0)
    assert tries == 1
    assert "tries" not in text


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    assert told("http://127.0.0.1:1").startswith("http://127.0.0.1:1: Connection refused (3 tries)")
    assert told("http://no.such.host.invalid").startswith("http://no.such.host.invalid: ")
    assert "no name that can be looked up" in told("http://a..b")


def test_retry_after_is_waited_for_but_not_for_ever() -> None:
    began = time.monotonic()
    assert asked(http(429, "", "Retry-After: 1"), GOOD)[1] == 2
    assert time.monotonic() - began >= 1
    text, tries = problem(http(503, "", "Retry-After: 3600"))
    assert tries == 1
    assert "it asks to wait 3600 s" in text
    text, tries = problem(http(503, "", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT"))
    assert tries == 1
    assert asked(http(503, "", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"), GOOD)[1] == 2
    assert asked(http(503, "", "Retry-After: soon"), GOOD)[1] == 2


def test_a_body_that_is_too_long_is_too_much() -> None:
    for answer in (http(413, "<p>"), http(414, refused("bad_data", "long"))):
        assert problem(answer, kind=TooMuch)[1] == 1
    long = said(infos=["x" * (1 << 17)])
    replies: tuple[Reply, ...] = (
        http(200, long),
        http(200, gzip.compress(long.encode()), "Content-Encoding: gzip"),
        http(200, gzip.compress(b" " * (1 << 28), 9), "Content-Encoding: gzip"),
        trickling(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    )
    for reply in replies:
        text, tries = problem(reply, kind=TooMuch, max_bytes=1 << 16)
        assert tries == 1
        assert "longer than 65536 bytes" in text
    assert problem(http(200, b"x", "Content-Encoding: br"))[1] == 1


@pytest.mark.parametrize(
    "reply",
    [
        trickling(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        trickling(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        trickling(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        trickling(b"", b""),
    ],
)
def test_a_server_that_trickles_does_not_hold_us(reply: Reply) -> None:
    began = time.monotonic()
    text, tries = problem(reply, timeout=Duration(0.3), retries=1)
    assert tries == 2
    assert "no whole answer in 0.3 s (2 tries)" in text
    assert time.monotonic() - began < 10


def test_remarks_are_kept_and_missing_data_is_an_error_unless_allowed() -> None:
    remarks = ["PromQL info: metric might not be a counter", "store 1: down\x1b\n"]
    reply = http(200, said(warnings=remarks[1:], infos=remarks[:1]))
    text, _ = problem(reply)
    assert "from a part of its data: store 1: down" in text
    assert "partial: true" in text
    with rude(reply) as server, PromClient(settings(server.url, partial=True)) as client:
        assert len(client.instant("up", AT)) == 1
        assert list(client.remarks) == ["store 1: down\\x1b\\n", remarks[0]]
        assert "partial_response=true" in server.requests[0]
    with (
        rude(http(200, said(infos=remarks[:1]))) as server,
        PromClient(settings(server.url)) as client,
    ):
        assert len(client.instant("up", AT)) == 1
        assert list(client.remarks) == remarks[:1]

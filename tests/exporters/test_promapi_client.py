"""The client of the Prometheus API against a server that misbehaves in every way that servers and proxies do."""

from __future__ import annotations

import base64
import gzip
import json
import math
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError, Duration, Secret, load
from exporters.promapi import answers
from exporters.promapi.client import NotServed, PromClient, PromSettings, Sample, TooMuch
from exporters.usage.source import SourceError
from tests.exporters.certificates import Authority
from tests.exporters.rudeserver import Reply, http, reset, rude, trickling

AT = 1_790_000_000.0
ONE = [{"metric": {"resource": "a"}, "value": [AT, "12.5"]}]


def said(result: Any = ONE, kind: str = "vector", **more: Any) -> str:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data, **more})


def refused(kind: str, words: str) -> str:
    return json.dumps({"status": "error", "errorType": kind, "error": words})


GOOD = http(200, said())
BUSY = http(503, "<html>busy</html>", kind="text/html")


def settings(url: str, **more: Any) -> PromSettings:
    given = {"retries": 2, "timeout": Duration(5), "backoff": Duration(0.01), **more}
    return PromSettings(url=url, **given)


def asked(*replies: Reply, **more: Any) -> tuple[list[Sample], int]:
    """The answer to one query, and how often it was asked for."""
    with rude(*replies) as server, PromClient(settings(server.url, **more)) as client:
        return client.instant("up", AT), len(server.requests)


def problem(*replies: Reply, kind: type[SourceError] = SourceError, **more: Any) -> tuple[str, int]:
    """What is told of it, and how often it was asked for."""
    with rude(*replies) as server, PromClient(settings(server.url, **more)) as client:
        with pytest.raises(SourceError) as caught:
            client.instant("up", AT)
        assert type(caught.value) is kind
        text = str(caught.value)
        assert text.startswith(f"{server.url}: ")
        assert text.isprintable()
        assert len(text) < 700
        return text, len(server.requests)


def told(url: str, **more: Any) -> str:
    """What a client of an address says of the first query."""
    with PromClient(settings(url, **more)) as client, pytest.raises(SourceError) as caught:
        client.instant("up", AT)
    return str(caught.value)


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


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_query_is_told_in_the_servers_words_and_not_tried_again(status: int) -> None:
    words = "1:5: parse error:\n\x1b[31m unclosed \u202e" + "x" * 5000
    text, tries = problem(http(status, refused("bad_data", words)))
    assert tries == 1
    assert f"it refused ({status}): bad_data: 1:5: parse error:" in text


@pytest.mark.parametrize(
    ("status", "words", "remedy"),
    [
        (
            422,
            "query processing would load too many samples into memory in query execution",
            "--query.max-samples",
        ),
        (
            422,
            "cannot select more than -search.maxSamplesPerQuery=1000 samples",
            "-search.maxSamplesPerQuery",
        ),
        (
            422,
            "the number of matching timeseries exceeds 300000; either narrow down the search or "
            "increase -search.maxUniqueTimeseries",
            "-search.maxUniqueTimeseries",
        ),
        (
            422,
            "the query exceeded the maximum number of series (err-mimir-max-series-per-query)",
            "max_fetched_series_per_query",
        ),
        (
            422,
            "the query exceeded the aggregated chunks size limit "
            "(err-mimir-max-chunks-bytes-per-query)",
            "max_fetched_chunk_bytes_per_query",
        ),
        (422, "expanding series: rpc error: code = ResourceExhausted desc = x", "its stores"),
        (500, "exceeded chunks limit: limit 100 violated (got 120)", "store's limits"),
        (503, "query timed out in expression evaluation", "its query time-out"),
        (400, "exceeded maximum resolution of 11,000 points per timeseries.", "max_points"),
    ],
)
def test_too_much_is_an_error_of_its_own(status: int, words: str, remedy: str) -> None:
    text, tries = problem(http(status, refused("execution", words)), kind=TooMuch)
    assert tries == 1
    assert "ask for fewer resources at once" in text
    assert remedy in text


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
    assert asked(reply, GOOD, timeout=Duration(1))[1] == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (http(200, "<!doctype html><title>Log in", kind="text/html"), "a web page and no JSON"),
        (http(200, "  <html>", kind="application/json"), "a web page and no JSON"),
        (
            http(302, "", "Location: https://sso.example/login?next=geheim"),
            "https://sso.example/login ",
        ),
        (http(302, ""), "elsewhere"),
        (http(401, "Unauthorized"), "it wants a login"),
        (http(403, refused("forbidden", "no org id")), "no org id; it does not let us read"),
        (http(500, refused("internal", "disk")), "internal: disk"),
        (http(500, "panic: \x1b[0m\nat once"), "panic"),
        (http(200, refused("execution", "odd")), "execution: odd"),
        (http(200, "[]"), "is it a Prometheus API?"),
        (http(200, '{"status":"success"}'), "is it a Prometheus API?"),
        (http(200, '{"status":"success","data":{"resultType":"vector"}}'), "result"),
        (http(200, said([], "streams")), "a streams, not a vector"),
        (http(200, said([], "matrix")), "a matrix, not a vector"),
        (http(200, said([{"metric": {"a": 1}, "value": [AT, "1"]}])), "its JSON"),
        (http(200, said([{"metric": {}, "value": [AT]}])), "its JSON"),
        (http(200, said([{"metric": {}, "value": [AT, "1_0"]}])), "its JSON"),
        (http(200, said([{"metric": {}, "value": [AT, None]}])), "its JSON"),
        (http(200, said([{"metric": {}, "histogram": [AT, {}]}])), "its JSON"),
        (http(200, '{"status":"success","data":' + "[" * 100_000), "nested too deeply"),
        (http(200, b'{"status":"\xff"}'), "no JSON"),
        (http(200, "pong"), "no JSON"),
        (http(200, said(), "Content-Encoding: zstd"), "zstd"),
    ],
)
def test_what_is_no_answer_of_the_api_is_told_at_once(reply: bytes, words: str) -> None:
    text, tries = problem(reply)
    assert tries == 1
    assert words in text
    assert "geheim" not in text


def test_what_is_not_served_is_an_error_of_its_own() -> None:
    for reply in (
        http(404, "404 page not found"),
        http(405, refused("bad_data", "method")),
        http(400, 'unsupported path requested: "/api/v1/query"', kind="text/plain"),
    ):
        assert problem(reply, kind=NotServed)[1] == 1
    with rude(http(200, '{"status":"success","data":{"a":"b"}}'), http(200, "-x=1")) as server:
        with PromClient(settings(server.url)) as client:
            assert client.get("status/flags", dict[str, str]) == {"a": "b"}
            assert client.page("flags") == "-x=1"
            with pytest.raises(SourceError, match=r"its JSON|no JSON"):
                client.get("status/flags", dict[str, str])
        assert server.requests[0].startswith("GET /api/v1/status/flags ")
        assert server.requests[1].startswith("GET /flags ")


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


def test_who_asks_is_told_in_headers_and_in_no_message() -> None:
    with rude(GOOD, http(401, "no")) as server:
        secret = Secret("p:ä-geheim")
        given = settings(server.url, user="bob", password=secret)
        assert "geheim" not in repr(given)
        with PromClient(given) as client:
            client.instant("up", AT)
            pair = base64.b64encode("bob:p:ä-geheim".encode()).decode()
            assert f"Authorization: Basic {pair}" in server.requests[0]
            with pytest.raises(SourceError) as caught:
                client.instant("up", AT)
        assert "geheim" not in str(caught.value)
        assert "bob" not in str(caught.value)
    with rude(GOOD) as server:
        more = {"bearer_token": Secret("t0k3n"), "headers": {"X-Scope-OrgID": Secret("city")}}
        with PromClient(settings(server.url, **more)) as client:
            client.instant("up", AT)
        assert "Authorization: Bearer t0k3n" in server.requests[0]
        assert "X-Scope-OrgID: city" in server.requests[0]


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert asked(GOOD)[1] == 1


def test_tls_is_verified_against_the_authority_that_is_given(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.issue("prometheus").write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    ca = str(tmp_path / "ca.pem")
    with rude(GOOD, tls=tls) as server:
        with PromClient(settings(server.url, ca_file=ca)) as client:
            assert len(client.instant("up", AT)) == 1
        text = told(server.url)
        assert "its certificate is not trusted" in text
        assert "ca_file" in text
        assert "tries" not in text
        assert told(f"http://127.0.0.1:{server.port}").startswith("http://127.0.0.1")
        with pytest.raises(SourceError, match=r"ca_file: .*/none\.pem: No such file"):
            PromClient(settings(server.url, ca_file=str(tmp_path / "none.pem")))
    slow = trickling(b"HTTP/1.1 200 OK\r\n\r\n", b" ")
    with rude(slow, tls=tls) as server:
        text = told(server.url, ca_file=ca, timeout=Duration(0.5), retries=0)
        assert "no whole answer in 0.5 s" in text
    with rude(GOOD) as server:
        assert "begin with http://" in told(f"https://127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "prometheus:9090",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://[::1",
        "http://a b",
        "http://bob:geheim@a",
        "http://bob@a",
        "http://a/?token=geheim",
        "http://a/#geheim",
        "http://a/api/v1/",
        "http://a/\n",
        "http://中国",
    ],
)
def test_a_bad_address_is_refused_and_a_password_in_it_never_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: ") as caught:
        PromSettings(url=url)
    assert "geheim" not in str(caught.value)


def test_settings_are_read_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0k3n\n")
    path = tmp_path / "prom.yaml"

    def read(text: str) -> PromSettings:
        path.write_text(f"url: https://prom.example/prometheus\n{text}")
        return load(str(path), PromSettings)

    given = read(
        "bearer_token: !file token\ntimeout: 1m\nheaders: {X-Scope-OrgID: a, X-Key: !file token}\n"
    )
    assert given.bearer_token
    assert given.bearer_token.reveal() == "t0k3n"
    assert {name: value.reveal() for name, value in given.headers.items()} == {
        "X-Scope-OrgID": "a",
        "X-Key": "t0k3n",
    }
    assert "t0k3n" not in repr(given)
    for text, words in (
        ("bearer_token: t0k3n", "a secret is not written here"),
        ("insecure: true", "unknown key"),
        ("user: a", "user and password: both or none"),
        ("user: a\npassword: !file token\nbearer_token: !file token", "either user"),
        ("headers: {Authorization: a}", "is a secret"),
        ("headers: {'a b': a}", "not the name of a header"),
        ('headers: {a: "x\\ny"}', "no header may have"),
        ("headers: {Host: a}", "made by the client"),
        ("headers: {a: 1}", "a secret is not written here"),
        ("retries: 99", "retries"),
        ("max_bytes: 1", "max_bytes"),
    ):
        with pytest.raises(DocumentError, match=words) as caught:
            read(text)
        assert "t0k3n" not in str(caught.value)


labels = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
numbers = st.floats(width=64)


def as_go(value: float) -> str:
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(value), repr(value))


@given(st.lists(st.tuples(labels, st.lists(numbers, min_size=1, max_size=20)), max_size=5))
def test_every_matrix_is_read_as_it_was_written(
    written: list[tuple[dict[str, str], list[float]]],
) -> None:
    result = [
        {"metric": names, "values": [[AT + n / 8, as_go(v)] for n, v in enumerate(values)]}
        for names, values in written
    ]
    data = json.dumps({"resultType": "matrix", "result": result}).encode()
    read = answers.matrix(data)
    assert [(one.labels, len(one.times)) for one in read] == [(a, len(b)) for a, b in written]
    for one, (_, values) in zip(read, written, strict=True):
        assert np.array_equal(one.values, np.array(values), equal_nan=True)
        assert one.times.tolist() == [AT + n / 8 for n in range(len(values))]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resultType", "result", "metric", "value", "values", "x"]),
            inner | st.sampled_from(["vector", "matrix", "scalar"]),
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read in (answers.envelope, answers.vector, answers.matrix):
        with suppress(answers.Wrong):
            read(data)


@pytest.mark.parametrize("times", [[2, 1], [1, 1]])
def test_times_that_do_not_ascend_are_refused(times: list[float]) -> None:
    result = [{"metric": {}, "values": [[one, "1"] for one in times]}]
    with pytest.raises(answers.Wrong, match="ascend"):
        answers.matrix(json.dumps({"resultType": "matrix", "result": result}).encode())

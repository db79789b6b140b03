"""What a server that does not answer a query means by it."""

from __future__ import annotations

import pytest

from exporters.promapi.client import NotServed, PromClient, TooMuch
from exporters.usage.source import SourceError
from tests.exporters.promasking import (
    AT,
    problem,
    refused,
    said,
    settings,
)
from tests.exporters.rudeserver import http, rude


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

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.prometheus.negotiation import (
    TEXT,
    gzipped,
    language,
    matches,
    page_format,
    wants_gzip,
)

OPENMETRICS = "application/openmetrics-text; version={}; charset=utf-8"
ONE, OLD = OPENMETRICS.format("1.0.0"), OPENMETRICS.format("0.0.1")
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain", TEXT),
        ("text/plain; version=0.0.4", TEXT),
        ("text/*", TEXT),
        ("application/json", TEXT),
        (PROMETHEUS_2, ONE),
        (PROMETHEUS_3, ONE),
        ("application/openmetrics-text", ONE),
        ("application/openmetrics-text; version=0.0.1", OLD),
        ('Application/OpenMetrics-Text; Version="0.0.1"', OLD),
        ("application/openmetrics-text; version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0.3, text/plain;q=0.4", TEXT),
        ("text/plain;q=0.3, application/openmetrics-text;q=0.4", ONE),
        ("text/plain, application/openmetrics-text", TEXT),
        ("application/openmetrics-text, text/plain", ONE),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=2, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=x", TEXT),
        ("application/openmetrics-text;q=nan", TEXT),
        (",;,;q=,", TEXT),
    ],
)
def test_format(accept: str, expected: str) -> None:
    chosen = page_format(accept)
    assert chosen.content_type == expected
    assert chosen.openmetrics == expected.startswith("application/openmetrics-text")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("GZIP", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*, gzip;q=0", False),
        ("gzip;q=1, *;q=0", True),
    ],
)
def test_gzip_is_wanted(header: str, expected: bool) -> None:
    assert wants_gzip(header) is expected


@pytest.mark.parametrize(
    ("asked", "header", "expected"),
    [
        ("", "", "zh"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "fr,en;q=0.5", "en"),
        ("", "fr", "zh"),
        ("", "en;q=0.5,zh-CN;q=0.8", "zh"),
        ("en", "zh-CN", "en"),
        ("zh", "en", "zh"),
        ("../etc", "en", "en"),
    ],
)
def test_language(asked: str, header: str, expected: str) -> None:
    assert language(asked, header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        ('"a"', True),
        ('"b"', False),
        ('"b", "a"', True),
        ('W/"a"', True),
        ("*", True),
        ('"a-gzip"', False),
    ],
)
def test_entity_tags(header: str, expected: bool) -> None:
    assert matches(header, '"a"') is expected


@given(st.text(max_size=200))
def test_any_header_is_understood(header: str) -> None:
    page_format(header)
    wants_gzip(header)
    language(header, header)
    matches(header, '"a"')


@given(st.binary(max_size=4096))
def test_gzip_round_trip(content: bytes) -> None:
    assert gzip.decompress(gzipped(content)) == content

"""The encoder against prometheus_client: equal pages, and pages that its parsers read back."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest as text_page
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_page
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from collectors.columns import Columns, Field, Things
from collectors.model import Family, Kind, Labels, Sample, counter, gauge, sample
from exporters.prometheus.encoder import KEEP, Encoder
from exporters.prometheus.format import number

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        'say "x"',
        "two\nlines",
        "back\\slash",
        "\\n",
        "政务云",
        "",
        "a=b,{c}",
        "# EOF",
        "\r",
        "\u2028",
    ]
)
METRIC = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True)
LABEL = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
# without the colon, for which prometheus_client writes `_` in OpenMetrics samples but not in headers
ODD = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=":"), min_size=1)
VALUE = (
    st.floats()
    | st.integers(-(2**64), 2**64)
    | st.integers(-20, 20).map(lambda exponent: 10.0**exponent)
    | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 999999.9999999999, 1e6, 1e16])
)
SUFFIXES: dict[Kind, list[str]] = {
    "counter": [""],
    "gauge": [""],
    "untyped": [""],
    "histogram": ["_bucket", "_sum", "_count"],
    "summary": ["", "_sum", "_count"],
}


def labels(names: st.SearchStrategy[str] = LABEL) -> st.SearchStrategy[Labels]:
    return st.dictionaries(names, TEXT, max_size=4).map(lambda pairs: tuple(pairs.items()))


@st.composite
def families(draw: st.DrawFn, names: st.SearchStrategy[str] = METRIC) -> Family:
    kind: Kind = draw(st.sampled_from(list(SUFFIXES)))
    name = draw(names) + ("_total" if kind == "counter" else "")
    samples = st.builds(Sample, labels(names), VALUE, st.sampled_from(SUFFIXES[kind]))
    return Family(name, kind, draw(TEXT), draw(st.lists(samples, max_size=5)))


class Registry:
    """Families as prometheus_client's own."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for family in self._families:
            name = family.name
            metric = Metric(
                name.removesuffix("_total") if family.kind == "counter" else name,
                family.help,
                family.kind,
            )
            for it in family.samples:
                metric.add_sample(name + it.suffix, dict(it.labels), it.value)
            yield metric


@given(st.lists(families() | families(ODD), max_size=5))
def test_equal_to_prometheus_client_and_the_same_each_time(given_families: list[Family]) -> None:
    encoder = Encoder()
    registry: Any = Registry(given_families)
    for _ in range(3):
        assert encoder.encode(given_families) == text_page(registry)
        assert encoder.encode(given_families, openmetrics=True) == openmetrics_page(registry)  # type: ignore[no-untyped-call] # theirs


@given(st.lists(families(), min_size=2, max_size=4))
def test_what_is_kept_from_other_pages_changes_nothing(given_families: list[Family]) -> None:
    """Including families of one name with another kind, help or samples."""
    encoder = Encoder(limit=3)
    renamed = [Family("x_total", f.kind, f.help, f.samples) for f in given_families]
    for family in [*given_families, *renamed, *given_families, *renamed]:
        assert encoder.encode([family]) == Encoder().encode([family])


@st.composite
def valid_families(draw: st.DrawFn) -> list[Family]:
    """What the parsers accept: ordered buckets that agree with their count, no negative counter."""
    made = []
    plain = labels(LABEL.filter(lambda n: not n.startswith("__") and n not in ("le", "quantile")))
    for index, base in enumerate(draw(st.lists(METRIC, max_size=4))):
        kind: Kind = draw(st.sampled_from(list(SUFFIXES)))
        name = f"m{index}{base}_{kind}" + ("_total" if kind == "counter" else "")
        rows = draw(st.lists(plain, max_size=3, unique_by=lambda row: frozenset(row)))
        samples: list[Sample] = []
        for row in rows:
            if kind == "histogram":
                counts = sorted(draw(st.lists(st.integers(0, 10**9), min_size=3, max_size=3)))
                for bound, count in zip(("0.5", "1.0", "+Inf"), counts, strict=True):
                    samples.append(Sample((*row, ("le", bound)), count, "_bucket"))
                samples.append(Sample(row, counts[-1], "_count"))
                samples.append(Sample(row, draw(st.floats(0, 1e9)), "_sum"))
            elif kind == "summary":
                samples.append(Sample((*row, ("quantile", "0.5")), draw(st.floats(0, 1e9))))
                samples.append(Sample(row, draw(st.integers(0, 10**9)), "_count"))
                samples.append(Sample(row, draw(st.floats(0, 1e9)), "_sum"))
            else:
                value = st.floats(min_value=0) if kind == "counter" else VALUE
                samples.append(Sample(row, draw(value)))
        made.append(Family(name, kind, draw(TEXT), samples))
    return made


def read_back(families: Iterable[Metric]) -> list[tuple[str, dict[str, str], str]]:
    return [(s.name, s.labels, repr(s.value)) for family in families for s in family.samples]


@given(valid_families())
def test_the_parsers_read_the_same_samples_back(given_families: list[Family]) -> None:
    expected = [
        (family.name + it.suffix, dict(it.labels), repr(float(it.value)))
        for family in given_families
        for it in family.samples
    ]
    encoder = Encoder()
    assert read_back(read_text(encoder.encode(given_families).decode())) == expected
    page = encoder.encode(given_families, openmetrics=True).decode()
    assert read_back(read_openmetrics(page)) == expected  # type: ignore[no-untyped-call] # theirs


def test_a_counter_without_total_keeps_its_name_and_is_unknown_to_openmetrics() -> None:
    family = counter("backups", "Backups made.", sample(3))
    assert Encoder().encode([family]) == (
        b"# HELP backups Backups made.\n# TYPE backups counter\nbackups 3.0\n"
    )
    assert Encoder().encode([family], openmetrics=True) == (
        b"# HELP backups Backups made.\n# TYPE backups unknown\nbackups 3.0\n# EOF\n"
    )


def test_bytes_that_are_no_text_cost_a_question_mark_not_the_page() -> None:
    """File names come with surrogates for bytes that are not UTF-8."""
    odd = b"/mnt/\xff".decode("utf-8", "surrogateescape")
    page = Encoder().encode([gauge("x", "X.", sample(1, mountpoint=odd))])
    assert page.endswith(b'x{mountpoint="/mnt/?"} 1.0\n')


def test_no_families_are_an_empty_page() -> None:
    assert Encoder().encode([]) == b""
    assert Encoder().encode([], openmetrics=True) == b"# EOF\n"


def devices(numbers: Iterable[int], name: str = "x") -> Family:
    return gauge(name, "X.", *(sample(n, device=f"sd{n}") for n in numbers))


def test_series_that_are_gone_are_forgotten() -> None:
    encoder = Encoder()
    for page in range(20):
        encoder.encode([devices(range(page * 100, page * 100 + 100))])
        assert len(encoder) == 100
    encoder.encode([devices([1])])
    assert len(encoder) == 1


def test_a_filtered_page_does_not_forget_the_other_families_but_their_end_does() -> None:
    encoder = Encoder()
    encoder.encode([devices(range(10), "a"), devices(range(10), "b")])
    encoder.encode([devices(range(10), "a")])
    assert len(encoder) == 20
    for _ in range(2 * KEEP):
        encoder.encode([devices(range(10), "a")])
    assert len(encoder) == 10


def test_no_more_is_kept_than_the_limit() -> None:
    encoder = Encoder(limit=50)
    for page in range(5):
        page_families = [devices(range(page, page + 30), name) for name in "abc"]
        assert encoder.encode(page_families) == Encoder().encode(page_families)
        assert len(encoder) <= 50


def test_concurrent_scrapes_get_whole_pages() -> None:
    pages: Sequence[list[Family]] = [
        [devices(range(start, start + 200), "a"), devices(range(200), "b")] for start in range(8)
    ]
    expected = [Encoder().encode(page) for page in pages]
    encoder = Encoder(limit=300)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(encoder.encode, pages)) == expected


@given(VALUE)
@settings(max_examples=500)
def test_numbers_read_back_exactly(value: float) -> None:
    assert repr(float(number(value))) == repr(float(value))


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    things = Things(
        draw(st.lists(labels(LABEL.filter(lambda n: n not in ("le", "stat"))), max_size=4))
    )
    fields = draw(
        st.lists(
            st.builds(
                Field,
                st.sampled_from(["", "_bucket", "_sum"]),
                st.none() | st.tuples(st.sampled_from(["le", "stat"]), TEXT),
            ),
            min_size=1,
            max_size=3,
        )
    )
    size = len(things) * len(fields)
    values = draw(st.lists(VALUE.map(float), min_size=size, max_size=size))
    return Columns(things, array("d", values), fields)


@given(columns(), TEXT)
def test_columns_are_written_as_the_samples_they_are(given_columns: Columns, help: str) -> None:
    family = Family("jianwei_x", "gauge", help, given_columns)
    same = Family("jianwei_x", "gauge", help, list(given_columns))
    for openmetrics in (False, True):
        encoder = Encoder()
        expected = encoder.encode([same], openmetrics)
        assert encoder.encode([family], openmetrics) == expected
        assert encoder.encode([family], openmetrics) == expected  # by what is kept of the labels


@given(columns())
def test_columns_are_a_sequence_of_samples_without_those_that_are_not_there(
    given_columns: Columns,
) -> None:
    samples = list(given_columns)
    assert len(given_columns) == len(samples)
    assert [given_columns[number] for number in range(len(samples))] == samples
    assert list(given_columns[1:3]) == samples[1:3]
    assert len(samples) == sum(value == value for value in given_columns.values)


def test_columns_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match="1 values for 2 things, 1 fields"):
        Columns(Things(((), ())), array("d", [1.0]))

"""Usage from a real Prometheus and a real VictoriaMetrics: against numpy on the raw samples, and against a history
file with the same samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from collectors.cloud.model import Size
from exporters.history import workcalendar
from exporters.history.file import connect
from exporters.history.importing import Form
from exporters.history.reader import Span
from exporters.promapi import series
from exporters.promapi.client import PromClient, PromSettings, Sample, Series, TooMuch
from exporters.promapi.source import PrometheusSource
from exporters.usage.historysource import HistorySource
from exporters.usage.lives import Life
from exporters.usage.period import Period, resource_uses
from exporters.usage.source import CapacityTold, Segment, SourceError
from rules.usagemodel import Measured
from tests.exporters import promestate
from tests.exporters.promestate import IDS, SINCE, SLOTS, UNTIL, ZONE, day
from tests.historylab import imported, long_csv
from tests.promlab import SLOT, Made, needs_prometheus, needs_victoria, prometheus, victoria

CALENDAR = workcalendar.load()
FIRST = SINCE // SLOT
MONTH = Span(FIRST, FIRST + SLOTS)
NOW = UNTIL + 86400.0
Server = Callable[..., AbstractContextManager[str]]
SERVERS = [
    pytest.param((prometheus, 0), marks=needs_prometheus, id="prometheus"),
    pytest.param((prometheus, 137), marks=needs_prometheus, id="prometheus-137"),
    pytest.param((victoria, 0), marks=needs_victoria, id="victoria"),
    pytest.param((victoria, 299), marks=needs_victoria, id="victoria-299"),
]
BOTH = [SERVERS[0], SERVERS[2]]


@contextmanager
def reading(url: str, zone: ZoneInfo = ZONE, now: float = NOW) -> Iterator[PrometheusSource]:
    with PromClient(PromSettings(url=url)) as client:
        yield PrometheusSource(client, url, zone, now)


@pytest.fixture(scope="module", params=SERVERS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusSource]:
    server, after = request.param
    made = promestate.recorded(after) + promestate.facts() + promestate.estate()
    with server(tmp_path_factory.mktemp("server"), made) as url, reading(url) as found:
        yield found


def numpys(
    metric: str, first: int, end: int, zone: ZoneInfo = ZONE
) -> tuple[dict[str, Measured], np.ndarray[Any, Any]]:
    """What numpy makes of the slots [first, end), counted from the beginning of the month."""
    rows = promestate.usage()[metric][:, 40 + first : 40 + end]
    work = promestate.in_work(FIRST + first, end - first, zone)
    return promestate.expected(rows, FIRST + first, work), rows


def same(found: Mapping[str, Measured], expected: Mapping[str, Measured], off: float) -> None:
    assert set(found) == set(expected)
    for id, one in expected.items():
        it = found[id]
        assert (it.samples, it.coverage) == (one.samples, one.coverage)
        assert it.maximum_at == one.maximum_at, id
        assert not it.estimated
        assert (it.work is None, it.off is None) == (one.work is None, one.off is None)
        for name in ("mean", "p50", "p95", "upper", "maximum", "work", "off"):
            number = getattr(one, name)
            if number is not None:
                assert getattr(it, name) == pytest.approx(number, rel=off, abs=1e-9), (id, name)


@pytest.mark.parametrize("metric", [promestate.CPU, promestate.MEMORY, promestate.NET])
def test_a_month_is_what_numpy_makes_of_the_samples(source: PrometheusSource, metric: str) -> None:
    found = source.measured(metric, MONTH, CALENDAR, {})
    expected, _ = numpys(metric, 0, SLOTS)
    same(found, expected, 1e-9)
    assert set(found) == set(IDS) - {"volume"} - ({*IDS[::2]} if metric == "memory" else set())


@pytest.mark.parametrize(("first", "end"), [(0, 1), (5, 5), (13, 1300), (1, SLOTS), (2000, 3001)])
def test_any_slots_are_what_numpy_makes_of_them(
    source: PrometheusSource, first: int, end: int
) -> None:
    found = source.measured("cpu", Span(FIRST + first, FIRST + end), CALENDAR, {})
    same(found, numpys("cpu", first, end)[0] if end > first else {}, 1e-9)


def test_working_hours_are_those_of_clocks_that_change(source: PrometheusSource) -> None:
    berlin = ZoneInfo("Europe/Berlin")  # on the 25th, at 3 o'clock summer time
    with reading(source.name, berlin) as one:
        found = one.measured("cpu", MONTH, CALENDAR, {})
    same(found, numpys("cpu", 0, SLOTS, berlin)[0], 1e-9)
    round_the_clock = workcalendar.load(hours=("00:00-24:00",))
    with reading(source.name, berlin) as one:
        found = one.measured("cpu", MONTH, round_the_clock, {})
    work = round_the_clock.working(np.arange(*MONTH), berlin)
    rows = promestate.usage()["cpu"][:, 40 : 40 + SLOTS]
    same(found, promestate.expected(rows, FIRST, work), 1e-9)


def test_nothing_counts_before_it_begins(source: PrometheusSource) -> None:
    begins = {"plain-0001": SINCE + 2000.0 * SLOT, "twin-a": float(SINCE), "twin-b": NOW}
    found = source.measured("cpu", MONTH, CALENDAR, begins)
    _, rows = numpys("cpu", 0, SLOTS)
    rows[0, :2000], rows[9] = np.nan, np.nan
    work = promestate.in_work(FIRST, SLOTS, ZONE)
    same(found, promestate.expected(rows, FIRST, work), 1e-9)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistorySource]:
    """The samples of the month and beside it; ids are numbers, since not every id can stand in CSV."""
    path = tmp_path_factory.mktemp("history")
    for metric, rows in promestate.usage().items():
        lines = [
            f"r{n}," + ",".join("" if np.isnan(value) else repr(value) for value in row)
            for n, row in enumerate(rows.tolist())
        ]
        unit = "bytes_per_second" if metric == "net_rx" else "percent"
        form = Form(wide=True, metric=metric, unit=unit, start=SINCE - 40 * SLOT, step=SLOT)
        imported(path / "h", long_csv(path / metric, *lines), form, strict=True)
    with closing(connect(path / "h")) as db:
        yield HistorySource(db, "h")


@pytest.mark.parametrize("metric", [promestate.CPU, promestate.MEMORY, promestate.NET])
def test_a_history_with_the_same_samples_tells_the_same(
    source: PrometheusSource, history: HistorySource, metric: str
) -> None:
    begins = {"plain-0001": SINCE + 2000.0 * SLOT}
    told = history.measured(metric, MONTH, CALENDAR, {"r0": begins["plain-0001"]})
    expected = {IDS[int(id[1:])]: it for id, it in told.items()}
    same(source.measured(metric, MONTH, CALENDAR, begins), expected, 1e-6)


def test_sums_and_what_is_used_are_those_of_a_history(
    source: PrometheusSource, history: HistorySource
) -> None:
    cut = FIRST + 4321
    stretches = {
        id: [MONTH, Span(FIRST, cut), Span(cut, MONTH.end), Span(FIRST - 9, FIRST + 1)]
        for id in IDS
    }
    told = history.sums("cpu", MONTH, {f"r{n}": stretches[id] for n, id in enumerate(IDS)})
    found = source.sums("cpu", MONTH, stretches)
    assert set(found) == set(IDS) - {"volume"}
    for n, id in enumerate(IDS[:-1]):
        for one, other in zip(found[id], told[f"r{n}"], strict=True):
            assert one == pytest.approx(other, rel=1e-6, abs=1e-6)
    segments = [
        Segment(id, since, until, department, "系统", Size(vcpus))
        for n, id in enumerate(IDS)
        for since, until, department, vcpus in (
            (SINCE - 5000.0, SINCE + 7000.0 * (n + 1), "甲", 2.0 + n % 3),
            (
                SINCE + 7000.0 * (n + 1),
                float(UNTIL),
                "乙" if n % 2 else "甲",
                None if n == 3 else 4.0,
            ),
        )
    ]
    own = [it._replace(resource=f"r{IDS.index(it.resource)}") for it in segments]
    expected, used = history.used(MONTH, own), source.used(MONTH, segments)
    assert set(used) == set(expected) == {("甲", "系统"), ("乙", "系统")}
    for key, it in expected.items():
        assert used[key].first == it.first
        assert used[key].known == pytest.approx(it.known, abs=1e-9)
        assert used[key].cores == pytest.approx(it.cores, rel=1e-6, abs=1e-6)


def lives(source: PrometheusSource) -> dict[str, Life]:
    return {one.id: one for one in source.lives(SINCE, UNTIL)}


def dated(life: Life, aspect: Any) -> list[tuple[float, float | None, object]]:
    return [(it.since, it.until, it.value) for it in life.spans.get(aspect, ())]


def test_lives_are_what_agents_told(source: PrometheusSource) -> None:
    found = lives(source)
    assert set(found) == set(IDS)
    plain = found["plain-0001"]
    assert (plain.kind, plain.name) == ("server", "名plain-0001")
    assert plain.first_seen == day(-1)  # as far as was looked
    assert plain.last_seen >= UNTIL
    owner = plain.owner(UNTIL)
    assert (owner.owner.department, owner.owner.system, owner.how) == (
        "市教育局",
        "学籍",
        "project",
    )
    # the agent was away for two days: nothing ended
    assert all(len(spans) == 1 for spans in plain.spans.values())
    assert [found[id].name for id in ("twin-a", "twin-b")] == ["孪生", "孪生"]


def test_what_changed_is_dated(source: PrometheusSource) -> None:
    found = lives(source)
    moved = [(since, it.owner.department) for since, _, it in dated(found['quo"te'], "owner")]  # type: ignore[attr-defined]
    assert moved == [(day(-1), "市教育局"), (promestate.MOVED + SLOT, "市卫健局")]
    assert found['quo"te'].moved(SINCE, UNTIL) == [promestate.MOVED + SLOT]
    small, large = Size(4.0, 8 << 30), Size(8.0, 8 << 30)
    resized = promestate.RESIZED + SLOT
    assert dated(found["back\\slash"], "size") == [
        (day(-1), resized, small),
        (resized, None, large),
    ]
    granted = found[IDS[4]]
    assert granted.first_seen == promestate.GRANTED - 77
    assert {it[0] for aspect in granted.spans for it in dated(granted, aspect)} == {
        promestate.GRANTED - 77
    }
    assert found["plain-0002"].last_seen == promestate.SEEN_LAST
    assert found["plain-0002"].at("state", UNTIL - 1)
    stopped = found["tab\there"].at("state", UNTIL - 1)
    assert stopped
    assert (stopped.value, stopped.since) == ("stopped", promestate.STOPPED + SLOT)
    volume = found["volume"]
    assert volume.kind == "volume"
    assert volume.size(UNTIL) == Size(disk=2 * 10**12)
    detached = volume.at("attached", UNTIL - 1)
    assert detached
    assert (detached.value, detached.since) == ((), day(5) + SLOT)
    unknown = found["no-facts"]
    assert (unknown.kind, unknown.name, unknown.spans) == ("server", "no-facts", {})
    assert unknown.last_seen >= UNTIL


def test_a_month_as_it_is_judged(source: PrometheusSource) -> None:
    uses = resource_uses(source, Period("2026-10", SINCE, UNTIL), CALENDAR)
    found = {it.resource: it for it in uses}
    assert set(found) == set(IDS)
    assert set(found["twin-b"].measured) == {"cpu", "memory", "net_rx"}
    assert found["volume"].measured == {}
    assert found["volume"].detached_since == day(5) + SLOT
    assert found["no-facts"].department == ""
    assert found["no-facts"].attribution == "unassigned"


def test_extent_capacity_and_digest(source: PrometheusSource) -> None:
    assert source.extent() == (SINCE - 40 * SLOT, UNTIL + 40 * SLOT)
    told = CapacityTold(Size(100.0, 2**40), Size(400.0, 2**42))
    assert source.capacity(UNTIL) == told
    assert source.capacity(day(40)) == told
    assert source.capacity(day(-3)) is None
    with reading(source.name) as one, reading(source.name) as other:
        for it in (one, other):
            it.lives(SINCE, UNTIL)
            it.measured("cpu", MONTH, CALENDAR, {})
        assert one.digest(SINCE, UNTIL) == other.digest(SINCE, UNTIL)
        other.measured("memory", MONTH, CALENDAR, {})
        assert one.digest(SINCE, UNTIL) != other.digest(SINCE, UNTIL)
        assert one.digest(0, 1) == other.digest(0, 1)


def test_a_month_under_way(source: PrometheusSource) -> None:
    now = SINCE + 1000 * SLOT + 77
    with reading(source.name, now=now) as one:
        assert (one.extent() or [0])[0] == SINCE - 40 * SLOT
        period = Span(FIRST, FIRST + 1001)
        found = one.measured("cpu", period, CALENDAR, {})
        same(found, numpys("cpu", 0, 1001)[0], 1e-9)
        alive = {it.id: it for it in one.lives(SINCE, now)}
        assert "服务器 一" not in alive
        assert alive["plain-0001"].last_seen >= now


@pytest.mark.parametrize("source_of", BOTH)
def test_a_server_that_has_nothing(source_of: tuple[Server, int], tmp_path: Path) -> None:
    other = Made("other", {}, np.array([SINCE + 300.0]), np.array([1.0]))
    with source_of[0](tmp_path, [other]) as url, reading(url) as source:
        assert source.extent() is None
        assert source.lives(SINCE, UNTIL) == []
        assert source.measured("cpu", MONTH, CALENDAR, {}) == {}
        assert source.sums("cpu", MONTH, {"a": [MONTH]}) == {}
        assert source.used(MONTH, [Segment("a", SINCE, UNTIL, "", "", Size(1.0))]) == {}
        assert source.capacity(UNTIL) is None
        assert source.measured("no-such-metric", MONTH, CALENDAR, {}) == {}


class Counting:
    """A client that counts what was refused."""

    def __init__(self, client: PromClient) -> None:
        self.client, self.refused = client, 0

    def instant(self, query: str, at: float) -> list[Sample]:
        try:
            return self.client.instant(query, at)
        except TooMuch:
            self.refused += 1
            raise

    def over(self, query: str, since: float, until: float, step: float) -> list[Series]:
        try:
            return self.client.over(query, since, until, step)
        except TooMuch:
            self.refused += 1
            raise


@needs_prometheus
def test_what_is_refused_is_asked_for_in_parts(tmp_path: Path) -> None:
    made = promestate.recorded() + promestate.facts()
    limit = "--query.max-samples=10000"
    with (
        prometheus(tmp_path, made, limit) as url,
        PromClient(PromSettings(url=url)) as client,
    ):
        counting = Counting(client)
        source = PrometheusSource(counting, url, ZONE, NOW)
        same(source.measured("cpu", MONTH, CALENDAR, {}), numpys("cpu", 0, SLOTS)[0], 1e-9)
        assert {it.id for it in source.lives(SINCE, UNTIL)} == set(IDS)
        segments = [Segment(id, SINCE, UNTIL, "", "", Size(1.0)) for id in IDS]
        [used] = source.used(MONTH, segments).values()
        rows = promestate.usage()["cpu"][:, 40 : 40 + SLOTS]
        assert used.known == pytest.approx((~np.isnan(rows)).sum(axis=0))
        assert used.cores == pytest.approx(np.nansum(rows, axis=0) / 100)
        assert counting.refused


@needs_prometheus
def test_a_limit_that_allows_nothing_is_told(tmp_path: Path) -> None:
    with (
        prometheus(tmp_path, promestate.recorded(), "--query.max-samples=100") as url,
        reading(url) as source,
        pytest.raises(SourceError, match="too many samples"),
    ):
        source.measured("cpu", MONTH, CALENDAR, {})


@pytest.mark.parametrize("source_of", BOTH)
def test_agents_that_tell_of_one_resource(source_of: tuple[Server, int], tmp_path: Path) -> None:
    """Two agents, of which one knows the owner; two servers that recorded the same, one with a gap."""
    times = np.arange(SINCE + SLOT, UNTIL + 1, SLOT, dtype=np.float64)
    values = np.random.default_rng(3).random(SLOTS)
    gap = values.copy()
    gap[2000:4000] = np.nan
    name = series.RECORDED["cpu"]
    made = [
        Made(name, {"resource": "x", "replica": "a"}, times, values),
        Made(name, {"resource": "x", "replica": "b"}, times, gap),
        promestate.info(
            "x", SINCE, UNTIL, instance="host:1", how="unassigned", department="未归属"
        ),
        promestate.info("x", SINCE, UNTIL, instance="nova:1", how="override"),
        promestate.fact(series.VCPUS, {"resource": "x", "instance": "host:1"}, SINCE, UNTIL, 2),
        promestate.fact(series.VCPUS, {"resource": "x", "instance": "nova:1"}, SINCE, UNTIL, 2),
    ]
    with source_of[0](tmp_path, made) as url, reading(url) as source:
        [life] = source.lives(SINCE, UNTIL)
        [(_, end, owner)] = dated(life, "owner")
        assert end is None
        assert owner.owner.department == "市教育局"  # type: ignore[attr-defined]
        [(_, _, size)] = dated(life, "size")
        assert size == Size(2.0)
        it = source.measured("cpu", MONTH, CALENDAR, {})["x"]
        assert (it.samples, it.coverage) == (SLOTS, 1.0)
        assert it.maximum_at == (FIRST + int(values.argmax())) * SLOT
        segment = Segment("x", SINCE, UNTIL, "", "", Size(2.0))
        [used] = source.used(MONTH, [segment]).values()
        assert used.cores == pytest.approx(values * 0.02)


@pytest.mark.parametrize("source_of", BOTH)
def test_ids_of_any_characters(source_of: tuple[Server, int], tmp_path: Path) -> None:
    generator = np.random.default_rng(11)
    letters = [*" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n\r\t\x01aZ0", *"龙湖é🜚\u200b\u2028"]
    ids = sorted({"".join(generator.choice(letters, 9).tolist()) for _ in range(300)})
    times = np.arange(SINCE + SLOT, SINCE + 13 * SLOT, SLOT, dtype=np.float64)
    rows = [np.full(len(times), float(n)) for n in range(len(ids))]
    name = series.RECORDED["cpu"]
    made = [Made(name, {"resource": id}, times, row) for id, row in zip(ids, rows, strict=True)]
    with source_of[0](tmp_path, made) as url, reading(url) as source:
        found = source.measured("cpu", Span(FIRST, FIRST + 12), CALENDAR, {})
        assert {id: it.mean for id, it in found.items()} == {id: n for n, id in enumerate(ids)}
        stretch = Span(FIRST + 1, FIRST + 2)  # one by one
        for id in ids[::50]:
            assert source.sums("cpu", MONTH, {id: [stretch]})[id] == [(ids.index(id), 1)]

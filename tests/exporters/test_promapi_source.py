"""Usage from a real Prometheus and a real VictoriaMetrics: against numpy on the raw samples, and against a history
file with the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from collectors.cloud.model import Size
from exporters.history import workcalendar
from exporters.history.file import connect
from exporters.history.importing import Form
from exporters.history.reader import Span
from exporters.promapi.source import PrometheusSource
from exporters.usage.historysource import HistorySource
from exporters.usage.lives import Life
from exporters.usage.period import Period, resource_uses
from exporters.usage.shares import shares
from exporters.usage.source import CapacityTold, Segment
from tests.exporters import promestate
from tests.exporters.promestate import (
    CALENDAR,
    FIRST,
    IDS,
    MONTH,
    SINCE,
    SLOTS,
    UNTIL,
    ZONE,
    day,
    numpys,
    reading,
    same,
)
from tests.historylab import imported, long_csv
from tests.promlab import SLOT, needs_prometheus, needs_victoria, prometheus, victoria

SERVERS = [
    pytest.param((prometheus, 0), marks=needs_prometheus, id="prometheus"),
    pytest.param((prometheus, 217), marks=needs_prometheus, id="prometheus-217"),
    pytest.param((prometheus, 400), marks=needs_prometheus, id="prometheus-400"),
    pytest.param((victoria, 0), marks=needs_victoria, id="victoria"),
]


@pytest.fixture(scope="module", params=SERVERS)
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusSource]:
    server, after = request.param
    made = promestate.recorded(after) + promestate.facts() + promestate.estate()
    with server(tmp_path_factory.mktemp("server"), made) as url, reading(url) as found:
        yield found


@pytest.mark.parametrize("metric", [promestate.CPU, promestate.MEMORY, promestate.NET])
def test_a_month_is_what_numpy_makes_of_the_samples(source: PrometheusSource, metric: str) -> None:
    found = source.measured(metric, MONTH, CALENDAR, {})
    expected, _ = numpys(metric, 0, SLOTS)
    same(found, expected, 1e-9)
    net = metric == promestate.NET
    assert {(it.p50 is None, it.upper is None) for it in found.values()} == {(net, not net)}
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
    begins = {"plain-0001": SINCE + 2000.0 * SLOT, "twin-a": float(SINCE), "twin-b": UNTIL + 1.0}
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


def test_departments_used_what_numpy_says(source: PrometheusSource) -> None:
    """A server that moved, and one that was resized, count for whose they were and as they were."""
    found = {it.department: it for it in shares(source, Period("2026-10", SINCE, UNTIL))}
    rows = promestate.usage()["cpu"][:, 40 : 40 + SLOTS]
    moved = (promestate.MOVED - SINCE) // SLOT + 1
    resized = (promestate.RESIZED - SINCE) // SLOT + 1
    hours = SLOT / 3600
    quote = rows[1, moved:]
    health = found["市卫健局"]
    assert health.used_core_hours == pytest.approx(np.nansum(quote) * 4 / 100 * hours)
    assert health.known_core_hours == pytest.approx((~np.isnan(quote)).sum() * 4 * hours)
    assert health.granted_core_hours == pytest.approx(len(quote) * 4 * hours)
    vcpus = np.full(rows.shape, 4.0)
    vcpus[2, resized:] = 8.0
    vcpus[1, moved:] = vcpus[10] = vcpus[11] = 0.0
    education = found["市教育局"]
    assert education.used_core_hours == pytest.approx(np.nansum(rows * vcpus) / 100 * hours)
    known = ~np.isnan(rows)
    assert education.known_core_hours == pytest.approx((known * vcpus).sum() * hours)
    assert found[""].unsized_hours == pytest.approx(SLOTS * hours)

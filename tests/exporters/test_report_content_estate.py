"""The report's figures against the same computed anew with numpy from the raw samples; sums; what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
import numpy as np
import pytest

from collectors.cloud.model import Size
from exporters.report.content.making import document
from exporters.report.document import Department, Document
from exporters.usage.period import month
from exporters.usage.source import SourceError
from tests.reportestate import (
    CALENDAR,
    GIB,
    NOW,
    OCTOBER,
    SEPTEMBER,
    ZONE,
    Array,
    City,
    at,
    inputs,
    owned,
    slot,
    source_of,
)

HOSTILE = ("<script>alert(1)</script>", '=HYPERLINK("http://evil.example","x")')
SLOTS = {p.label: slot(p.until) - slot(p.since) for p in (SEPTEMBER, OCTOBER)}


def wave(seed: int, slots: int, level: float) -> Array:
    """A day's swing about a level, with noise; percent."""
    noise = np.random.default_rng(seed).normal(0, 3, slots)
    swing = np.sin(np.arange(slots) * 2 * np.pi / 288)
    return np.clip(level * (1 + 0.5 * swing) + noise, 0, 100)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Two months: departments that rose, fell, moved, grew; hostile names, gaps, sizes that are not known."""
    made = City(tmp_path_factory.mktemp("city") / "history.db")
    both = SLOTS["2026-09"] + SLOTS["2026-10"]
    for n in range(4):
        made.server(f"tax-{n}", "市税务局", "金税" if n < 2 else "征管", vcpus=8)
        made.measured("cpu", f"tax-{n}", SEPTEMBER.since, wave(n, both, 10 + 10 * n))
    values = wave(20, both, 30)
    values[8640:] += 15  # more in October
    made.server("edu-0", "市教育局")
    made.measured("cpu", "edu-0", SEPTEMBER.since, values)
    made.measured("memory", "edu-0", SEPTEMBER.since, wave(21, both, 50))
    made.holds(  # moved within October, and resized
        "moves",
        ("owner", at(9), at(10, 11), owned("市教育局")),
        ("owner", at(10, 11), None, owned("市卫健委", "挂号")),
        ("size", at(9), at(10, 21), Size(2, 4 * GIB, 0)),
        ("size", at(10, 21), None, Size(6, 4 * GIB, 0)),
        ("state", at(9), None, "active"),
    )
    holed = wave(22, both, 40)
    holed[9000:9600] = np.nan
    made.measured("cpu", "moves", SEPTEMBER.since, holed)
    made.server("new", "市教育局", since=at(10, 16))
    made.measured("cpu", "new", at(10, 16), wave(23, 16 * 288, 5))
    made.holds(
        "gone",
        ("owner", at(9), None, owned("市教育局")),
        ("size", at(9), None, Size(4, 8 * GIB, 0)),
        ("state", at(9), at(9, 20), "active"),
        ("state", at(9, 20), None, "released"),
        last=at(9, 20),
    )
    made.measured("cpu", "gone", SEPTEMBER.since, wave(24, 19 * 288, 90))
    for n, name in enumerate(HOSTILE):
        made.server(f"odd-{n}", name, "=1+1", vcpus=1, name="twin")
        made.measured("cpu", f"odd-{n}", SEPTEMBER.since, wave(30 + n, both, 3))
    made.server("dark", "市档案馆")  # nobody measures it
    made.server("unsized", "市档案馆", vcpus=None, memory=None)
    made.server("stray", "")
    made.measured("cpu", "stray", SEPTEMBER.since, wave(40, both, 3))
    made.holds(
        "off",
        ("owner", at(9), None, owned("市税务局", "金税")),
        ("size", at(9), None, Size(2, 4 * GIB, 100 * GIB)),
        ("state", at(9), at(9, 11), "active"),
        ("state", at(9, 11), None, "stopped"),
    )
    for name, since in (("loose", at(9, 21)), ("young", at(10, 30))):
        made.holds(
            name,
            ("owner", at(9), None, owned("市税务局", "金税")),
            ("size", at(9), None, Size(None, None, 500 * GIB)),
            ("state", at(9), None, "available"),
            ("attached", since, None, ()),
            kind="volume",
        )
    yield made
    made.writer.close()


@pytest.fixture(scope="module")
def report(city: City) -> Document:
    with source_of(city.path) as source:
        return document(inputs(source))


def of(report: Document, name: str) -> Department:
    [found] = [it for it in report.departments if it.name == name]
    return found


# (resource, department, vCPUs, since, until) of October, written down again by hand
HELD = [
    *((f"tax-{n}", "市税务局", 8.0, at(10), at(11)) for n in range(4)),
    ("edu-0", "市教育局", 4.0, at(10), at(11)),
    ("moves", "市教育局", 2.0, at(10), at(10, 11)),
    ("moves", "市卫健委", 2.0, at(10, 11), at(10, 21)),
    ("moves", "市卫健委", 6.0, at(10, 21), at(11)),
    ("new", "市教育局", 4.0, at(10, 16), at(11)),
    *((f"odd-{n}", name, 1.0, at(10), at(11)) for n, name in enumerate(HOSTILE)),
    ("dark", "市档案馆", 4.0, at(10), at(11)),
    ("stray", "", 4.0, at(10), at(11)),
    ("off", "市税务局", 2.0, at(10), at(11)),
]


def recomputed(city: City, departments: set[str] | None = None) -> tuple[Array, Array, float]:
    """Cores used and known by slot of October, and vCPU hours granted."""
    cores, known, granted = np.zeros(SLOTS["2026-10"]), np.zeros(SLOTS["2026-10"]), 0.0
    for id, department, vcpus, since, until in HELD:
        if departments is not None and department not in departments:
            continue
        granted += vcpus * (until - since) / 3600
        values = city.all_of("cpu", id, OCTOBER)
        own = np.zeros(len(values), bool)
        own[slot(since) - slot(OCTOBER.since) : slot(until) - slot(OCTOBER.since)] = True
        own &= ~np.isnan(values)
        cores[own] += vcpus * values[own] / 100
        known[own] += vcpus
    return cores, known, granted


@pytest.mark.parametrize("name", [None, "市税务局", "市教育局", "市卫健委", HOSTILE[0], ""])
def test_load_is_that_of_the_raw_samples(city: City, report: Document, name: str | None) -> None:
    cores, known, granted = recomputed(city, None if name is None else {name})
    load = report.estate.load if name is None else of(report, name).load
    there = known > 0
    percents = 100 * cores[there] / known[there]
    slots = np.flatnonzero(there) + slot(OCTOBER.since)
    assert load.average == pytest.approx(100 * cores.sum() / known.sum(), rel=1e-6)
    assert load.p50 == pytest.approx(np.percentile(percents, 50), rel=1e-6)
    assert load.p95 == pytest.approx(np.percentile(percents, 95), rel=1e-6)
    assert load.peak == pytest.approx(percents.max(), rel=1e-6)
    assert load.peak_at == datetime.fromtimestamp(slots[percents.argmax()] * 300, ZONE)
    when = [datetime.fromtimestamp(n * 300, ZONE) for n in slots.tolist()]
    hours = [(9, 12), (14, 18)]
    working = np.array(
        [CALENDAR.workday(t.date()) and any(a <= t.hour < b for a, b in hours) for t in when]
    )
    for told, which in ((load.work, working), (load.off, ~working)):
        used, of_known = cores[there][which].sum(), known[there][which].sum()
        assert told == pytest.approx(100 * used / of_known, rel=1e-6)
    assert load.cores == pytest.approx(cores.sum() / there.sum(), rel=1e-6)
    assert load.coverage == pytest.approx(100 * known.sum() / 12 / granted, rel=1e-6)


def test_core_hours_are_those_of_the_raw_samples(city: City, report: Document) -> None:
    for one in report.departments:
        cores, known, granted = recomputed(city, {one.name})
        assert one.granted_core_hours == pytest.approx(granted)
        assert one.known_core_hours == pytest.approx(known.sum() / 12)
        assert one.used_core_hours == pytest.approx(cores.sum() / 12, rel=1e-6)
        if known.any():
            assert one.waste == pytest.approx((known - cores).sum() / 12, rel=1e-6)


def test_days_are_those_of_the_raw_samples(city: City, report: Document) -> None:
    cores, known, _ = recomputed(city)
    assert len(report.estate.days) == 31
    for number, day in enumerate(report.estate.days):
        own = slice(288 * number, 288 * (number + 1))
        assert day.day.day == number + 1
        assert day.average == pytest.approx(100 * cores[own].sum() / known[own].sum(), rel=1e-6)
        assert day.peak == pytest.approx((100 * cores[own] / known[own]).max(), rel=1e-6)
    assert [it.day.day for it in report.estate.days if it.workday][:3] == [8, 9, 10]
    assert report.scope.workdays == sum(it.workday for it in report.estate.days) == 18


def test_the_trend_is_averages_over_the_hours_of_what_there_is(report: Document) -> None:
    trend = report.estate.trend
    assert [it.month for it in trend[-2:]] == ["2026-09", "2026-10"]
    assert len(trend) == 12
    for empty in trend[:-2]:
        assert (empty.granted_vcpus, empty.cpu, empty.coverage, empty.resources) == (None,) * 4
    hours = 31 * 24
    granted = sum(v * (until - since) / 3600 for _, _, v, since, until in HELD)
    assert trend[-1].granted_vcpus == pytest.approx(granted / hours)
    assert trend[-1].cpu == pytest.approx(report.estate.load.average)
    assert trend[-1].coverage == pytest.approx(report.scope.coverage)
    disk = 10 * 40 + 100 + 2 * 500  # GiB; `new` for half of the month
    assert trend[-1].granted_disk == pytest.approx(GIB * (disk + 40 * 16 / 31), rel=1e-6)


def test_departments_add_up_to_the_estate(report: Document) -> None:
    estate = report.estate
    for part in ("granted", "due", "watched"):
        for resource in ("vcpus", "memory", "disk"):
            whole = getattr(getattr(estate, part), resource)
            parts = [getattr(getattr(it, part), resource) for it in report.departments]
            assert whole.value == pytest.approx(sum(it.value for it in parts))
            assert whole.unknown == sum(it.unknown for it in parts)
    for one in report.departments:
        assert sum(one.states.values()) == len(one.resources)
        assert one.granted.resources == sum(it.granted.resources for it in one.systems)
    states = [it.states for it in report.departments]
    assert estate.states == {
        state: sum(it.get(state, 0) for it in states) for state in estate.states
    }
    assert report.estate.kinds == {"server": 13, "volume": 2}


def test_ranks_are_by_what_is_known_to_be_wasted(report: Document) -> None:
    ranked = [it for it in report.departments if it.rank]
    assert [it.rank for it in ranked] == sorted(it.rank or 0 for it in ranked)
    wastes = [it.waste or 0 for it in ranked]
    assert wastes == sorted(wastes, reverse=True)
    assert ranked[0].name == "市税务局"
    assert ranked[0].rank_before == 1
    dark = of(report, "市档案馆")
    assert (dark.rank, dark.waste, dark.load.average, dark.change, dark.memory) == (None,) * 5
    assert dark.granted.vcpus.unknown == 1
    assert dark.load.coverage == 0
    last = report.departments[-1]
    assert (last.name, last.rank) == ("", None)
    assert of(report, "市卫健委").rank_before is None


def test_the_reason_tells_what_the_change_came_from(report: Document) -> None:
    education = of(report, "市教育局")
    assert education.change is not None
    assert education.cpu_before is not None
    assert education.load.average == pytest.approx(education.cpu_before + education.change)
    zh = education.reason.zh
    assert all(word in zh for word in ("新增 1 台", "释放或不再见到 1 台", "用量上升")), zh
    assert of(report, "市卫健委").reason.zh == "上月使用率未知，无法比较"
    assert of(report, "市档案馆").reason.zh == "本月和上月的使用率均未知"


def test_what_is_held_without_use(report: Document) -> None:
    held = {it.resource: it for it in report.held}
    assert held.keys() == {"off", "loose", "young"}
    assert held["off"].days == pytest.approx(51)
    assert held["off"].due
    assert held["loose"].days == pytest.approx(41)
    assert held["loose"].due
    assert held["young"].days == pytest.approx(2)
    assert not held["young"].due
    assert held["young"].amount.disk == 500 * GIB
    assert [it.resource for it in report.held] == ["off", "loose", "young"]


def test_gaps_say_what_is_not_known_and_why(report: Document) -> None:
    gaps = {it.code: it for it in report.gaps}
    assert gaps["insufficient_cpu_unknown"].count == 2
    assert gaps["unsized"].examples == ("name of unsized",)
    assert gaps["unassigned"].count == 1
    assert gaps["same_name"].count == 1
    assert gaps["same_name"].examples == ("twin: odd-0, odd-1",)
    assert gaps["trend"].count == 10
    assert gaps["trend"].examples[0] == "2026-08"
    assert gaps["capacity"].count == 3
    assert {"prices", "follow_ups", "lines", "ipv6", "baseline"} <= gaps.keys()
    assert not {"days", "few_days", "under_way", "calendar", "estimates"} & gaps.keys()
    for gap in report.gaps:
        assert gap.what.zh
        assert gap.what.en
        assert gap.why.zh
        assert gap.count > 0


def test_nothing_unknown_is_shown_as_a_number(report: Document) -> None:
    for row in report.estate.capacity:
        assert (row.physical, row.usable) == (None, None)
    figures = {it.key: it for it in report.figures}
    assert list(figures) == ["cpu", "granted", "reclaimable", "grow", "coverage"]
    assert figures["granted"].value is None
    assert figures["granted"].before is None
    assert figures["cpu"].before == pytest.approx(report.estate.trend[-2].cpu)
    assert figures["reclaimable"].before == 0  # nothing was stopped for long enough then
    text = " ".join(it.zh + it.en for it in report.summary)
    assert "None" not in text
    assert "nan" not in text
    assert "{" not in text


def test_a_document_is_json_and_back(report: Document) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Document) == report
    assert of(report, HOSTILE[1]).systems[0].name == "=1+1"


def test_the_same_data_have_the_same_hash(city: City, report: Document) -> None:
    with source_of(city.path) as source:
        asked = inputs(source)
        again = document(asked)
        other = document(asked._replace(files={"prices": "ab"}))
    assert again == report
    assert other.scope.data_hash != report.scope.data_hash
    assert other.scope.thresholds == report.scope.thresholds


def test_a_month_without_data_is_refused(city: City) -> None:
    with source_of(city.path) as source:
        empty = inputs(source, SEPTEMBER, trend=1)._replace(
            period=month("2026-05", ZONE, NOW), judgements=()
        )
        with pytest.raises(SourceError, match=r"no data of 2026-05.*2026-09-01"):
            document(empty)

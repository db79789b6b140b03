"""What a report says of a month of which little is known, or that was changed behind it: coverage, absolute use, words
about when, and the hash of its data.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.cloud.model import Size
from exporters.report.content.making import document
from exporters.report.document import Document
from exporters.usage.period import Period
from exporters.usage.source import CapacityTold
from tests.reportestate import (
    DAY,
    GIB,
    NOW,
    OCTOBER,
    SEPTEMBER,
    Array,
    City,
    at,
    inputs,
    owned,
    slot,
    source_of,
)


def flat(since: float, until: float, percent: float) -> Array:
    return np.full(slot(until) - slot(since), percent)


def made(it: City, period: Period = OCTOBER, **more: Any) -> Document:
    with source_of(it.path) as source:
        return document(inputs(source, period, trend=2)._replace(**more))


def figure(report: Document, key: str) -> float | None:
    return next(it.value for it in report.figures if it.key == key)


def text(report: Document) -> str:
    return "\n".join(it.zh for it in report.summary)


def stopped_on(path: Path, end: float) -> City:
    city = City(path)
    for name in "abc":
        city.server(name, "市税务局", "金税", last=end)
        for metric in ("cpu", "memory"):
            city.measured(metric, name, SEPTEMBER.since, flat(SEPTEMBER.since, end, 30.0))
    return city


def test_coverage_is_of_the_whole_month_where_nothing_looked_on(tmp_path: Path) -> None:
    report = made(stopped_on(tmp_path / "h.db", at(10, 4)))
    part = pytest.approx(100 * 3 / 31)
    [department] = report.departments
    assert report.scope.coverage == part
    assert figure(report, "coverage") == part
    assert report.estate.load.coverage == part
    assert department.load.coverage == part
    assert department.systems[0].load.coverage == part
    assert report.estate.trend[-1].coverage == part
    before = next(it.before for it in report.figures if it.key == "coverage")
    assert before == report.estate.trend[-2].coverage == pytest.approx(100)
    words = text(report)
    assert "数据覆盖率 9.7%" in words
    assert "本月仅 10月1日 00:00 至 10月4日 00:00 有数据" in words
    assert "截至 10月4日 00:00 已分配云主机 3 台" in words
    assert "月末" not in words
    assert "不再见到" not in department.reason.zh  # nobody left


def test_coverage_is_of_the_whole_month_in_which_looking_began(tmp_path: Path) -> None:
    city, since = City(tmp_path / "h.db"), at(10, 22)
    city.server("a", "市税务局", since=since)
    city.measured("cpu", "a", since, flat(since, NOW, 30.0))
    report = made(city)
    assert report.scope.coverage == pytest.approx(100 * 10 / 31)
    assert report.estate.trend[-1].coverage == report.scope.coverage
    assert "月末已分配云主机 1 台" in text(report)


def test_what_was_granted_late_is_covered_all_the_same(tmp_path: Path) -> None:
    city = stopped_on(tmp_path / "h.db", NOW)
    city.server("late", "市税务局", since=at(10, 22), last=NOW)
    city.measured("cpu", "late", at(10, 22), flat(at(10, 22), NOW, 30.0))
    assert made(city).scope.coverage == pytest.approx(100)


@pytest.mark.parametrize(("last", "enough"), [(at(10, 28), True), (at(10, 6), False)])
def test_what_is_not_known_is_not_taken_for_unused(
    tmp_path: Path, last: float, enough: bool
) -> None:
    """One of two servers is measured until a day of the month; both use half of their four vCPUs."""
    city = City(tmp_path / "h.db")
    for name, until in (("a", at(11)), ("b", last)):
        city.server(name, "市税务局")
        for metric in ("cpu", "memory"):
            city.measured(metric, name, SEPTEMBER.since, flat(SEPTEMBER.since, until, 50.0))
    report = made(city)
    vcpus, memory, _ = report.estate.capacity
    [department] = report.departments
    cores = (vcpus.used, department.load.cores, report.estate.load.cores)
    assert department.load.average == pytest.approx(50)
    assert vcpus.coverage == memory.coverage == report.scope.coverage
    assert (vcpus.coverage or 0) < 96
    if not enough:
        assert (*cores, memory.used) == (None,) * 4
    else:
        assert cores == pytest.approx((4 * (1 + 27 / 31) / 2,) * 3)
        assert memory.used == pytest.approx(8 * GIB * (1 + 27 / 31) / 2)


def test_a_month_under_way_has_not_ended(tmp_path: Path) -> None:
    city = City(tmp_path / "h.db")
    city.server("a", "市税务局")
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, at(10, 20), 30.0))
    words = text(made(city, OCTOBER._replace(until=at(10, 20), under_way=True)))
    assert "月末" not in words
    assert "截至 10月20日 00:00 已分配云主机 1 台" in words


def test_what_was_released_is_not_short_of_data(tmp_path: Path) -> None:
    city = City(tmp_path / "h.db")
    city.server("a", "市税务局")
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, at(11), 30.0))
    city.holds(
        "gone",
        ("owner", at(9), None, owned("市教育局")),
        ("size", at(9), None, Size(8, 8 * GIB, GIB)),
        ("state", at(9), at(10, 10), "active"),
        ("state", at(10, 10), None, "released"),
        last=at(10, 10),
    )
    report = made(city)
    own = next(it for it in report.departments if it.name == "市教育局")
    assert "insufficient" not in {**report.estate.states, **own.states}
    assert "未能评判的资源 0 项" in text(report)
    assert all(it.zh and it.en for it in report.summary)


def test_who_is_not_seen_is_not_held_in_the_end_and_that_is_told(tmp_path: Path) -> None:
    """Whoever saw it released, or saw it no more: the sums of what is held are the same."""
    city = City(tmp_path / "h.db")
    city.server("a", "市税务局")
    city.server("lost", "市税务局", vcpus=16, last=at(10, 16))
    for name in ("a", "lost"):
        city.measured("cpu", name, SEPTEMBER.since, flat(SEPTEMBER.since, at(10, 16), 30.0))
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, NOW, 30.0))
    told = CapacityTold(Size(), Size(100, None, None))
    report = made(city, capacity=told)
    [department] = report.departments
    for one in (report.estate.granted, department.granted, department.systems[0].granted):
        assert (one.resources, one.vcpus.value) == (1, 4)
    assert report.estate.kinds == {"server": 1}
    assert figure(report, "granted") == 4
    assert "另有 1 项此前已不再见到，是否仍占用未知，未计入" in text(report)
    assert department.states["insufficient"] == 1
    november = OCTOBER._replace(label="2026-11", since=at(11), until=NOW, under_way=True)
    with source_of(city.path) as source:
        then = document(inputs(source, november, trend=2, capacity=told))
    before = next(it.before for it in then.figures if it.key == "granted")
    assert before == figure(report, "granted")


def test_what_is_not_known_is_said_in_words(tmp_path: Path) -> None:
    city = City(tmp_path / "h.db")
    city.server("a", "市税务局", vcpus=None)
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, NOW, 30.0))
    report = made(city, capacity=CapacityTold(Size(), Size(100, None, None)))
    assert "分配率 未知。" in text(report)
    assert not any("?" in it.zh + it.en for it in report.summary)


def busy(path: Path, after: Callable[[City], None] = lambda _: None) -> City:
    """Two servers, of which the day of one is `after`."""
    city = City(path)
    for name in "ab":
        city.server(name, "市税务局")
        city.measured("cpu", name, SEPTEMBER.since, day_of(False))
    after(city)
    return city


def day_of(swapped: bool) -> Array:
    values = flat(SEPTEMBER.since, NOW, 30.0)
    first = slot(at(10, 5)) - slot(SEPTEMBER.since)
    values[first : first + 96] = np.linspace(*((90, 10) if swapped else (10, 90)), 96)
    return values


def later(city: City) -> None:
    """What is only known after the month."""
    city.holds(
        "a",
        ("owner", SEPTEMBER.since, NOW - 60, owned("市税务局")),
        ("size", SEPTEMBER.since, None, Size(4, 8 * GIB, 40 * GIB)),
        ("state", SEPTEMBER.since, NOW - 60, "active"),
        ("state", NOW - 60, None, "stopped"),
        last=NOW + DAY,
    )


def test_the_hash_changes_with_every_figure_and_with_nothing_else(tmp_path: Path) -> None:
    city = busy(tmp_path / "a.db")
    base = made(city).scope.data_hash
    assert made(city, city="汕头市", issuer="y", now=NOW + DAY).scope.data_hash == base
    assert made(busy(tmp_path / "same.db", later)).scope.data_hash == base
    # the same statistics of each, another load of all together
    other = busy(tmp_path / "b.db", lambda it: it.measured("cpu", "b", at(9), day_of(True)))
    assert made(other).estate.load.peak != made(city).estate.load.peak
    hashes = [base, made(other).scope.data_hash]
    hashes += [
        made(city, capacity=CapacityTold(Size(), Size(vcpus, None, None))).scope.data_hash
        for vcpus in (20, 40)
    ]
    hashes.append(made(city, files={"prices": "ab"}).scope.data_hash)
    assert len(set(hashes)) == 5

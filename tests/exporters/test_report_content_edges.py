"""What a month may lack: all but three days, its five-minute data, its end, its use; and the PlanetLab traces."""

from __future__ import annotations

import gzip
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.cloud import capacities
from collectors.cloud.model import Capacity, Size
from collectors.cloud.spans import Capacities, encoded
from exporters.history.compaction import compact
from exporters.history.importing import Form, load
from exporters.history.store import Known, Span
from exporters.report.content.making import document
from exporters.report.document import Document, LineLevel, LinesPart
from exporters.usage.period import month
from exporters.usage.source import CapacityTold, SourceError
from tests.reportestate import (
    DAY,
    GIB,
    NOW,
    OCTOBER,
    SEPTEMBER,
    ZONE,
    Array,
    City,
    at,
    inputs,
    judged,
    owned,
    slot,
    source_of,
)

PLANETLAB = Path(
    os.environ.get("JIANWEI_TRACES") or Path(__file__).parents[2] / "../shared/data/planetlab"
)


def flat(since: float, until: float, percent: float) -> Array:
    return np.full(slot(until) - slot(since), percent)


def made(city: City, **more: Any) -> Document:
    with source_of(city.path) as source:
        return document(inputs(source, trend=3, **more))


def codes(report: Document) -> dict[str, int]:
    return {it.code: it.count for it in report.gaps}


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path / "history.db")


def test_three_days_of_a_month_judge_nothing_and_say_so(city: City) -> None:
    city.server("a", "市税务局", since=at(10, 29))
    city.measured("cpu", "a", at(10, 29), flat(at(10, 29), at(11), 2.0))
    report = made(city)
    assert (report.scope.days, report.scope.days_in_month) == (3, 31)
    assert report.estate.states == {"insufficient": 1}
    assert report.estate.due.vcpus.value == 0
    assert report.summary[0].zh.startswith("本月仅有 3 天数据（应有 31 天），不足以评判")
    assert codes(report)["days"] == 28
    assert codes(report)["few_days"] == 3
    [now] = report.estate.trend[-1:]
    assert now.granted_vcpus == pytest.approx(4)  # not 4 × 3 / 31
    assert now.coverage == pytest.approx(100 * 3 / 31)
    assert [it.average for it in report.estate.days[:28]] == [None] * 28
    assert report.departments[0].change is None
    assert report.departments[0].reason.zh == "无上月数据，无法比较"


def test_a_month_under_way_is_up_to_now(city: City) -> None:
    city.server("a", "市税务局")
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, NOW, 20.0))
    with source_of(city.path) as source:
        report = document(inputs(source, month("2026-11", ZONE, NOW)))
    assert report.scope.under_way
    assert report.scope.until.timestamp() == NOW
    assert (report.scope.days, report.scope.days_in_month) == (3, 3)
    assert codes(report)["under_way"] == 27
    assert "截至 11月3日 09:00" in report.summary[0].zh
    assert report.estate.trend[-1].granted_vcpus == pytest.approx(4)
    assert report.estate.load.coverage == pytest.approx(100)


def test_days_that_are_known_by_sketches_alone_have_averages_and_no_peak(city: City) -> None:
    generator = np.random.default_rng(5)
    for id, vcpus in (("a", 2), ("b", 6)):
        city.server(id, "市税务局", id, vcpus=vcpus)
        values = generator.uniform(0, 60, slot(OCTOBER.until) - slot(SEPTEMBER.since))
        city.measured("cpu", id, SEPTEMBER.since, values)
    before = made(city)
    city.writer.close()
    compact(city.path, NOW, keep=14)  # from October 20 on
    after = made(city)
    assert after.estate.load.average == pytest.approx(before.estate.load.average)
    assert after.estate.load.cores == pytest.approx(before.estate.load.cores)
    load = after.departments[0].load
    assert load.cores == pytest.approx(before.departments[0].load.cores)
    assert load.cores == after.estate.load.cores == after.estate.capacity[0].used
    assert (load.p50, load.p95, load.peak, load.peak_at, load.work) == (None,) * 5
    for old, new in zip(before.estate.days, after.estate.days, strict=True):
        assert new.average == pytest.approx(old.average)
        assert new.peak is None
    assert after.scope.days == 31
    assert after.departments[0].change == pytest.approx(before.departments[0].change)
    assert codes(after)["no_slots"] == 1
    assert codes(after)["estimates"] == 2
    assert (before.scope.source.error, after.scope.source.error) == (0.0, 0.01)
    assert "95 百分位" not in after.summary[1].zh


def test_a_look_at_a_few_servers_is_no_peak_of_all(city: City) -> None:
    slots = slot(OCTOBER.until) - slot(OCTOBER.since)
    for n in range(3):
        city.server(f"vm-{n}", "市税务局", since=OCTOBER.since)
        values = np.full(slots, 10.0 + n)
        if n:
            values[1000] = np.nan
        else:
            values[1000] = 100.0
        city.measured("cpu", f"vm-{n}", OCTOBER.since, values)
    load = made(city).estate.load
    assert load.peak == pytest.approx(11)
    assert load.average == pytest.approx((33 * (slots - 1) + 100) / (3 * (slots - 1) + 1))


def test_an_estate_of_which_no_use_is_known_has_no_use(city: City) -> None:
    city.server("a", "市税务局")
    report = made(city)
    load = report.estate.load
    assert (load.average, load.cores, load.coverage) == (None, None, 0.0)
    assert report.departments[0].rank is None
    assert report.figures[0].value is None
    assert "使用率未知" in " ".join(it.zh for it in report.summary)
    assert report.scope.days == 0


def test_a_month_in_which_nothing_looked_is_refused(city: City) -> None:
    city.server("a", "市税务局")
    city.measured("cpu", "a", at(9, 1), flat(at(9, 1), at(9, 20), 2.0))
    with pytest.raises(SourceError, match="no data of 2026-10"):
        made(city)


def test_an_empty_history_is_refused(city: City) -> None:
    with pytest.raises(SourceError, match="nothing at all"):
        made(city)


def test_machines_are_in_no_sum_and_in_no_department(city: City) -> None:
    city.server("a", "市税务局")
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, at(11), 20.0))
    city.holds(
        "node",
        ("size", SEPTEMBER.since, None, Size(64, 256 * GIB, 0)),
        ("state", SEPTEMBER.since, None, "active"),
        kind="host",
    )
    city.measured("cpu", "node", SEPTEMBER.since, flat(SEPTEMBER.since, at(11), 95.0))
    report = made(city)
    assert [it.name for it in report.departments] == ["市税务局"]
    assert [it.state for it in report.estate.hosts] == ["busy"]
    assert report.estate.granted.vcpus.value == 4
    assert report.estate.load.average == pytest.approx(20)
    assert report.estate.kinds == {"host": 1, "server": 1}


def test_capacity_told_by_hand_goes_before_nothing(city: City) -> None:
    city.server("a", "市税务局")
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, at(11), 20.0))
    told = CapacityTold(Size(16, None, None), Size(32, 64 * GIB, None))
    report = made(city, capacity=told)
    vcpus, memory, disk = report.estate.capacity
    assert (vcpus.physical, vcpus.usable) == (16, 32)
    assert vcpus.used == pytest.approx(0.8)
    assert (memory.physical, memory.usable, memory.used) == (None, 64 * GIB, None)
    assert (disk.physical, disk.usable, disk.told_by.zh) == (None, None, "未提供")
    assert report.figures[1].value == pytest.approx(100 * 4 / 32)
    assert report.figures[1].before == pytest.approx(100 * 4 / 32)
    assert codes(report)["capacity"] == 1


def test_what_was_released_is_held_no_more(city: City) -> None:
    city.server("a", "市税务局")
    city.holds(
        "b",
        ("owner", at(9), None, owned("市税务局")),
        ("size", at(9), None, Size(8, 8 * GIB, GIB)),
        ("state", at(9), at(10, 10), "stopped"),
        ("state", at(10, 10), None, "released"),
        last=at(10, 10),
    )
    city.measured("cpu", "a", SEPTEMBER.since, flat(SEPTEMBER.since, at(11), 20.0))
    report = made(city)
    assert report.estate.granted.resources == 1
    assert report.estate.granted.vcpus.value == 4
    assert report.estate.kinds == {"server": 1}
    assert report.held == ()
    assert codes(report)["insufficient_released"] == 1


def test_a_change_of_what_is_asked_for_sums_alone_is_in_the_hash(tmp_path: Path) -> None:
    hashes = []
    for n, percent in enumerate((10.0, 10.0, 11.0)):
        city = City(tmp_path / f"{n}.db")
        city.server("a", "市税务局", since=at(6))
        city.measured("cpu", "a", at(6), flat(at(6), at(7), percent))
        city.measured("memory", "a", at(10), flat(at(10), at(11), 5.0))
        with source_of(city.path) as source:
            hashes.append(document(inputs(source, trend=6)).scope.data_hash)
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


@pytest.mark.parametrize("day", ["20110303"])
def test_the_load_of_planetlab_is_that_of_its_traces(tmp_path: Path, day: str) -> None:
    csv = PLANETLAB / f"{day}.csv.gz"
    if not csv.exists():
        pytest.skip(f"the PlanetLab traces are not at {PLANETLAB}")
    path = tmp_path / "history.db"
    start = datetime.fromisoformat("2011-03-03T00:00:00+08:00")
    form = Form(True, "cpu", "percent", int(start.timestamp()), 300)
    load(path, [str(csv)], form, True)
    lines = gzip.decompress(csv.read_bytes()).decode().splitlines()
    rows = [line.split(",") for line in lines]
    names = [row[0] for row in rows]
    raw = np.array([[float(cell) for cell in row[1:]] for row in rows])
    vcpus = 1.0 + np.arange(len(names)) % 4
    city = City(path)
    begin = start.timestamp()
    known, spans = [], []
    for n, name in enumerate(names):
        known.append(Known(name, "server", name, "city", begin, begin + DAY - 1))
        size = encoded(Size(float(vcpus[n]), None, None))
        spans += [
            Span(name, "owner", 0.0, None, encoded(owned(f"部门{n % 7}"))),
            Span(name, "size", 0.0, None, size),
        ]
    city.writer.add(0, (), known, spans)
    city.writer.close()
    now = datetime(2011, 4, 3, tzinfo=ZONE).timestamp()
    march = month("2011-03", ZONE, now)
    with source_of(path) as source:
        report = document(
            inputs(source, trend=1)._replace(period=march, judgements=judged(source, [march]))
        )
    cores = (raw * vcpus[:, None]).sum(axis=0) / 100
    percents = 100 * cores / vcpus.sum()
    told = report.estate.load
    assert told.average == pytest.approx(percents.mean(), rel=1e-6)
    assert told.p50 == pytest.approx(np.percentile(percents, 50), rel=1e-6)
    assert told.p95 == pytest.approx(np.percentile(percents, 95), rel=1e-6)
    assert told.peak == pytest.approx(percents.max(), rel=1e-6)
    for one in report.departments:
        own = [n % 7 == int(one.name[-1]) for n in range(len(names))]
        used = (raw[own] * vcpus[own, None]).sum() / 1200
        assert one.used_core_hours == pytest.approx(used, rel=1e-6)
    assert report.scope.days == 1


@pytest.mark.parametrize(
    ("met", "missed", "told"),
    [
        (0, 0, "线路 4 条，已测 3 条；因未设目标或数据不足，均未评判是否达标。"),
        (
            *(1, 1),
            "线路 4 条，已测 3 条；可评判 2 条，其中达标 1 条、未达标 1 条；"
            "另有 2 条因未设目标或数据不足未评判，不视为达标。",
        ),
        (3, 1, "线路 4 条，已测 3 条；可评判 4 条，其中达标 3 条、未达标 1 条。"),
    ],
)
def test_a_line_that_nobody_judged_has_not_passed(
    city: City, met: int, missed: int, told: str
) -> None:
    city.server("a", "市税务局")
    city.measured("cpu", "a", at(10), flat(at(10), at(11), 20.0))
    level = LineLevel("city", 4, 3, 96.6, None, met, missed, 74.4, 900.0, 0.0)
    report = made(city, lines=LinesPart((level,), (), (), ()))
    assert told in " ".join(it.zh for it in report.summary)


def tells(city: City, cloud: str, **amounts: float) -> None:
    told = tuple(
        Capacity(f"host of {cloud}", what, total, 0, 1.0) for what, total in amounts.items()
    )
    id = capacities.id_of(cloud)
    value = encoded(Capacities("openstack", told))
    city.writer.add(
        0,
        (),
        [Known(id, capacities.KIND, cloud, cloud, SEPTEMBER.since, NOW)],
        [Span(id, "capacity", SEPTEMBER.since, None, value)],
    )


def test_a_cloud_that_does_not_tell_its_capacity_leaves_that_of_all_unknown(city: City) -> None:
    for cloud in ("A", "B"):
        city.holds(
            f"of {cloud}",
            ("owner", SEPTEMBER.since, None, owned("市税务局")),
            ("size", SEPTEMBER.since, None, Size(40, 8 * GIB, 40 * GIB)),
            ("state", SEPTEMBER.since, None, "active"),
        )
        city.writer.add(
            *(0, ()), [Known(f"of {cloud}", "server", "", cloud, SEPTEMBER.since, NOW)], []
        )
        city.measured("cpu", f"of {cloud}", at(10), flat(at(10), at(11), 30.0))
    tells(city, "A", VCPU=48, MEMORY_MB=65536)
    report = made(city)
    vcpus, memory, disk = report.estate.capacity
    assert (vcpus.physical, vcpus.usable, vcpus.untold) == (None, None, ("B",))
    assert (memory.usable, memory.untold) == (None, ("B",))
    assert (disk.usable, disk.untold) == (None, ())  # nobody told any
    gaps = {it.code: it for it in report.gaps}
    assert (gaps["clouds"].count, gaps["clouds"].examples) == (1, ("B",))
    assert gaps["capacity"].examples == ("存储 disk",)
    assert {it.key: it.value for it in report.figures}["granted"] is None
    assert "有 1 个云平台未提供容量" in report.summary[0].zh
    by_hand = made(city, capacity=CapacityTold(Size(), Size(100)))
    assert by_hand.estate.capacity[0].untold == ()
    assert {it.key: it.value for it in by_hand.figures}["granted"] == pytest.approx(80)
    tells(city, "B", VCPU=52, MEMORY_MB=65536)
    report = made(city)
    assert report.estate.capacity[0].usable == 100
    assert "clouds" not in codes(report)


def test_a_cloud_of_which_nothing_is_held_any_more_need_not_tell(city: City) -> None:
    for cloud, state in (("A", "active"), ("B", "released")):
        city.server(f"of {cloud}", "市税务局")
        known = Known(f"of {cloud}", "server", "", cloud, SEPTEMBER.since, NOW)
        ended = Span(f"of {cloud}", "state", at(10, 5), None, encoded(state))
        city.writer.add(0, (), [known], [ended])
    city.measured("cpu", "of A", at(10), flat(at(10), at(11), 30.0))
    tells(city, "A", VCPU=48)
    assert made(city).estate.capacity[0].usable == 48

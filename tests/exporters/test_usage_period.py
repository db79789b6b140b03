"""Months out of a history: who held what when, what was used of it, and what changes within a month."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.spans import Aspect, Identity, Value, encoded
from collectors.cloud.spans import Span as Fact
from exporters.history import reader, stretches, workcalendar
from exporters.history.accumulate import Rollup
from exporters.history.compaction import compact
from exporters.history.file import connect
from exporters.history.schema import SLOT
from exporters.history.store import HistoryWriter, Known, Span
from exporters.usage.historysource import HistorySource
from exporters.usage.lives import Life, lives
from exporters.usage.period import month, months_before, resource_uses, shown_month
from exporters.usage.shares import segments, shares
from rules.usagethresholds import Thresholds
from rules.utilisation import NOBODY, judge

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 20, tzinfo=ZONE).timestamp()
OCTOBER = month("2026-10", ZONE, NOW)
CALENDAR = workcalendar.load()
GIB = 1 << 30
DAY = 86400.0


def day(number: int, hour: int = 0) -> float:
    return datetime(2026, 10, number, hour, tzinfo=ZONE).timestamp()


def owned(department: str) -> Attribution:
    return Attribution(Owner(department), "metadata")


class City:
    """A history with one server and whatever a test adds."""

    def __init__(self, path: Path) -> None:
        self.writer = HistoryWriter(path)
        self.path = path

    def server(
        self,
        id: str,
        *spans: tuple[Aspect, float, float | None, Value],
        first: float = OCTOBER.since - 30 * DAY,
        last: float = NOW,
        kind: str = "server",
    ) -> None:
        told = [
            Span(id, aspect, since, until, encoded(value)) for aspect, since, until, value in spans
        ]
        self.writer.add(0, (), [Known(id, kind, f"name of {id}", "city", first, last)], told)

    def cpu(self, id: str, since: float, until: float, percent: float) -> None:
        first, end = int(since // SLOT), int(until // SLOT)
        self.writer.add(first, [Rollup(id, "cpu", percent, percent)])
        with closing(connect(self.path)) as connection:  # a transaction a slot would take long
            connection.execute(
                "INSERT OR REPLACE INTO rollups WITH RECURSIVE slots(slot) AS"
                " (SELECT ? UNION ALL SELECT slot + 1 FROM slots WHERE slot + 1 < ?)"
                " SELECT slot, series.number, ?, ? FROM slots, series"
                " JOIN resources ON resources.number = resource WHERE id = ?",
                (first, end, percent, percent, id),
            )


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path / "history.db")
    yield made
    made.writer.close()


def of(city: City) -> sqlite3.Connection:
    return connect(city.path)


def test_a_month_is_one_of_the_zone_and_ends_now_while_it_lasts() -> None:
    assert OCTOBER.since == datetime(2026, 9, 30, 16, tzinfo=ZoneInfo("UTC")).timestamp()
    assert OCTOBER.until - OCTOBER.since == 31 * DAY
    assert month("2026-11", ZONE, NOW).until == NOW
    assert month("2026-12", ZONE, NOW).since == month("2026-12", ZONE, NOW).until
    assert month("2025-12", ZONE, NOW).until == month("2026-01", ZONE, NOW).since
    october = month("2026-10", ZoneInfo("Europe/Berlin"), NOW)
    assert october.until - october.since == 31 * DAY + 3600  # clocks go back in it
    assert months_before("2026-02", 4) == ["2025-11", "2025-12", "2026-01", "2026-02"]


def test_the_last_month_that_is_over_is_shown_once_the_history_has_all_of_it() -> None:
    assert month("2026-11", ZONE, NOW).under_way
    assert not OCTOBER.under_way
    assert shown_month(OCTOBER.since, ZONE, NOW) == "2026-10"
    assert shown_month(day(1) + SLOT, ZONE, NOW) == "2026-11"
    assert shown_month(None, ZONE, NOW) == "2026-11"
    assert shown_month(0, ZONE, datetime(2027, 1, 1, tzinfo=ZONE).timestamp()) == "2026-12"


def test_who_moved_within_a_month_counts_for_both_by_the_hour(city: City) -> None:
    city.server(
        "vm",
        ("owner", day(1), day(11), owned("市财政局")),
        ("owner", day(11), None, owned("市教育局")),
        ("size", day(1), None, Size(4, 8 * GIB, 0)),
        ("state", day(1), None, "active"),
    )
    city.cpu("vm", day(10), day(11), 50.0)
    city.cpu("vm", day(11), day(13), 25.0)
    with closing(of(city)) as connection:
        found = {one.department: one for one in shares(HistorySource(connection, "x"), OCTOBER)}
        [use] = resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
    assert found.keys() == {"市财政局", "市教育局"}
    finance, education = found["市财政局"], found["市教育局"]
    assert finance.granted_core_hours == pytest.approx(4 * 24 * 10)
    assert education.granted_core_hours == pytest.approx(4 * 24 * 21)
    assert finance.known_core_hours == pytest.approx(4 * 24)
    assert finance.used_core_hours == pytest.approx(4 * 24 * 0.5)
    assert education.used_core_hours == pytest.approx(4 * 48 * 0.25)
    assert education.granted_memory_byte_hours == pytest.approx(8 * GIB * 24 * 21)
    assert use.department == "市教育局"
    assert use.moved == (day(11),)


def test_who_was_resized_within_a_month_used_of_what_it_had_then(city: City) -> None:
    city.server(
        "vm",
        ("owner", day(1), None, owned("市财政局")),
        ("size", day(1), day(21), Size(2, 4 * GIB, 0)),
        ("size", day(21), None, Size(8, 4 * GIB, 0)),
        ("state", day(1), None, "active"),
    )
    city.cpu("vm", day(20), day(22), 50.0)
    with closing(of(city)) as connection:
        [share] = shares(HistorySource(connection, "x"), OCTOBER)
        [use] = resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
    assert share.granted_core_hours == pytest.approx(24 * (2 * 20 + 8 * 11))
    assert share.used_core_hours == pytest.approx(24 * (2 * 0.5 + 8 * 0.5))
    assert use.resized == (day(21),)
    assert use.vcpus == 8


def test_what_is_stopped_or_detached_says_since_when(city: City) -> None:
    city.server(
        "vm",
        ("state", day(1), day(9), "active"),
        ("state", day(9), None, "stopped"),
        ("size", day(1), None, Size(2, GIB, 0)),
    )
    city.server(
        "disk", ("state", day(1), None, "available"), ("attached", day(3), None, ()), kind="volume"
    )
    with closing(of(city)) as connection:
        uses = {
            use.resource: use
            for use in resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
        }
    assert uses["vm"].stopped_since == day(9)
    assert uses["disk"].detached_since == day(3)
    assert uses["disk"].stopped_since is None


def test_what_was_released_is_not_held_and_what_came_back_was_granted_anew(city: City) -> None:
    size = Size(2, GIB, 0)
    city.server(
        "gone",
        ("state", day(1) - 40 * DAY, day(1) - 10 * DAY, "active"),
        ("state", day(1) - 10 * DAY, None, "released"),
    )
    city.server(
        "ended",
        ("state", day(1), day(6), "active"),
        ("state", day(6), None, "released"),
        ("size", day(1), day(6), size),
        ("owner", day(1), day(6), owned("市财政局")),
    )
    city.server(
        "back",
        ("state", day(1) - 40 * DAY, day(1) - 10 * DAY, "active"),
        ("state", day(1) - 10 * DAY, day(16), "released"),
        ("state", day(16), None, "active"),
        ("size", day(16), None, size),
        ("owner", day(16), None, owned("市教育局")),
    )
    with closing(of(city)) as connection:
        uses = {
            use.resource: use
            for use in resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
        }
        found = {one.department: one for one in shares(HistorySource(connection, "x"), OCTOBER)}
    assert uses.keys() == {"ended", "back"}
    assert (uses["ended"].state, uses["ended"].released_at) == ("released", day(6))
    assert all(use.released_at is None for name, use in uses.items() if use.state != "released")
    assert uses["ended"].department == "市财政局"  # whose it was
    assert uses["back"].first_seen == day(16)
    assert found["市财政局"].granted_core_hours == pytest.approx(2 * 24 * 5)
    assert found["市教育局"].granted_core_hours == pytest.approx(2 * 24 * 16)
    assert "" not in found


def test_what_the_history_does_not_know_is_asked_elsewhere_or_is_nobodys(city: City) -> None:
    city.server("imported")
    city.cpu("imported", day(1), day(2), 10.0)
    with closing(of(city)) as connection:
        [use] = resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
        assert (use.department, use.attribution, use.vcpus) == ("", "unassigned", None)
        [use] = resource_uses(
            HistorySource(connection, "x"),
            OCTOBER,
            CALENDAR,
            lambda _, since, __: [(since, owned("市财政局"))],
        )
        assert use.department == "市财政局"
        [share] = shares(HistorySource(connection, "x"), OCTOBER)
    assert share.unsized_hours == pytest.approx(31 * 24)
    assert (share.granted_core_hours, share.used_ratio) == (0.0, None)


def test_what_was_first_seen_late_in_its_life_counts_as_it_was_first_known(city: City) -> None:
    city.server(
        "vm",
        ("owner", day(11), None, owned("市财政局")),
        ("size", day(11), None, Size(2, GIB, 0)),
        first=day(5),
    )
    with closing(of(city)) as connection:
        [life] = lives(connection, OCTOBER.since, OCTOBER.until)
    parts = list(segments(life, OCTOBER))
    assert [(part.since, part.until) for part in parts] == [(day(5), OCTOBER.until)]
    assert {part.department for part in parts} == {"市财政局"}
    assert {part.size.vcpus for part in parts} == {2}


def test_what_was_away_for_a_day_at_most_is_as_old_as_before(city: City) -> None:
    for id, away in (("short", DAY), ("long", DAY + 1)):
        city.server(
            id,
            ("state", day(1), day(10), "active"),
            ("state", day(10), day(10) + away, "released"),
            ("state", day(10) + away, None, "active"),
            first=day(1),
        )
    with closing(of(city)) as connection:
        found = {life.id: life for life in lives(connection, OCTOBER.since, OCTOBER.until)}
        uses = {
            use.resource: use
            for use in resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
        }
    assert uses["short"].first_seen == day(1)
    assert uses["long"].first_seen == day(11) + 1
    assert found["long"].granted(day(11)) == day(1)  # it had not come back by then


def test_segments_end_where_nobody_saw_it_any_more() -> None:
    life = Life("vm", "server", "vm", "city", day(2), day(3), {})
    [part] = segments(life, OCTOBER)
    assert part.since == day(2)
    assert part.until == day(3) + SLOT


def test_compaction_changes_no_month(city: City) -> None:
    city.server(
        "vm",
        ("owner", day(1), None, owned("市财政局")),
        ("size", day(1), None, Size(4, GIB, 0)),
        ("identity", day(1), None, Identity("server", "vm", "city", "openstack")),
    )
    city.cpu("vm", day(1), day(4), 30.0)
    city.cpu("vm", day(4), day(5), 90.0)
    with closing(of(city)) as connection:
        before = (
            resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR),
            shares(HistorySource(connection, "x"), OCTOBER),
        )
    city.writer.close()
    compact(city.path, NOW)
    with closing(of(city)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM rollups").fetchone()
        after = (
            resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR),
            shares(HistorySource(connection, "x"), OCTOBER),
        )
    assert rows == 0
    assert after == before
    measured = after[0][0].measured["cpu"]
    assert (measured.samples, measured.maximum) == (4 * 288, 90.0)
    assert measured.mean == pytest.approx((3 * 30 + 90) / 4)
    city.writer = HistoryWriter(city.path)


def spans_of(life: Life, aspect: Aspect) -> Sequence[object]:
    return life.spans.get(aspect, ())


def test_the_span_of_a_moment_and_the_last_one(city: City) -> None:
    city.server("vm", ("state", day(1), day(4), "active"), ("state", day(6), None, "stopped"))
    with closing(of(city)) as connection:
        [life] = lives(connection, OCTOBER.since, OCTOBER.until)
    assert len(spans_of(life, "state")) == 2
    at = [life.at("state", moment) for moment in (day(1), day(4), day(6))]
    assert [span and span.value for span in at] == ["active", None, "stopped"]
    last = life.last("state", day(5))
    assert last is not None
    assert last.value == "active"


def released_and_back(city: City) -> None:
    """As two lives of one id, the second of which is seen half of the time only."""
    city.server(
        "vm",
        ("state", day(1), day(14), "active"),
        ("state", day(14), day(16, 10), "released"),
        ("state", day(16, 10), None, "active"),
        ("size", day(1), None, Size(4, GIB, 0)),
    )
    city.cpu("vm", day(1), day(14), 1.0)
    city.cpu("vm", day(16, 10), day(24), 40.0)


@pytest.mark.parametrize("sketched", [False, True])
def test_what_came_back_is_not_judged_by_its_earlier_life(city: City, sketched: bool) -> None:
    released_and_back(city)
    if sketched:
        only_sketches(city)
    with closing(of(city)) as connection:
        [use] = resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
    cpu = use.measured["cpu"]
    assert cpu.samples == (7 * 24 + 14) * 12
    assert cpu.mean == pytest.approx(40)
    assert cpu.p50 == pytest.approx(40, rel=0.01)
    assert cpu.maximum_at == day(16, 10)
    found = judge([use], Thresholds(), NOBODY, date(2026, 11, 1))
    assert found.state == "insufficient"
    assert found.figures["coverage"] == pytest.approx(100 * (7 * 24 + 14) / (15 * 24 + 14))


def only_sketches(city: City) -> None:
    city.writer.close()
    compact(city.path, NOW)
    with closing(connect(city.path)) as connection, connection:
        connection.execute("DELETE FROM blocks")
    city.writer = HistoryWriter(city.path)


def test_segments_end_where_owner_system_or_size_do_and_not_every_night(city: City) -> None:
    nights: list[tuple[Aspect, float, float | None, Value]] = []
    for number in range(1, 31):
        nights.append(("state", day(number, 8), day(number, 20), "active"))
        nights.append(("state", day(number, 20), day(number + 1, 8), "stopped"))
    city.server(
        "vm",
        *nights,
        ("owner", day(1), day(11), owned("市财政局")),
        ("owner", day(11), None, Attribution(Owner("市财政局", "预算"), "metadata")),
        ("size", day(1), day(12), Size(4, GIB, 5)),
        ("size", day(12), None, Size(4, GIB, 6)),
    )
    with closing(of(city)) as connection:
        [life] = lives(connection, OCTOBER.since, OCTOBER.until)
    parts = list(segments(life, OCTOBER))
    assert [(part.since, part.system, part.size.disk) for part in parts] == [
        (OCTOBER.since, "", 5),
        (day(11), "预算", 5),
        (day(12), "预算", 6),
    ]
    assert [part.until for part in parts] == [day(11), day(12), OCTOBER.until]


def test_shares_are_the_same_when_only_sketches_are_left(city: City) -> None:
    city.server(
        "vm",
        ("owner", day(1), day(11, 9), owned("市财政局")),
        ("owner", day(11, 9), day(20), owned("市教育局")),
        ("owner", day(20), None, owned("市民政局")),
        ("size", day(1), None, Size(4, 8 * GIB, 0)),
        ("state", day(1), day(28), "active"),
        ("state", day(28), None, "released"),
    )
    city.cpu("vm", day(1), day(11, 9), 50.0)
    city.cpu("vm", day(11, 9), day(20), 25.0)
    city.cpu("vm", day(20), day(29), 10.0)
    with closing(of(city)) as connection:
        before = {one.department: one for one in shares(HistorySource(connection, "x"), OCTOBER)}
    only_sketches(city)
    with closing(of(city)) as connection:
        after = {one.department: one for one in shares(HistorySource(connection, "x"), OCTOBER)}
    assert before.keys() == after.keys() == {"市财政局", "市教育局", "市民政局"}
    for name, one in before.items():
        assert after[name].known_core_hours == pytest.approx(one.known_core_hours)
        assert after[name].used_core_hours == pytest.approx(one.used_core_hours)
    assert before["市财政局"].used_core_hours == pytest.approx(4 * (10 * 24 + 9) * 0.5)
    assert before["市民政局"].known_core_hours == pytest.approx(4 * 24 * 8)  # while it was held


def test_a_series_is_read_once_however_many_cuts(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        city.server(
            f"vm-{number}",
            ("owner", day(1), day(number + 2, number), owned("市财政局")),
            ("owner", day(number + 2, number), None, owned("市教育局")),
        )
        city.cpu(f"vm-{number}", day(1), day(9), 10.0)
    read = []

    def chunks(*arguments: Any, **more: Any) -> Iterator[reader.Chunk]:
        read.append(arguments)
        return reader.chunks(*arguments, **more)

    monkeypatch.setattr(stretches, "chunks", chunks)
    with closing(of(city)) as connection:
        shares(HistorySource(connection, "x"), OCTOBER)
    assert len(read) == 1


def at_sizes(*sizes: Size) -> Life:
    ends = [*(day(2 + number) for number in range(1, len(sizes))), None]
    begins = [day(2), *(day(2 + number) for number in range(1, len(sizes)))]
    spans = [
        Fact("vm", "size", begin, end, size)
        for begin, end, size in zip(begins, ends, sizes, strict=True)
    ]
    return Life("vm", "server", "vm", "city", day(1), day(30), {"size": spans})


@pytest.mark.parametrize(
    ("sizes", "number"),
    [
        ((Size(4, 8 * GIB, 0), Size(4, 8 * GIB + 4096, 0)), 0),
        ((Size(4, 8 * GIB, 0), Size(4, 8 * GIB, 1 << 40)), 0),
        ((Size(4, None, 0), Size(4, 8 * GIB, 0), Size(4, None, 0), Size(4, 8 * GIB, 0)), 0),
        ((Size(None, None, None), Size(4, 8 * GIB, 0)), 0),
        ((Size(4, 8 * GIB, 0), Size(4, None, 0), Size(4, 16 * GIB, 0)), 1),
        ((Size(4, 8 * GIB, 0), Size(8, 8 * GIB, 0)), 1),
        ((Size(4, 8 * GIB, 0), Size(None, 8 * GIB, 0), Size(8, 8 * GIB, 0)), 1),
        ((Size(4, 1000, 0), Size(4, 981, 0)), 0),
        ((Size(4, 1000, 0), Size(4, 980, 0)), 1),
        ((Size(4, 1000, 0), Size(4, 985, 0), Size(4, 970, 0), Size(4, 960, 0)), 1),  # bit by bit
    ],
)
def test_a_little_of_memory_is_no_other_size(sizes: Sequence[Size], number: int) -> None:
    assert len(at_sizes(*sizes).resized(OCTOBER.since, OCTOBER.until)) == number


def test_who_got_it_on_the_first_moment_of_a_month_has_just_got_it(city: City) -> None:
    before = OCTOBER.since - 20 * DAY
    city.server(
        "vm",
        ("owner", before, day(1), owned("市财政局")),
        ("owner", day(1), None, owned("市教育局")),
    )
    with closing(of(city)) as connection:
        [use] = resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
    assert use.moved == (day(1),)


def test_what_is_not_known_is_not_active(city: City) -> None:
    city.server("vm")
    city.server("disk", kind="volume")
    city.server("in use", ("attached", day(1), None, ("vm",)), kind="volume")
    with closing(of(city)) as connection:
        uses = {
            use.resource: use
            for use in resource_uses(HistorySource(connection, "x"), OCTOBER, CALENDAR)
        }
    assert {use.state for use in uses.values()} == {"unknown"}
    told = {
        name: judge([use], Thresholds(), NOBODY, date(2026, 11, 1)) for name, use in uses.items()
    }
    assert {name: one.state for name, one in told.items()} == {
        "vm": "insufficient",
        "disk": "insufficient",
        "in use": "in-use",
    }
    assert told["disk"].free.disk is None

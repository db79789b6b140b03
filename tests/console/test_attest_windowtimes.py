"""Maintenance windows and silences: when they are and for what, and the file, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.console.attest.maintenancefile import Watched, as_csv, as_yaml, rows
from exporters.console.attest.windows import (
    Recurs,
    Scope,
    Window,
    covering,
    is_on,
    last_end,
    occurrences,
)
from exporters.report.sections import maintenancefile as report

ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")]  # fmt: skip
SHANGHAI = ZONES[0]
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)

moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(
    lambda it: it.replace(second=0, microsecond=0)
)
recurrences = st.one_of(
    st.none(),
    st.builds(
        Recurs,
        every=st.just("week"),
        days=st.lists(st.integers(1, 7), min_size=1, unique=True).map(tuple),
        until=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    ),
    st.builds(
        Recurs,
        every=st.just("month"),
        days=st.lists(st.integers(1, 31), min_size=1, max_size=4, unique=True).map(tuple),
        until=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    ),
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    zone = draw(st.sampled_from(ZONES))
    begins = draw(moments)
    lasts = timedelta(minutes=draw(st.integers(1, 3 * 1440)))
    return Window(
        id=1,
        kind=draw(st.sampled_from(["maintenance", "silence"])),
        reason="割接",
        begins=begins.replace(tzinfo=zone).astimezone(UTC),
        ends=max(
            (begins + lasts).replace(tzinfo=zone).astimezone(UTC),
            begins.replace(tzinfo=zone).astimezone(UTC) + timedelta(minutes=1),
        ),
        scope=Scope(),
        zone=zone,
        recurs=draw(recurrences),
        cancelled=draw(st.none() | moments.map(lambda it: it.replace(tzinfo=UTC))),
    )


def by_hand(window: Window, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Every day from the first one to the end of the range, one after the other."""
    if window.recurs is None:
        found = [(window.begins, window.ends)]
    else:
        found = []
        first = window.begins.astimezone(window.zone).replace(tzinfo=None)
        lasts = window.ends.astimezone(window.zone).replace(tzinfo=None) - first
        day = first
        while day.replace(tzinfo=UTC) < end + 3 * DAY:
            its = window.recurs
            number = day.isoweekday() if its.every == "week" else day.day
            if number in its.days and (its.until is None or day.date() <= its.until):
                since = day.replace(tzinfo=window.zone).astimezone(UTC)
                until = (day + lasts).replace(tzinfo=window.zone).astimezone(UTC)
                found.append((since, until if until > since else since + lasts))
            day += DAY
    if window.cancelled is not None:
        found = [(since, min(until, window.cancelled)) for since, until in found]
    return [(a, b) for a, b in found if a < b and a < end and b > begin]


@given(windows(), moments, st.integers(1, 70 * 1440))
def test_occurrences_are_those_of_going_day_by_day(
    window: Window, begin: datetime, minutes: int
) -> None:
    since = begin.replace(tzinfo=UTC)
    until = since + timedelta(minutes=minutes)
    assert [*occurrences(window, since, until)] == by_hand(window, since, until)


@given(windows(), moments)
def test_a_window_is_on_within_its_occurrences_and_never_else(
    window: Window, when: datetime
) -> None:
    at = when.replace(tzinfo=UTC)
    near = by_hand(window, at - 10 * DAY, at + 10 * DAY)
    expected = any(since <= at < until for since, until in near)
    assert is_on(window, at) == expected
    assert covering([window], at, host="a", line="b", rule="c") == (window if expected else None)


@given(windows())
def test_nothing_is_after_the_last_end(window: Window) -> None:
    window = msgspec.structs.replace(window, cancelled=None)
    last = last_end(window)
    if last is None:
        assert window.recurs is not None
    else:
        assert not [*occurrences(window, last, last + 800 * DAY)]


def test_clock_changes_move_no_window_from_its_time_of_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begins = datetime(2026, 3, 22, 1, 30, tzinfo=berlin)
    window = Window(
        1, "maintenance", "x", begins.astimezone(UTC), (begins + timedelta(hours=3)).astimezone(UTC),
        Scope(), berlin, Recurs("week", (7,)),
    )  # fmt: skip
    found = [*occurrences(window, begins, begins + 22 * DAY)]
    hours = [(one.ends - one.begins) / timedelta(hours=1) for one in found]
    assert hours == [3, 2, 3, 3]  # on the 29th the clock goes from 2 to 3
    assert {one.begins.astimezone(berlin).time() for one in found} == {time(1, 30)}


@pytest.mark.parametrize(
    ("scope", "about", "expected"),
    [
        (Scope(), {}, True),
        (Scope(hosts=("vm-*",)), {"host": "vm-1"}, True),
        (Scope(hosts=("vm-*",)), {"host": "db", "host_id": "vm-2"}, True),
        (Scope(hosts=("vm-*",)), {"line": "l1"}, False),
        (Scope(departments=("市财政局",)), {"department": "市财政局", "host": "x"}, True),
        (Scope(departments=("市财政局",)), {"department": "市公安局", "host": "x"}, False),
        (Scope(lines=("l?",)), {"host": "x", "line": "l1"}, True),
        (Scope(lines=("l?",)), {"host": "x"}, False),
        (Scope(rules=("linux.*",), hosts=("a",)), {"host": "a", "rule": "linux.x"}, True),
        (Scope(rules=("linux.*",), hosts=("a",)), {"host": "b", "rule": "linux.x"}, False),
        (Scope(hosts=("[a]*",)), {"host": "a"}, False),
    ],
)
def test_what_a_window_is_for(scope: Scope, about: dict[str, str], expected: bool) -> None:
    window = Window(1, "silence", "x", NOW - DAY, NOW + DAY, scope, SHANGHAI)
    assert (covering([window], NOW, **about) is not None) == expected


@given(st.lists(windows(), max_size=4))
def test_the_report_reads_the_file_as_it_is_written(some: list[Window]) -> None:
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    found = [*rows(some, (), begin, end)]
    expected = sorted(
        (one.begins, one.ends)
        for window in some
        if window.kind == "maintenance"
        for one in occurrences(window, begin, end)
    )
    for content, name in ((as_yaml(found), "m.yaml"), (as_csv(found), "m.csv")):
        read = report.parse(content, name, ZoneInfo("UTC"))
        assert sorted((it.since, it.until) for it in read) == expected
        assert all(it.reason == "割接" for it in read)


def test_windows_of_departments_name_lines_that_are_watched_from_nowhere_else() -> None:
    watched = [
        Watched("l1", "a", "ida", "市财政局"),
        Watched("l2", "a", "ida", "市财政局"),
        Watched("l2", "b", "idb", "市公安局"),
        Watched("m3", "c", "idc", "市财政局"),
    ]

    def lines(**scope: Any) -> list[Any]:
        window = Window(1, "maintenance", "x", NOW, NOW + DAY, Scope(**scope), SHANGHAI)
        return [it.get("lines", "all") for it in rows([window], watched, NOW, NOW + DAY)]

    assert lines(departments=("市财政局",)) == [["l1", "m3"]]
    assert lines(departments=("市财政局",), lines=("l*",)) == [["l1"]]
    assert lines(hosts=("idc", "b")) == [["m3"]]
    assert lines(departments=("市教育局",)) == []
    assert lines(lines=("l*",)) == [["l*"]]
    assert lines() == ["all"]
    assert lines(rules=("linux.*",)) == []

"""When maintenance windows and silences are, and what they are for. Pure.

A window that recurs begins at the same time of the site's clock each time and lasts as long by that clock, over a change
to summer time too; a time that a clock skips is the one an hour later, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from rules.waivers import matches

Kind = Literal["maintenance", "silence"]
DAY: Final = timedelta(days=1)
LONGEST: Final = timedelta(days=366)  # one that does not recur
LONGEST_OF_MANY: Final = timedelta(days=7)


class Recurs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`days` are days of the week, Monday is 1, or days of the month; a month without such a day is left out. `until` is
    the last day on which one may begin."""

    every: Literal["week", "month"]
    days: tuple[Annotated[int, msgspec.Meta(ge=1, le=31)], ...]
    until: date | None = None

    def on(self, day: date) -> bool:
        if self.until is not None and day > self.until:
            return False
        return (day.isoweekday() if self.every == "week" else day.day) in self.days


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns, `*` and `?` as in a shell, but of departments names; an empty part is for all."""

    hosts: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def has(self, host: Iterable[str], department: str, line: str, rule: str) -> bool:
        return (
            (not self.departments or department in self.departments)
            and _one(host, self.hosts)
            and _one((line,), self.lines)
            and _one((rule,), self.rules)
        )


class Window(msgspec.Struct, frozen=True):
    """`begins` and `ends` are those of the first one; `zone` is the site's."""

    id: int
    kind: Kind
    reason: str
    begins: datetime
    ends: datetime
    scope: Scope
    zone: ZoneInfo
    recurs: Recurs | None = None
    cancelled: datetime | None = None
    created_by: str = ""


class Occurrence(NamedTuple):
    """[begins, ends), UTC."""

    begins: datetime
    ends: datetime


def covering(
    windows: Iterable[Window],
    when: datetime,
    host: str = "",
    department: str = "",
    line: str = "",
    rule: str = "",
    host_id: str = "",
) -> Window | None:
    """The first window that is on at a moment for this; None where there is none. `host` is its name; what something is
    not about is empty: a window for some lines or rules alone is not for it."""
    for window in windows:
        if window.scope.has((host, host_id), department, line, rule) and is_on(window, when):
            return window
    return None


def is_on(window: Window, when: datetime) -> bool:
    return any(
        one.begins <= when < one.ends
        for one in occurrences(window, when, when + timedelta(microseconds=1))
    )


def occurrences(window: Window, begin: datetime, end: datetime) -> Iterator[Occurrence]:
    """Those that overlap [begin, end), whole, in order; one that was cancelled ends then."""
    for one in _all(window, begin, end):
        last = one.ends if window.cancelled is None else min(one.ends, window.cancelled)
        if last > one.begins and one.begins < end and last > begin:
            yield Occurrence(one.begins, last)


def last_end(window: Window) -> datetime | None:
    """When it is over for good; None where it recurs without end."""
    if window.recurs is None:
        return window.ends
    if window.recurs.until is None:
        return None
    after = datetime.combine(window.recurs.until + DAY, time(), window.zone).astimezone(UTC)
    ends = (one.ends for one in _all(window, after - 70 * DAY, after))
    return max(ends, default=window.ends)


def _all(window: Window, begin: datetime, end: datetime) -> Iterator[Occurrence]:
    if window.recurs is None:
        yield Occurrence(window.begins, window.ends)
        return
    first = window.begins.astimezone(window.zone).replace(tzinfo=None)
    lasts = window.ends.astimezone(window.zone).replace(tzinfo=None) - first
    # a day more on either side: clocks of the site and of UTC differ
    day = max(first.date(), _day(begin - lasts, window.zone) - DAY)
    final = _day(end, window.zone) + DAY
    while day <= final:
        if window.recurs.on(day):
            yield _at(datetime.combine(day, first.time()), lasts, window.zone)
        day += DAY


def _at(begins: datetime, lasts: timedelta, zone: ZoneInfo) -> Occurrence:
    since, until = (it.replace(tzinfo=zone).astimezone(UTC) for it in (begins, begins + lasts))
    return Occurrence(since, until if until > since else since + lasts)


def _day(when: datetime, zone: ZoneInfo) -> date:
    return when.astimezone(zone).date()


def _one(names: Iterable[str], patterns: tuple[str, ...]) -> bool:
    return not patterns or any(matches(name, one) for name in names if name for one in patterns)

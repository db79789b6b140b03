"""When there are samples: days and hours of the month, and the months before that changes and trends need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from exporters.promapi.checkasking import HOUR, PER_HOUR, Asked, Hour
from exporters.promapi.finding import Finding, finding
from exporters.promapi.selectors import ranged
from exporters.promapi.series import RECORDED
from exporters.usage.period import Period

ENOUGH: Final = 80.0  # percent of the hours: less is insufficient data of everything
FEW: Final = 0.5  # of the usual number of resources
WHOLE: Final = PER_HOUR - 1  # samples an hour: one may be late
PROBES: Final = 6  # of a month before


def of_hours(hours: Sequence[Hour], zone: ZoneInfo) -> Iterator[Finding]:
    if not any(hour.resources for hour in hours):
        return  # told of already
    days: dict[str, list[Hour]] = {}
    for hour in hours:
        days.setdefault(_moment(hour.begin, zone)[:10], []).append(hour)
    there = [hour for hour in hours if hour.resources]
    percent = 100 * len(there) / len(hours)
    yield finding(
        "ok" if percent >= ENOUGH else "error",
        "coverage",
        [f"{day} {sum(h.resources > 0 for h in its)}/{len(its)}" for day, its in days.items()],
        percent=f"{percent:.1f}",
        hours=len(there),
        all=len(hours),
    )
    empty = [day for day, its in days.items() if not any(h.resources for h in its)]
    if empty:
        yield finding("warning", "gaps.days", empty, count=len(empty))
    usual = median(hour.resources for hour in there)
    begun = there[0].begin
    kinds: tuple[tuple[str, list[Hour]], ...] = (
        ("gaps.hours", [h for h in hours if not h.resources and _day(h, zone) not in empty]),
        ("gaps.partial", [h for h in there if h.samples < WHOLE and h.begin > begun]),
        ("gaps.resources", [h for h in there if h.resources < FEW * usual]),
    )
    for code, found in kinds:
        if found:
            stretches = _stretches(found, zone)
            yield finding("warning", code, stretches, hours=len(found), usual=f"{usual:.0f}")


def of_months(asked: Asked, months: Sequence[Period]) -> Iterator[Finding]:
    """By a few hours of each."""
    missing, partial = [], []
    for month in months:
        found = sum(_has(asked, at) for at in _probes(month))
        if not found:
            missing.append(month.label)
        elif found < PROBES:
            partial.append(month.label)
    if missing:
        yield finding("warning", "months.missing", missing, count=len(missing))
    if partial:
        yield finding("warning", "months.partial", partial, count=len(partial))
    if months and not missing and not partial:
        yield finding("ok", "months", count=len(months))


def _probes(month: Period) -> list[float]:
    """The ends of the first and the last hour, and of some between."""
    first = month.since + HOUR
    step = (month.until - first) / (PROBES - 1)
    return [first + number * step for number in range(PROBES)]


def _has(asked: Asked, at: float) -> bool:
    query = f"count(count_over_time({ranged(RECORDED['cpu'], '', PER_HOUR)}))"
    return bool(asked.client.instant(query, at))


def _stretches(hours: Sequence[Hour], zone: ZoneInfo) -> list[str]:
    """`2026-10-05 03:00 – 2026-10-05 07:00`, hours that follow each other together."""
    numbered = enumerate(hours)
    found = []
    for _, group in groupby(numbered, key=lambda it: it[1].begin - it[0] * HOUR):
        its = [hour for _, hour in group]
        found.append(f"{_moment(its[0].begin, zone)} – {_moment(its[-1].begin + HOUR, zone)}")
    return found


def _day(hour: Hour, zone: ZoneInfo) -> str:
    return _moment(hour.begin, zone)[:10]


def _moment(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")

"""The report of a month made out of a source of usage: the parts of this package put together (docs/report.md)."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from exporters.history.reader import span
from exporters.history.workcalendar import WorkCalendar
from exporters.report.content import departments as whose
from exporters.report.content import estate, figures, gaps, scope, summary
from exporters.report.content.daily import Daily, daily
from exporters.report.content.exemptions import exemptions
from exporters.report.content.held import held
from exporters.report.content.ledger import Ledger, Seen, ledger, total
from exporters.report.content.slots import Grid
from exporters.report.content.sums import Added, added, released, unseen
from exporters.report.document import (
    BaselinePart,
    Document,
    Estate,
    FollowUps,
    Ipv6Part,
    LinesPart,
    MonthPoint,
    Showback,
)
from exporters.report.sections import gaps as parts
from exporters.usage.lives import Life, Otherwise
from exporters.usage.period import Period
from exporters.usage.source import CapacityTold, SourceError, UsageSource
from rules.exemptions import Exemptions
from rules.model import Text
from rules.usagejudgement import Judgement
from rules.usagethresholds import Thresholds
from rules.utilisation import NOBODY


class Inputs(NamedTuple):
    """`before` are the months of the trend, oldest first and without gaps: the last is the one before `period`.
    `judgements` are of the month, `judgements_before` of the month before. `capacity` is what was told by hand
    (`told_by`), `files` SHA-256 (hex) of what else was read, by what it is. A part that is None was not given."""

    source: UsageSource
    period: Period
    before: Sequence[Period]
    judgements: Sequence[Judgement]
    calendar: WorkCalendar
    thresholds: Thresholds
    now: float
    judgements_before: Sequence[Judgement] | None = None
    otherwise: Otherwise | None = None
    city: str = ""
    issuer: str = ""
    example: bool = False
    capacity: CapacityTold | None = None
    told_by: Text = Text("报告配置", "the profile")
    files: Mapping[str, str] = {}
    exemptions: Exemptions = NOBODY
    unpriced: Sequence[str] = ()  # departments of the price table that are none
    showback: Showback | None = None
    showbacks: Mapping[str, Showback] = {}  # by department
    follow_ups: FollowUps | None = None
    lines: LinesPart | None = None
    ipv6: Ipv6Part | None = None
    baseline: BaselinePart | None = None


class _Months(NamedTuple):
    """The month, the one before it, and the trend with both."""

    now: Ledger
    before: Ledger | None
    trend: list[MonthPoint]


def document(inputs: Inputs, watch: Callable[[str], None] = lambda _: None) -> Document:
    """`watch` gets the label of each month that is read. Raises SourceError, of a month without any data as well."""
    source, period = inputs.source, inputs.period
    lives = {life.id: life for life in source.lives(period.since, period.until)}
    if not lives or not inputs.judgements:
        raise _nothing(inputs)
    months = _months(inputs, lives, watch)
    if source.extent() and not _measured(inputs, months.now):
        raise _nothing(inputs)
    grid = Grid(period, inputs.calendar, source.zone)
    entries = months.now.entries
    servers = [it.segment for it in entries]
    used = source.used(span(period.since, period.until), servers)
    there = estate.clipped(period, source.extent()) or period
    slots = whose.Slots(grid, Seen(period, there, inputs.thresholds.coverage), used, entries)
    by_day = daily(source, grid, entries, slots.all())
    slots.days = by_day.known
    gone = unseen(inputs.judgements)
    found = whose.departments(
        inputs.judgements,
        whose.month(months.now),
        whose.month(months.before) if months.before else None,
        slots,
        inputs.showbacks,
        gone,
    )
    sums = added(inputs.judgements, gone)
    whole = _estate(inputs, sums, gone, months, slots, by_day)
    made = Document(
        scope=scope.scope(
            scope.source_of(source, _estimated(inputs.judgements)),
            source.zone,
            period,
            inputs.calendar,
            inputs.thresholds,
            days=[it.average is not None for it in by_day.points],
            workdays=grid.workdays,
            coverage=whole.load.coverage,
            city=inputs.city,
            issuer=inputs.issuer,
            example=inputs.example,
            made=inputs.now,
        ),
        summary=(),
        figures=figures.figures(
            whole,
            sums.advice.get("grow", 0),
            months.before,
            _usable_before(inputs),
            inputs.judgements_before,
        ),
        estate=whole,
        departments=found,
        showback=inputs.showback,
        held=held(inputs.judgements, lives, period, source.zone),
        exemptions=exemptions(inputs.judgements, inputs.exemptions, *_days(inputs)),
        gaps=(),
        follow_ups=inputs.follow_ups,
        lines=inputs.lines,
        ipv6=inputs.ipv6,
        baseline=inputs.baseline,
    )
    return _told(inputs, made, lives)


def _told(inputs: Inputs, made: Document, lives: Mapping[str, Life]) -> Document:
    """With what was not known, and the summary of all."""
    granted = [it for it in inputs.judgements if it.kind != "host" and not released(it)]
    least = _least_days(inputs, made.scope.days_in_month)
    known = gaps.Known(
        judgements=inputs.judgements,
        lives=lives,
        departments=made.departments,
        capacity=made.estate.capacity,
        days=made.estate.days,
        trend=made.estate.trend,
        until=inputs.period.until,
        days_to_come=_days_to_come(inputs),
        least_days=least,
        holidays=inputs.period.label[:4] in inputs.calendar.sources,
        year=inputs.period.label[:4],
        unmatched=[it.id for it in inputs.exemptions.unmatched(inputs.judgements)],
        given={
            "prices": inputs.showback is not None,
            "follow_ups": inputs.follow_ups is not None,
            "lines": inputs.lines is not None,
            "ipv6": inputs.ipv6 is not None,
            "baseline": inputs.baseline is not None,
        },
        unpriced=inputs.unpriced,
        follow_ups=inputs.follow_ups.note if inputs.follow_ups else Text("", ""),
    )
    of_parts = parts.gaps(inputs.lines, inputs.ipv6, inputs.baseline)
    made = msgspec.structs.replace(made, gaps=(*gaps.gaps(known), *of_parts))
    gone = unseen(inputs.judgements)
    lost = sum(it.resource in gone for it in granted)
    unassigned = sum(not it.department and it.resource not in gone for it in granted)
    made = msgspec.structs.replace(made, summary=summary.summary(made, unassigned, lost, least))
    return _hashed(inputs, made)


def _months(inputs: Inputs, lives: Mapping[str, Life], watch: Callable[[str], None]) -> _Months:
    source, extent = inputs.source, inputs.source.extent()
    trend, before = [], None
    for period in inputs.before:
        watch(period.label)
        before = _part(inputs, period, extent)
        trend.append(estate.point(before, period) if before else MonthPoint(period.label))
    watch(inputs.period.label)
    now = ledger(source, lives.values(), inputs.period, inputs.otherwise)
    part = estate.clipped(inputs.period, extent) or inputs.period
    own = now if part == inputs.period else ledger(source, lives.values(), part, inputs.otherwise)
    trend.append(estate.point(own, inputs.period))
    return _Months(now, before, trend)


def _part(inputs: Inputs, period: Period, extent: tuple[float, float] | None) -> Ledger | None:
    """What of an earlier month there is anything of."""
    part = estate.clipped(period, extent)
    if part is None:
        return None
    there = inputs.source.lives(part.since, part.until)
    found = ledger(inputs.source, there, part, inputs.otherwise)
    return found if found.entries else None


def _estate(
    inputs: Inputs,
    sums: Added,
    gone: Container[str],
    months: _Months,
    slots: whose.Slots,
    by_day: Daily,
) -> Estate:
    entries = months.now.entries
    load, of_memory = slots.load(entries), slots.seen.coverage(entries, "memory")
    memory = slots.average(entries, total(it.memory for it in entries), of_memory)
    return estate.estate(
        inputs.judgements,
        sums,
        gone,
        load,
        estate.capacity_rows(
            inputs.source.capacity(inputs.period.until),
            inputs.capacity,
            inputs.told_by,
            sums.granted,
            ((load.cores, load.coverage), (memory, of_memory)),
        ),
        months.trend,
        by_day.points,
    )


def _measured(inputs: Inputs, now: Ledger) -> bool:
    """Whether anything of any use is known of the month."""
    return (
        any(it.measured for it in inputs.judgements) or total(e.cpu for e in now.entries).known > 0
    )


def _nothing(inputs: Inputs) -> SourceError:
    extent = inputs.source.extent()
    has = "it has nothing at all"
    if extent:
        since, until = (datetime.fromtimestamp(at, inputs.source.zone).date() for at in extent)
        has = f"what it has begins on {since} and ends on {until}"
    where = "what --check says" if inputs.source.kind == "prometheus" else "whether the agent ran"
    return SourceError(
        f"{inputs.source.name} has no data of {inputs.period.label}: {has}; "
        f"name another month, or see {where}"
    )


def _hashed(inputs: Inputs, made: Document) -> Document:
    digests = {
        it.label: inputs.source.digest(it.since, it.until) for it in (*inputs.before, inputs.period)
    }
    digest = scope.data_hash(made, digests, inputs.files)
    return msgspec.structs.replace(
        made, scope=msgspec.structs.replace(made.scope, data_hash=digest)
    )


def _usable_before(inputs: Inputs) -> float | None:
    """Virtual CPUs that could be granted when the month before ended."""
    told = inputs.source.capacity(inputs.before[-1].until) if inputs.before else None
    for one in (inputs.capacity, told):
        if one is not None and (vcpus := one.usable.vcpus) is not None:
            return vcpus
    return None


def _least_days(inputs: Inputs, days: int) -> float:
    """Of how many days there must be data for anything to be judged."""
    return min(inputs.thresholds.coverage / 100 * days, inputs.thresholds.age_days)


def _days(inputs: Inputs) -> tuple[date, date]:
    """The first and the last of the month so far."""
    period, zone = inputs.period, inputs.source.zone
    first, last = (datetime.fromtimestamp(at, zone) for at in (period.since, period.until - 1))
    return first.date(), last.date()


def _days_to_come(inputs: Inputs) -> int:
    if not inputs.period.under_way:
        return 0
    last = datetime.fromtimestamp(inputs.period.until - 1, inputs.source.zone)
    return calendar.monthrange(last.year, last.month)[1] - last.day


def _estimated(judgements: Sequence[Judgement]) -> bool:
    return any(one.estimated for it in judgements for one in it.measured.values())

"""Departments and their systems: what each was granted and used, its rank, and its change from the month before. Pure."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from exporters.history.reader import Span
from exporters.history.schema import SLOT
from exporters.report.content.decomposition import Stretch, causes, members, stretches
from exporters.report.content.ledger import NO_HOURS, Entry, Hours, Ledger, Seen, total
from exporters.report.content.ranking import ranks
from exporters.report.content.reason import reason
from exporters.report.content.slots import Grid, Together, load, together
from exporters.report.content.sums import added
from exporters.report.document import Department, Load, Showback, System
from exporters.usage.judgements import ordered
from exporters.usage.period import Period
from exporters.usage.shares import HOUR
from exporters.usage.source import Key, Used
from rules.usagejudgement import Judgement


class Slots:
    """What is known slot by slot, by department and system."""

    def __init__(
        self, grid: Grid, seen: Seen, used: Mapping[Key, Used], entries: Iterable[Entry]
    ) -> None:
        self.grid, self.seen, self._used = grid, seen, used
        self.days: Mapping[Key, set[Span]] = {}  # known by their sums, of what is not slot by slot
        self._known = {
            (it.segment.department, it.segment.system) for it in entries if it.cpu.known > 0
        }

    def of(self, keys: Iterable[Key]) -> Together | None:
        """Of these together; None where a part is not known slot by slot, or nothing is."""
        wanted = self._known.intersection(keys)
        if not wanted or not wanted <= self._used.keys():
            return None
        return together(self.grid, (self._used[key] for key in sorted(wanted)))

    def all(self) -> Together | None:
        return self.of(self._known)

    def load(self, entries: Sequence[Entry]) -> Load:
        """Of all that is one's, or one's of a system."""
        hours, coverage = total(it.cpu for it in entries), self.seen.coverage(entries)
        cores = self.average(entries, hours, coverage)
        return load(self.grid, hours, coverage, self.of(_keys(entries)), cores)

    def average(
        self, entries: Sequence[Entry], hours: Hours, coverage: float | None
    ) -> float | None:
        """What is used, over the time of which anything is known; None where that is not enough."""
        keys = _keys(entries)
        slots = self.of(keys)
        if slots is not None:
            known = int((slots.known > 0).sum())
        else:
            days = set().union(*(self.days.get(key, ()) for key in keys))
            known = sum(day.end - day.first for day in days)
        return hours.used / (known * SLOT / HOUR) if known and self.seen.enough(coverage) else None


def _keys(entries: Iterable[Entry]) -> set[Key]:
    return {(it.segment.department, it.segment.system) for it in entries}


class Month(NamedTuple):
    """Entries of a month, by department."""

    period: Period
    by_department: Mapping[str, Sequence[Entry]]

    @property
    def entries(self) -> Iterator[Entry]:
        return itertools.chain.from_iterable(self.by_department.values())


def month(of: Ledger) -> Month:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for one in of.entries:
        found[one.segment.department].append(one)
    return Month(of.period, found)


def departments(
    judgements: Iterable[Judgement],
    now: Month,
    before: Month | None,
    slots: Slots,
    showbacks: Mapping[str, Showback],
    gone: Container[str],
) -> tuple[Department, ...]:
    """In order of rank; then those of whom nothing is known, then what is nobody's. `before` is None where there is
    no month before. A machine that is nobody's own is of no department."""
    theirs: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        if one.department or one.kind != "host":
            theirs[one.department].append(one)
    names = sorted({*theirs, *now.by_department})
    wastes = {name: _cpu(now, name).waste for name in names}
    places = ranks(wastes)
    earlier: Mapping[str, int] = {}
    everywhere = stretches([*(before.entries if before else ()), *now.entries])
    if before:
        earlier = ranks({name: _cpu(before, name).waste for name in before.by_department})
    found = [
        _department(
            name, theirs[name], now, before, everywhere, slots, places, earlier, showbacks, gone
        )
        for name in names
    ]
    last = len(names) + 1
    return tuple(sorted(found, key=lambda it: (not it.name, it.rank or last, it.name)))


def _department(
    name: str,
    judgements: Sequence[Judgement],
    now: Month,
    before: Month | None,
    everywhere: Mapping[str, Stretch],
    slots: Slots,
    places: Mapping[str, int],
    earlier: Mapping[str, int],
    showbacks: Mapping[str, Showback],
    gone: Container[str],
) -> Department:
    entries = now.by_department.get(name, ())
    past = before.by_department.get(name, ()) if before else ()
    cpu, was = total(it.cpu for it in entries), total(it.cpu for it in past)
    sums = added(judgements, gone)
    change = None if cpu.percent is None or was.percent is None else cpu.percent - was.percent
    months = Stretch((before or now).period.since, slots.seen.there.until)
    why = causes(members(past), members(entries), everywhere, months)
    systems = _systems(judgements, entries, slots, gone)
    return Department(
        name=name,
        rank=places.get(name),
        rank_before=earlier.get(name),
        granted=sums.granted,
        granted_core_hours=cpu.granted,
        used_core_hours=cpu.used,
        known_core_hours=cpu.known,
        waste=cpu.waste,
        load=slots.load(entries),
        cpu_before=was.percent,
        change=change,
        reason=reason(was.percent, cpu.percent, why, before is not None),
        memory=total(it.memory for it in entries).percent,
        states=sums.states,
        advice=sums.advice,
        due=sums.due,
        watched=sums.watched,
        systems=systems,
        resources=tuple(ordered(judgements)),
        showback=showbacks.get(name),
    )


def _systems(
    judgements: Iterable[Judgement],
    entries: Iterable[Entry],
    slots: Slots,
    gone: Container[str],
) -> tuple[System, ...]:
    """The one that was granted most first; what is of none last."""
    theirs: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        theirs[one.system].append(one)
    used: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        used[entry.segment.system].append(entry)
    found = []
    for name in {*theirs, *used}:
        sums, load_of = added(theirs[name], gone), slots.load(used[name])
        found.append(System(name, sums.granted, load_of, sums.states, sums.due))
    return tuple(sorted(found, key=lambda it: (not it.name, -it.granted.vcpus.value, it.name)))


def _cpu(month: Month, name: str) -> Hours:
    entries = month.by_department.get(name)
    return total(it.cpu for it in entries) if entries else NO_HOURS

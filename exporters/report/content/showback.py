"""What the resources of departments cost in a month (费用分摊): what they were granted and what they used of it, each times
the price that was in force, side by side. A month is cut at the midnights at which prices change.

Money is reckoned in fractions and given in millionths: of each line of a department once, and everything else is a
sum of those, so that whoever adds up what is published comes to the same. What has no price is unpriced, never 0.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from exporters.report.content.costs import (
    GIB,
    TITLES,
    UNITS,
    Line,
    as_float,
    lines_of,
    millionths,
    sums_of,
    total,
)
from exporters.report.content.prices import ITEMS, Item, Prices
from exporters.report.document import Cost, Showback, Sums, Total
from exporters.usage.period import Period, month
from exporters.usage.shares import Share
from rules.usagejudgement import Amount

SharesOf = Callable[[float, float], Sequence[Share]]


class Shown(NamedTuple):
    estate: Showback
    departments: dict[str, Showback]  # by name; empty: 未归属


class Month(NamedTuple):
    """Of a report, with its hours: all of the month, be it under way."""

    first: date
    last: date
    hours: Fraction

    @classmethod
    def of(cls, label: str, zone: ZoneInfo) -> Month:
        """Raises ValueError where `label` is no month."""
        whole = month(label, zone, float("inf"))
        first, last = (
            datetime.fromtimestamp(it, zone).date() for it in (whole.since, whole.until - 1)
        )
        return cls(first, last, Fraction(whole.until - whole.since) / 3600)


def showback(
    prices: Prices,
    period: Period,
    zone: ZoneInfo,
    shares_of: SharesOf,
    due: Mapping[str, Sums],
    extent: tuple[float, float] | None = None,
) -> Shown:
    """Of a month. `shares_of(since, until)` is asked for each piece of it; `due` is what would come free, by
    department; `extent` the time of which there are data at all, None where that is any."""
    of_month = Month.of(period.label, zone)
    lines: defaultdict[str, dict[Item, Line]] = defaultdict(lines_of)
    servers: defaultdict[str, float] = defaultdict(float)  # hours of unknown size
    volumes: defaultdict[str, float] = defaultdict(float)
    for day, since, until in pieces(prices, period, zone):
        for share in shares_of(since, until):
            servers[share.department] += share.unsized_hours
            volumes[share.department] += share.unsized_volume_hours
            for item, line in lines[share.department].items():
                line.add(share, prices.at(item, share.department, day), of_month.hours)
    days = _days(period, extent), float(of_month.hours / 24)
    departments = {}
    for name in sorted({*lines, *due}, key=lambda it: (not it, it)):
        saved = reclaimable(prices, name, due.get(name, Sums()), of_month)
        costs = [line.cost(prices, name, of_month.last) for line in lines[name].values()]
        hours = servers[name], volumes[name]
        departments[name] = _summed(prices.currency, costs, [saved], hours, days)
    return Shown(_estate(prices, departments.values(), days), departments)


def pieces(prices: Prices, period: Period, zone: ZoneInfo) -> Iterator[tuple[date, float, float]]:
    """Stretches of the period in which no price changes, each with its first day."""
    if period.until <= period.since:
        return
    first, last = (
        datetime.fromtimestamp(it, zone).date() for it in (period.since, period.until - 1)
    )
    begins = {day: _midnight(day, zone) for day in prices.changes(first, last)}
    cuts = [(first, period.since), *begins.items(), (last, period.until)]
    for (day, since), (_, until) in itertools.pairwise(cuts):
        if until > since:
            yield day, since, until


def monthly(prices: Prices, department: str, amount: Amount, of_month: Month) -> float | None:
    """What an amount costs for a month at the prices in force on its last day; None where no part of it that is
    above 0 has a price, or what it is is not known."""
    total = Total
    sums = Sums(
        vcpus=total(amount.vcpus or 0.0, amount.vcpus is None),
        memory=total(amount.memory or 0, amount.memory is None),
        disk=total(amount.disk or 0, amount.disk is None),
    )
    return as_float(reclaimable(prices, department, sums, of_month).cost)


class Saved(NamedTuple):
    cost: Decimal | None
    complete: bool


def reclaimable(prices: Prices, department: str, due: Sums, of_month: Month) -> Saved:
    cost, priced, complete = Fraction(0), False, True
    amounts = {"vcpu": due.vcpus, "memory": due.memory, "disk": due.disk}
    for item in ITEMS:
        value = Fraction(amounts[item].value) / (1 if item == "vcpu" else GIB)
        complete &= not amounts[item].unknown
        if value:
            price = prices.at(item, department, of_month.last)
            complete &= price is not None
            if price:
                cost += value * price.hourly(of_month.hours) * of_month.hours
                priced = True
    nothing = complete and not priced  # to be reclaimed
    return Saved(millionths(cost) if priced or nothing else None, complete)


def _days(period: Period, extent: tuple[float, float] | None) -> float:
    """Of the month those of which there are data."""
    since, until = extent or (period.since, period.until)
    return max(0.0, min(until, period.until) - max(since, period.since)) / 86400


def _summed(
    currency: str,
    lines: Sequence[Cost],
    saved: Sequence[Saved],
    unsized: tuple[float, float],
    days: tuple[float, float],
) -> Showback:
    """`unsized` hours of servers and of volumes; `days` of which there are data, and of the month."""
    unpriced = any(it.unpriced or (it.granted and it.granted_cost is None) for it in lines)
    granted_cost, known_cost, used_cost = sums_of(lines)
    return Showback(
        currency,
        tuple(lines),
        granted_cost=granted_cost,
        used_cost=used_cost,
        reclaimable_cost=total(as_float(it.cost) for it in saved),
        complete=not (unpriced or any(unsized)) and all(it.complete for it in saved),
        unsized=unsized[0],
        known_cost=known_cost,
        unsized_volumes=unsized[1],
        days=days[0],
        days_in_month=days[1],
    )


def _estate(prices: Prices, departments: Iterable[Showback], days: tuple[float, float]) -> Showback:
    """The sum of departments, line by line."""
    all_of = list(departments)
    costs = []
    for number, item in enumerate(ITEMS):
        lines = [it.lines[number] for it in all_of]
        granted = math.fsum(it.granted or 0.0 for it in lines)
        unsized = math.fsum(it.unsized for it in lines)
        measurable = item != "disk"
        held = [it for it in lines if it.granted != 0]  # something, be it not known how much
        measured = [it.used for it in held if it.used is not None]
        granted_cost, known_cost, used_cost = sums_of(lines)
        cost = Cost(
            item,
            TITLES[item],
            UNITS[item],
            granted=granted if granted or not unsized else None,
            used=math.fsum(measured) if measured or (measurable and not held) else None,
            granted_cost=granted_cost,
            used_cost=used_cost,
            unpriced=math.fsum(it.unpriced for it in lines),
            used_known=measurable and all(it.used_known for it in lines),
            prices=tuple(dict.fromkeys(told for it in lines for told in it.prices)),
            known_cost=known_cost,
            unsized=unsized,
        )
        costs.append(cost)
    servers = math.fsum(it.unsized for it in all_of)
    volumes = math.fsum(it.unsized_volumes for it in all_of)
    summed = _summed(prices.currency, costs, [], (servers, volumes), days)
    return msgspec.structs.replace(
        summed,
        reclaimable_cost=total(it.reclaimable_cost for it in all_of),
        complete=all(it.complete for it in all_of),
    )


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()

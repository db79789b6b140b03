"""One item of a department's showback, summed over the pieces of a month, and sums of money of which a part may not be
known: that is None, never 0. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from exporters.report.content.prices import ITEMS, Item, Price, Prices
from exporters.report.document import Cost
from exporters.usage.shares import Share
from rules.model import Text

GIB: Final = 2**30
TITLES: Final[Mapping[Item, Text]] = {
    "vcpu": Text("vCPU", "vCPU"),
    "memory": Text("内存", "Memory"),
    "disk": Text("存储", "Storage"),
}
UNITS: Final[Mapping[Item, Text]] = {
    "vcpu": Text("核·时", "core hours"),
    "memory": Text("GiB·时", "GiB hours"),
    "disk": Text("GiB·时", "GiB hours"),
}
_TINY: Final = 1e-6  # of floating-point sums that ought to be equal


class Line:
    """Sums of one item of one department over the pieces of a month."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.granted = self.used = self.known = self.unpriced = Fraction(0)
        self.known_priced = self.unsized = Fraction(0)
        self.granted_cost = self.known_cost = self.used_cost = Fraction(0)
        self.prices: dict[Price, None] = {}

    def add(self, share: Share, price: Price | None, hours_of_month: Fraction) -> None:
        granted, known, used, unsized = _hours(self.item, share)
        self.unsized += unsized
        self.granted += granted
        self.known += known
        self.used += used
        if price is None:
            self.unpriced += granted
            return
        self.prices[price] = None
        hourly = price.hourly(hours_of_month)
        self.known_priced += known
        self.granted_cost += granted * hourly
        self.known_cost += known * hourly
        self.used_cost += used * hourly

    def cost(self, prices: Prices, department: str, last: date) -> Cost:
        if not self.granted:
            # nothing costs 0 at a price, and without one it is unpriced
            price = prices.at(self.item, department, last)
            self.prices = {price: None} if price else {}
        measured = self.item != "disk"  # how full a disk is nobody outside can see
        rest = self.granted - self.unpriced  # has a price
        sized = bool(self.granted or not self.unsized)  # something of it, or there is nothing
        told = self.prices if rest > 0 or not self.granted else {}
        priced = bool(told) and sized
        whole = measured and not self.unsized
        used_priced = priced and measured and bool(self.known_priced or not rest)
        return Cost(
            self.item,
            TITLES[self.item],
            UNITS[self.item],
            granted=float(self.granted) if sized else None,
            used=float(self.used)
            if measured and sized and (self.known or not self.granted)
            else None,
            granted_cost=as_float(millionths(self.granted_cost)) if priced else None,
            used_cost=as_float(millionths(self.used_cost)) if used_priced else None,
            unpriced=float(self.unpriced),
            used_known=whole and self.known >= self.granted * Fraction(1 - _TINY),
            prices=tuple(it.told for it in told),
            known_cost=as_float(millionths(self.known_cost)) if used_priced else None,
            unsized=float(self.unsized),
        )


def lines_of() -> dict[Item, Line]:
    return {item: Line(item) for item in ITEMS}


def _hours(item: Item, share: Share) -> tuple[Fraction, ...]:
    """Granted, known and used, in hours of what is priced, and those of unknown size."""
    if item == "vcpu":
        parts = (share.granted_core_hours, share.known_core_hours, share.used_core_hours)
        return *map(Fraction, parts), Fraction(share.unsized_vcpu_hours)
    if item == "memory":
        parts = (
            share.granted_memory_byte_hours,
            share.known_memory_byte_hours,
            share.used_memory_byte_hours,
        )
        return *(Fraction(it) / GIB for it in parts), Fraction(share.unsized_memory_hours)
    parts = (share.granted_disk_byte_hours, 0.0, 0.0)
    return *(Fraction(it) / GIB for it in parts), Fraction(share.unsized_disk_hours)


def sums_of(lines: Iterable[Cost]) -> tuple[float | None, float | None, float | None]:
    """Of what was granted, of what of that has known use, and of what was used; nothing without a price is in none."""
    there = [it for it in lines if it.granted != 0 or it.granted_cost is not None]
    granted = total(it.granted_cost for it in there)
    measured = [it for it in there if it.item != "disk"]
    known = total(it.known_cost for it in measured)
    if granted is None or known is None:
        return granted, None, None
    return granted, known, total(it.used_cost for it in measured if it.used_cost is not None)


def total(costs: Iterable[float | None]) -> float | None:
    """Exactly the sum of what is known; None where that is nothing, or 0 beside what is not known."""
    every = list(costs)
    known = [Decimal(repr(it)) for it in every if it is not None]
    whole = sum(known, Decimal(0))
    return float(whole) if whole or (known and len(known) == len(every)) else None


def millionths(cost: Fraction) -> Decimal:
    return Decimal(round(cost * 10**6)).scaleb(-6)


def as_float(cost: Decimal | None) -> float | None:
    return None if cost is None else float(cost)

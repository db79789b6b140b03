"""Money as the page shows it: what has no price is unpriced, and what nobody knows is neither that nor 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporters.report.document import Cost, Showback, Sums, Total
from exporters.report.html.figures import NONE, number
from rules.usagejudgement import Amount


def names(unpriced: str) -> Mapping[str, Any]:
    """By the names that templates have for it; `unpriced` is the word."""
    money = _Money(unpriced)
    return {
        "money": money.shown,
        "granted_money": money.granted,
        "part_money": money.part,
        "saved_money": money.saved,
        "part_of_month": part_of_month,
    }


def part_of_month(it: Showback) -> bool:
    """Whether there are data of some of its days alone."""
    if it.days is None or it.days_in_month is None:
        return False
    return round(it.days, 1) < round(it.days_in_month, 1)


class _Money:
    def __init__(self, unpriced: str) -> None:
        self._unpriced = unpriced

    def shown(self, value: float | None) -> str:
        return self._unpriced if value is None else number(value, 2 if abs(value) < 1000 else 0)

    def granted(self, it: Cost | Showback) -> str:
        """0 of which something has no price is no amount. Unpriced is told of the price alone: a size that is not
        known is no price missing, nor is a use that is not."""
        lines = it.lines if isinstance(it, Showback) else (it,)
        unpriced, unsized = (
            any(getattr(one, key) for one in lines) for key in ("unpriced", "unsized")
        )
        whole = not unpriced and not unsized
        if it.granted_cost or (whole and it.granted_cost is not None):
            return self.shown(it.granted_cost)
        return self._unpriced if unpriced or not unsized else NONE

    def part(self, it: Cost | Showback, part: float | None) -> str:
        """Of what has known use, or what was used of that: not known where it is nothing of what was granted."""
        if it.granted_cost is None or (not it.granted_cost and part is not None):
            return self.granted(it)
        return NONE if part is None or not it.known_cost else self.shown(part)

    def saved(self, cost: float | None, amount: Sums | Amount) -> str:
        """Of a month. What is there and has no cost has no price; else nobody knows what it is."""
        parts = (amount.vcpus, amount.memory, amount.disk)
        there = any(it.value if isinstance(it, Total) else it for it in parts)
        return NONE if cost is None and not there else self.shown(cost)

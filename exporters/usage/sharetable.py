"""What each department was granted and used over a month, as a table for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral
from exporters.usage.amounts import department
from exporters.usage.shares import Share
from exporters.usage.words import say

MAX_CELL = 40  # columns
_HEADS = (
    "department",
    "resources",
    "granted_core_hours",
    "used_core_hours",
    "used_share",
    "known_share",
    "granted_gib_hours",
)


def table(shares: Iterable[Share], language: str) -> str:
    """A line a department; what is not known has a dash."""
    rows = [[say(head, language) for head in _HEADS]]
    for one in shares:
        used, granted = one.used_ratio, one.granted_core_hours
        known = one.known_core_hours / granted if granted else None
        rows.append(
            [
                cut(neutral(department(one.department, language)), MAX_CELL),
                str(one.resources),
                f"{granted:,.0f}",
                "-" if used is None else f"{one.used_core_hours:,.1f}",
                "-" if used is None else f"{100 * used:.1f} %",
                "-" if known is None else f"{100 * known:.1f} %",
                f"{one.granted_memory_byte_hours / 2**30:,.0f}",
            ]
        )
    return "\n".join(aligned(rows))


def documents(shares: Iterable[Share]) -> list[dict[str, Any]]:
    """For machines: the fields of `Share`, and `used_ratio` (null where not known)."""
    return [{**msgspec.to_builtins(one), "used_ratio": one.used_ratio} for one in shares]

"""Who wastes most: ranks by what was granted and not used. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SAME: Final = 1e-6  # core hours: sums of the same parts in another order


def ranks(waste: Mapping[str, float | None]) -> dict[str, int]:
    """By name; those that waste the same share a rank (1, 1, 3). Who is nobody, or of whom nothing is known, has none."""
    known = [(value, name) for name, value in waste.items() if name and value is not None]
    known.sort(key=lambda it: (-it[0], it[1]))
    found: dict[str, int] = {}
    last: float | None = None
    rank = 0
    for place, (value, name) in enumerate(known, 1):
        if last is None or last - value > _SAME:
            rank, last = place, value
        found[name] = rank
    return found

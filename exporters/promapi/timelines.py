"""What a fact was, from when on: out of what was told of it on each day, and of the days in doubt within each five
minutes. Pure.

A day in doubt is one on which the fact became another, or a resource came or was seen last. Where days on end have
the same two facts, two tell at once, and the one to be believed holds. Five minutes without an answer, or days, end
nothing: whoever tells may have been away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")
Told = frozenset[V]  # what was told within a window: more than one where it changed, or two tell
Moments = Mapping[float, Told[V]]  # by the end of the five minutes


class Timeline(NamedTuple, Generic[V]):
    """Since when what, in order, each other than the one before. `first` and `last` are when it was told first and
    last, as far as that was looked at."""

    changes: list[tuple[float, V]]
    first: float
    last: float


def doubtful(days: Sequence[Told[V]], ends: bool) -> set[int]:
    """The days to look into; `ends`: also those on which it was told first and last."""
    there = [day for day, told in enumerate(days) if told]
    found = set()
    for place, day in enumerate(there):
        before = days[there[place - 1]] if place else None
        after = days[there[place + 1]] if place + 1 < len(there) else None
        told = days[day]
        changed = before is not None and told != before
        mixed = len(told) > 1 and not (told == before == after)
        if changed or mixed or (ends and before is None and day > 0):
            found.add(day)
    if ends and there and there[-1] < len(days) - 1:
        found.add(there[-1])
    return found


def timeline(
    days: Sequence[Told[V]],
    ends: Sequence[float],
    length: float,
    within: Mapping[int, Moments[V]],
    best: Callable[[Told[V]], V],
) -> Timeline[V] | None:
    """`ends` are when the days end, each so long; `within` is what was told on those that were looked into. `best`
    chooses where several were told. None where nothing was."""
    changes: list[tuple[float, V]] = []
    seen: list[float] = []
    for day, (told, end) in enumerate(zip(days, ends, strict=True)):
        parts = within.get(day)
        moments = sorted(parts.items()) if parts else [(end - length, told), (end, told)]
        for at, what in moments:
            if what:
                seen.append(at)
                value = best(what)
                if not changes or changes[-1][1] != value:
                    changes.append((at, value))
    return Timeline(changes, seen[0], seen[-1]) if seen else None

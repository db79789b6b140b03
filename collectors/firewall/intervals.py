"""Sets of whole numbers as sorted intervals that do not touch: ports, ICMPv6 types with codes; pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

Intervals = tuple[tuple[int, int], ...]

LAST: Final = 0xFFFF
NOTHING: Final[Intervals] = ()
EVERYTHING: Final[Intervals] = ((0, LAST),)


def intervals(pairs: Iterable[tuple[int, int]]) -> Intervals:
    """Pairs in any order, which may overlap; what lies outside 0 to LAST is cut off."""
    made: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        first, last = max(first, 0), min(last, LAST)
        if first > last:
            continue
        if made and first <= made[-1][1] + 1:
            made[-1] = made[-1][0], max(made[-1][1], last)
        else:
            made.append((first, last))
    return tuple(made)


def both(one: Intervals, other: Intervals) -> Intervals:
    if one is EVERYTHING or not other:
        return other
    if other is EVERYTHING or not one:
        return one
    # most often one of them is a port: no need to look at all of the other
    if len(other) == 1:
        return _inside(one, *other[0])
    if len(one) == 1:
        return _inside(other, *one[0])
    made = []
    i = j = 0
    while i < len(one) and j < len(other):
        first, last = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if first <= last:
            made.append((first, last))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(made)


def _inside(of: Intervals, first: int, last: int) -> Intervals:
    start, end = _touched(of, first, last)
    return tuple((max(low, first), min(high, last)) for low, high in of[start:end])


def _touched(of: Intervals, first: int, last: int) -> tuple[int, int]:
    """From which to which place intervals have something in common with this one."""
    start = bisect_left(of, first, key=lambda pair: pair[1])
    return start, bisect_right(of, last, key=lambda pair: pair[0])


def either(one: Intervals, other: Intervals) -> Intervals:
    if not one or not other:
        return one or other
    if one is EVERYTHING or other is EVERYTHING:
        return EVERYTHING
    return intervals((*one, *other))


def without(one: Intervals, other: Intervals) -> Intervals:
    if not other or not one:
        return one
    if other is EVERYTHING:
        return NOTHING
    if len(other) == 1:
        ((first, last),) = other
        start, end = _touched(one, first, last)
        cut = one[start:end]
        left = [(low, first - 1) for low, _ in cut[:1] if low < first]
        right = [(last + 1, high) for _, high in cut[-1:] if high > last]
        return (*one[:start], *left, *right, *one[end:])
    return both(one, _rest(other))


def _rest(of: Intervals) -> Intervals:
    made = []
    start = 0
    for first, last in of:
        if start < first:
            made.append((start, first - 1))
        start = last + 1
    if start <= LAST:
        made.append((start, LAST))
    return tuple(made)

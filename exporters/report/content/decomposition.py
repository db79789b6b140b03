"""What a change of the use of CPU came from: servers that came and went, were resized, or used more or less.

Exact: the parts add up to the change. With use u = used ÷ known and a share w of the known core hours, of those that
were there both months (together s before, s' now):
new ones change it by Σ w'(u' − s'), those gone by −Σ w(u − s), and each of those that stayed by
w'(u' − m) − w(u − m), m halfway between s and s' and w of what stayed alone: their sum is s' − s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from exporters.report.content.ledger import Entry, Hours, by_resource, total

What = Literal["new", "moved_in", "gone", "moved_out", "resized", "use", "measured", "unmeasured"]
ORDER: Final[tuple[What, ...]] = (
    *("new", "moved_in", "gone", "moved_out"),
    *("resized", "use", "measured", "unmeasured"),
)


class Cause(NamedTuple):
    """`points` of a percent that it raised the use by."""

    what: What
    servers: int
    points: float


class Member(NamedTuple):
    """One server of a group in one month; the sizes that it had."""

    hours: Hours
    sizes: frozenset[float | None]


def members(entries: Iterable[Entry]) -> dict[str, Member]:
    return {
        resource: Member(
            total(it.cpu for it in parts), frozenset(it.segment.size.vcpus for it in parts)
        )
        for resource, parts in by_resource(entries).items()
    }


def causes(
    before: Mapping[str, Member],
    now: Mapping[str, Member],
    everywhere_before: Iterable[str],
    everywhere_now: Iterable[str],
) -> list[Cause]:
    """Of one group; `everywhere` are the servers of all groups. Nothing where the use of a month is not known."""
    one, other = (total(it.hours for it in month.values()) for month in (before, now))
    if one.percent is None or other.percent is None:
        return []
    known = {n for n, it in now.items() if it.hours.known > 0}
    was_known = {n for n, it in before.items() if it.hours.known > 0}
    stayed = sorted(known & was_known)
    old = total(before[n].hours for n in stayed)
    new = total(now[n].hours for n in stayed)
    half = (one.percent + other.percent) / 2  # where none stayed
    s0 = half if old.percent is None else old.percent
    s1 = half if new.percent is None else new.percent
    found: dict[What, tuple[int, float]] = {}

    def put(what: What, points: float) -> None:
        count, sum_of = found.get(what, (0, 0.0))
        found[what] = count + 1, sum_of + points

    past, present = set(everywhere_before), set(everywhere_now)
    for name in sorted(known - was_known):
        came: What = "measured" if name in before else "moved_in" if name in past else "new"
        put(came, _above(now[name].hours, s1, other.known))
    for name in sorted(was_known - known):
        left: What = "unmeasured" if name in now else "moved_out" if name in present else "gone"
        put(left, -_above(before[name].hours, s0, one.known))
    middle = (s0 + s1) / 2
    for name in stayed:
        was, is_ = before[name], now[name]
        points = _above(is_.hours, middle, new.known) - _above(was.hours, middle, old.known)
        put("use" if was.sizes == is_.sizes else "resized", points)
    return [Cause(what, *found[what]) for what in ORDER if what in found]


def _above(one: Hours, level: float, known: float) -> float:
    """How much it raises the use of all that is known above a level, in points."""
    return (100 * one.used - level * one.known) / known

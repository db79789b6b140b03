"""What a change of the use of CPU came from: servers that came and went, were resized, or used more or less.

Exact: the parts add up to the change. With use u = used ÷ known and a share w of the known core hours, and s the use of
those that stayed through both months together (s' now), one that did not stay changes it by w'(u' − s') − w(u − s), and
one that stayed by w'(u' − m) − w(u − m), m halfway between s and s' and w of what stayed alone: their sum is s' − s.
Of one that is known in both months that is in two parts: ½(w + w')((u' − s') − (u − s)) by its use (s = s' = m for one
that stayed), and ½((u' − s') + (u − s))(w' − w) as it counts for more or fewer hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, get_args

from exporters.report.content.ledger import NO_HOURS, Entry, Hours, by_resource, total

What = Literal[
    "new", "moved_in", "came", "gone", "moved_out",
    "resized", "use", "measured", "unmeasured", "hours",
]  # fmt: skip
ORDER: Final[tuple[What, ...]] = get_args(What)
DAY: Final = 86400.0  # what comes or goes within it was there all the same
_NOTHING: Final = 1e-9  # points
_SHOWN: Final = 0.05  # points that are not 0.0


class Cause(NamedTuple):
    """`points` of a percent that it raised the use by."""

    what: What
    servers: int
    points: float


class Member(NamedTuple):
    """One server of a group in one month; the sizes that it had, and from when until when."""

    hours: Hours
    sizes: frozenset[float | None]
    since: float
    until: float


class Stretch(NamedTuple):
    since: float
    until: float


def stretches(entries: Iterable[Entry]) -> dict[str, Stretch]:
    return {name: Stretch(it.since, it.until) for name, it in members(entries).items()}


def members(entries: Iterable[Entry]) -> dict[str, Member]:
    return {
        resource: Member(
            total(it.cpu for it in parts),
            frozenset(it.segment.size.vcpus for it in parts),
            min(it.segment.since for it in parts),
            max(it.segment.until for it in parts),
        )
        for resource, parts in by_resource(entries).items()
    }


def causes(
    before: Mapping[str, Member],
    now: Mapping[str, Member],
    everywhere: Mapping[str, Stretch],
    months: Stretch,
) -> list[Cause]:
    """Of one group; `everywhere` is when servers were of any group within the months. Nothing where the use of a month
    is not known."""
    one, other = (total(it.hours for it in month.values()) for month in (before, now))
    if one.percent is None or other.percent is None:
        return []
    whats = {name: _what(name, before, now, everywhere, months) for name in {*before, *now}}
    stayed = [name for name, what in whats.items() if what in ("use", "resized")]
    old, new = (total(month[n].hours for n in stayed) for month in (before, now))
    s0, s1 = old.percent, new.percent
    if s0 is None or s1 is None:  # where none stayed
        s0 = s1 = (one.percent + other.percent) / 2
    found: dict[What, tuple[int, float]] = {}

    def put(what: What, points: float, counts: bool = True) -> None:
        count, sum_of = found.get(what, (0, 0.0))
        found[what] = count + counts, sum_of + points

    for name, what in sorted(whats.items()):
        was, is_ = (month[name].hours if name in month else NO_HOURS for month in (before, now))
        if what in ("use", "resized"):
            level = (s0 + s1) / 2
            use, hours = _split(was, is_, (old.known, new.known), (level, level))
        else:
            use, hours = _split(was, is_, (one.known, other.known), (s0, s1))
        if what == "resized":
            put(what, use + hours)
            continue
        if was.known > 0 and is_.known > 0:
            put("use", use, what == "use" or _changed(was, is_))
        elif was.known <= 0 and is_.known <= 0:
            continue
        if what != "use":
            put(what, hours)
        elif abs(hours) > _NOTHING:
            put("hours", hours)
    told = {what: it for what, it in found.items() if it[0] or abs(it[1]) > _NOTHING}
    return [Cause(what, max(told[what][0], 1), told[what][1]) for what in ORDER if what in told]


def _changed(was: Hours, is_: Hours) -> bool:
    return abs((was.percent or 0.0) - (is_.percent or 0.0)) >= _SHOWN


def _split(
    was: Hours, is_: Hours, known: tuple[float, float], levels: tuple[float, float]
) -> tuple[float, float]:
    """In points, by how it used what it had, and by what it counts for. Of one that is not known in both months, all is
    by what it counts for."""
    (w0, u0), (w1, u1) = (
        (it.known / whole, (it.percent or 0.0) - level) if it.percent is not None else (0.0, 0.0)
        for it, whole, level in zip((was, is_), known, levels, strict=True)
    )
    if w0 and w1:
        return (w0 + w1) / 2 * (u1 - u0), (u0 + u1) / 2 * (w1 - w0)
    return 0.0, w1 * u1 - w0 * u0


def _what(
    name: str,
    before: Mapping[str, Member],
    now: Mapping[str, Member],
    everywhere: Mapping[str, Stretch],
    months: Stretch,
) -> What:
    """What happened to one: that it went, before that it came, before that it stayed."""
    was, is_, of = before.get(name), now.get(name), everywhere[name]
    last = is_ or was
    if last and (is_ is None or last.until < months.until - DAY):
        return "moved_out" if of.until > last.until + DAY else "gone"
    if was is None and is_:
        return "moved_in" if of.since < is_.since - DAY else "new"
    if was and was.since > months.since + DAY:
        return "came"
    known_before, known_now = (it is not None and it.hours.known > 0 for it in (was, is_))
    if not known_before or not known_now:
        return "measured" if known_now else "unmeasured"
    return "use" if was and is_ and was.sizes == is_.sizes else "resized"

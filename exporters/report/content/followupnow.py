"""What is held of a resource when a month ends, as somebody saw it, and what has come free since it was told of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from exporters.report.content.followuprow import Row
from exporters.usage.lives import RESIZED, Life
from rules.usagejudgement import NOTHING, Amount, Judgement

_SAME: Final = 1 << 20  # bytes of a disk; a spreadsheet keeps 15 digits


class Now(NamedTuple):
    """`changed` is the day of its last change of size or of its release, None where the data do not have that."""

    held: Amount
    released: bool = False
    changed: date | None = None


def now_of(judgements: Iterable[Judgement], released: Mapping[str, Now] = {}) -> dict[str, Now]:
    """By resource, as far as judgements tell it: nothing of what nobody saw. `released` goes before them: it has the
    day."""
    return {**{one.resource: _now(one) for one in judgements if one.seen}, **released}


def released_of(lives: Iterable[Life], until: float, zone: ZoneInfo) -> dict[str, Now]:
    """Those that were released before a moment and not granted again. A judgement has that in the month of the
    release alone; who carries on a month after one without a report asks for all of that time."""
    found = {}
    for life in lives:
        state = life.at("state", until - 1)
        if state and state.value == "released":
            day = datetime.fromtimestamp(state.since, zone).date()
            found[life.id] = Now(NOTHING, True, day)
    return found


def _now(one: Judgement) -> Now:
    days = {reason.code: reason.text for reason in one.reasons}
    released = "released" in days
    day = days.get("released" if released else "resized", "")
    changed = date.fromisoformat(day) if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else None
    return Now(one.granted, released, changed)


def acted(row: Row, now: Now) -> bool:
    """Whether it is smaller than when it was told of; larger, where that was advised."""
    before, after = (now.held, row.granted) if row.advice == "grow" else (row.granted, now.held)
    freed = less(before, after)
    return bool(freed.vcpus or freed.memory or freed.disk)


def sized(row: Row, now: Now) -> bool:
    """Whether of all that it had it is known how much is left."""
    before, after = row.granted, now.held
    pairs = (before.vcpus, after.vcpus), (before.memory, after.memory), (before.disk, after.disk)
    return all(left is not None for had, left in pairs if had)


def realised(row: Row, now: Now) -> Amount:
    """What came free; of more nothing does."""
    if row.advice == "grow":
        return NOTHING
    return less(row.granted, NOTHING if now.released else now.held)


def less(before: Amount, after: Amount) -> Amount:
    """By how much it is less, by parts; never below 0. Memory that guests tell of differs by a little."""
    vcpus = None
    if before.vcpus is not None and after.vcpus is not None:
        vcpus = max(before.vcpus - after.vcpus, 0.0)
    memory = RESIZED * (before.memory or 0)
    return Amount(
        vcpus,
        _less(before.memory, after.memory, max(memory, _SAME)),
        _less(before.disk, after.disk, _SAME),
    )


def _less(before: int | None, after: int | None, same: float) -> int | None:
    if before is None or after is None:
        return None
    return before - after if before - after >= same else 0

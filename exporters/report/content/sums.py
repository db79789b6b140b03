"""Sums of what was granted and what would come free, by the judgements of a month. Pure."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from exporters.report.document import Sums, Total
from exporters.usage.summary import Sum, summarise
from rules.usagejudgement import Judgement


class Added(NamedTuple):
    """`granted` is what was held when the month ended, the others are of all that was not given back."""

    granted: Sums
    states: Mapping[str, int]
    advice: Mapping[str, int]
    due: Sums
    watched: Sums


def added(judgements: Iterable[Judgement], gone: Container[str] = ()) -> Added:
    """`gone` are ids of what nobody saw in the end: whether that is held is not known."""
    there = [it for it in judgements if not released(it)]
    every, held = (
        summarise(its).total for its in (there, [it for it in there if it.resource not in gone])
    )
    return Added(
        sums(held.granted),
        {name: count for name, count in every.states.items() if count},
        {name: count for name, count in every.advice.items() if count},
        sums(every.due),
        sums(every.watched),
    )


def unseen(judgements: Iterable[Judgement]) -> frozenset[str]:
    """Ids of what was seen no more when others were."""
    days = {it.resource: _unseen(it) for it in judgements}
    least = min((value for value, _ in days.values()), default=0.0)
    return frozenset(id for id, (value, limit) in days.items() if value - least > limit)


def _unseen(one: Judgement) -> tuple[float, float]:
    """For how many days, and how many are too many."""
    for reason in one.reasons:
        if reason.code == "not_seen":
            return math.inf if reason.value is None else reason.value, reason.limit or 0.0
    return 0.0, 0.0


def released(one: Judgement) -> bool:
    """Whether it was given back within the month."""
    return any(reason.code == "released" for reason in one.reasons)


def sums(one: Sum) -> Sums:
    unknown = one.unknown
    return Sums(
        one.resources,
        Total(one.vcpus, unknown["vcpus"]),
        Total(float(one.memory), unknown["memory"]),
        Total(float(one.disk), unknown["disk"]),
    )

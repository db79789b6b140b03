"""Sums of what was granted and what would come free, by the judgements of a month. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exporters.report.document import Sums, Total
from exporters.usage.summary import Sum, summarise
from rules.usagejudgement import Judgement


class Added(NamedTuple):
    """Of what was held when the month ended: of what was given back nothing is short, and nothing is to be done."""

    granted: Sums
    states: Mapping[str, int]
    advice: Mapping[str, int]
    due: Sums
    watched: Sums


def added(judgements: Iterable[Judgement]) -> Added:
    held = summarise(it for it in judgements if not released(it)).total
    return Added(
        sums(held.granted),
        {name: count for name, count in held.states.items() if count},
        {name: count for name, count in held.advice.items() if count},
        sums(held.due),
        sums(held.watched),
    )


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

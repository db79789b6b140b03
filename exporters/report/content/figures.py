"""The five figures of the summary, each with the month before. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from exporters.report.content.ledger import Ledger, total
from exporters.report.content.numbers import count
from exporters.report.content.sums import added, unseen
from exporters.report.content.words import say
from exporters.report.document import Capacity, Estate, Figure, Total
from rules.usagejudgement import Judgement


def figures(
    estate: Estate,
    grow: int,
    before: Ledger | None,
    usable_before: float | None,
    judgements_before: Sequence[Judgement] | None,
) -> tuple[Figure, ...]:
    """`grow` servers are to grow. Of the month before what is not known is None."""
    past = total(it.cpu for it in before.entries) if before and before.entries else None
    old = added(judgements_before, unseen(judgements_before)) if judgements_before else None
    vcpus = estate.capacity[0]
    unsized = estate.granted.vcpus.unknown
    note = say("granted_untold" if vcpus.usable is None else "granted_note")
    if unsized and vcpus.usable is not None:
        note = say("unsized_note", n=unsized)
    due = estate.due.vcpus
    return (
        Figure(
            "cpu",
            say("cpu"),
            estate.load.average,
            "percent",
            past and past.percent,
            say("cpu_note"),
        ),
        Figure(
            "granted",
            say("granted"),
            _share(vcpus),
            "percent",
            _ratio(known(old.granted.vcpus) if old else None, usable_before),
            note,
        ),
        Figure(
            "reclaimable",
            say("reclaimable"),
            known(due),
            "vcpus",
            known(old.due.vcpus) if old else None,
            say("unsized_note", n=count(due.unknown)) if due.unknown else say("reclaimable_note"),
        ),
        Figure(
            "grow",
            say("grow"),
            grow,
            "count",
            old.advice.get("grow", 0) if old else None,
            say("grow_note"),
        ),
        Figure(
            "coverage",
            say("coverage"),
            estate.load.coverage,
            "percent",
            estate.trend[-2].coverage if len(estate.trend) > 1 else None,
            say("coverage_note"),
        ),
    )


def _share(one: Capacity) -> float | None:
    return _ratio(known(one.granted), one.usable)


def known(one: Total) -> float | None:
    """The sum; None where nothing of it is known, which is not 0."""
    return None if one.unknown and not one.value else one.value


def _ratio(part: float | None, whole: float | None) -> float | None:
    return 100 * part / whole if part is not None and whole else None

"""The part of the report that the follow-up file makes: its rows, their steps, and what has come free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from exporters.report.content.costs import total
from exporters.report.content.followuprow import STEPS, Row
from exporters.report.document import FollowUp, FollowUps
from rules.model import Text
from rules.usagejudgement import Amount

Saved = Callable[[str, Amount], float | None]  # what an amount costs a month, by department


def told(rows: Sequence[Row], month: str, saved: Saved | None, said: Text) -> FollowUps:
    """The part of the report: rows that are open, and those that were closed in the month."""
    there = [row for row in rows if row.notified <= month]
    reviewed = [row for row in there if row.step == "reviewed"]
    ended = [row for row in reviewed if _closed(row) <= month]
    costs = [_cost(row, saved) for row in ended]
    steps = Counter(row.step for row in there)
    return FollowUps(
        rows=tuple(_follow_up(row, saved) for row in there if _shown(row, month)),
        steps={step: steps[step] for step in STEPS},
        realised=_sum(row for row in ended if _closed(row) == month),
        realised_total=_sum(ended),
        saved_cost=total(costs) if costs or saved is None else 0.0,
        note=said,
    )


def _shown(row: Row, month: str) -> bool:
    return row.open or month in (row.carried, _closed(row))


def _closed(row: Row) -> str:
    """The month in which it was."""
    if row.step == "reviewed" and row.reviewed:
        return row.reviewed.isoformat()[:7]
    return max(row.carried, row.confirmed.isoformat()[:7] if row.confirmed else "")


def _sum(rows: Iterable[Row]) -> Amount:
    """Of what is known; None where there are rows and of none it is."""
    found = [row.realised or Amount() for row in rows]
    vcpus = [it.vcpus for it in found if it.vcpus is not None]
    memory = [it.memory for it in found if it.memory is not None]
    disk = [it.disk for it in found if it.disk is not None]
    return Amount(
        sum(vcpus) if vcpus or not found else None,
        sum(memory) if memory or not found else None,
        sum(disk) if disk or not found else None,
    )


def _cost(row: Row, saved: Saved | None) -> float | None:
    if row.realised is None or saved is None:
        return None
    return saved(row.department, row.realised)


def _follow_up(row: Row, saved: Saved | None) -> FollowUp:
    return FollowUp(
        id=row.id,
        resource=row.resource,
        name=row.name,
        department=row.department,
        system=row.system,
        advice=row.advice,
        step=row.step,
        notified=row.notified,
        months=row.months,
        planned=row.planned,
        realised=row.realised,
        saved_cost=_cost(row, saved),
        confirmed=row.confirmed,
        carried_out=row.carried_out,
        reviewed=row.reviewed,
        by="; ".join(filter(None, (row.owner, row.by))),
        note="; ".join(filter(None, (row.note, row.remark))),
    )

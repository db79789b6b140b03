"""Exemptions that resources of the month are under, in force or expired, by id. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from exporters.report.content.sums import sums
from exporters.report.document import Exemption
from exporters.usage.summary import summarise
from rules.usagejudgement import Exempted, Judgement


def exemptions(judgements: Iterable[Judgement]) -> tuple[Exemption, ...]:
    """The one that ends (or ended) first comes first."""
    under: dict[str, list[Judgement]] = {}
    what: dict[str, Exempted] = {}
    for one in judgements:
        if one.exemption:
            under.setdefault(one.exemption.id, []).append(one)
            what[one.exemption.id] = one.exemption
    found = [
        Exemption(
            id=id,
            reason=it.reason,
            owner=it.owner,
            approver=it.approver,
            expires=it.expires,
            days_left=it.days_left,
            resources=len(under[id]),
            granted=sums(summarise(under[id]).total.granted),
            departments=tuple(sorted({one.department for one in under[id]})),
        )
        for id, it in what.items()
    ]
    return tuple(sorted(found, key=lambda it: (it.expires, it.id)))

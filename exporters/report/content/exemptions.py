"""Exemptions of the month: all that are in force when it ends or ended within it, and those that ended before and that
resources would still need. Each with what is in its scope, needed or not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from exporters.report.content.sums import released, sums
from exporters.report.document import Exemption
from exporters.usage.summary import summarise
from rules.exemptions import Exemptions
from rules.usagejudgement import Judgement


def exemptions(
    judgements: Sequence[Judgement], every: Exemptions, first: date, last: date
) -> tuple[Exemption, ...]:
    """`first` and `last` are days of the month. The one that ends (or ended) first comes first."""
    scopes: Mapping[str, list[Judgement]] = {one.id: [] for one in every.all}
    for judgement in judgements:
        for one in () if released(judgement) else every.of(judgement):
            scopes[one.id].append(judgement)
    needed = {one.exemption.id for one in judgements if one.exemption}
    found = []
    for it in every.all:
        if it.expires < first and it.id not in needed:
            continue
        by_department: dict[str, list[Judgement]] = {}
        for judgement in scopes[it.id]:
            by_department.setdefault(judgement.department, []).append(judgement)
        found.append(
            Exemption(
                id=it.id,
                reason=it.reason,
                owner=it.owner,
                approver=it.approver,
                expires=it.expires,
                days_left=(it.expires - last).days,
                resources=len(scopes[it.id]),
                granted=sums(summarise(scopes[it.id]).total.granted),
                # who is named is whose it is, be there anything of theirs or not
                departments=tuple(sorted({*by_department, *it.departments})),
                by_department={
                    name: sums(summarise(own).total.granted)
                    for name, own in sorted(by_department.items())
                },
            )
        )
    return tuple(sorted(found, key=lambda it: (it.expires, it.id)))

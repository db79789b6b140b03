"""What people answered to the questions of manual rules, counted over the hosts that ask them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.codes import OUTCOME
from exporters.console.schema import attestation, outcome_tally
from exporters.console.web.asker import Asker


class Answered(msgspec.Struct, frozen=True):
    """Results (a rule on a host) that are manual: what a person answered, `open` where nobody did, `expired` where the
    answer is too old to count."""

    passed: int = 0
    failed: int = 0
    not_applicable: int = 0
    expired: int = 0
    open: int = 0

    def __add__(self, other: Answered) -> Answered:
        return Answered(
            *(getattr(self, one) + getattr(other, one) for one in self.__struct_fields__)
        )


class _Given:
    """Answers of one department to one rule."""

    def __init__(self) -> None:
        self.whole = ""  # for all its hosts: pass, fail, not_applicable; expired
        self.hosts: dict[str, int] = defaultdict(int)  # for single hosts


_FIELDS: Mapping[str, str] = {
    "pass": "passed",
    "fail": "failed",
    "not_applicable": "not_applicable",
    "expired": "expired",
}


def by_rule(connection: Connection, asker: Asker) -> dict[tuple[str, int], Answered]:
    """By pack and rule, of rules that anybody answered."""
    given = _given(connection, asker)
    if not given:
        return {}
    tally = outcome_tally.c
    statement = select(tally.pack, tally.rule_id, tally.department_id, tally.hosts).where(
        tally.outcome == OUTCOME["manual"],
        tally.hosts > 0,
        tally.rule_id.in_({rule_id for _, rule_id in given}),
    )
    found: dict[tuple[str, int], Answered] = {}
    for row in connection.execute(asker.scoped(statement, tally.department_id)):
        answers = _spread(row.hosts, given.get((row.department_id, row.rule_id)))
        key = (row.pack, row.rule_id)
        found[key] = found.get(key, Answered()) + answers
    return found


def _spread(hosts: int, given: _Given | None) -> Answered:
    """Answers for single hosts come before that of the department; no more hosts are answered than there are."""
    if given is None:
        return Answered(open=hosts)
    counts: dict[str, int] = dict.fromkeys(_FIELDS.values(), 0)
    left = hosts
    for answer in ("fail", "pass", "not_applicable"):
        taken = min(left, given.hosts[answer])
        counts[_FIELDS[answer]] += taken
        left -= taken
    if given.whole and given.whole != "expired":
        counts[_FIELDS[given.whole]] += left
        return Answered(**counts)
    expired = left if given.whole else min(left, given.hosts["expired"])
    counts["expired"] += expired
    return Answered(**counts, open=left - expired)


def _given(connection: Connection, asker: Asker) -> dict[tuple[int, int], _Given]:
    """The newest answer for each department, and for each host, that was not withdrawn."""
    today = asker.now.astimezone(asker.zone).date()
    one = attestation.c
    newest = (
        select(func.max(one.id))
        .where(one.withdrawn.is_(None))
        .group_by(one.department_id, one.rule_id, one.host_id)
    )
    statement = select(one.department_id, one.rule_id, one.host_id, one.answer, one.expires).where(
        one.id.in_(newest)
    )
    found: dict[tuple[int, int], _Given] = defaultdict(_Given)
    for row in connection.execute(asker.scoped(statement, one.department_id)):
        answer = row.answer if row.expires >= today else "expired"
        of_rule = found[row.department_id, row.rule_id]
        if row.host_id is None:
            of_rule.whole = answer
        else:
            of_rule.hosts[answer] += 1
    return found

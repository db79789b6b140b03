"""What is known of the items of the assessment sheet, from the tallies, the answers and the waivers."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.attest import reach
from exporters.console.codes import OPEN_STATES, STATE
from exporters.console.review.filters import NOBODY
from exporters.console.schema import (
    attestation,
    department,
    hit_tally,
    host,
    outcome_tally,
    rule,
    rule_clause,
    waiver,
    waiver_department,
    waiver_host,
)
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import NotFound
from rules import clauses
from rules.model import OUTCOMES, Outcome, Text


class Answer(msgspec.Struct, frozen=True):
    """Of a person, that holds until a day. `host` is empty where it is for all hosts of the department."""

    rule: str
    department: str
    host: str
    answer: str
    text: str
    by: str
    expires: date


class Waived(msgspec.Struct, frozen=True):
    code: str
    rule: str
    reason: str
    owner: str
    expires: date


def department_id(connection: Connection, asker: Asker, name: str) -> int | None:
    if not name:
        return None
    wanted = "" if name == NOBODY else name
    named = select(department.c.id).where(department.c.name == wanted)
    found: int | None = connection.execute(named).scalar()
    if found is None or not asker.sees(found):
        raise NotFound("not_found")
    return found


def within(asker: Asker, statement: Any, column: Any, chosen: int | None) -> Any:
    statement = asker.scoped(statement, column)
    return statement if chosen is None else statement.where(column == chosen)


def rules(connection: Connection) -> dict[str, dict[int, tuple[str, Text]]]:
    found: dict[str, dict[int, tuple[str, Text]]] = {}
    rows = connection.execute(
        select(rule_clause.c.clause, rule.c.id, rule.c.name, rule.c.title_zh, rule.c.title_en)
        .join(rule, rule.c.id == rule_clause.c.rule_id)
        .where(rule_clause.c.standard == clauses.STANDARD)
    )
    for row in rows:
        found.setdefault(row.clause, {})[row.id] = (row.name, Text(row.title_zh, row.title_en))
    return found


def outcomes(
    connection: Connection, asker: Asker, chosen: int | None
) -> dict[int, dict[Outcome, int]]:
    """Of each rule in the pack in which it was judged on the most hosts: a host is counted once."""
    statement = select(
        outcome_tally.c.rule_id,
        outcome_tally.c.pack,
        outcome_tally.c.outcome,
        func.sum(outcome_tally.c.hosts),
    ).where(outcome_tally.c.hosts > 0)
    statement = within(asker, statement, outcome_tally.c.department_id, chosen)
    columns = (outcome_tally.c.rule_id, outcome_tally.c.pack, outcome_tally.c.outcome)
    packs: dict[int, dict[str, dict[Outcome, int]]] = {}
    for identity, pack, code, hosts in connection.execute(statement.group_by(*columns)):
        packs.setdefault(identity, {}).setdefault(pack, {})[OUTCOMES[code]] = int(hosts)
    return {
        identity: max(of.values(), key=lambda counts: sum(counts.values()))
        for identity, of in packs.items()
    }


def unanswered(
    connection: Connection, asker: Asker, chosen: int | None, today: date
) -> Counter[int]:
    """Hosts by manual rule that no answer which holds today is about."""
    tally = outcome_tally.c
    asked = select(tally.rule_id, tally.department_id, func.max(tally.hosts)).where(
        tally.outcome == OUTCOMES.index("manual"), tally.hosts > 0
    )
    asked = within(asker, asked, tally.department_id, chosen)
    left: dict[tuple[int, int], int] = {}
    for identity, of, hosts in connection.execute(
        asked.group_by(tally.rule_id, tally.department_id)
    ):
        left[identity, of] = hosts
    about = attestation.c
    answered = select(about.rule_id, about.department_id, about.host_id).distinct()
    answered = answered.where(about.expires >= today, about.withdrawn.is_(None))
    for identity, of, one in connection.execute(
        within(asker, answered, about.department_id, chosen)
    ):
        if (identity, of) in left:
            left[identity, of] = 0 if one is None else max(left[identity, of] - 1, 0)
    found: Counter[int] = Counter()
    for (identity, _), hosts in left.items():
        found[identity] += hosts
    return found


def hits(connection: Connection, asker: Asker, chosen: int | None) -> dict[int, Counter[str]]:
    statement = select(hit_tally.c.rule_id, hit_tally.c.state, func.sum(hit_tally.c.hits))
    statement = within(asker, statement, hit_tally.c.department_id, chosen)
    found: dict[int, Counter[str]] = {}
    rows = connection.execute(statement.group_by(hit_tally.c.rule_id, hit_tally.c.state))
    for identity, state, hits in rows:
        kind = "open" if state in OPEN_STATES else "waived" if state == STATE["waived"] else ""
        if kind:
            found.setdefault(identity, Counter())[kind] += int(hits)
    return found


def answers(
    connection: Connection, asker: Asker, chosen: int | None, today: date
) -> dict[int, list[Answer]]:
    statement = (
        select(
            attestation,
            rule.c.name.label("rule_name"),
            department.c.name.label("department_name"),
            host.c.name.label("host_name"),
        )
        .join(rule, rule.c.id == attestation.c.rule_id)
        .join(department, department.c.id == attestation.c.department_id)
        .outerjoin(host, host.c.id == attestation.c.host_id)
        .where(attestation.c.expires >= today, attestation.c.withdrawn.is_(None))
        .order_by(attestation.c.created.desc())
        .limit(5000)
    )
    found: dict[int, list[Answer]] = {}
    for row in connection.execute(within(asker, statement, attestation.c.department_id, chosen)):
        one = Answer(
            row.rule_name,
            row.department_name,
            row.host_name or "",
            row.answer,
            row.text,
            row.by,
            row.expires,
        )
        found.setdefault(row.rule_id, []).append(one)
    return found


def waivers(
    connection: Connection, asker: Asker, chosen: int | None, today: date
) -> dict[str, list[Waived]]:
    """Those in force that touch the chosen department, or one that the asker sees."""
    rows = connection.execute(
        select(waiver)
        .where(
            waiver.c.state == "approved",
            waiver.c.expires >= today,
            reach.touching(asker, waiver.c.id, waiver_department, waiver_host, chosen),
        )
        .order_by(waiver.c.expires)
        .limit(5000)
    )
    found: dict[str, list[Waived]] = {}
    for row in rows:
        one = Waived(row.code, row.rule, row.reason, row.owner, row.expires)
        found.setdefault(row.rule, []).append(one)
    return found

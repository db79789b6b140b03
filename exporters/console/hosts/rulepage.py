"""One rule: why it is, how to fix it, the clauses it is about, and the hosts that fail it or could not be judged."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.hosts.keyset import Words
from exporters.console.hosts.rulelist import RuleRow, every
from exporters.console.schema import department, hit, host, rule, unjudged
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import NotFound
from rules import clauses
from rules.model import Pack, Rule, Severity, Text

FEW: Final = 50  # hosts
_LOOKED: Final = 1000  # hits
_PARAMETER: Final = re.compile(r"\bparams\.([A-Za-z_][A-Za-z0-9_]*)")


class OneRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Words


class About(msgspec.Struct, frozen=True):
    clause: str
    unit: str
    control: Text
    summary: Text


class Parameter(msgspec.Struct, frozen=True):
    """A threshold of a pack, as the pack has it: an agent's configuration may say otherwise."""

    pack: str
    name: str
    value: Any


class Failing(msgspec.Struct, frozen=True):
    id: int
    name: str
    department: str
    open: int
    first_seen: datetime


class NotJudged(msgspec.Struct, frozen=True):
    id: int
    name: str
    department: str
    reason: str


class RuleFacts(msgspec.Struct, frozen=True):
    """`failing` and `unknown` are the first of them alone; `packs` tells how many there are."""

    rule: str
    title: Text
    severity: Severity
    question: Text | None
    why: Text | None
    fix: Text | None
    packs: tuple[RuleRow, ...]
    clauses: tuple[About, ...]
    other_maps: dict[str, tuple[str, ...]]
    parameters: tuple[Parameter, ...]
    failing: tuple[Failing, ...]
    unknown: tuple[NotJudged, ...]


def rule_of(asker: Asker, given: OneRule) -> RuleFacts:
    """Raises NotFound for a rule that neither a pack of this console nor an audit has."""
    known = asker.services.rules.get(given.name)
    packs = [
        (pack, one)
        for pack in asker.services.packs.values()
        for one in pack.rules
        if one.id == given.name
    ]
    with asker.database.reading() as connection:
        rows = every(connection, asker, given.name)
        if not rows:
            raise NotFound("not_found")
        number = connection.execute(
            select(rule.c.id).where(rule.c.name == given.name)
        ).scalar_one_or_none()
        first = rows[0]
        catalogue = clauses.catalogue()
        about = sorted({clause for row in rows for clause in row.clauses})
        return RuleFacts(
            *(first.rule, first.title, first.severity),
            question=known.manual if known else None,
            why=known.why if known else None,
            fix=known.fix if known else None,
            packs=tuple(rows),
            clauses=tuple(
                About(one.id, one.unit, one.control, one.summary)
                for one in (catalogue[clause] for clause in about if clause in catalogue)
            ),
            other_maps=_others(packs),
            parameters=_parameters(packs),
            failing=() if number is None else _failing(connection, asker, number),
            unknown=() if number is None else _unknown(connection, asker, number),
        )


def _others(packs: list[tuple[Pack, Rule]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for _, one in packs:
        for standard, ones in one.maps.items():
            if standard != clauses.STANDARD:
                found.setdefault(standard, set()).update(ones)
    return {standard: tuple(sorted(ones)) for standard, ones in sorted(found.items())}


def _parameters(packs: list[tuple[Pack, Rule]]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(pack.pack, name, pack.params[name])
        for pack, one in packs
        for name in sorted(
            {
                name
                for text in (one.applies, one.offenders, one.unseen, one.asserts, one.expected)
                for name in _PARAMETER.findall(text)
            }
        )
        if name in pack.params
    )


def _failing(connection: Connection, asker: Asker, number: int) -> tuple[Failing, ...]:
    """Of the rule's open hits as many as are looked at, by host: most hits first."""
    some = (
        asker.scoped(
            select(hit.c.host_id, hit.c.first_seen).where(
                hit.c.rule_id == number, hit.c.state.in_(OPEN_STATES)
            ),
            hit.c.department_id,
        )
        .limit(_LOOKED)
        .subquery()
    )
    by_host = (
        select(
            some.c.host_id,
            func.count().label("open"),
            func.min(some.c.first_seen).label("first_seen"),
        )
        .group_by(some.c.host_id)
        .subquery()
    )
    statement = (
        select(by_host, host.c.name, department.c.name.label("department"))
        .join_from(by_host, host, host.c.id == by_host.c.host_id)
        .join(department, department.c.id == host.c.department_id)
        .order_by(by_host.c.open.desc(), host.c.name, host.c.id)
        .limit(FEW)
    )
    return tuple(
        Failing(row.host_id, row.name, row.department, row.open, row.first_seen)
        for row in connection.execute(asker.scoped(statement, host.c.department_id))
    )


def _unknown(connection: Connection, asker: Asker, number: int) -> tuple[NotJudged, ...]:
    statement = (
        select(host.c.id, host.c.name, department.c.name.label("department"), unjudged.c.reason)
        .join_from(unjudged, host, host.c.id == unjudged.c.host_id)
        .join(department, department.c.id == host.c.department_id)
        .where(unjudged.c.rule_id == number)
        .order_by(unjudged.c.host_id)
        .limit(FEW)
    )
    return tuple(
        NotJudged(row.id, row.name, row.department, row.reason)
        for row in connection.execute(asker.scoped(statement, host.c.department_id))
    )

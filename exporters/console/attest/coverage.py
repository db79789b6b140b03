"""What a waiver would cover, told before it is asked for; and what to ask for so that it covers some hits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, distinct, func, select

from exporters.console.attest import reach, texts
from exporters.console.codes import OPEN_STATES, STATE
from exporters.console.schema import department, hit, host, rule
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid

MANY: Final = 500  # hits chosen at once


class WaiverScope(msgspec.Struct, frozen=True):
    """Of a waiver: rules.waivers.Waiver and departments."""

    rule: str
    hosts: tuple[str, ...]
    instance: str = "*"
    departments: tuple[str, ...] = ()


class WaiverCoverage(msgspec.Struct, frozen=True):
    """`hits` are open ones, and `hosts` how many those are of; `waived` are hits that a waiver covers already."""

    hits: int
    hosts: int
    waived: int


class Group(msgspec.Struct, frozen=True):
    """Some hits that one waiver can cover: one rule, one instance. `evidence` is theirs where all show the same."""

    rule: str
    instance: str
    hosts: tuple[str, ...]
    evidence: str
    hits: tuple[int, ...]
    departments: tuple[str, ...]


def covered(asker: Asker, scope: WaiverScope) -> WaiverCoverage:
    """Of what the asker sees."""
    hosts = texts.patterns("hosts", scope.hosts)
    if not hosts:
        return WaiverCoverage(0, 0, 0)
    counts: dict[str, Any] = {}
    numbers: tuple[Any, ...] = (func.count(), func.count(distinct(hit.c.host_id)))
    with asker.database.reading() as connection:
        for name, states in (("open", OPEN_STATES), ("waived", (STATE["waived"],))):
            statement: Select[Any] = (
                select(*numbers)
                .select_from(hit.join(host, host.c.id == hit.c.host_id))
                .join(rule, rule.c.id == hit.c.rule_id)
                .where(
                    rule.c.name == scope.rule,
                    hit.c.state.in_(states),
                    reach.hosts_matching(asker.database, hosts),
                )
            )
            if scope.instance != "*":
                same = reach.matching(asker.database, hit.c.instance, scope.instance)
                statement = statement.where(same)
            if scope.departments:
                named = select(department.c.id).where(department.c.name.in_(scope.departments))
                statement = statement.where(hit.c.department_id.in_(named))
            counts[name] = connection.execute(asker.scoped(statement, hit.c.department_id)).one()
    return WaiverCoverage(counts["open"][0], counts["open"][1], counts["waived"][0])


def groups(asker: Asker, connection: Connection, ids: Sequence[int]) -> tuple[Group, ...]:
    """The chosen hits, as few waivers as can cover them. Fixed ones, and those that the asker does not see, are left out.
    Raises Invalid for too many."""
    if len(ids) > MANY:
        raise Invalid("waivers.many_hits", "ids", most=MANY)
    statement: Select[Any] = (
        select(
            hit.c.id,
            hit.c.instance,
            hit.c.evidence,
            rule.c.name.label("rule"),
            host.c.name.label("host"),
            host.c.key,
            department.c.name.label("department"),
        )
        .select_from(hit)
        .join(rule, rule.c.id == hit.c.rule_id)
        .join(host, host.c.id == hit.c.host_id)
        .join(department, department.c.id == hit.c.department_id)
        .where(hit.c.id.in_(ids), hit.c.state != STATE["fixed"])
        .order_by(rule.c.name, hit.c.instance, host.c.name, hit.c.id)
    )
    rows = connection.execute(asker.scoped(statement, hit.c.department_id)).all()
    found = []
    for (name, instance), some in itertools.groupby(rows, lambda row: (row.rule, row.instance)):
        its = list(some)
        for first in range(0, len(its), texts.PATTERNS):
            part = its[first : first + texts.PATTERNS]
            shown = {row.evidence for row in part}
            found.append(
                Group(
                    rule=name,
                    instance=instance,
                    hosts=tuple(dict.fromkeys(row.key for row in part)),
                    evidence=shown.pop() if len(shown) == 1 else "",
                    hits=tuple(row.id for row in part),
                    departments=tuple(dict.fromkeys(row.department for row in part)),
                )
            )
    return tuple(found)

"""How many hosts each rule came out how on, added up over the departments that may be seen: read once for a page."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from exporters.console.schema import outcome_tally
from exporters.console.web.asker import Asker


class Came(NamedTuple):
    """`outcome` is a code; `hosts` is never 0."""

    pack: str
    rule_id: int
    outcome: int
    hosts: int


def outcomes(connection: Connection, asker: Asker) -> list[Came]:
    tally = outcome_tally.c
    statement = (
        select(tally.pack, tally.rule_id, tally.outcome, func.sum(tally.hosts).label("hosts"))
        .where(tally.hosts > 0)
        .group_by(tally.pack, tally.rule_id, tally.outcome)
    )
    return [
        Came(row.pack, row.rule_id, row.outcome, int(row.hosts))
        for row in connection.execute(asker.scoped(statement, tally.department_id))
    ]


def packs(connection: Connection, asker: Asker) -> tuple[str, ...]:
    """By which any host that may be seen is judged."""
    tally = outcome_tally.c
    found = select(tally.pack).where(tally.hosts > 0).distinct()
    return tuple(sorted(connection.execute(asker.scoped(found, tally.department_id)).scalars()))

"""What the tallies gain and lose: gathered while hits change, written at the end of the transaction in one order, so
that two that change the same tallies wait for each other but never in a circle.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, update

from exporters.console.codes import OPEN_STATES
from exporters.console.database import Database
from exporters.console.intake import bulk
from exporters.console.schema import hit_tally, host, host_tally, outcome_tally


class Deltas:
    """`hit` for every hit that comes, goes or changes; `outcome` for every rule of a host; then `write`."""

    def __init__(self) -> None:
        self._hits: Counter[tuple[int, int, int, int]] = Counter()
        self._hosts: Counter[tuple[int, int, int]] = Counter()
        self._open: Counter[int] = Counter()
        self._outcomes: Counter[tuple[int, str, int, int]] = Counter()

    def hit(
        self, number: int, *, host: int, department: int, rule: int, severity: int, state: int
    ) -> None:
        """So many more (or fewer, below 0) hits of such a kind."""
        self._hits[department, rule, severity, state] += number
        self._hosts[host, severity, state] += number
        if state in OPEN_STATES:
            self._open[host] += number

    def outcome(self, number: int, department: int, pack: str, rule: int, outcome: int) -> None:
        self._outcomes[department, pack, rule, outcome] += number

    def write(self, database: Database, connection: Connection) -> None:
        _add(database, connection, hit_tally, "hits", self._hits)
        _add(database, connection, host_tally, "hits", self._hosts)
        _add(database, connection, outcome_tally, "hosts", self._outcomes)
        changed = [{"b_id": key, "b_n": n} for key, n in sorted(self._open.items()) if n]
        if changed:
            connection.execute(
                update(host)
                .where(host.c.id == bindparam("b_id"))
                .values(hits=host.c.hits + bindparam("b_n")),
                changed,
            )


def _add(
    database: Database,
    connection: Connection,
    table: Table,
    figure: str,
    deltas: Counter[Any],
) -> None:
    names = [column.name for column in table.primary_key]
    rows = [
        {**dict(zip(names, key, strict=True)), figure: n} for key, n in sorted(deltas.items()) if n
    ]
    bulk.upsert(database, connection, table, rows, add=[figure])

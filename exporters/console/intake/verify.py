"""What the tallies should be, counted from the rows: empty where they are right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.schema import hit, hit_tally, host, host_pack, host_tally, outcome_tally


def wrong_tallies(connection: Connection) -> list[str]:
    """One line for each tally that is not what its rows are."""
    t, h = hit_tally.c, host_tally.c
    by_hit = (hit.c.department_id, hit.c.rule_id, hit.c.severity, hit.c.state)
    by_host = (hit.c.host_id, hit.c.severity, hit.c.state)
    wrong = [
        *_compared(
            "hit_tally",
            _figures(connection, select(*by_hit, func.count()).group_by(*by_hit)),
            _figures(connection, select(t.department_id, t.rule_id, t.severity, t.state, t.hits)),
        ),
        *_compared(
            "host_tally",
            _figures(connection, select(*by_host, func.count()).group_by(*by_host)),
            _figures(connection, select(h.host_id, h.severity, h.state, h.hits)),
        ),
        *_compared(
            "host.hits",
            _figures(
                connection,
                select(hit.c.host_id, func.count())
                .where(hit.c.state.in_(OPEN_STATES))
                .group_by(hit.c.host_id),
            ),
            _figures(connection, select(host.c.id, host.c.hits)),
        ),
    ]
    outcomes: Counter[Any] = Counter()
    statement = select(host.c.department_id, host_pack.c.pack, host_pack.c.outcomes)
    for department, pack, told in connection.execute(statement.join_from(host_pack, host)):
        for rule, outcome in msgspec.json.decode(told, type=dict[int, int]).items():
            outcomes[department, pack, rule, outcome] += 1
    o = outcome_tally.c
    kept = select(o.department_id, o.pack, o.rule_id, o.outcome, o.hosts)
    moved = connection.execute(
        select(hit.c.id).join(host).where(host.c.department_id != hit.c.department_id)
    )
    return [
        *wrong,
        *_compared("outcome_tally", outcomes, _figures(connection, kept)),
        *(f"hit {row.id}: not of its host's department" for row in moved),
    ]


def _figures(connection: Connection, statement: Any) -> Counter[Any]:
    return Counter({tuple(key): n for *key, n in connection.execute(statement)})


def _compared(name: str, counted: Counter[Any], kept: Counter[Any]) -> list[str]:
    return [
        f"{name} {key}: {kept[key]}, but there are {counted[key]}"
        for key in sorted(counted.keys() | kept.keys(), key=repr)
        if counted[key] != kept[key]
    ]

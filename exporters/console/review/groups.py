"""Hits in groups, by rule or by host: from the tallies where these can tell, else from as many hits as may be looked at."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, and_, func, or_, select

from exporters.console.review import ways
from exporters.console.review.filters import HitFilter
from exporters.console.review.narrowing import Narrowed, among, narrowed
from exporters.console.schema import department, hit, hit_tally, host, host_tally, rule
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid
from rules.model import SEVERITIES, Severity, Text

_LOOKED: Final = 40_000  # hits, where no tally counts them


class Group(msgspec.Struct, frozen=True):
    """Of one rule, or of one host. `name` is the rule's or the host's, `key` what the filter takes for it."""

    key: str
    name: str
    title: Text | None
    department: str
    severity: Severity  # the worst of them
    hits: int


class Groups(msgspec.Struct, frozen=True):
    """`exact`: all hits were counted, not only the first so many."""

    groups: tuple[Group, ...]
    next: str
    exact: bool


class _Named(NamedTuple):
    key: str
    name: str
    title: Text | None
    department: str


def groups(asker: Asker, given: HitFilter) -> Groups:
    """Those with the most hits first. Raises Invalid."""
    with asker.database.reading() as connection:
        asked = narrowed(connection, asker, given)
        if asked.nothing:
            return Groups((), "", True)
        counts, exact = _counts(connection, asked, given)
        counted = counts.subquery("counted")
        statement = select(counted.c.id, counted.c.severity, counted.c.hits)
        if given.cursor:
            hits, identity = _read(given.cursor)
            later = and_(counted.c.hits == hits, counted.c.id > identity)
            statement = statement.where(or_(counted.c.hits < hits, later))
        statement = statement.order_by(counted.c.hits.desc(), counted.c.id).limit(given.size + 1)
        rows = connection.execute(statement).all()
        shown = rows[: given.size]
        ids = tuple(row.id for row in shown)
        named = _rules(connection, ids) if given.group == "rule" else _hosts(connection, ids)
    found = tuple(
        Group(
            key=named[row.id].key,
            name=named[row.id].name,
            title=named[row.id].title,
            department=named[row.id].department,
            severity=SEVERITIES[row.severity],
            hits=int(row.hits),
        )
        for row in shown
    )
    more = len(rows) > given.size
    return Groups(found, _cursor(shown[-1].hits, shown[-1].id) if more else "", exact)


def _counts(connection: Connection, asked: Narrowed, given: HitFilter) -> tuple[Select[Any], bool]:
    if asked.tallied and given.group == "rule" and asked.hosts is None:
        return _of(hit_tally, hit_tally.c.rule_id, asked), True
    if asked.tallied and given.group == "host" and asked.rules is None:
        return _of_hosts(asked), True
    column = "rule_id" if given.group == "rule" else "host_id"
    by = ways.way(connection, asked)
    if by.index:
        chosen = ways.candidates(asked, by).cte("chosen").prefix_with("MATERIALIZED")
    else:
        own = hit.c.severity if not asked.rules else hit.c.rule_id
        index = "ix_hit_severity" if not asked.rules else "ix_hit_rule"
        names = asked.columns | {column, "severity", "id"}
        narrow = select(*(hit.c[name] for name in sorted(names)))
        if asked.rules:
            narrow = narrow.where(
                among(hit.c.rule_id, asked.rules), among(hit.c.state, asked.states)
            )
        bound = _LOOKED if names <= ways.INDEXED | {"first_seen"} else ways.READ
        narrow = narrow.order_by(own.desc()).limit(bound)
        looked = narrow.with_hint(hit, f"INDEXED BY {index}", "sqlite").subquery("looked")
        chosen_of = select(looked).where(*asked.conditions(looked.c))
        chosen = chosen_of.cte("chosen")
    identity = chosen.c[column]
    counts = select(
        identity.label("id"),
        func.max(chosen.c.severity).label("severity"),
        func.count().label("hits"),
    ).group_by(identity)
    return counts, bool(by.index)


def _of(table: Any, identity: Any, asked: Narrowed) -> Select[Any]:
    statement = select(
        identity.label("id"),
        func.max(table.c.severity).label("severity"),
        func.sum(table.c.hits).label("hits"),
    ).where(among(table.c.state, asked.states), table.c.hits > 0)
    if asked.severities is not None:
        statement = statement.where(among(table.c.severity, asked.severities))
    if asked.rules is not None:
        statement = statement.where(among(table.c.rule_id, asked.rules))
    if asked.departments is not None and table is hit_tally:
        statement = statement.where(among(table.c.department_id, asked.departments))
    return statement.group_by(identity)


def _of_hosts(asked: Narrowed) -> Select[Any]:
    statement = _of(host_tally, host_tally.c.host_id, asked)
    if asked.hosts is not None:
        statement = statement.where(among(host_tally.c.host_id, asked.hosts))
    if asked.departments is not None:
        of_departments = select(host.c.id).where(among(host.c.department_id, asked.departments))
        statement = statement.where(host_tally.c.host_id.in_(of_departments))
    return statement


def _rules(connection: Connection, ids: tuple[int, ...]) -> dict[int, _Named]:
    columns = (rule.c.id, rule.c.name, rule.c.title_zh, rule.c.title_en)
    rows = connection.execute(select(*columns).where(rule.c.id.in_(ids)))
    return {
        row.id: _Named(row.name, row.name, Text(row.title_zh, row.title_en), "") for row in rows
    }


def _hosts(connection: Connection, ids: tuple[int, ...]) -> dict[int, _Named]:
    columns = (host.c.id, host.c.key, host.c.name, department.c.name.label("department"))
    rows = connection.execute(
        select(*columns)
        .join(department, department.c.id == host.c.department_id)
        .where(host.c.id.in_(ids))
    )
    return {row.id: _Named(row.key, row.name or row.key, None, row.department) for row in rows}


def _cursor(hits: int, identity: int) -> str:
    return urlsafe_b64encode(json.dumps([int(hits), identity]).encode()).decode().rstrip("=")


def _read(text: str) -> tuple[int, int]:
    try:
        hits, identity = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not all(isinstance(one, int) and abs(one) < 1 << 62 for one in (hits, identity)):
            raise ValueError(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid("hits.bad_cursor", "cursor") from error
    return hits, identity

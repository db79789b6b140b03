"""What waits: the oldest open hits, waivers that end soon, agents that do not answer. Never more than a few of each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select, union_all

from exporters.console.attest import reach
from exporters.console.schema import (
    department,
    hit,
    host,
    rule,
    waiver,
    waiver_department,
    waiver_host,
)
from exporters.console.web.asker import Asker
from rules.model import SEVERITIES, WORKFLOWS, Severity, Text, Workflow

FEW: Final = 8
SOON: Final = timedelta(days=30)
OLD: Final = timedelta(hours=48)  # without an audit: stale, though the agent may answer
_TOGETHER: Final = 150  # queries in one: SQLite takes 500


class OldHit(msgspec.Struct, frozen=True):
    id: int
    rule: str
    title: Text
    severity: Severity
    state: Workflow
    host_id: int
    host: str
    instance: str
    first_seen: datetime


class EndingWaiver(msgspec.Struct, frozen=True):
    """`days` are left after today."""

    id: int
    code: str
    rule: str
    owner: str
    expires: date
    days: int


class QuietHost(msgspec.Struct, frozen=True):
    """Its agent is silent (`silent_since`), or its last audit is old, or there was none."""

    id: int
    name: str
    department: str
    silent_since: datetime | None
    last_audit: datetime | None
    problem: str


def oldest(
    connection: Connection, asker: Asker, groups: Iterable[tuple[int, int]]
) -> tuple[OldHit, ...]:
    """Of each department and state that has any (`groups`) the first few by an index, and of these the first."""
    some = sorted(groups)
    first: list[Row[int, datetime]] = []
    for start in range(0, len(some), _TOGETHER):
        first += connection.execute(_earliest(some[start : start + _TOGETHER]))
    chosen = [row.id for row in sorted(first, key=lambda row: (row.first_seen, row.id))[:FEW]]
    statement = (
        select(
            hit.c.id,
            hit.c.severity,
            hit.c.state,
            hit.c.host_id,
            hit.c.instance,
            hit.c.first_seen,
            rule.c.name.label("rule"),
            rule.c.title_zh,
            rule.c.title_en,
            host.c.name.label("host"),
        )
        .join_from(hit, rule, rule.c.id == hit.c.rule_id)
        .join(host, host.c.id == hit.c.host_id)
        .where(hit.c.id.in_(chosen))
        .order_by(hit.c.first_seen, hit.c.id)
    )
    return tuple(
        OldHit(
            row.id,
            row.rule,
            Text(row.title_zh, row.title_en),
            SEVERITIES[row.severity],
            WORKFLOWS[row.state],
            row.host_id,
            row.host,
            row.instance,
            row.first_seen,
        )
        for row in connection.execute(asker.scoped(statement, hit.c.department_id))
    )


def _earliest(groups: Iterable[tuple[int, int]]) -> Select[int, datetime]:
    parts = [
        select(hit.c.id, hit.c.first_seen)
        .where(hit.c.department_id == department_id, hit.c.state == state)
        .order_by(hit.c.first_seen, hit.c.id)
        .limit(FEW)
        .subquery(f"g{number}")
        for number, (department_id, state) in enumerate(groups)
    ]
    together = union_all(*(select(part.c.id, part.c.first_seen) for part in parts)).subquery()
    return select(together.c.id, together.c.first_seen)


def ending(connection: Connection, asker: Asker) -> tuple[int, tuple[EndingWaiver, ...]]:
    """How many waivers in force end within SOON, and the first of them: those that touch what the asker sees."""
    today = asker.now.astimezone(asker.zone).date()
    statement = select(waiver).where(
        waiver.c.state == "approved",
        waiver.c.expires >= today,
        waiver.c.expires <= today + SOON,
        reach.touching(asker, waiver.c.id, waiver_department, waiver_host),
    )
    first = statement.order_by(waiver.c.expires, waiver.c.id).limit(FEW)
    rows = connection.execute(first).all()
    number = connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
    few = tuple(
        EndingWaiver(row.id, row.code, row.rule, row.owner, row.expires, (row.expires - today).days)
        for row in rows
    )
    return number, few


def quiet(connection: Connection, asker: Asker) -> tuple[QuietHost, ...]:
    """Those that have been quiet for longest."""
    statement = (
        select(
            host.c.id,
            host.c.name,
            department.c.name.label("department"),
            host.c.silent_since,
            host.c.last_audit,
            host.c.problem,
        )
        .join_from(host, department, department.c.id == host.c.department_id)
        .where(or_(host.c.silent_since.is_not(None), stale(asker.now)))
        .order_by(func.coalesce(host.c.last_audit, host.c.first_seen), host.c.id)
        .limit(FEW)
    )
    return tuple(
        QuietHost(row.id, row.name, row.department, row.silent_since, row.last_audit, row.problem)
        for row in connection.execute(asker.scoped(statement, host.c.department_id))
    )


def stale(now: datetime) -> ColumnElement[bool]:
    """The condition of a host whose last audit is old or was never."""
    return or_(host.c.last_audit.is_(None), host.c.last_audit < now - OLD)

"""Waivers over hits that are stored, without an audit: after one was approved or withdrawn, or has expired."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from exporters.console.codes import SEVERITY, STATE
from exporters.console.database import Database
from exporters.console.intake import bulk, events, rows, waivers
from exporters.console.intake.contention import Contended
from exporters.console.intake.prepared import AGENT
from exporters.console.intake.rows import Known
from exporters.console.intake.tallies import Deltas
from exporters.console.intake.waivers import Given
from exporters.console.schema import department, hit, hit_event, host, rule
from exporters.console.services import Services
from rules import hits
from rules.model import Hit, Host
from rules.waivers import Waiver

PAGE: Final = 2000  # hits at a time
_WAIVED: Final = ("state", "changed", "waiver", "waived_for", "note")


def rewaived(
    database: Database,
    connection: Connection,
    services: Services,
    rules: Collection[str],
    now: datetime,
    *,
    actor: str = "",
) -> int:
    """Judge the hits of rules, by name, by the waivers that are approved now, within the caller's writing
    transaction; how many changed. `actor` is who approved or withdrew one. Call it last in the transaction, in
    `contention.retried`: it raises Contended where somebody else was faster."""
    today = waivers.site_day(services, now)
    given = waivers.given(connection, today, rules)
    names = {
        row.id: row.name
        for row in connection.execute(
            select(rule.c.id, rule.c.name).where(rule.c.name.in_(sorted(rules))).order_by(rule.c.id)
        )
    }
    departments = {row.id: row.name for row in connection.execute(select(department))}
    in_force = {
        number: waivers.of_department(given, name, today) for number, name in departments.items()
    }
    deltas = Deltas()
    changed = sum(
        _of_rule(database, connection, deltas, number, name, in_force, given, now, services, actor)
        for number, name in names.items()
    )
    deltas.write(database, connection)
    return changed


def _of_rule(
    database: Database,
    connection: Connection,
    deltas: Deltas,
    rule_id: int,
    name: str,
    in_force: dict[int, tuple[Waiver, ...]],
    given: Sequence[Given],
    now: datetime,
    services: Services,
    actor: str,
) -> int:
    today = waivers.site_day(services, now)
    statement = (
        rows.selected()
        .add_columns(hit.c.host_id, host.c.key, host.c.name)
        .join(host, host.c.id == hit.c.host_id)
        .where(hit.c.rule_id == rule_id, hit.c.state != STATE["fixed"])
        .limit(PAGE)
    )
    total, last = 0, 0
    while found := connection.execute(statement.where(hit.c.id > last)).all():
        last = found[-1].id
        values, told = [], []
        for row in found:
            *own, host_id, key, host_name = row
            old = rows.known(own, Host(key, host_name), name)
            one = _judged(old.hit, in_force.get(old.department_id, ()), now)
            if one is old.hit or not rows.differ(old.hit, one):
                continue
            if one.state == "new" and old.hit.state == "waived":
                note = waivers.taken_back(one.note, old.hit.waiver, given, today)
                one = rows.noted(one, note)
            values.append(_values(old, one))
            for event in events.of_change(old.id, old.hit, one, now):
                told.append({**event, "actor": actor})
            for number, which in ((-1, old.hit), (1, one)):
                deltas.hit(
                    number,
                    host=host_id,
                    department=old.department_id,
                    rule=rule_id,
                    severity=SEVERITY[which.severity],
                    state=STATE[which.state],
                )
        keys = ["id", "version"]
        if bulk.change(database, connection, hit, keys, values) != len(values):
            raise Contended
        bulk.insert(database, connection, hit_event, told)
        total += len(values)
    return total


def _judged(one: Hit, given: Sequence[Waiver], now: datetime) -> Hit:
    """An agent's own waiver stands until the agent says otherwise."""
    found = hits.waived(one, given, now)
    if one.waiver.startswith(AGENT) and found.state == "new":
        return one
    return found


def _values(old: Known, one: Hit) -> dict[str, Any]:
    changing = rows.changing(one)
    return {
        "old_id": old.id,
        "old_version": old.version,
        "version": old.version + 1,
        **{column: changing[column] for column in _WAIVED},
    }

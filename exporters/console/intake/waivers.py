"""The console's own approved waivers as those of rules.waivers, for the hosts of a department.

Days end by the site's clock here, not by that of the machine, so those that have expired are left out and the others
do not expire in the hands of rules.waivers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Text, literal, or_, select

from exporters.console.attest.reach import like
from exporters.console.database import Database
from exporters.console.schema import waiver, waiver_host
from exporters.console.services import Services
from rules.model import Host
from rules.waivers import Waiver, matches

APPROVED: Final = "approved"
LATELY: Final = timedelta(days=60)


class Given(msgspec.Struct, frozen=True):
    """An approved waiver; `departments` None: of all."""

    waiver: Waiver
    departments: frozenset[str] | None
    last_day: date


def given(
    connection: Connection,
    today: date,
    rules: Collection[str] | None = None,
    touching: ColumnElement[bool] | None = None,
) -> list[Given]:
    """Approved ones in the order of their numbers; of some rules, by name. Those that expired lately are among them, to
    tell why a hit is waived no more."""
    statement = (
        select(waiver)
        .where(waiver.c.state == APPROVED, waiver.c.expires >= today - LATELY)
        .order_by(waiver.c.id)
    )
    if rules is not None:
        statement = statement.where(waiver.c.rule.in_(sorted(rules)))
    if touching is not None:
        statement = statement.where(touching)
    return [
        Given(
            Waiver(
                id=row.code,
                rule=row.rule,
                hosts=tuple(row.hosts),
                reason=row.reason,
                owner=row.owner,
                approver=row.approver,
                expires=date.max,
                instance=row.instance,
                evidence=row.evidence,
            ),
            None if row.departments is None else frozenset(row.departments),
            row.expires,
        )
        for row in connection.execute(statement)
    ]


def given_to(
    database: Database, connection: Connection, today: date, names: Iterable[str]
) -> list[Given]:
    """Those with a pattern that is as the name or the id of a host: the database picks them, for there may be
    thousands."""
    patterns = waiver_host.c.pattern
    matching = or_(*(like(database, literal(name, Text), patterns) for name in names))
    touched = select(waiver_host.c.waiver_id).where(matching)
    return given(connection, today, touching=waiver.c.id.in_(touched))


def of_department(found: Collection[Given], department: str, today: date) -> tuple[Waiver, ...]:
    """Those in force for its hosts today."""
    return tuple(
        one.waiver
        for one in found
        if today <= one.last_day and (one.departments is None or department in one.departments)
    )


def of_host(waivers: Collection[Waiver], host: Host) -> tuple[Waiver, ...]:
    """Those that may cover a hit of it: there may be many waivers, and every hit is asked of each."""
    return tuple(
        one
        for one in waivers
        if any(matches(name, pattern) for pattern in one.hosts for name in (host.name, host.id))
    )


def in_force(connection: Connection, department: str, today: date) -> tuple[Waiver, ...]:
    """The waivers that hosts of a department have on a day of the site's."""
    return of_department(given(connection, today), department, today)


def site_day(services: Services, now: datetime) -> date:
    return now.astimezone(ZoneInfo(services.settings.zone)).date()


def taken_back(note: str, code: str, found: Collection[Given], today: date) -> str:
    """The note of a hit that is waived no more, where its waiver was left out since it has expired."""
    for one in found:
        if one.waiver.id == code and today > one.last_day:
            return f"waiver {code} expired on {one.last_day}"
    return note

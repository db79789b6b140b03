"""The console's own approved waivers as those of rules.waivers, for the hosts of a department.

Days end by the site's clock here, not by that of the machine, so those that have expired are left out and the others
do not expire in the hands of rules.waivers.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, select

from exporters.console.schema import waiver
from exporters.console.services import Services
from rules.waivers import Waiver

APPROVED = "approved"


class Given(msgspec.Struct, frozen=True):
    """An approved waiver; `departments` None: of all."""

    waiver: Waiver
    departments: frozenset[str] | None
    last_day: date


def given(connection: Connection, rules: Collection[str] | None = None) -> list[Given]:
    """All approved ones, expired or not, in the order of their approval; of some rules, by name."""
    statement = select(waiver).where(waiver.c.state == APPROVED).order_by(waiver.c.id)
    if rules is not None:
        statement = statement.where(waiver.c.rule.in_(sorted(rules)))
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


def of_department(found: Collection[Given], department: str, today: date) -> tuple[Waiver, ...]:
    """Those in force for its hosts today."""
    return tuple(
        one.waiver
        for one in found
        if today <= one.last_day and (one.departments is None or department in one.departments)
    )


def in_force(connection: Connection, department: str, today: date) -> tuple[Waiver, ...]:
    """The waivers that hosts of a department have on a day of the site's."""
    return of_department(given(connection), department, today)


def site_day(services: Services, now: datetime) -> date:
    return now.astimezone(ZoneInfo(services.settings.zone)).date()


def taken_back(note: str, code: str, found: Collection[Given], today: date) -> str:
    """The note of a hit that is waived no more, where its waiver was left out since it has expired."""
    for one in found:
        if one.waiver.id == code and today > one.last_day:
            return f"waiver {code} expired on {one.last_day}"
    return note

"""What is done every minute without anybody asking: waivers that expired, the day's count, and forgetting what is old.

Each run does a bounded part in short transactions; what is left is done in the next one.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select

from exporters.console.codes import STATE
from exporters.console.database import Database
from exporters.console.intake import days
from exporters.console.intake.contention import retried
from exporters.console.intake.hosthits import chunks
from exporters.console.intake.rewaive import rewaived
from exporters.console.intake.tallies import Deltas
from exporters.console.intake.waivers import APPROVED, site_day
from exporters.console.schema import hit, hit_event, host, message, rule, session, waiver
from exporters.console.services import Services
from rules.hits import KEPT

DAYS: Final = timedelta(days=800)  # of the trend
MESSAGES: Final = timedelta(days=90)  # after they were delivered or given up
BATCH: Final = 1000  # rows forgotten in one run
RULES: Final = 20  # whose waivers expired, in one run


class Housekeeping:
    """Of one console; several may run at once and do no harm. Days end by the settings' zone."""

    def __init__(self, database: Database, services: Services) -> None:
        self._database = database
        self._services = services

    def run_once(self, now: datetime) -> None:
        self._expire(now)
        retried(lambda: self._count(now))
        retried(lambda: self._forget(now))

    def _expire(self, now: datetime) -> None:
        """Hits that are waived by what has expired are so no more."""
        today = site_day(self._services, now)
        covered = select(hit.c.id).where(
            hit.c.rule_id == rule.c.id,
            hit.c.state == STATE["waived"],
            hit.c.waiver == waiver.c.code,
        )
        statement = (
            select(rule.c.name)
            .join(waiver, waiver.c.rule == rule.c.name)
            .where(waiver.c.state == APPROVED, waiver.c.expires < today, covered.exists())
            .distinct()
            .limit(RULES)
        )
        with self._database.reading() as connection:
            rules = list(connection.execute(statement).scalars())
        for name in rules:
            retried(functools.partial(self._rewaive, name, now))

    def _rewaive(self, name: str, now: datetime) -> None:
        with self._database.writing() as connection:
            rewaived(self._database, connection, self._services, [name], now)

    def _count(self, now: datetime) -> None:
        today = site_day(self._services, now)
        with self._database.writing() as connection:
            days.count_day(self._database, connection, today)
            days.forget_days(connection, today - DAYS)

    def _forget(self, now: datetime) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(session).where(session.c.expires < now))
            old = (
                select(message.c.id)
                .where(message.c.due.is_(None), message.c.created < now - MESSAGES)
                .limit(BATCH)
            )
            connection.execute(delete(message).where(message.c.id.in_(old)))
            self._forget_fixed(connection, now)

    def _forget_fixed(self, connection: Connection, now: datetime) -> None:
        """An audit forgets what was fixed long ago; this is for hosts that have none any more."""
        statement = (
            select(
                *(hit.c.id, hit.c.host_id, hit.c.department_id),
                *(hit.c.rule_id, hit.c.severity, hit.c.state),
            )
            .join(host, host.c.id == hit.c.host_id)
            .where(host.c.last_audit < now - KEPT, hit.c.state == STATE["fixed"])
            .order_by(hit.c.id)
            .limit(BATCH)
            .with_for_update(of=hit)
        )
        found = connection.execute(statement).all()
        deltas = Deltas()
        for row in found:
            deltas.hit(
                -1,
                host=row.host_id,
                department=row.department_id,
                rule=row.rule_id,
                severity=row.severity,
                state=row.state,
            )
        for some in chunks([row.id for row in found]):
            connection.execute(delete(hit_event).where(hit_event.c.hit_id.in_(some)))
            connection.execute(delete(hit).where(hit.c.id.in_(some)))
        deltas.write(self._database, connection)

"""Today's row of the trend: open hits of each department by severity, from the tallies. Background work of one console
at a time; run again, it puts the newer figures in the place of the older ones of the same day."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.database import Database
from exporters.console.schema import day_tally, hit_tally, host
from rules.model import SEVERITIES


class DayCounter:
    """`run_once` some times an hour, and after the last audits of a day."""

    def __init__(self, database: Database, zone: ZoneInfo) -> None:
        self._database, self._zone = database, zone

    def run_once(self, now: datetime) -> None:
        with self._database.writing() as connection:
            count(self._database, connection, now, self._zone)


def count(database: Database, connection: Connection, now: datetime, zone: ZoneInfo) -> None:
    """Every department that has hosts gets a row for every severity: a zero is a figure, no row is a gap."""
    tally = hit_tally.c
    counted = {
        (row.department_id, row.severity): int(row.hits)
        for row in connection.execute(
            select(tally.department_id, tally.severity, func.sum(tally.hits).label("hits"))
            .where(tally.state.in_(OPEN_STATES))
            .group_by(tally.department_id, tally.severity)
        )
    }
    day = now.astimezone(zone).date()
    rows = [
        {
            "day": day,
            "department_id": department_id,
            "severity": severity,
            "open": counted.get((department_id, severity), 0),
        }
        for department_id in connection.execute(
            select(host.c.department_id).distinct().order_by(host.c.department_id)
        ).scalars()
        for severity in range(len(SEVERITIES))
    ]
    if rows:
        insert = database.upsert(day_tally)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["day", "department_id", "severity"],
                set_={"open": insert.excluded.open},
            ),
            rows,
        )

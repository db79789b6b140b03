"""Open hits at the end of each day, for the trend: today's rows are counted anew from the tallies."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, delete, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.database import Database
from exporters.console.intake import bulk
from exporters.console.schema import day_tally, hit_tally


def count_day(database: Database, connection: Connection, day: date) -> None:
    """The rows of a day as the tallies are now; a department that had open hits earlier that day and has none now has
    zeros, so that none is not the same as not counted."""
    t = hit_tally.c
    found = connection.execute(
        select(t.department_id, t.severity, func.sum(t.hits))
        .where(t.state.in_(OPEN_STATES))
        .group_by(t.department_id, t.severity)
        .order_by(t.department_id, t.severity)
    ).all()
    rows = [
        {"day": day, "department_id": department, "severity": severity, "open": int(number)}
        for department, severity, number in found
    ]
    bulk.upsert(database, connection, day_tally, rows, set_=["open"])


def forget_days(connection: Connection, before: date) -> None:
    connection.execute(delete(day_tally).where(day_tally.c.day < before))

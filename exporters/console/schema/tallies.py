"""Counts, kept by whoever changes what they count, in the same transaction."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, Integer, SmallInteger, Table, Text, literal_column

from exporters.console.codes import OUTCOME
from exporters.console.schema.base import metadata

hit_tally = Table(  # by department and rule
    "hit_tally",
    metadata,
    Column("department_id", Integer, primary_key=True),
    Column("rule_id", Integer, primary_key=True),
    Column("severity", SmallInteger, primary_key=True),
    Column("state", SmallInteger, primary_key=True),
    Column("hits", Integer, nullable=False),
)

host_tally = Table(
    "host_tally",
    metadata,
    Column("host_id", Integer, primary_key=True),
    Column("severity", SmallInteger, primary_key=True),
    Column("state", SmallInteger, primary_key=True),
    Column("hits", Integer, nullable=False),
)

outcome_tally = Table(  # how many hosts of a department a rule came out so on
    "outcome_tally",
    metadata,
    Column("department_id", Integer, primary_key=True),
    Column("pack", Text, primary_key=True),
    Column("rule_id", Integer, primary_key=True),
    Column("outcome", SmallInteger, primary_key=True),
    Column("hosts", Integer, nullable=False),
)

day_tally = Table(  # open hits at the end of each day, by the site's clock; today's row is renewed
    "day_tally",
    metadata,
    Column("day", Date, primary_key=True),
    Column("department_id", Integer, primary_key=True),
    Column("severity", SmallInteger, primary_key=True),
    Column("open", Integer, nullable=False),
)

Index(  # manual items are listed by it
    "ix_outcome_tally_manual",
    outcome_tally.c.rule_id,
    outcome_tally.c.department_id,
    sqlite_where=outcome_tally.c.outcome == literal_column(str(OUTCOME["manual"])),
    postgresql_where=outcome_tally.c.outcome == literal_column(str(OUTCOME["manual"])),
)

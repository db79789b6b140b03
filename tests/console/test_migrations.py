"""The migrations make what schema/ says, on each database, and an older database is brought there."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select
from sqlalchemy.exc import DatabaseError

from exporters.console import auditlog
from exporters.console.schema import log, metadata
from tests.consolelab import Console
from tests.consolesample import BEGUN


def test_they_make_the_tables_of_the_schema(each_console: Console) -> None:
    with each_console.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        inside = inspect(connection)
        for table in metadata.sorted_tables:
            made = {one["name"] for one in inside.get_indexes(table.name)}
            assert {one.name for one in table.indexes} <= made, table.name


def test_a_second_run_changes_nothing(each_console: Console) -> None:
    with each_console.database.writing() as connection:
        auditlog.record(connection, "zhang", "test.done", now=BEGUN)
    each_console.database.migrate()
    with each_console.database.reading() as connection:
        assert connection.execute(select(log.c.actor)).scalars().all() == ["zhang"]


def test_the_log_only_grows(each_console: Console) -> None:
    with each_console.database.writing() as connection:
        auditlog.record(connection, "zhang", "test.done", now=BEGUN)
    for change in (log.update().values(actor="li"), log.delete()):
        with pytest.raises(DatabaseError), each_console.database.writing() as connection:
            connection.execute(change)

"""The families of the console's /metrics, with one of each thing that is counted, for their document."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime

from collectors.model import Family
from exporters.console.database import Database
from exporters.console.metrics import stored_families, up, web
from exporters.console.schema import department, host
from exporters.console.web.measuring import Measured


def console_families() -> list[Family]:
    measured = Measured()
    measured.answered("POST", "/api/v1/findings", 200, 0.1)
    now = datetime(2026, 10, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/console.db")
        database.migrate()
        with database.writing() as connection:
            connection.execute(department.insert().values(id=1, name=""))
            connection.execute(
                host.insert().values(
                    key="k",
                    name="n",
                    department_id=1,
                    labels={},
                    source="pull",
                    first_seen=now,
                    received=now,
                )
            )
            stored = list(stored_families(connection, now))
        database.close()
    return [up(1), web(False), *stored, *measured.families()]

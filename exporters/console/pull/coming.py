"""What comes of asking a target, and who takes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from exporters.console.database import Database
from exporters.console.intake.arrived import Arrived, Taken
from exporters.console.pull.known import Known
from exporters.console.services import Services
from rules.model import AuditResult


class Take(Protocol):
    """Takes an audit in, and returns after the commit: exporters/console/intake/take.py."""

    def __call__(
        self,
        database: Database,
        services: Services,
        arrived: Arrived,
        result: AuditResult,
        now: datetime,
    ) -> Taken: ...


# keeps what an agent's /metrics says of its lines: (connection, host_id, text, now)
StoreLines = Callable[[Connection, int, str, datetime], object]


class Came(NamedTuple):
    """Of one target asked. `alive`: its agent answered."""

    target: Known
    at: datetime
    alive: bool
    problem: str = ""
    audit: bool = False
    etag: str = ""
    host_id: int | None = None

"""Taking audits in: each of one host, all of it or nothing, in one transaction that is on disk when this returns.

The host's row is locked first, so that two consoles take turns; whoever lost a deadlock or met somebody else's change
of a hit begins again. Hits live by rules.hits; only what changed is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from exporters.console.database import Database
from exporters.console.intake import waivers
from exporters.console.intake.arrived import Arrived, Taken
from exporters.console.intake.contention import retried
from exporters.console.intake.hosthits import HostHits
from exporters.console.intake.names import Names
from exporters.console.intake.packs import write_packs, write_unjudged
from exporters.console.intake.prepared import name, prepared
from exporters.console.intake.tallies import Deltas
from exporters.console.schema import host
from exporters.console.services import Services
from exporters.findings.told import line
from rules.model import AuditResult

_LABELS: Final = ("system", "region", "level")
MAX_LABELS: Final = 50


def take(
    database: Database, services: Services, arrived: Arrived, result: AuditResult, now: datetime
) -> Taken:
    """One audit; `now` is when it came."""
    return take_many(database, services, [(arrived, result)], now)[0]


def take_many(
    database: Database,
    services: Services,
    audits: Sequence[tuple[Arrived, AuditResult]],
    now: datetime,
) -> list[Taken]:
    """Several, in one transaction: all of them are on disk when this returns, or none."""
    # hosts are locked in one order; an older audit of the same host comes first
    order = sorted(range(len(audits)), key=lambda n: (audits[n][1].host.id, audits[n][1].time))

    def once() -> list[Taken]:
        with database.writing() as connection:
            intake = _Intake(database, services, connection, now)
            found = {number: intake.take(*audits[number]) for number in order}
            intake.deltas.write(database, connection)
        intake.names.remember()
        return [found[number] for number in range(len(audits))]

    return retried(once)


class _Intake:
    """Of one transaction."""

    def __init__(
        self, database: Database, services: Services, connection: Connection, now: datetime
    ) -> None:
        self.deltas = Deltas()
        self._database = database
        self._services = services
        self._connection = connection
        self._now = now
        self._today = waivers.site_day(services, now)
        self.names = Names(database, connection, services)

    def take(self, arrived: Arrived, result: AuditResult) -> Taken:
        department = name(arrived.labels.get("department", "").strip())
        department_id = self.names.department(department)
        row = self._host(arrived, result, department_id)
        if row.last_audit is not None:
            same = result.time == row.last_audit
            if same or (arrived.digest and arrived.digest == row.digest):
                return Taken("same", row.id)
            if result.time < row.last_audit:
                return Taken("older", row.id)
        result = prepared(result, self._services.settings.agent_waivers)
        result, rules = self.names.rules(result)
        names = (result.host.name, result.host.id)
        given = waivers.given_to(self._database, self._connection, self._today, names)
        moved = row.department_id != department_id
        hits = HostHits(
            *(self._database, self._connection, self.deltas, result, rules),
            *(row.id, department_id, moved),
        )
        taken = hits.write(given, department, self._today)
        write_packs(
            *(self._database, self._connection, self.deltas, result, rules),
            *(row.id, row.department_id, department_id),
        )
        write_unjudged(self._database, self._connection, result, rules, row.id)
        self._written(row, arrived, result, department_id)
        return taken

    def _host(self, arrived: Arrived, result: AuditResult, department_id: int) -> Any:
        """The host's row, locked; made where it is the first time."""
        find = select(host.c.id, host.c.department_id, host.c.last_audit, host.c.digest).where(
            host.c.key == result.host.id
        )
        found = self._connection.execute(find.with_for_update()).first()
        if found is None:
            self._connection.execute(
                self._database.upsert(host).on_conflict_do_nothing(),
                [
                    {
                        "key": result.host.id,
                        "name": name(result.host.name) or result.host.id,
                        "department_id": department_id,
                        "source": arrived.source,
                        "labels": {},
                        "first_seen": self._now,
                    }
                ],
            )
            found = self._connection.execute(find.with_for_update()).one()
        return found

    def _written(self, row: Any, arrived: Arrived, result: AuditResult, department_id: int) -> None:
        labels = dict(list(arrived.labels.items())[:MAX_LABELS])
        self._connection.execute(
            update(host)
            .where(host.c.id == row.id)
            .values(
                name=result.host.name or result.host.id,
                department_id=department_id,
                **{label: name(labels.get(label, "")) for label in _LABELS},
                labels={name(key): line(value) for key, value in labels.items()},
                source=arrived.source,
                target=name(arrived.target),
                version=name(arrived.version),
                last_audit=result.time,
                received=self._now,
                digest=arrived.digest,
                heard=self._now,
                silent_since=None,
                problem="",
                left_out=min(max(result.left_out, 0), 2**31 - 1),
            )
        )

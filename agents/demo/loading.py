"""The example city in a console's database: a month of weekly audits, each day counted, as agents would have told them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select

from agents.demo import city, watching
from agents.demo.audits import Auditors
from agents.demo.city import Machine
from exporters.console.database import Database
from exporters.console.hosts import linestatus
from exporters.console.intake.arrived import Arrived
from exporters.console.intake.days import count_day
from exporters.console.intake.take import take_many
from exporters.console.schema import host
from exporters.console.services import Services
from rules.model import AuditResult

WEEKS: Final = 4
DAYS: Final = 30
BATCH: Final = 50  # audits of one transaction
SILENT: Final = 17  # machines whose agents were not heard in the last two weeks
VERSION: Final = "0.1.0"
WATCHER: Final = "sjj-web-01"  # the machine whose agent probes the lines


def load(
    database: Database,
    services: Services,
    auditors: Auditors,
    today: datetime,
    watch: Callable[[str], None],
) -> None:
    """Thirty days up to today."""
    zone = ZoneInfo(services.settings.zone)
    machines = list(city.machines())
    for ago in range(DAYS - 1, -1, -1):
        moment = today - timedelta(days=ago)
        watch(f"audits {DAYS - ago}/{DAYS}")
        batch: list[tuple[Arrived, AuditResult]] = []
        for machine, week in due(machines, ago):
            time = moment - timedelta(seconds=machine.number * 3 + 60)
            batch.append((_arrived(machine), auditors.audit(machine, time, week)))
        for start in range(0, len(batch), BATCH):
            take_many(database, services, batch[start : start + BATCH], moment)
        with database.writing() as connection:
            count_day(database, connection, _day(moment, zone))
    with database.writing() as connection:
        watcher = connection.execute(select(host.c.id).where(host.c.name == WATCHER)).scalar_one()
        linestatus.store(connection, watcher, watching.text(), today)


def due(machines: list[Machine], ago: int) -> Iterator[tuple[Machine, int]]:
    """Those audited so many days ago, and in which week of the story that was: each once a week, and all of them today."""
    week = WEEKS - 1 - ago // 7
    for machine in machines:
        silent = machine.number % (city.MACHINES // SILENT) == 5 and ago < 14
        if week >= 0 and (ago == 0 or machine.number % 7 == ago % 7) and not silent:
            yield machine, week


def _arrived(machine: Machine) -> Arrived:
    labels = {
        "department": machine.department,
        "system": machine.system,
        "region": machine.area,
        "level": "city",
    }
    return Arrived("pull", labels, f"{machine.name}.linjiang.example:9808", VERSION)


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()

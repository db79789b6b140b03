"""The example city in a console's database: a month of weekly audits, each day counted, as agents would have told them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from exporters.console.pull import hearing
from exporters.console.schema import host
from exporters.console.services import Services
from rules.model import AuditResult

WEEKS: Final = 4
DAYS: Final = 30  # at least, of audits
BATCH: Final = 50  # audits of one transaction
SILENT: Final = 17  # machines whose agents were not heard in the last two weeks
VERSION: Final = "0.1.0"
SILENCE: Final = timedelta(days=13)  # who was not heard for so long is silent
LOOKED: Final = timedelta(days=30)  # for so long somebody may look at the city, and it is as it was
WATCHER: Final = "sjj-web-01"  # the machine whose agent probes the lines


def load(
    database: Database,
    services: Services,
    auditors: Auditors,
    machines: Sequence[Machine],
    today: datetime,
    watch: Callable[[str], None],
    days: int = DAYS,
) -> None:
    """So many days up to today. Each machine is audited in the first week, on the same day of each of the last ones, and
    in the last two days."""
    zone = ZoneInfo(services.settings.zone)
    for ago in range(days - 1, -1, -1):
        moment = today - timedelta(days=ago)
        watch(f"audits {days - ago}/{days}")
        batch: list[tuple[Arrived, AuditResult]] = []
        for machine, week in due(machines, ago, days):
            time = moment - timedelta(seconds=machine.number * 3 + 60)
            batch.append((_arrived(machine), auditors.audit(machine, time, week)))
        for start in range(0, len(batch), BATCH):
            take_many(database, services, batch[start : start + BATCH], moment)
        with database.writing() as connection:
            count_day(database, connection, _day(moment, zone))
    with database.writing() as connection:
        watcher = connection.execute(select(host.c.id).where(host.c.name == WATCHER)).scalar_one()
        linestatus.store(connection, watcher, watching.text(), today)
        heard = select(host.c.id).where(host.c.heard >= today - SILENCE)
        hearing.heard(connection, connection.execute(heard).scalars(), today)
        hearing.mark_silent(connection, SILENCE.total_seconds(), today)


def due(machines: Sequence[Machine], ago: int, days: int = DAYS) -> Iterator[tuple[Machine, int]]:
    """Those audited so many days ago, and in which week of the story that was."""
    week = max(WEEKS - 1 - ago // 7, 0)
    if week == 0 and ago < days - 7:
        return
    for machine in machines:
        silent = machine.number % (city.MACHINES // SILENT + 1) == 5 and ago < 14
        turn = machine.number % 2 == ago if week == WEEKS - 1 else machine.number % 7 == ago % 7
        if turn and not silent:
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

"""The demo: the example city's history, audits, report and console, made in a folder within two minutes on two cores.

A history and a console's database are made side by side, each in a process of its own; the report is made of both.
"""

from __future__ import annotations

import math
import multiprocessing
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from agents.demo import city, files, loading, people, usage
from agents.demo.audits import Auditors
from agents.errors import UserError
from collectors.strictyaml import Duration
from exporters.console.database import Database
from exporters.console.pull.settings import PullSettings
from exporters.console.serving import services_of
from exporters.console.settings import ConsoleSettings
from exporters.history.schema import ZONE
from exporters.usage.period import month, months_before

MARK: Final = ".jianwei-demo"  # in a folder that a demo may be made in anew


class Made(msgspec.Struct, frozen=True):
    """`profile` is the report's, `password` of every example user."""

    settings: ConsoleSettings
    profile: Path
    month: str
    password: str


def make(folder: Path, watch: Callable[[str], None]) -> Made:
    """Raises UserError for a folder that has something else in it."""
    _empty(folder)
    zone, now = ZoneInfo(ZONE), time.time()
    label = months_before(datetime.fromtimestamp(now, zone).strftime("%Y-%m"), 2)[0]
    settings = ConsoleSettings(
        db=f"sqlite:///{folder / 'console.db'}",
        zone=ZONE,
        example=True,
        reports=str(folder / "reports"),
        # nobody is asked, so nobody falls silent while the city is looked at
        pull=PullSettings(silent_after=Duration(loading.LOOKED.total_seconds())),
    )
    watch("usage and lines of a month")
    context = multiprocessing.get_context("spawn")
    history = context.Process(target=_history, args=(folder / "history.db", label))
    history.start()
    try:
        password = _console(settings, folder, label, watch)
    finally:
        history.join()
    if history.exitcode:
        raise UserError("the history of the example city could not be made")
    period = month(label, zone, now)
    profile = files.write(folder, label, datetime.fromtimestamp(period.until, zone))
    return Made(settings, profile, label, password)


def _history(path: Path, label: str) -> None:
    zone = ZoneInfo(ZONE)
    usage.write(path, month(label, zone, time.time()), zone)


def _console(
    settings: ConsoleSettings, folder: Path, label: str, watch: Callable[[str], None]
) -> str:
    database = Database(settings.db)
    try:
        database.migrate()
        services = services_of(settings)
        auditors = Auditors()
        zone, now = ZoneInfo(settings.zone), datetime.now(UTC)
        period = month(label, zone, now.timestamp())
        # the report's month and all since
        days = max(loading.DAYS, math.ceil((now.timestamp() - period.since) / 86400))
        loading.load(database, services, auditors, [*city.machines()], now, watch, days)
        files.write_audits(folder, auditors, datetime.fromtimestamp(period.until, zone))
        password = people.write(database, services)
        with database.reading() as connection:
            files.write_hits(folder, connection, services.rules)
        return password
    finally:
        database.close()


def _empty(folder: Path) -> None:
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise UserError(f"{folder} has something else in it; name another folder with --folder")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    mark.touch()

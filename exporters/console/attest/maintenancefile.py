"""Maintenance of lines as a file that the report reads (exporters/report/sections/maintenancefile.py says its format).

The report knows lines by name alone and windows that do not recur, so that a recurring one is written out, and one for some
departments or hosts names the lines that are watched from there and from nowhere else. Silences are not in it:
what was not told was all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import yaml
from sqlalchemy import Connection, Select, select

from collectors.strictyaml import MAX_BYTES
from exporters import aside
from exporters.console import example
from exporters.console.attest import windowstore
from exporters.console.attest.windows import Window, occurrences
from exporters.console.database import Database
from exporters.console.schema import department, host, line
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid
from exporters.console.web.routing import Reply

log = logging.getLogger(__name__)

KEPT: Final = 3  # months before this one, for a report that is made late


class Watched(NamedTuple):
    """A line, and from where it is watched."""

    line: str
    host: str
    host_id: str
    department: str


class WindowMonth(msgspec.Struct, frozen=True):
    """`month` as 2026-10; empty: from three months ago to the end of the next one."""

    month: str = ""


Row = dict[str, Any]


def rows(
    windows: Sequence[Window], watched: Sequence[Watched], begin: datetime, end: datetime
) -> Iterator[Row]:
    """What the file says of [begin, end), by time. Pure."""
    found: list[tuple[datetime, int, Row]] = []
    for window in windows:
        if window.kind != "maintenance" or window.scope.rules:
            continue
        lines = _lines(window, watched)
        if lines is None:
            continue
        for one in occurrences(window, begin, end):
            since, until = (_written(it, window.zone) for it in one)
            if since < until:
                row: Row = {"since": since, "until": until, "reason": window.reason}
                found.append((one.begins, window.id, row | ({"lines": lines} if lines else {})))
    for _, _, row in sorted(found, key=lambda it: it[:2]):
        yield row


def as_yaml(found: Sequence[Row]) -> bytes:
    text: str = yaml.safe_dump(
        {"maintenance": list(found)}, allow_unicode=True, sort_keys=False, width=1000
    )
    return text.encode()


def as_csv(found: Sequence[Row], mark: str = "") -> bytes:
    cells = (
        [it["since"], it["until"], ";".join(it.get("lines", ())), it["reason"]] for it in found
    )
    heads = ("since", "until", "lines", "reason")
    return b"".join(example.table(mark, heads, cells))


class MaintenanceFile:
    """Keeps settings.maintenance_file as the windows are; background work that every console does for its own file.
    `run_once` writes it where it is not as it should be."""

    def __init__(self, database: Database, settings: ConsoleSettings) -> None:
        self._database, self._path = database, settings.maintenance_file
        self._settings = settings
        self._zone = ZoneInfo(settings.zone)
        self._lock = threading.Lock()

    def run_once(self, now: datetime) -> bool:
        """Whether it was written. Raises OSError; ValueError where it would be longer than the report reads."""
        if not self._path:
            return False
        with self._lock:
            begin, end = _span(now, self._zone)
            with self._database.reading() as connection:
                windows = windowstore.since(connection, self._zone, begin)
                watched = _watched(connection) if any(map(_narrow, windows)) else ()
            found = as_yaml([*rows(windows, watched, begin, end)])
            content = example.comment(self._settings) + found
            if len(content) > MAX_BYTES:
                raise ValueError(
                    f"{self._path}: more than {MAX_BYTES} bytes of maintenance windows"
                )
            path = Path(self._path)
            if path.exists() and path.read_bytes() == content:
                return False
            with aside.replacing(path, 0o644) as file:
                file.write(content)
            return True


def renewed(asker: Asker) -> bool:
    """After a change: false where the file could not be written, which the log says."""
    try:
        MaintenanceFile(asker.database, asker.services.settings).run_once(asker.now)
    except (OSError, ValueError):
        log.exception("the maintenance file was not written")
        return False
    return True


def served(asker: Asker, given: WindowMonth, form: Literal["yaml", "csv"]) -> Reply:
    """The same as a download, of what the asker sees."""
    begin, end = _month(given.month, asker) if given.month else _span(asker.now, asker.zone)
    with asker.database.reading() as connection:
        windows = windowstore.since(connection, asker.zone, begin, asker)
        watched = _watched(connection, asker) if any(map(_narrow, windows)) else ()
    found, settings = [*rows(windows, watched, begin, end)], asker.services.settings
    if form == "csv":
        mark = example.mark(settings, asker.language)
        return Reply(as_csv(found, mark), "text/csv; charset=utf-8", "maintenance.csv")
    content = example.comment(settings) + as_yaml(found)
    return Reply(content, "application/yaml", "maintenance.yaml")


def _lines(window: Window, watched: Sequence[Watched]) -> list[str] | None:
    """Names and patterns; empty for all lines, None for none."""
    scope = window.scope
    if not _narrow(window):
        return list(scope.lines)
    of_line: dict[str, bool] = {}
    for one in watched:
        has = scope.has((one.host, one.host_id), one.department, one.line, "")
        of_line[one.line] = of_line.get(one.line, True) and has
    return [name for name, has in sorted(of_line.items()) if has] or None


def _narrow(window: Window) -> bool:
    return bool(window.scope.hosts or window.scope.departments)


def _watched(connection: Connection, asker: Asker | None = None) -> tuple[Watched, ...]:
    statement: Select[Any] = (
        select(line.c.name, host.c.name, host.c.key, department.c.name)
        .select_from(line)
        .join(host, host.c.id == line.c.host_id)
        .join(department, department.c.id == host.c.department_id)
        .distinct()
    )
    if asker is not None:
        statement = asker.scoped(statement, host.c.department_id)
    return tuple(Watched(*row) for row in connection.execute(statement))


def _written(when: datetime, zone: ZoneInfo) -> str:
    return when.astimezone(zone).isoformat(timespec="seconds")


def _span(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    here = now.astimezone(zone)
    return _first(here.year, here.month - KEPT, zone), _first(here.year, here.month + 2, zone)


def _month(text: str, asker: Asker) -> tuple[datetime, datetime]:
    try:
        found = datetime.strptime(text, "%Y-%m")
        if not 2000 <= found.year <= 2200:
            raise ValueError(text)
    except ValueError as error:
        raise Invalid("windows.month", "month") from error
    return tuple(_first(found.year, found.month + n, asker.zone) for n in (0, 1))  # type: ignore[return-value]


def _first(year: int, month: int, zone: ZoneInfo) -> datetime:
    years, months = divmod(month - 1, 12)
    return datetime(year + years, months + 1, 1, tzinfo=zone).astimezone(UTC)

"""The archive of monthly reports: which there are, and one of their files."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, Literal

import msgspec
from sqlalchemy import select

from exporters.console.reports import archive
from exporters.console.schema import department
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import NotFound, Refused
from exporters.console.web.routing import Operation, Reply
from exporters.report.rendering import named

log = logging.getLogger(__name__)

# A report's page has its style in it, and no script: shown apart from everything of the console's, as of no origin. Its
# own policy, in the page, narrows styles to the hash of that one. A page in a sandbox may not be COOP's (HTML, 7.4.2.2).
APART: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Opener-Policy": "unsafe-none",
}


class Unavailable(Refused):
    """The folder is not there, or not readable: an administrator's to mend."""

    status = 503


class ReportsQuery(msgspec.Struct, frozen=True):
    """`month`: 2026-10; without one the newest."""

    month: str = ""


class ReportFile(msgspec.Struct, frozen=True):
    """`department`: whose excerpt it is, "" of what is nobody's, null of the whole report. `subject` is the part of the
    name that says so, which is all that is known of a department that no host is of any more."""

    name: str
    language: Literal["zh", "en"]
    format: str
    table: str
    subject: str
    department: str | None
    size: int
    made: datetime


class Reports(msgspec.Struct, frozen=True):
    """`months` are all that there are, the newest first; `files` those of `month`. `configured`: whether the console
    knows a folder of reports at all."""

    configured: bool
    months: tuple[str, ...] = ()
    month: str = ""
    files: tuple[ReportFile, ...] = ()


class FileQuery(msgspec.Struct, frozen=True):
    """`show`: to be read in a browser where it is a page, instead of being kept."""

    name: str
    show: bool = False


def listed(asker: Asker, given: ReportsQuery) -> Reports:
    folder = asker.services.settings.reports
    if not folder:
        return Reports(configured=False)
    departments = asker.person.departments if asker.person else ()
    try:
        every = archive.names(folder, departments)
        months = tuple(dict.fromkeys(one.month for one in every))
        month = given.month or (months[0] if months else "")
        found = archive.files(folder, [one for one in every if one.month == month])
    except archive.Unreadable as error:
        raise _unavailable(folder, error) from error
    known = _departments(asker)
    return Reports(True, months, month, tuple(_shown(one, known) for one in found))


def file(asker: Asker, given: FileQuery) -> Reply:
    folder = asker.services.settings.reports
    name = archive.parsed(given.name)
    departments = asker.person.departments if asker.person else ()
    if not folder or name is None or not archive.sees(name, departments):
        raise NotFound("not_found")
    try:
        found = archive.opened(folder, name)
    except archive.Unreadable as error:
        raise _unavailable(folder, error) from error
    if found is None:
        raise NotFound("not_found")
    opened, size = found
    shown = given.show and name.format == "html"
    headers = {"Content-Length": str(size), **(APART if shown else {})}
    return Reply(
        archive.content(opened, size),
        archive.MEDIA_TYPES[name.format],
        name="" if shown else name.name,
        headers=headers,
    )


def _unavailable(folder: str, error: archive.Unreadable) -> Unavailable:
    log.warning("%s: the reports cannot be read: %s", folder, error)
    return Unavailable("reports.unreadable", problem=str(error))


def _shown(file: archive.File, known: dict[str, str]) -> ReportFile:
    it = file.name
    return ReportFile(
        name=it.name,
        language="en" if it.language == "en" else "zh",
        format=it.format,
        table=it.table,
        subject=it.excerpt,
        department=known.get(it.excerpt) if it.excerpt else None,
        size=file.size,
        made=file.made,
    )


def _departments(asker: Asker) -> dict[str, str]:
    """Names by what an excerpt's file is called; those that the asker sees are known even without a host."""
    with asker.database.reading() as connection:
        statement = asker.scoped(select(department.c.name), department.c.id)
        found = [*connection.execute(statement).scalars(), ""]
    if asker.person and asker.person.departments is not None:
        found = [*asker.person.departments]
    return {named(one): one for one in found}


OPERATIONS: Final = (
    Operation("reports.list", "GET", "/reports", "view", listed, ReportsQuery, Reports),
    Operation(
        "reports.file",
        "GET",
        "/reports/{name}",
        "view",
        file,
        FileQuery,
        Reply,
        media_type="application/octet-stream",
    ),
)

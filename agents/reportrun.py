"""One run of the monthly report: made, rendered, written and delivered (docs/report.md)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from agents.config import Config
from agents.errors import UserError
from agents.reportmaking import Maker, Opened, Watch, source_of
from agents.reportprofile import Profile
from exporters.report import files
from exporters.report.content.followupfile import holding
from exporters.report.delivery.deliver import deliver
from exporters.report.delivery.ledger import LedgerError
from exporters.report.delivery.outcome import Outcome
from exporters.report.delivery.plan import Edition, edition
from exporters.report.delivery.settings import DeliverySettings
from exporters.report.document import Document
from exporters.report.excerpt import excerpt
from exporters.report.fonts import FontError
from exporters.report.pdf import PdfError
from exporters.report.rendering import FORMATS, Format, ready, render
from exporters.usage.period import month, shown_month
from exporters.usage.source import SourceError
from rules.usagethresholds import Thresholds

_MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])", re.ASCII)


class Wanted(NamedTuple):
    """`department`: its excerpt alone. `folder` may be empty where the report is delivered; in the folder `state` is kept
    to whom."""

    profile: Profile
    config: Config
    thresholds: Thresholds
    folder: str
    department: str | None = None
    excerpts: bool = False
    delivered: bool = False
    again: bool = False
    state: Path = Path()


class Told(NamedTuple):
    document: Document
    written: list[str]
    outcomes: list[Outcome]


def run(wanted: Wanted, label: str | None, watch: Watch) -> Told:
    """Raises UserError and DocumentError; unless it is of the delivery, nothing was written then."""
    profile, whole = wanted.profile, wanted.department is None
    sends = wanted.delivered and profile.delivery is not None
    try:
        ready(_formats(profile, sends), profile.font)
        files.check(wanted.folder)
        with holding(profile.follow_up) if profile.follow_up and whole else nullcontext():
            with source_of(profile, wanted.config, watch) as it:
                maker = Maker(profile, wanted.config, wanted.thresholds, watch)
                made = maker.make(it, month_of(label, it))
            editions = [
                _edition(one, _formats(profile, sends), profile, watch)
                for one in _documents(wanted, made.document)
            ]
            every = {file.name: file.content for one in editions for file in one.files}
            written = files.write(wanted.folder, every) if wanted.folder else []
            if whole:
                made.carry()
    except (SourceError, FontError, PdfError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{wanted.folder}: cannot be written: {error.strerror or error}") from error
    outcomes = _delivered(wanted, editions, it.source.zone) if sends else []
    return Told(made.document, written, outcomes)


def _delivered(wanted: Wanted, editions: list[Edition], zone: ZoneInfo) -> list[Outcome]:
    try:
        wanted.state.mkdir(parents=True, exist_ok=True)
        settings = wanted.profile.delivery or DeliverySettings()
        return deliver(settings, editions, wanted.state, datetime.now(zone), wanted.again)
    except LedgerError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        where = error.filename or wanted.state
        raise UserError(f"{where}: cannot be written: {error.strerror or error}") from error


def month_of(label: str | None, it: Opened) -> str:
    """The month that was asked for, else the last one that is over; raises UserError."""
    source, now = it.source, time.time()
    if label is None:
        extent = source.extent()
        return shown_month(extent and extent[0], source.zone, now)
    if not _MONTH.fullmatch(label):
        raise UserError(f"--month {label!r} is no month; write for example 2026-10")
    if month(label, source.zone, now).since >= now:
        raise UserError(f"--month {label} has not begun yet")
    return label


def _formats(profile: Profile, sends: bool) -> tuple[Format, ...]:
    """Those that are written, and those that receivers get."""
    found = {*profile.formats}
    if sends and profile.delivery:
        for receiver in (profile.delivery.smtp, profile.delivery.webhook):
            found |= {*(receiver.formats if receiver else ())}
    return tuple(one for one in FORMATS if one in found)


def _documents(wanted: Wanted, whole: Document) -> Iterator[Document]:
    if wanted.department is not None:
        try:
            yield excerpt(whole, wanted.department)
        except ValueError as error:
            raise UserError(f"--department: {error}") from error
        return
    yield whole
    smtp = wanted.profile.delivery.smtp if wanted.delivered and wanted.profile.delivery else None
    mailed = {*(smtp.departments if smtp else ())}
    for one in whole.departments:
        if wanted.excerpts or one.name in mailed:
            yield excerpt(whole, one.name)


def _edition(
    document: Document, formats: tuple[Format, ...], profile: Profile, watch: Watch
) -> Edition:
    found = render(document, formats, profile.language, profile.font, watch)
    return edition(document, found)

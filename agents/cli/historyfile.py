"""What commands about a history file share: its option, its errors, and times in its zone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from agents.errors import UserError
from exporters.history.badlines import ImportRefused
from exporters.history.csvvalues import BadField, seconds
from exporters.history.file import HistoryError, connect, told, unlocked, zone_of
from exporters.history.reader import Span, span, span_of
from exporters.history.schema import SLOT

history_option = click.option(
    "--history",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The history file.",
)
since_option = click.option(
    "--since", metavar="T", help="From then on; ISO 8601, in the file's zone where it has none."
)
until_option = click.option("--until", metavar="T", help="Until then.")


@contextmanager
def told_errors(path: Path) -> Iterator[None]:
    """What is wrong with a file, in one line."""
    try:
        yield
    except (HistoryError, ImportRefused) as error:
        raise UserError(str(error)) from error
    except sqlite3.Error as error:
        raise UserError(f"{path}: {told(error)}") from error


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """An existing history file, to be read. Raises UserError."""
    with told_errors(path), closing(connect(path, reading=True)) as connection:
        before = unlocked(path)
        try:
            yield connection
        except HistoryError as error:
            raise HistoryError(f"{path}: {error}") from error
        if before and before != unlocked(path):
            raise HistoryError(f"{path}: somebody wrote it meanwhile; ask again")


def when(text: str, zone: ZoneInfo, option: str) -> int:
    """A time of an option: of the forms of CSV, or a day."""
    try:
        return seconds(f"{text.strip()} 00:00" if len(text.strip()) <= 10 else text, zone)
    except BadField as error:
        try:
            return seconds(text, zone)
        except BadField:
            raise UserError(
                f"{option} {text!r}: {error}; write for example 2026-10-01T00:00"
            ) from error


def period(connection: sqlite3.Connection, since: str | None, until: str | None) -> Span:
    """The slots asked for; else all of the file."""
    zone = zone_of(connection)
    whole = span_of(connection) or Span(0, 0)
    first = span(when(since, zone, "--since"), 0).first if since else whole.first
    end = span(0, when(until, zone, "--until")).end if until else whole.end
    if since and until and end <= first:
        raise UserError("--until is not after --since")
    return Span(first, max(first, end))


def shown(slot: int, zone: ZoneInfo) -> str:
    """The time at which a slot begins."""
    return datetime.fromtimestamp(slot * SLOT, zone).isoformat(timespec="minutes")

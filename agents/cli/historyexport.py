"""`jianwei history export`: a history file as CSV."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import click

from agents.cli.historyfile import history_option, opened, period, shown, since_option, until_option
from agents.errors import UserError
from exporters.aside import replacing
from exporters.history.exporting import BEGINNING, rows
from exporters.history.file import zone_of
from exporters.history.reader import reading

_GZIP = b"\x1f\x8b"
_SIDES = ("", "-wal", "-shm", "-journal", ".lock")


@click.command(name="export")
@history_option
@click.option("--out", default="-", help="Gzipped where it ends in .gz; else standard output.")
@click.option("--metric", "metrics", multiple=True, help="Only this; repeatable.")
@click.option("--resource", "resources", multiple=True, metavar="ID", help="Only this; repeatable.")
@since_option
@until_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    out: str,
    metrics: tuple[str, ...],
    resources: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> None:
    """Write five-minute averages and maxima as long CSV, which imports again to the same values.

    Days of which only sketches are left have no rollups to write. An export that is there already is replaced, any
    other file is not. Names that a spreadsheet would take for formulas begin with an apostrophe, which importing
    takes away.

    \b
    Examples:
      jianwei history export --history city.db --out city.csv.gz
      jianwei history export --history city.db --metric cpu --since 2026-10-01 --until 2026-11-01
    Exit codes: 0 done, 1 there are no values, 2 bad input, or the output cannot be written.
    """
    with opened(path) as connection, reading(connection):
        zone, slots = zone_of(connection), period(connection, since, until)
        pieces = rows(connection, slots, lambda slot: shown(slot, zone), metrics, resources or None)
        try:
            written = (
                _stream(pieces, sys.stdout.buffer)
                if out == "-"
                else _write(_target(Path(out), path), pieces)
            )
        except BrokenPipeError:
            raise  # who reads wants no more
        except OSError as error:
            raise UserError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    if written < 2:
        click.echo("there are no values of that", err=True)
        ctx.exit(1)


def _target(out: Path, history: Path) -> Path:
    """What a link leads to is written, and it stays a link. Raises UserError where it is of the history."""
    out, history = out.resolve(), history.resolve()
    if out in [history.with_name(history.name + end) for end in _SIDES]:
        raise UserError(f"--out {out}: is of the history itself; name another file")
    return out


def _write(path: Path, pieces: Iterable[str]) -> int:
    """How many pieces. A regular file is made aside and renamed; a pipe or device is written as it is."""
    with ExitStack() as stack:
        if path.exists() and not path.is_file():
            plain: IO[bytes] = stack.enter_context(open(path, "wb"))
        else:
            if path.exists() and not _is_export(path):
                raise UserError(f"--out {path}: is there already and no export; move it away")
            plain = stack.enter_context(replacing(path))
        if path.suffix != ".gz":
            return _stream(pieces, plain)
        with gzip.GzipFile("", "wb", 6, plain, mtime=0) as packed:
            return _stream(pieces, packed)


def _stream(pieces: Iterable[str], file: IO[bytes] | gzip.GzipFile) -> int:
    count = 0
    for piece in pieces:
        file.write(piece.encode())
        count += 1
    file.flush()
    return count


def _is_export(path: Path) -> bool:
    """Whether a file begins as those do that are written here; an empty one may be replaced as well."""
    with open(path, "rb") as file:
        start = file.read(256)
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(31).decompress(start)
        except zlib.error:
            return False
    return not start or start.startswith(BEGINNING.encode())

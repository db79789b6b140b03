"""`jianwei history export`: a history file as CSV."""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

from agents.cli.historyfile import history_option, opened, period, shown, since_option, until_option
from agents.errors import UserError
from exporters.history.exporting import rows
from exporters.history.file import zone_of
from exporters.history.reader import reading


@click.command(name="export")
@history_option
@click.option("--out", default="-", help="Gzipped where it ends in .gz; else standard output.")
@click.option("--metric", "metrics", multiple=True, help="Only this; repeatable.")
@click.option("--resource", "resources", multiple=True, metavar="ID", help="Only this; repeatable.")
@since_option
@until_option
def command(
    path: Path,
    out: str,
    metrics: tuple[str, ...],
    resources: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> None:
    """Write five-minute averages and maxima as long CSV, which imports again to the same values.

    Days of which only sketches are left have no rollups to write.

    \b
    Examples:
      jianwei history export --history city.db --out city.csv.gz
      jianwei history export --history city.db --metric cpu --since 2026-10-01 --until 2026-11-01
    Exit codes: 0 done, 1 the output cannot be written, 2 bad input.
    """
    with opened(path) as connection, reading(connection):
        zone, slots = zone_of(connection), period(connection, since, until)
        pieces = rows(connection, slots, lambda slot: shown(slot, zone), metrics, resources or None)
        if out == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece.encode())
        else:
            _write(Path(out), pieces)


def _write(path: Path, pieces: Iterable[str]) -> None:
    """Aside and renamed. Raises UserError."""
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.resolve().parent, prefix=f".{path.name}.")
        with open(handle, "wb") as plain:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, plain, mtime=0) as packed:
                    packed.writelines(piece.encode() for piece in pieces)
            else:
                plain.writelines(piece.encode() for piece in pieces)
        mask = os.umask(0o077)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except OSError as error:
        raise UserError(f"--out {path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(name)

"""`jianwei history merge`: several agents' history files as one."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agents.cli.historyfile import history_option, told_errors
from agents.cli.options import progress
from agents.errors import UserError
from exporters.history.merging import merge


@click.command(name="merge")
@history_option
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="IN...",
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(path: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Unite history files into one, made aside and renamed when it is whole.

    Resources are the same by their id. Of a slot that two files have, the value of the file with more of that day
    counts. The new file may be one of the old ones; else it must not exist yet.

    \b
    Examples:
      jianwei history merge --history city.db agent-1.db agent-2.db
      jianwei history merge --history city.db city.db agent-3.db
    Exit codes: 0 done, 2 bad input: a file is damaged, or of another time zone or unit; nothing is changed.
    """
    with told_errors(path):
        try:
            done = merge(path, files, lambda at, whole: progress(f"{at} of {whole} days"))
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from error
        finally:
            progress("")
    if as_json:
        click.echo(msgspec.json.encode(done))
    else:
        click.echo(f"{done.files} files: {done.resources} resources, {done.days} days")

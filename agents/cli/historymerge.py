"""`jianwei history merge`: several agents' history files as one."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agents.cli.historyfile import history_option, told_errors
from agents.cli.options import progress
from agents.errors import UserError
from exporters.findings.text import neutral
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
@click.pass_context
def command(ctx: click.Context, path: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Unite history files into a new one, made aside and renamed when it is whole, or into one of them, all at once.

    Resources are the same by their id. Of a slot that files have different values of, that of the file with more of
    that day counts. A new file is for its owner alone, as those of agents are.

    \b
    Examples:
      jianwei history merge --history city.db agent-1.db agent-2.db
      jianwei history merge --history city.db city.db agent-3.db
    Exit codes:
      0  done
      1  done, but machines of different names have the same id: of each slot one of them is kept
      2  bad input: a file is damaged, or of another time zone or unit; nothing is changed
    """
    with told_errors(path):
        try:
            done = merge(path, files, lambda at, whole: progress(f"{at} of {whole} days"))
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
        finally:
            progress("")
    for one in done.clones:
        names = ", ".join(map(neutral, one.names))
        click.echo(
            f"warning: {names} have the same id {neutral(one.id)} and different values: if they are different"
            " machines (cloned, with one machine-id), give each its own",
            err=True,
        )
    if as_json:
        click.echo(msgspec.json.encode(done))
    else:
        click.echo(f"{done.files} files: {done.resources} resources, {done.days} days")
        if done.differing:
            click.echo(
                f"{done.differing} values differ between files; those of the fuller day are kept"
            )
    if done.clones:
        ctx.exit(1)

"""`jianwei history`: usage kept in one local file: brought in, told, given away and united."""

from __future__ import annotations

import click

from agents.cli.lazygroup import LazyGroup

COMMANDS = {
    "import": "Bring CSV files into a history file.",
    "summary": "Tell statistics of a metric: of all samples, or of each resource.",
    "events": "Tell when resources were granted, resized, moved, stopped, released.",
    "export": "Write a history file as CSV.",
    "info": "Say what a history file has, and whether it is whole.",
    "merge": "Unite the files of several agents into one.",
}
HIDDEN = ("compact",)


@click.group(
    name="history", cls=LazyGroup, table=COMMANDS, prefix="agents.cli.history", hidden=HIDDEN
)
def command() -> None:
    """The history of usage: five-minute averages and maxima for 40 days, daily sketches for 13 months.

    \b
    Examples:
      jianwei history import --history city.db usage.csv.gz
      jianwei history import --wide --metric cpu --unit percent --start 2026-10-01T00:00 --history city.db cpu.csv
      jianwei history summary --history city.db --metric cpu --by resource
      jianwei history merge --history city.db agent-1.db agent-2.db
    docs/history.md says more of the file and of the forms of CSV.
    """

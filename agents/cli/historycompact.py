"""`jianwei history compact`: for the agent: days that are over become blocks, and what is old goes."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from agents.cli.historyfile import history_option, told_errors
from exporters.history.compaction import compact
from exporters.history.schema import KEEP, KEEP_SKETCHES


@click.command(name="compact", hidden=True)
@history_option
@click.option("--keep", type=click.IntRange(1), default=KEEP, help="Days of rollups.")
@click.option("--keep-sketches", type=click.IntRange(1), default=KEEP_SKETCHES, help="Days.")
@click.option("--most", type=click.IntRange(1), metavar="BYTES", help="How large the file may be.")
@click.option("--now", type=float, metavar="T", help="Unix time; else the clock's.")
def command(path: Path, keep: int, keep_sketches: int, most: int | None, now: float | None) -> None:
    """Compact a history file, and say what was done as JSON.

    Exit codes: 0 done, 2 bad input.
    """
    with told_errors(path):
        at = time.time() if now is None else now
        done = compact(path, at, keep, keep_sketches, most)
    for loss in done.losses(most):
        click.echo(loss, err=True)
    click.echo(msgspec.json.encode(done))

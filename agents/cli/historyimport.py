"""`jianwei history import`: CSV files into a history file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from agents.cli.historyfile import history_option, told_errors, when
from agents.cli.options import progress
from agents.errors import UserError
from collectors.cloud.model import ResourceKind
from collectors.strictyaml import Duration
from exporters.findings.text import neutral
from exporters.history import file as historyfile
from exporters.history.importing import Form, Imported, Progress, load, zone_for
from exporters.history.units import UNITS

_OFTEN = 0.2  # seconds


@click.command(name="import")
@history_option
@click.argument("files", nargs=-1, required=True, metavar="CSV...")
@click.option("--wide", is_flag=True, help="A resource a line: id,v0,v1,…")
@click.option("--metric", default="", help="Of --wide, and of files that have no column for it.")
@click.option("--unit", type=click.Choice([*UNITS]), help="Of values that do not say theirs.")
@click.option("--start", metavar="T", help="--wide: the time of the first value.")
@click.option("--step", metavar="TIME", help="How long a value stands for; 5m unless said.")
@click.option(
    "--kind", type=click.Choice(get_args(ResourceKind)), default="server", help="Of new resources."
)
@click.option("--zone", help=f"Of the days of a new file; else {historyfile.ZONE}.")
@click.option("--strict", is_flag=True, help="Refuse all of it at the first bad line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    files: tuple[str, ...],
    wide: bool,
    metric: str,
    unit: str | None,
    start: str | None,
    step: str | None,
    kind: str,
    zone: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Bring usage from CSV files, plain or gzipped, into a history file; - is standard input.

    Long: timestamp,resource,metric,value, with or without a header. Wide: a resource a line. The same file
    again changes nothing. What is kept is an average and a maximum of five minutes, not each sample: other values
    for five minutes replace those that were there, so samples of the same five minutes belong in one import.

    \b
    Examples:
      jianwei history import --history city.db usage.csv.gz
      jianwei history import --wide --metric cpu --start 2026-10-01T00:00 --step 5m --history city.db cpu.csv
      zcat *.gz | jianwei history import --history city.db --strict -
    Exit codes:
      0  imported; bad lines, if any, are counted, quoted and left out
      1  the files have no sample that can be used
      2  bad input, a file that cannot be read or written, or a bad line with --strict; nothing is imported
    """
    with told_errors(path):
        try:
            zone and ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise UserError(f"--zone {zone!r}: there is no such time zone") from error
        form = Form(wide, metric, unit or "", None, _step(step), kind, zone or "")
        if start:
            begin = when(start, zone_for(path, form), "--start")
            form = msgspec.structs.replace(form, start=begin)
        try:
            done = load(path, files, form, strict, _teller())
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
        finally:
            progress("")
    _tell(done, as_json)
    if not done.samples:
        ctx.exit(1)


def _step(text: str | None) -> int | None:
    try:
        step = None if text is None else Duration.parse(text)
    except ValueError as error:
        raise UserError(f"--step: {error}") from error
    if step is not None and step % 1:
        raise UserError("--step: whole seconds")
    return None if step is None else int(step)


def _teller() -> Callable[[Progress], None]:
    """Progress a few times a second."""
    last = 0.0

    def told(now: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < _OFTEN:
            return
        last = time.monotonic()
        words = f"{now.stage}: {now.samples:,} samples"
        if now.stage == "reading" and now.seconds:
            words += f", {now.samples / now.seconds:,.0f}/s"
        if now.whole and now.done:
            left = now.stage_seconds * (now.whole - now.done) / now.done
            words += f", {now.done / now.whole:.0%}, {left:.0f} s left"
        progress(words)

    return told


def _tell(done: Imported, as_json: bool) -> None:
    if done.bad:
        click.echo(f"{done.bad} bad lines, left out", err=True)
        for line in done.quoted:
            click.echo(f"  {line}", err=True)
        if done.bad > len(done.quoted):
            click.echo(f"  and {done.bad - len(done.quoted)} more", err=True)
    for metric in done.like_ratio:
        click.echo(
            f"warning: no value of {metric} is above 1 percent; if they are ratios, say --unit ratio",
            err=True,
        )
    if done.kept:
        click.echo(
            f"warning: {done.kept} days of series stay as they were: the file has sketches of more samples",
            err=True,
        )
    for metric, seconds in done.wide_gaps.items():
        told = f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"
        click.echo(
            f"warning: values of {neutral(metric)} are {told} apart, and each counts for five minutes alone;"
            f" if it stands for the time until the next, say --step {told}",
            err=True,
        )
    if as_json:
        click.echo(msgspec.json.encode(done))
        return
    rate = done.samples / done.seconds if done.seconds else 0
    click.echo(
        f"{done.samples:,} samples of {done.resources:,} resources in {done.seconds:.1f} s"
        f" ({rate:,.0f}/s); missing {done.missing:,}, duplicates {done.duplicates:,}, bad {done.bad:,}"
    )
    click.echo(
        f"days of series: {done.written:,} written, {done.unchanged:,} as they were;"
        f" {done.replaced:,} five-minute values replaced by others"
    )

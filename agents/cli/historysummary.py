"""`jianwei history summary`: statistics of a metric over all samples, or of each resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from agents.cli.historyfile import history_option, opened, period, shown, since_option, until_option
from exporters.findings.columns import aligned
from exporters.findings.text import neutral
from exporters.history.file import zone_of
from exporters.history.reader import reading
from exporters.history.summary import Row, Summary, by_resource, summarise


@click.command(name="summary")
@history_option
@click.option("--metric", required=True, help="For example cpu.")
@since_option
@until_option
@click.option("--resource", "resources", multiple=True, metavar="ID", help="Only this; repeatable.")
@click.option("--by", type=click.Choice(["resource"]), help="Each resource, too.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    metric: str,
    since: str | None,
    until: str | None,
    resources: tuple[str, ...],
    by: str | None,
    form: str,
) -> None:
    """Count, coverage, mean, standard deviation, quartiles, P95 and maximum of a metric's samples; of each resource also
    when its maximum was.

    Over five-minute averages; the maximum is of any moment. Without --since and --until, over all the file has.
    `estimated` means that some days are known by their sketches alone: quantiles within 1 percent.

    \b
    Examples:
      jianwei history summary --history city.db --metric cpu
      jianwei history summary --history city.db --metric cpu --since 2026-10-01 --until 2026-11-01 --by resource
    Exit codes: 0 done, 1 there are no samples, 2 bad input.
    """
    with opened(path) as connection, reading(connection):
        zone, slots = zone_of(connection), period(connection, since, until)
        only = resources or None

        def time_of(slot: int) -> str:
            return shown(slot, zone)

        whole = summarise(connection, metric, slots, time_of, only)
        found = by_resource(connection, metric, slots, time_of, only) if by else ()
        rows = sorted(found, key=lambda row: row.resource)
    if form == "json":
        data: dict[str, Any] = msgspec.to_builtins(whole)
        click.echo(msgspec.json.encode({**data, "by_resource": rows} if by else data))
    else:
        _show(whole, rows)
    if not whole.samples:
        ctx.exit(1)


def _show(whole: Summary, rows: list[Row]) -> None:
    click.echo(
        f"{neutral(whole.metric)} ({whole.unit}), {whole.since} to {whole.until}"
        + (", estimated from sketches" if whole.estimated else "")
    )
    names = ("samples", "coverage", "mean", "stddev", "q1", "median", "q3", "p95", "max")
    if rows:
        told = [
            [neutral(row.resource), *(_told(getattr(row, name)) for name in names), row.max_at]
            for row in rows
        ]
        head = ["resource", *names, "max_at"]
    else:
        told, head = [], ["resources", *names]
    last = f"all {whole.resources}" if rows else str(whole.resources)
    told.append([last, *(_told(getattr(whole, name)) for name in names), *([""] if rows else [])])
    for line in aligned([head, *told]):
        click.echo(line)


def _told(number: float | None) -> str:
    if number is None:
        return "-"
    return str(number) if isinstance(number, int) else f"{number:.2f}"

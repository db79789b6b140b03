"""`jianwei history info`: what a history file has, and whether it is whole."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agents.cli.historyfile import history_option, opened, shown
from exporters.findings.columns import aligned
from exporters.findings.text import neutral
from exporters.history.file import zone_of
from exporters.history.information import Information, inform
from exporters.history.reader import reading


@click.command(name="info")
@history_option
@click.option("--check", is_flag=True, help="Read all of it and say what is damaged.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(ctx: click.Context, path: Path, check: bool, as_json: bool) -> None:
    """Size, time zone, span, resources by kind, metrics and how long what is kept.

    \b
    Examples:
      jianwei history info --history city.db
      jianwei history info --history city.db --check
    Exit codes: 0 done, 1 --check found damage, 2 the file cannot be read.
    """
    with opened(path) as connection, reading(connection):
        zone = zone_of(connection)
        found = inform(connection, path, lambda slot: shown(slot, zone), check)
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _show(found)
    if found.problems:
        ctx.exit(1)


def _days(count: int | None) -> str:
    return "days not readable" if count is None else f"{count} days"


def _kept(found: Information) -> str:
    if found.keep_days is None:
        return "all of it: no agent lets go of what is old"
    return f"rollups {found.keep_days} days, sketches {_days(found.keep_sketch_days)}"


def _span(found: Information) -> str:
    if found.since:
        return f"{found.since} to {found.until}"
    return (
        "not readable" if found.block_days is None or found.sketch_days is None else "nothing yet"
    )


def _show(found: Information) -> None:
    kinds = ", ".join(f"{count} {neutral(kind)}" for kind, count in found.resources.items())
    rows = [
        ("file", neutral(found.file)),
        ("size", f"{found.size / 1e6:.1f} MB"),
        ("zone", neutral(found.zone)),
        ("span", _span(found)),
        ("resources", kinds or "none"),
        *(
            ("metric", f"{neutral(one.name)} ({neutral(one.unit)}), {one.series} series")
            for one in found.metrics
        ),
        (
            "rollups",
            f"{found.rollups} of days under way; {found.blocks} blocks, {_days(found.block_days)}",
        ),
        ("sketches", f"{found.sketches}, {_days(found.sketch_days)}"),
        ("kept", _kept(found)),
    ]
    if found.problems is not None:
        rows.append(("check", "whole" if not found.problems else "damaged"))
        rows += [("", neutral(one)) for one in found.problems]
    for line in aligned(rows):
        click.echo(line)

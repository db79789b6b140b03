"""`jianwei history events`: what happened to what is held: granted, resized, moved, stopped, released."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from agents.cli.historyfile import history_option, opened, period, since_option, until_option
from agents.cli.options import language_of, language_option
from collectors.cloud.events import events
from exporters.history.file import zone_of
from exporters.history.reader import reading
from exporters.history.schema import SLOT
from exporters.usage.lives import facts, names
from exporters.usage.tables import events_table


@click.command(name="events")
@history_option
@since_option
@until_option
@click.option("--resource", "resources", multiple=True, metavar="ID", help="Only this; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an event, a line each.")
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    path: Path,
    since: str | None,
    until: str | None,
    resources: tuple[str, ...],
    as_json: bool,
    lang: str | None,
) -> None:
    """Tell when resources were granted, resized, moved, stopped, detached and released.

    \b
    Examples:
      jianwei history events --history city.db --since 2026-10-01 --until 2026-11-01
      jianwei history events --history city.db --resource 4f3a… --json
    Exit codes: 0 done, 1 nothing happened, 2 bad input.
    """
    with opened(path) as connection, reading(connection):
        zone = zone_of(connection)
        asked = period(connection, since, until)
        first = asked.first * SLOT if since else float("-inf")
        end = asked.end * SLOT if until else float("inf")
        called = names(connection)
        found = [
            it
            for it in events(facts(connection))
            if first <= it.at < end and (not resources or it.resource in resources)
        ]
    if as_json:
        for it in found:
            click.echo(
                msgspec.json.encode({**msgspec.to_builtins(it), "name": called[it.resource]})
            )
    else:
        click.echo(events_table(found, called, language_of(lang), zone))
    ctx.exit(0 if found else 1)

"""`jianwei cloud`: what clouds have, whose it is, and what is used of it."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime

import click
import msgspec

from agents import cloudlook
from agents import config as configuration
from agents.cli.options import config_option, language_of, language_option, progress
from agents.cloudlines import Printer
from agents.errors import UserError
from collectors.cloud import ownerfiles
from collectors.cloud.looserows import loose_rows
from collectors.cloud.model import CloudView
from exporters.usage import tables

BY = {"department": tables.departments_table, "system": tables.systems_table}


@click.group(name="cloud")
def command() -> None:
    """What the clouds of the configuration have, whose it is, and what is used of it.

    \b
    Examples:
      jianwei cloud show --config jianwei.yaml
      jianwei cloud show --config jianwei.yaml --by system
      jianwei cloud show --config jianwei.yaml --json > estate.json
    docs/clouds.md has the roles that are needed, docs/attribution.md the order of what is believed.
    """


@command.command(name="show")
@config_option
@click.option(
    "--by",
    type=click.Choice(["resource", *BY]),
    help="Only one of the tables; else resources and departments.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object: views, owners, holdings, and lines of owners that fit nothing.",
)
@language_option
def show(path: str | None, by: str | None, as_json: bool, lang: str | None) -> None:
    """Ask every cloud once and show it. The history tells how much of its CPUs each server used of late.

    A sum of which a part could not be seen is unknown; what could not be seen is listed below.

    Exit codes: 0 every part of every cloud was seen, 1 a whole part of one was not, 2 bad input.
    """
    config = _config(path)
    language = language_of(lang)
    left = {source.name for source in config.clouds.sources}

    def done(view: CloudView) -> None:
        left.discard(view.cloud)
        progress(f"{view.cloud}: {len(view.resources)} …; {len(left)} left" if left else "")

    progress(f"asking {', '.join(sorted(left))} …")
    seen = cloudlook.see(config, done)
    progress("")
    table = ownerfiles.load(config.attribution).table
    loose = loose_rows(seen.views, table, datetime.now(seen.past.zone).date())
    if as_json:
        told = {
            "views": seen.views,
            "owners": seen.attributions,
            "holdings": seen.holdings,
            "loose_rows": loose,
        }
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    else:
        shown = []
        if by in (None, "resource"):
            for view in seen.views:
                shown.append(f"{view.cloud} ({view.kind})")
                shown.append(tables.resources_table(view, seen.attributions, language) + "\n")
        if by != "resource":
            shown.append(BY[by or "department"](seen.holdings, language))
        notes = [] if by == "resource" else tables.problem_lines(seen.views, language)
        notes += [tables.loose_line(table.path, loose, language)] if loose else []
        shown += ["", *notes] if notes else []
        click.echo("\n".join(shown))
    missing = any(not it.resource for view in seen.views for it in view.problems)
    _leave(1 if missing else 0)


@command.command(name="gather", hidden=True)
@config_option
def gather(path: str | None) -> None:
    """What the resident agent's child prints (agents/cloudlines.py)."""
    config, began = _config(path), time.time()
    lines = Printer(sys.stdout.buffer, config.clouds.sources)
    look = cloudlook.look(config, lambda view: lines.came(view, cloudlook.families(view)))
    for one in look.clouds:
        lines.keep(*one)
    lines.end(began, look.families, look.problem)
    _leave(0)


def _config(path: str | None) -> configuration.Config:
    config = configuration.load(path)
    if not config.clouds.sources:
        where = path or "the default configuration"
        raise UserError(
            f"{where}: clouds.sources is empty; add for example "
            '{name: kvm, kind: libvirt, uri: "qemu:///system"}, or a cloud of clouds.yaml'
        )
    return config


def _leave(status: int) -> None:
    """A client that hangs must not hold the end of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

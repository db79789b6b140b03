"""`jianwei usage`: how each resource of a history was used over a month, and what to do about it."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from agents import config as configuration
from agents.cli.auditinput import params_of
from agents.cli.historyfile import opened
from agents.cli.options import (
    config_option,
    language_of,
    language_option,
    param_option,
    progress,
)
from agents.errors import UserError
from agents.state import history_file
from agents.usagemonths import Months, by_table
from collectors.cloud.owners import clean
from exporters.findings.text import neutral
from exporters.history import workcalendar
from exporters.history.reader import reading
from exporters.usage import judgements as told
from exporters.usage import sharetable, summary
from exporters.usage.historysource import HistorySource
from exporters.usage.period import Period, shown_month
from exporters.usage.shares import shares
from exporters.usage.source import UsageSource
from exporters.usage.words import say
from rules import exemptionsfile, usagerows
from rules import pack as packs
from rules.usagejudgement import STATES
from rules.usagemodel import FACT, PACK
from rules.usagethresholds import Thresholds, thresholds_of
from rules.utilisation import NOBODY

_MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])", re.ASCII)


@click.command(name="usage")
@config_option
@click.option(
    "--history",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The history file; else the agent's.",
)
@click.option("--month", "label", metavar="YYYY-MM", help="Else the last one that is over.")
@click.option(
    "--by",
    type=click.Choice(["resource", "department"]),
    default="resource",
    help="department: what was granted and used, by the hour.",
)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these.")
@click.option(
    "--department",
    "departments",
    multiple=True,
    metavar="NAME",
    help="Only these; 未归属: nobody's.",
)
@click.option("--exemptions", "exempted", metavar="FILE", help="Who is exempt: docs/usage.md.")
@click.option("--calendar", metavar="FILE", help="Holidays and workdays; else China's.")
@param_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "facts"]),
    default="table",
    help="facts: for jianwei audit --pack utilisation --facts FILE.",
)
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    path: str | None,
    file: Path | None,
    label: str | None,
    by: str,
    states: tuple[str, ...],
    departments: tuple[str, ...],
    exempted: str | None,
    calendar: str | None,
    assignments: tuple[str, ...],
    form: str,
    lang: str | None,
) -> None:
    """Say of each resource whether it is idle, low, right-sized, busy, or not known well enough.

    The months before the one asked for count: what is idle is advised to be reclaimed after some in a row. Without
    --month it is the last one that is over, and while the history has not all of that, the one under way, by which
    nothing but to watch is advised.

    \b
    Examples:
      jianwei usage --history city.db --month 2026-10
      jianwei usage --history city.db --month 2026-10 --state idle --format csv > idle.csv
      jianwei usage --history city.db --month 2026-10 --by department
      jianwei usage --month 2026-10 --param idle_cpu=3 --format facts > usage.json
    Exit codes: 0 done, 1 the history has nothing of that month, 2 bad input.
    """
    config = configuration.load(path)
    departments = tuple(map(clean, departments))  # 未归属 is nobody's, and empty
    limits = _thresholds(config, assignments)
    known = exemptionsfile.load(os.path.expanduser(exempted)) if exempted else NOBODY
    working = workcalendar.load(os.path.expanduser(calendar)) if calendar else workcalendar.load()
    language = language_of(lang)
    with opened(file or history_file(config)) as connection, reading(connection):
        source = HistorySource(connection, str(file or history_file(config)))
        months = _months(label, source, limits)
        if label is None and form != "table":
            click.echo(months.last.label, err=True)  # CSV and facts have no line for it
        owner = by_table(config, months.zone)
        if by == "department":
            found = [
                one
                for one in shares(source, months.last, owner)
                if not departments or one.department in departments
            ]
            if form == "table":
                click.echo(_heading(months.last, language))
            _print_shares(found, form, language)
            ctx.exit(0 if found else 1)
        read = months.read(source, working, owner, lambda label: progress(f"{label} …"))
        every = months.judged(read, limits, known)
        progress("")
    for lost in known.unmatched(every):
        told_of = say("unmatched", language).format(neutral(lost.id), months.last.label)
        click.echo(told_of, err=True)
    judged = [
        one
        for one in every
        if (not states or one.state in states)
        and (not departments or one.department in departments)
    ]
    if form == "json":
        sums = msgspec.to_builtins(summary.summarise(judged))
        month = {"month": months.last.label, "under_way": months.last.under_way}
        _print({**month, "summary": sums, "resources": told.documents(judged)})
    elif form == "facts":
        _print({FACT: usagerows.rows(judged)})
    elif form == "csv":
        sys.stdout.buffer.write(told.table_csv(judged, language))
    elif judged:
        click.echo(_heading(months.last, language))
        click.echo(
            f"{told.table(judged, language)}\n\n{summary.table(summary.summarise(judged), language)}"
        )
    else:
        click.echo(say("nothing", language))
    ctx.exit(0 if judged else 1)


def _thresholds(config: configuration.Config, assignments: tuple[str, ...]) -> Thresholds:
    pack = packs.outline(PACK)
    try:
        params = params_of([pack], config.audit, assignments)
        return thresholds_of(packs.resolve(pack, params.get(PACK, {})))
    except ValueError as error:
        raise UserError(str(error)) from error


def _months(label: str | None, source: UsageSource, limits: Thresholds) -> Months:
    if label is None:
        extent = source.extent()
        label = shown_month(extent and extent[0], source.zone, time.time())
    if not _MONTH.fullmatch(label):
        raise UserError(f"--month {label!r} is no month; write for example 2026-10")
    count = max(limits.reclaim_months, limits.shrink_months, limits.grow_months)
    months = Months(label, source.zone, count)
    if months.last.until <= months.last.since:
        raise UserError(f"--month {label} has not begun yet")
    return months


def _heading(period: Period, language: str) -> str:
    return period.label + (say("under_way", language) if period.under_way else "")


def _print(data: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(data) + b"\n")


def _print_shares(found: list[Any], form: str, language: str) -> None:
    if form == "json":
        _print(sharetable.documents(found))
    elif form == "table":
        click.echo(sharetable.table(found, language) if found else say("nothing", language))
    else:
        raise UserError(f"--by department has no format {form}; there are: table, json")

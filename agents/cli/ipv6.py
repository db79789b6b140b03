"""`jianwei ipv6`: how ready this machine, another one or a recording is for IPv6, and why not."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import click
import msgspec

from agents import config as configuration
from agents.cli.audit import LOCAL_DEADLINE, params_of, progress
from agents.cli.lazygroup import LazyGroup
from agents.cli.options import (
    config_option,
    host_option,
    language_of,
    language_option,
    param_option,
    recorded_option,
)
from agents.limits import limited
from agents.sources import observe_with, open_source
from collectors import catalogue
from exporters.findings.readinesstable import table
from rules import pack as packs
from rules.audit import facts_of, host_of, judged, needed
from rules.engine import Judge
from rules.readiness import PACK, explained
from rules.readinessmodel import Readiness, Subject

COMMANDS = {
    "check": "Check sites over IPv4 and IPv6 side by side.",
    "watch": "Listen for router advertisements and DHCPv6 servers, and tell the rogue ones.",
    "estate": "Rank all sites and hosts of an estate, by department and level.",
}


@click.group(
    name="ipv6",
    cls=LazyGroup,
    table=COMMANDS,
    prefix="agents.cli.ipv6",
    invoke_without_command=True,
)
@config_option
@host_option
@recorded_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@param_option
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    path: str | None,
    host: str | None,
    recorded: str | None,
    as_json: bool,
    assignments: tuple[str, ...],
    lang: str | None,
) -> None:
    """Score a host's IPv6 readiness: 0 to 100, with a reason for every lost point.

    \b
    Examples:
      jianwei ipv6
      jianwei ipv6 --host ssh://admin@db-01 --json
      jianwei ipv6 --param 'accepted_scopes=[global, unique_local]'
    What could not be tested is shown, and never counts as passed: run it as root.
    """
    if ctx.invoked_subcommand:
        return
    config = configuration.load(path)
    pack = packs.load(PACK)
    params = params_of([pack], config.audit, assignments)[PACK]
    began, start = datetime.now(UTC), time.perf_counter()
    progress(f"reading {host or recorded or 'this machine'} …")
    collectors = catalogue.for_facts(needed([pack]), config.collectors.settings)
    with open_source(host, recorded, config.root, config.ssh) as source:
        facts = facts_of(observe_with(source, collectors, LOCAL_DEADLINE))
    progress("")
    known = host_of(facts)
    with limited(config.audit.deadline, "audit.deadline"):
        result = judged(Judge(pack, "host"), facts, params, known.id)
    subject = Subject("host", known.name or host or recorded or known.id, known.id)
    found = explained(pack, result, facts, subject, began, time.perf_counter() - start)
    show(found, as_json, language_of(lang))


def show(readiness: Readiness, as_json: bool, language: str) -> None:
    """One subject on standard output, for machines on one line or for people."""
    if as_json:
        click.echo(msgspec.json.encode(readiness))
    else:
        click.echo(table(readiness, language, sys.stdout.isatty()))

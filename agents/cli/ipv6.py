"""`jianwei ipv6`: how ready this machine, another one or a recording is for IPv6, and why not."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click
import msgspec

from agents import advertisements, readiness
from agents import config as configuration
from agents.cli.auditinput import facts_option, given, params_of
from agents.cli.lazygroup import LazyGroup
from agents.cli.options import (
    FiniteRange,
    config_option,
    host_option,
    language_of,
    language_option,
    param_option,
    progress,
    recorded_option,
)
from agents.errors import UserError
from collectors.ipv6.wire.advertisers import FACT as ADVERTISERS
from collectors.ipv6.wire.advertisers import WatchSettings
from collectors.model import Fact
from collectors.strictyaml import Duration
from exporters.findings.readinesstable import table
from rules import pack as packs
from rules.readinessmodel import PACK, Readiness

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
@click.option(
    "--watch",
    type=FiniteRange(1, 3600),
    metavar="SECONDS",
    help="First listen on the links for rogue routers, as `ipv6_watch` of the configuration says.",
)
@facts_option
@param_option
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    path: str | None,
    host: str | None,
    recorded: str | None,
    watch: float | None,
    facts: BinaryIO | None,
    as_json: bool,
    assignments: tuple[str, ...],
    lang: str | None,
) -> None:
    """Score a host's IPv6 readiness: 0 to 100, with a reason for every lost point.

    \b
    Examples:
      jianwei ipv6
      jianwei ipv6 --host ssh://admin@db-01 --json
      jianwei ipv6 --watch 10
      jianwei ipv6 --param 'accepted_scopes=[global, unique_local]'
    What could not be tested is shown, and never counts as passed: run it as root.
    """
    if ctx.invoked_subcommand:
        return
    config = configuration.load(path)
    pack = packs.load(PACK)
    params = params_of([pack], config.audit, assignments)[PACK]
    instead = given(facts) if facts else {}
    if watch:
        if host or recorded:
            raise UserError("--watch listens on this machine, not on another one")
        instead[ADVERTISERS] = _watched(config.ipv6_watch, watch)
    progress(f"reading {host or recorded or 'this machine'} …")
    found = readiness.host(config, pack, params, host, recorded, instead)
    progress("")
    show(found, as_json, language_of(lang))


def _watched(settings: WatchSettings, seconds: float) -> Fact:
    """Who advertises on the links, or why that is not known."""
    progress(f"listening for {seconds:g} s …")
    try:
        settings = msgspec.structs.replace(settings, seconds=Duration(seconds))
        found = advertisements.watch(settings)
    except advertisements.WatchFailed as error:
        return Fact(ADVERTISERS, None, unavailable=error.unavailable)
    if found.unknown:
        return Fact(ADVERTISERS, None, unavailable=found.unknown)
    return Fact(ADVERTISERS, msgspec.to_builtins(found.advertisers))


def show(found: Readiness, as_json: bool, language: str) -> None:
    """One subject on standard output, for machines on one line or for people."""
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo(table(found, language, sys.stdout.isatty()))

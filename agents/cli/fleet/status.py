"""`jianwei fleet status`: what runs where."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from agents.cli.fleet import lookover, options, session, tables
from agents.cli.fleet.tables import Look
from agents.fleet.plan import FOREIGN
from agents.fleet.tasks import Looking
from collectors.strictyaml import DocumentError


@click.command(name="status")
@options.no_bundle_option
@options.looking
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Say which version runs on each host and since when, which was before, whether it is ready, and
    whether the configuration there is the inventory's.

    \b
    Examples:
      jianwei fleet status --inventory hosts.yaml
      jianwei fleet status --inventory hosts.yaml --limit finance --json
    Exit codes: 0 all agents are ready and configured as the inventory has it, 1 one is not or its host
    cannot be asked, 2 bad input, 130 interrupted.
    """
    it = options.given(given)
    hosts = session.hosts_of(it)
    by_name = {host.name: host for host in hosts}
    made = session.configurations(it, b"")
    looks: list[Look] = []

    def take(look: Look) -> None:
        host = by_name[look.host]
        if look.seen and look.seen.current and host.config:
            try:
                same = made.of(host).sha256 == look.seen.config
                look = msgspec.structs.replace(look, same_config=same)
            except DocumentError as error:
                look = msgspec.structs.replace(look, problem=str(error))
        if look.seen and look.seen.foreign:
            look = msgspec.structs.replace(look, problem=FOREIGN)
        looks.append(look)
        if it.as_json:
            tables.line(look)

    status = lookover.over(it, hosts, Looking(), take, tell=False)
    if not it.as_json:
        tables.statuses(looks, it.language)
    well = all(look.seen and look.seen.ready and look.same_config is not False for look in looks)
    ctx.exit(status or int(not well))

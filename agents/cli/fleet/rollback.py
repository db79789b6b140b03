"""`jianwei fleet rollback`: the version before."""

from __future__ import annotations

from typing import Any

import click

from agents.cli.fleet import options, session, words
from agents.fleet.tasks import GoingBack


@click.command(name="rollback")
@options.ready_option
@options.yes_option
@options.no_bundle_option
@options.changing
@click.pass_context
def command(ctx: click.Context, /, seconds: float, yes: bool, **given: Any) -> None:
    """Have the version before run again on hosts, with the configuration that is there.

    \b
    Examples:
      jianwei fleet rollback --inventory hosts.yaml --limit db-01
      jianwei fleet rollback --inventory hosts.yaml --yes --canary 1
    Exit codes: 0 all is well, 1 a host is not, 2 bad input and nothing was done, 130 interrupted.
    """
    it = options.given(given)
    hosts = session.hosts_of(it)
    session.confirm(yes, words.ASK_ROLLBACK.of(it.language).format(len(hosts)), it.language)
    ctx.exit(session.change(it, hosts, GoingBack(seconds), "rollback"))

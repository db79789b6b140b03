"""`jianwei fleet uninstall`: nothing of the agent is left."""

from __future__ import annotations

from typing import Any

import click

from agents.cli.fleet import options, session, words
from agents.fleet.tasks import Removing


@click.command(name="uninstall")
@click.option("--keep-state", is_flag=True, help="Leave /var/lib/jianwei: history, hits, queues.")
@options.yes_option
@options.no_bundle_option
@options.changing
@click.pass_context
def command(ctx: click.Context, /, keep_state: bool, yes: bool, **given: Any) -> None:
    """Take the agent off hosts: releases, configuration, unit, user and, without --keep-state, its state.

    \b
    Examples:
      jianwei fleet uninstall --inventory hosts.yaml --limit old-department
      jianwei fleet uninstall --inventory hosts.yaml --keep-state --yes
    Exit codes: 0 all is well, 1 a host is not, 2 bad input and nothing was done, 130 interrupted.
    """
    it = options.given(given)
    hosts = session.hosts_of(it)
    session.confirm(yes, words.ASK_UNINSTALL.of(it.language).format(len(hosts)), it.language)
    ctx.exit(session.change(it, hosts, Removing(keep_state), "uninstall"))

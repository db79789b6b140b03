"""`jianwei fleet upgrade`: hosts that have an agent to another version."""

from __future__ import annotations

from typing import Any

import click

from agents.cli.fleet import options, session


@click.command(name="upgrade")
@options.bundle_option
@options.ready_option
@options.changing
@click.pass_context
def command(ctx: click.Context, /, path: str, seconds: float, **given: Any) -> None:
    """Bring hosts that have an agent to the version of a bundle; hosts without one are left alone.

    The version before stays beside it, and runs again if the new one does not become ready in time.

    \b
    Examples:
      jianwei fleet upgrade --inventory hosts.yaml --bundle dist/jianwei-agent-1.1-linux-x86_64.tar.gz
      jianwei fleet upgrade --inventory hosts.yaml --bundle … --canary 2 --batch 10%
    Exit codes: 0 all is well, 1 a host is not, 2 bad input and nothing was done, 130 interrupted.
    """
    it = options.given(given)
    hosts = session.hosts_of(it)
    task, bundle = session.deploying(it, hosts, path, seconds, upgrade=True)
    ctx.exit(session.change(it, hosts, task, "upgrade", bundle))

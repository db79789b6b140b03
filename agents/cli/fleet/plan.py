"""`jianwei fleet plan`: what deploy would do, and why."""

from __future__ import annotations

from typing import Any

import click

from agents.cli.fleet import lookover, options, session, tables
from agents.cli.fleet.tables import Look


@click.command(name="plan")
@options.bundle_option
@options.state_option
@options.looking
@click.pass_context
def command(ctx: click.Context, /, path: str, **given: Any) -> None:
    """Say what deploy would do on each host, and why. Nothing is changed anywhere.

    \b
    Examples:
      jianwei fleet plan --inventory hosts.yaml --bundle dist/jianwei-agent-1.0-linux-x86_64.tar.gz
      jianwei fleet plan --inventory hosts.yaml --bundle … --json
    Exit codes: 0 deploy can be done, 1 a host has a problem, 2 bad input, 130 interrupted.
    """
    it = options.given(given)
    hosts = session.hosts_of(it)
    task, _ = session.deploying(it, hosts, path, seconds=0)
    looks: list[Look] = []
    status = lookover.over(it, hosts, task, looks.append, dry=True)
    if not it.as_json:
        tables.plans(looks, it.language)
    ctx.exit(status)

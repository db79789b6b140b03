"""`jianwei fleet deploy`: the agent on hosts, of one version and configuration."""

from __future__ import annotations

from typing import Any

import click

from agents.cli.fleet import options, session


@click.command(name="deploy")
@options.bundle_option
@options.ready_option
@options.changing
@click.pass_context
def command(ctx: click.Context, /, path: str, seconds: float, **given: Any) -> None:
    """Put the agent on hosts, or bring them to the version of a bundle and to their configuration.

    Each host is looked at first: what is there is not done again, so the same command goes on after
    anything that ended it. An agent that does not become ready goes back to the version before.

    \b
    Examples:
      jianwei fleet deploy --inventory hosts.yaml --bundle dist/jianwei-agent-1.0-linux-x86_64.tar.gz
      jianwei fleet deploy --inventory hosts.yaml --bundle … --canary 5% --batch 20
      jianwei fleet deploy --inventory hosts.yaml --bundle … --limit finance --failed
    Exit codes: 0 all is well, 1 a host is not, 2 bad input and nothing was done, 130 interrupted.
    """
    it = options.given(given)
    hosts = session.hosts_of(it)
    task, bundle = session.deploying(it, hosts, path, seconds)
    ctx.exit(session.change(it, hosts, task, "deploy", bundle))

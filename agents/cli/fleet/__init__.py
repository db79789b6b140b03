"""`jianwei fleet`: agents on many hosts, put there and kept over SSH, and told to Prometheus."""

from __future__ import annotations

import click

from agents.cli.lazygroup import LazyGroup

COMMANDS = {
    "plan": "Say what deploy would do on each host.",
    "deploy": "Put the agent on hosts, or bring them to a version and configuration.",
    "status": "Say which version runs where, and whether it is ready.",
    "upgrade": "Bring hosts that have an agent to another version.",
    "rollback": "Go back to the version before.",
    "uninstall": "Take the agent off hosts; nothing is left.",
    "exec-audit": "Have the agents of many hosts audit them, and collect the results.",
    "sd": "Print Prometheus targets from the inventory.",
    "serve-sd": "Serve Prometheus targets from the inventory over HTTP.",
}


@click.group(cls=LazyGroup, table=COMMANDS, prefix="agents.cli.fleet.")
def command() -> None:
    """Put agents on many hosts over SSH, keep them there, and tell Prometheus of them.

    \b
    Examples:
      jianwei fleet plan --inventory hosts.yaml --bundle dist/jianwei-agent-1.0-linux-x86_64.tar.gz
      jianwei fleet deploy --inventory hosts.yaml --bundle … --canary 5% --batch 20
      jianwei fleet sd --inventory hosts.yaml --format file
    """

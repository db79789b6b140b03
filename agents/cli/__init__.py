"""The `jianwei` command: a table of subcommands, each imported only when it is called.

Exit codes of every command: 0 done, 1 the command's own negative result, 2 bad input.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from agents.errors import UserError
from agents.logs import LogFormat, set_up
from collectors.strictyaml import DocumentError

# name → one line of help; the module has the name with `_` for `-`, and exports `command`.
COMMANDS = {
    "run": "Run the agent: serve metrics, probe links, audit on schedule.",
    "once": "Observe once and print; also over SSH or from a recording.",
    "explain": "Say exactly what each collector reads, and whether it may.",
    "record": "Record everything a machine answers into a folder.",
    "audit": "Judge this machine by rule packs.",
    "rules": "List, lint and test rule packs.",
    "probe": "Probe targets over IPv4 and IPv6.",
    "check-config": "Check a configuration file and say what it means.",
    "self-test": "Check that this installation works on this machine.",
}


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agents.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (UserError, DocumentError) as error:
            print(f"jianwei: {error}", file=sys.stderr)  # noqa: T201 - the way errors are told
            ctx.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Of logs on standard error."
)
@click.version_option(package_name="jianwei")
@click.pass_context
def main(ctx: click.Context, log_format: LogFormat | None) -> None:
    """Jianwei (见微) watches a government cloud and its extranet.

    \b
    Exit codes: 0 done, 1 the command's own negative result, 2 bad input.
    """
    set_up("warning", log_format or "text")
    ctx.obj = log_format

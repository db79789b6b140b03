"""`jianwei console`: the review console, a process of its own (docs/console.md)."""

from __future__ import annotations

import click
import msgspec
import sqlalchemy.exc

from agents import logs, memory
from agents.cli import consoleuser
from agents.errors import UserError
from agents.state import default_state_dir
from exporters.console import settings as consolesettings
from exporters.console.database import DatabaseError
from exporters.console.people.first import ADMINISTRATOR
from exporters.console.serving import ConsoleServer
from exporters.console.settings import ConsoleSettings
from exporters.prometheus.listen import ListenError


@click.group(name="console", invoke_without_command=True)
@click.option("--config", "path", type=click.Path(), help="The console's configuration file.")
@click.option(
    "--db", "url", metavar="URL", help="sqlite:////path/console.db or postgresql://user@host/name."
)
@click.option(
    "--listen", "listen", multiple=True, metavar="ADDR", help="host:port; may be repeated."
)
@click.pass_context
def command(ctx: click.Context, path: str | None, url: str | None, listen: tuple[str, ...]) -> None:
    """Serve the review console, where people work through hits.

    \b
    Examples:
      jianwei console
      jianwei console --config /etc/jianwei-console/console.yaml
      jianwei console --db postgresql://jianwei@db/jianwei --listen [::1]:9809
    At the first start it prints the password of its first administrator, once.
    Exit codes: 0 ended, 2 bad configuration, or a database or address that cannot be used.
    """
    settings = consolesettings.load(path) if path else ConsoleSettings()
    settings = msgspec.structs.replace(
        settings,
        db=url or settings.db or f"sqlite:///{default_state_dir()}/console.db",
        listen=listen or settings.listen,
    )
    ctx.obj = settings
    if ctx.invoked_subcommand is None:
        serve(settings)


def serve(settings: ConsoleSettings) -> None:
    memory.share_one_arena()
    logs.set_up("info", "text")
    try:
        server = ConsoleServer(settings)
        if password := server.prepare():
            click.echo(f"First start: log in as {ADMINISTRATOR} with the password {password}")
        server.run(lambda url: click.echo(f"Jianwei console on {url}"))
    except (DatabaseError, ListenError) as error:
        raise UserError(str(error)) from error
    except sqlalchemy.exc.OperationalError as error:
        raise UserError(f"the database: {error.orig}") from error


command.add_command(consoleuser.user)
command.add_command(consoleuser.verify_log)

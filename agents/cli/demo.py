"""`jianwei demo`: an example city in a console of its own, with its monthly report (docs/demo.md)."""

from __future__ import annotations

import time
from pathlib import Path

import click

from agents import logs
from agents.cli.options import progress
from agents.errors import UserError


@click.command(name="demo")
@click.option(
    "--folder", default="build/demo", show_default=True, help="Where it is made, anew each time."
)
@click.option("--listen", default="127.0.0.1:9809", show_default=True, metavar="ADDR")
@click.option("--report/--no-report", default=True, help="Whether the monthly report is made, too.")
@click.option("--serve/--no-serve", default=True, help="Whether the console is started at the end.")
def command(folder: str, listen: str, report: bool, serve: bool) -> None:
    """See everything in two minutes: 1,200 machines of 23 departments, 1,167 lines, a month of audits.

    All of it is made up, and every page and file says so (示例数据).

    \b
    Examples:
      jianwei demo
      jianwei demo --folder /tmp/demo --listen 127.0.0.1:9909
    Exit codes: 0 ended, 2 the folder or the address cannot be used.
    """
    from agents.demo import making
    from agents.demo.reporting import made_report
    from exporters.console.serving import serve as serve_console

    begun = time.monotonic()
    try:
        made = making.make(Path(folder).absolute(), lambda what: progress(f"{what} …"))
        if report:
            progress("monthly report …")
            made_report(made)
    finally:
        progress("")
    click.echo(f"{folder} was made in {time.monotonic() - begun:.0f} s")
    for name, role in making.USERS:
        click.echo(f"  {name} ({role})  {made.password}")
    if serve:
        logs.set_up("warning", "text")
        click.echo(f"Jianwei console on http://{listen}/")
        serve_console(made.settings, (listen,), UserError)

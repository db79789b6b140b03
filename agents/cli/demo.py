"""`jianwei demo`: an example city in a console of its own, with its monthly report (docs/console.md)."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from agents.cli.options import progress


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
    from agents.cli.console import serve as serve_console
    from agents.demo.making import make
    from agents.demo.people import USERS
    from agents.demo.reporting import made_report

    begun = time.monotonic()
    try:
        made = make(Path(folder).absolute(), lambda what: progress(f"{what} …"))
        if report:
            progress("monthly report …")
            made_report(made)
    finally:
        progress("")
    click.echo(f"{folder} was made in {time.monotonic() - begun:.0f} s")
    for name, _, role, _ in USERS:
        click.echo(f"  {name} ({role})  {made.password}")
    if serve:
        serve_console(msgspec.structs.replace(made.settings, listen=(listen,)))

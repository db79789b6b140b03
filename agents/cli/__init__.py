"""The `jianwei` command: a table of subcommands, each imported only when it is called.

Exit codes of every command: 0 done, 1 the command's own negative result or output that cannot be
written, 2 bad input, 130 interrupted, 141 who read the output went away (as a shell tells SIGPIPE).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from agents.cli.lazygroup import LazyGroup
from agents.errors import UserError
from agents.logs import LogFormat, set_up
from collectors.strictyaml import DocumentError
from exporters.prometheus.listen import ListenError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

COMMANDS = {
    "run": "Run the agent: serve metrics, probe links, audit on schedule.",
    "once": "Observe once and print; also over SSH or from a recording.",
    "explain": "Say exactly what each collector reads, and whether it may.",
    "record": "Record everything a machine answers into a folder.",
    "audit": "Judge this machine by rule packs.",
    "hits": "List, show and acknowledge what audits found.",
    "findings": "Show what waits for receivers of findings.",
    "rules": "List, lint, test and sign rule packs; the coverage of a standard.",
    "inventory": "Scan what takes long to see, and say how old it is.",
    "cloud": "Show what clouds have, whose it is, and what is used of it.",
    "usage": "Say which resources were idle or busy over a month.",
    "demo": "See an example city in the console, with its monthly report.",
    "console": "Serve the review console: hits, waivers, fleet, reports.",
    "fleet": "Put agents on many hosts over SSH, and keep them there.",
    "enrol": "Enrol this machine at a review console.",
    "report": "Make the monthly report: HTML, PDF, XLSX, CSV, JSON.",
    "probe": "Probe targets over IPv4 and IPv6.",
    "path": "Trace the way to targets over IPv4 and IPv6.",
    "ipv6": "Score the IPv6 readiness of a host or a site.",
    "history": "Import, summarise, export and merge the history of usage.",
    "interfaces": "Ask routers, switches and hosts for their interfaces.",
    "check-config": "Check a configuration file and say what it means.",
    "ready": "Wait until the agent of this machine is ready.",
    "self-test": "Check that this installation works on this machine.",
}


class Commands(LazyGroup):
    """What every command has: errors in a line, and output that may fail."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by who started us
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _output():  # --help and --version print here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _output():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(0 if ctx.invoked_subcommand == "run" else 130)  # how an agent is ended
        except (UserError, DocumentError, ListenError) as error:
            print(f"jianwei: {error}", file=sys.stderr)  # noqa: T201 - the way errors are told
            ctx.exit(2)
        except ModuleNotFoundError as error:
            from agents.cli import leftout

            if not (told := leftout.told(error)):
                raise
            print(f"jianwei: {told}", file=sys.stderr)  # noqa: T201
            ctx.exit(2)


@contextmanager
def _output() -> Iterator[None]:
    """Output that cannot be written ends the command with a line, or quietly if nobody reads."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, *_UNWRITABLE):
            raise
        # what is left in the buffer would fail again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            raise SystemExit(141) from error
        print(f"jianwei: cannot write: {error.strerror}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from error


@click.group(
    cls=Commands,
    table=COMMANDS,
    prefix="agents.cli.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Of logs on standard error."
)
@click.version_option(package_name="jianwei")
@click.pass_context
def main(ctx: click.Context, log_format: LogFormat | None) -> None:
    """Jianwei (见微) watches a government cloud and its extranet.

    \b
    Examples:
      jianwei self-test
      jianwei once --collect cpu
      jianwei audit --fail-on high
      jianwei run --config /etc/jianwei/jianwei.yaml
    Exit codes: 0 done, 1 the command's own negative result or output that cannot be written,
    2 bad input, 130 interrupted, 141 the reader of the output went away.
    """
    set_up("warning", log_format or "text")
    ctx.obj = log_format

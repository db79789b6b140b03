"""`jianwei fleet exec-audit`: the agents of many hosts audit them; the results come here."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from agents.cli import fleetaudit
from agents.cli.audit import FAIL_ON, fails, of_host
from agents.cli.fleet import options, session
from agents.cli.fleet.said import said
from agents.errors import UserError
from agents.fleet import execaudit, hostlog
from agents.fleet.audit import HostResult
from agents.fleet.model import FleetHost, Outcome
from agents.fleet.remote import connected
from agents.fleet.rollout import Halt, Pace, roll
from exporters.report.files import write
from rules.settings import is_path


@click.command(name="exec-audit")
@click.option(
    "--pack",
    "packs",
    multiple=True,
    metavar="NAME|FILE",
    help="A built-in pack, or an absolute path on the hosts, instead of those configured there.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write each host's audit there as JSON.",
)
@click.option("--hits", "keep", is_flag=True, help="Keep the hits on the hosts, as jianwei audit.")
@click.option("--scan", is_flag=True, help="Take slow inventories now; minutes.")
@click.option("--fail-on", type=click.Choice(FAIL_ON), default="none", show_default=True)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1, 7200),
    default=300.0,
    show_default=True,
    help="Seconds for the audit of a host.",
)
@options.looking
@click.pass_context
def command(
    ctx: click.Context,
    /,
    packs: tuple[str, ...],
    output: str | None,
    keep: bool,
    scan: bool,
    fail_on: str,
    seconds: float,
    **given: Any,
) -> None:
    """Have the agents of many hosts audit them, and collect the results.

    They run as root where the inventory lets us rise (sudo), else as who logs in, who may not read all.

    \b
    Examples:
      jianwei fleet exec-audit --inventory hosts.yaml --pack mlps-l3
      jianwei fleet exec-audit --inventory hosts.yaml --limit finance --output audits/ --hits
      jianwei fleet exec-audit --inventory hosts.yaml --json --fail-on high
    Exit codes: 0 done, 1 a rule came out as --fail-on says or a host could not be asked, 2 bad
    input, 130 interrupted.
    """
    it = options.given(given)
    if near := [pack for pack in packs if is_path(pack) and not pack.startswith("/")]:
        raise UserError(
            f"--pack {near[0]}: it is read on the hosts: write its absolute path there, and let "
            "the configuration of the inventory name it, so that deploy sends it"
        )
    hosts = session.hosts_of(it)
    folder = _folder(output)
    argv = execaudit.arguments(packs, keep, scan)
    halt = Halt()
    with session.interruptible(halt):
        results = _results(hosts, argv, seconds, it.parallel, folder, halt)
        if not it.as_json:
            replace = msgspec.structs.replace
            results = (replace(one, problem=said(one.problem, it.language)) for one in results)
        encode = (lambda one: of_host(one, (), "json")) if it.as_json else None
        status = fleetaudit.run(
            results, len(hosts), None, encode, lambda one: fails(one, fail_on), it.lang
        )
    sys.stdout.flush()
    ctx.exit(130 if halt.why == session.INTERRUPTED else status)


def _folder(output: str | None) -> Path | None:
    if output is None:
        return None
    try:
        Path(output).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}") from error
    return Path(output)


def _results(
    hosts: Sequence[FleetHost],
    argv: Sequence[str],
    seconds: float,
    parallel: int,
    folder: Path | None,
    halt: Halt,
) -> Iterator[HostResult]:
    by_name = {host.name: host for host in hosts}
    results: dict[str, HostResult] = {}
    decoder = execaudit.decoder()

    def work(host: FleetHost) -> Outcome:
        result, content = execaudit.audited(host, connected, argv, seconds, decoder)
        if folder and content:
            name = hostlog.file_name(host.name).removesuffix(".log") + ".json"
            try:
                write(str(folder), {name: content})
            except OSError as error:
                halt(f"--output {folder}: {error.strerror}")
        results[host.name] = result
        return Outcome(host=host.name, state="unreachable" if result.problem else "unchanged")

    for outcome in roll(hosts, work, Pace(parallel=parallel), halt):
        host = by_name[outcome.host]
        skipped = HostResult(
            host.name, host.address, host.department, host.owner, problem=outcome.problem
        )
        yield results.pop(outcome.host, skipped)

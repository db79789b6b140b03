"""`jianwei audit`: judge this machine, another one over SSH, or a recording by rule packs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import click
import msgspec

from agents import config as configuration
from agents import scapolicies
from agents.cli import fleetaudit
from agents.cli.auditinput import facts_option, given, load_packs, params_of
from agents.cli.fleet.inventoryoptions import limit_option
from agents.cli.options import (
    allow_commands_option,
    config_option,
    host_option,
    language_of,
    language_option,
    param_option,
    progress,
    recorded_option,
    semantics_option,
)
from agents.errors import UserError
from agents.fleet import audited
from agents.fleet.audit import HostResult, audit_all
from agents.hitstore import HitKeeper
from agents.inventories import slow_facts
from agents.limits import limited
from agents.readiness import LOCAL_DEADLINE
from agents.sources import observe_with, open_source
from collectors import catalogue
from exporters.findings.digest import digest, served
from exporters.findings.formats import FORMATS
from exporters.findings.hitstable import lost
from exporters.findings.table import table
from exporters.findings.text import neutral
from exporters.report.files import write
from rules import signing
from rules.audit import audit, facts_of, host_of, needed
from rules.model import SEVERITIES, AuditResult, Pack, by_id

FAIL_ON = ("none", "low", "medium", "high", "critical", "unknown")
FLEET_FORMATS = ("table", "json", "ocsf")


@click.command(name="audit")
@config_option
@click.option(
    "--pack",
    "names",
    multiple=True,
    metavar="NAME|FILE",
    help="A built-in pack or a YAML file, instead of those configured; may be repeated.",
)
@host_option
@recorded_option
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True
)
@click.option(
    "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write there instead."
)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    default="none",
    show_default=True,
    help="Exit with 1 if a rule of this severity or above fails; unknown: if any rule fails or "
    "could not be judged.",
)
@click.option(
    "--scan", is_flag=True, help="Take slow inventories now rather than as last scanned; minutes."
)
@param_option
@facts_option
@click.option(
    "--inventory",
    type=click.Path(),
    metavar="FILE",
    help="Judge every host in FILE, many at once: an inventory (docs/fleet-inventory.md) or a file of the "
    "estate (docs/estate.md).",
)
@limit_option
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=32,
    help="Hosts of an inventory asked at once.",
)
@click.option(
    "--hits",
    "keep",
    is_flag=True,
    help="Keep the hits in the state folder: new, fixed, regressed, waived; see jianwei hits.",
)
@click.option("--told", type=int, hidden=True)  # of the agent: the last change that was passed on
@allow_commands_option
@semantics_option
@language_option
@click.pass_context
def command(
    ctx: click.Context,
    path: str | None,
    names: tuple[str, ...],
    recorded: str | None,
    host: str | None,
    form: str,
    output: str | None,
    fail_on: str,
    scan: bool,
    assignments: tuple[str, ...],
    facts: BinaryIO | None,
    inventory: str | None,
    limit: tuple[str, ...],
    workers: int,
    keep: bool,
    told: int | None,
    allow_commands: bool,
    semantics: str | None,
    lang: str | None,
) -> None:
    """Judge this machine by rule packs. Nothing is changed on it.

    What may not be read is unknown, never passed: run it as root to judge everything. Slow
    inventories are taken as last scanned (jianwei inventory), of another host with --scan only.

    \b
    Examples:
      jianwei audit
      jianwei audit --host ssh://admin@db-01 --format json
      jianwei audit --pack mlps-l3 --format html --output audit.html
      jianwei audit --pack ./city.yaml --param max_days=60 --fail-on high
      jianwei audit --inventory hosts.yaml --pack mlps-l3 --format json
      jianwei audit --inventory hosts.yaml --limit department=财政局
      jianwei audit --pack ./cis_debian12.yml --allow-commands
    Exit codes:
      0  done, and nothing that --fail-on asks for
      1  a rule came out as --fail-on says, or a host of the inventory could not be asked
      2  bad input: configuration, pack, parameter, recording, or the host cannot be reached
    Judging that takes more than audit.deadline is ended by SIGALRM, by SIGABRT if it takes
    more than a GiB; a line on standard error says so.
    """
    config = configuration.load(path)
    meaning = 4 if semantics == "4" else 5 if semantics else config.audit.sca_semantics
    read = signing.reader(config.audit.trusted_keys)
    policies = scapolicies.sort(names or config.audit.packs, meaning, read)
    loaded = load_packs(policies.packs, read) if policies.packs or not policies.policies else []
    params = params_of(loaded, config.audit, assignments, strict=not names)
    if keep:
        _check_keeping(assignments, recorded)
        if facts and told is None:
            raise UserError(
                "--hits keeps what is seen of the host, not --facts; leave out one of them"
            )
    keeper = HitKeeper(config) if keep else None
    if limit and inventory is None:
        raise UserError("--limit is of --inventory")
    if inventory is not None:
        if host or recorded or facts:
            raise UserError("--inventory names the hosts: not with --host, --recorded or --facts")
        if form not in FLEET_FORMATS or output:
            raise UserError("--inventory prints table, json or ocsf, to standard output")
        hosts = audited.hosts(inventory, config.ssh, limit)
        for row in hosts if keep else ():
            _check_keeping((), row.asked[1])
        results = audit_all(config, hosts, loaded, params, workers, policies, scan, allow_commands)
        encode = None if form == "table" else lambda it: of_host(it, loaded, form)
        ctx.exit(
            fleetaudit.run(
                results, len(hosts), keeper, encode, lambda result: fails(result, fail_on), lang
            )
        )
    names_needed = needed(loaded)
    collectors = catalogue.for_facts(names_needed, config.collectors.settings)
    instead = given(facts) if facts else {}
    began, start = datetime.now(UTC), time.perf_counter()
    progress(f"reading {host or recorded or 'this machine'} …")
    with open_source(host, recorded, config.root, config.ssh) as source:
        commands = allow_commands or config.audit.allow_commands
        asking = scapolicies.Asking(policies, source, commands, config.root)
        observations = observe_with(asking.source, collectors, LOCAL_DEADLINE)
        asked = source if scan or recorded else None
        slow = slow_facts(config, names_needed, asked, elsewhere=host is not None)
        judged = {**facts_of(observations), **slow, **instead}
        more = asking.results(host_of(judged).id, config.audit.deadline * 0.7)
    progress("judging …")
    with limited(config.audit.deadline, "audit.deadline"):
        result = audit(loaded, judged, params, began)
    result = msgspec.structs.replace(
        result,
        duration=time.perf_counter() - start,
        packs=scapolicies.merged(result.packs, more),
    )
    if keeper:
        result = keeper.kept(result, told or 0)
    progress("")
    if told is not None:
        short = digest(result, names_needed, by_id(loaded))
        sys.stdout.buffer.write(msgspec.json.encode(short) + b"\n" + served(result))
        return
    tell(result, loaded, form, language_of(lang), output)
    if result.hits_lost:
        click.echo(lost(result.hits_lost), err=True)
    if result.hits_problem:
        raise UserError(result.hits_problem)
    if fails(result, fail_on):
        ctx.exit(1)


def _check_keeping(assignments: Sequence[str], recorded: str | None) -> None:
    """Hits are closed by what is so now, and by the thresholds that every audit of the host has."""
    if assignments:
        raise UserError(
            "--hits with --param would keep hits by thresholds of this audit alone; write them into "
            "audit.params of the configuration"
        )
    if recorded is not None:
        raise UserError(
            f"--hits: {recorded} is a recording, which says nothing of the host now; leave out --hits"
        )


def tell(
    result: AuditResult, loaded: Sequence[Pack], form: str, language: str, output: str | None
) -> None:
    """In one of the formats, to standard output or to a file that nobody reads half of."""
    if form == "table" and not output:
        click.echo(table(result, language, sys.stdout.isatty()))
        return
    content = formatted(result, loaded, form, language)
    if not output:
        click.echo(content, nl=False)
        return
    try:
        write(os.path.dirname(output) or ".", {os.path.basename(output): content})
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}") from error


def formatted(result: AuditResult, loaded: Sequence[Pack], form: str, language: str) -> bytes:
    rules = by_id(loaded)
    hits = {hit.fingerprint: hit for hit in result.hits}
    return FORMATS[form](result, rules, hits, language)


def of_host(it: HostResult, loaded: Sequence[Pack], form: str) -> bytes:
    """Lines of one host of an inventory. OCSF has none for one that could not be asked: standard error has."""
    if form == "json":
        return msgspec.json.encode(it) + b"\n"
    if it.result:
        return formatted(it.result, loaded, form, "")
    click.echo(f"{neutral(it.name)}: {neutral(it.problem)}", err=True)
    return b""


def fails(result: AuditResult, fail_on: str) -> bool:
    """Whether the audit is one that --fail-on asks for."""
    outcomes = {(v.verdict, v.severity) for pack in result.packs for v in pack.verdicts}
    if fail_on == "none":
        return False
    if fail_on == "unknown":
        return any(outcome in ("fail", "unknown") for outcome, _ in outcomes)
    bad = SEVERITIES[SEVERITIES.index(fail_on) :]
    return any(outcome == "fail" and severity in bad for outcome, severity in outcomes)

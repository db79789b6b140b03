"""`jianwei hits`: what failed, since when, and who answers for it."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import click
import msgspec

from agents import config as configuration
from agents import scapolicies
from agents.cli.options import config_option, language_of, language_option
from agents.config import Config
from agents.errors import UserError
from agents.hitstore import HitStore
from agents.state import state_dir
from collectors.strictyaml import DocumentError
from exporters.findings import digest
from exporters.findings.hitstable import lost, table, whole
from rules import hits, signing, waivers
from rules import pack as packs
from rules.hits import Ledger
from rules.model import OPEN, SEVERITIES, WORKFLOWS, Hit, Host, Rule, Workflow, by_id
from rules.sca.evaluate import rule_of
from rules.sca.kind import policy_of
from rules.settings import AuditSettings, built_in

log = logging.getLogger(__name__)

_ORDER = {severity: -number for number, severity in enumerate(SEVERITIES)}


@click.group(name="hits")
def command() -> None:
    """List, show and acknowledge hits that audits with --hits and the agent keep.

    \b
    Examples:
      jianwei hits list
      jianwei hits list --state new --state regressed --json
      jianwei hits show 4f0c8a1e6c3b
      jianwei hits acknowledge 4f0c8a1e6c3b --by 张伟 --note "change 4711"
    Exit codes: 0 done, 1 a waivers file is wrong, 2 bad input, or the hits cannot be read.
    """


@command.command(name="list")
@config_option
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(WORKFLOWS),
    help="Only hits in this state; may be repeated. Without: all but those fixed.",
)
@click.option("--severity", type=click.Choice(SEVERITIES), help="This severity or above.")
@click.option("--host", "host", help="Only of this host, by name or id.")
@click.option("--json", "as_json", is_flag=True)
@language_option
def list_(
    path: str | None,
    states: tuple[Workflow, ...],
    severity: str | None,
    host: str | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """List hits, the most severe first and of these the oldest.

    \b
    Examples:
      jianwei hits list --severity high
    Exit codes: 0 done, 2 the hits cannot be read.
    """
    wanted = SEVERITIES[SEVERITIES.index(severity) :] if severity else SEVERITIES
    problems: list[str] = []
    ledgers = list(_store(path).all(problems.append))
    found = [
        hit
        for ledger in ledgers
        for hit in ledger.hits
        if (hit.state in states if states else hit.state != "fixed")
        and hit.severity in wanted
        and host in (None, hit.host.name, hit.host.id)
    ]
    found.sort(key=lambda hit: (_ORDER[hit.severity], hit.first_seen, hit.rule, hit.instance))
    click.echo(msgspec.json.encode(found) if as_json else table(found, language_of(lang)))
    if missed := sum(ledger.lost for ledger in ledgers):
        click.echo(lost(missed), err=True)
    if problems:
        raise UserError("; ".join(problems))


@command.command()
@config_option
@click.argument("fingerprint")
@click.option("--json", "as_json", is_flag=True)
@language_option
def show(path: str | None, fingerprint: str, as_json: bool, lang: str | None) -> None:
    """Show one hit whole, by its fingerprint or the beginning of it.

    \b
    Examples:
      jianwei hits show 4f0c8a1e6c3b
    Exit codes: 0 done, 2 there is no such hit.
    """
    [(_, hit)] = _named(_store(path), [fingerprint])
    click.echo(msgspec.json.encode(hit) if as_json else whole(hit, language_of(lang)))


@command.command()
@config_option
@click.argument("fingerprints", nargs=-1, required=True, metavar="FINGERPRINT...")
@click.option("--by", required=True, help="Who acknowledges.")
@click.option("--note", default="", help="What is done about it.")
def acknowledge(path: str | None, fingerprints: tuple[str, ...], by: str, note: str) -> None:
    """Acknowledge open hits: somebody works on them.

    \b
    Examples:
      jianwei hits acknowledge 4f0c8a1e6c3b --by 张伟 --note "change 4711"
    Exit codes: 0 done, 2 there is no such hit, or it is fixed or waived; then none is changed.
    """
    if not by.strip():
        raise UserError("--by is empty: who acknowledges?")
    store, now = _store(path), datetime.now(UTC)
    found = _named(store, fingerprints)
    for _, hit in found:
        if hit.state not in OPEN:
            raise UserError(f"{hit.fingerprint} is {hit.state}; only open hits are acknowledged")
    for ledger in {ledger.host.id: ledger for ledger, _ in found}.values():
        marks = [hit.fingerprint for its, hit in found if its.host.id == ledger.host.id]

        def change(known: Ledger, marks: list[str] = marks) -> Ledger:
            try:
                return hits.acknowledge(known, marks, by, note, now)
            except KeyError as error:
                raise UserError(f"{error.args[0]} was fixed or waived meanwhile") from error

        store.change(ledger.host, change)
    click.echo(f"{len(found)} acknowledged")


@command.command(hidden=True)
@config_option
@click.option("--host", required=True, metavar="ID")
@click.option("--after", type=int, required=True)
def untold(path: str | None, host: str, after: int) -> None:
    """For the agent: the next changes of a host after one of them, as JSON."""
    config = configuration.load(path)
    waiting = HitStore(state_dir(config)).read(Host(host)).told(after).untold
    click.echo(msgspec.json.encode(digest.untold(waiting, _texts(config.audit))))


def _texts(settings: AuditSettings) -> dict[str, Rule]:
    """The rules that audits judge by, for what they say of why and how to fix; without them a change is
    told as well."""
    try:
        read = signing.reader(settings.trusted_keys)
        names = [name for name in settings.packs if policy_of(name, read) is None]
        return by_id(packs.outline(name, read) for name in names)
    except (OSError, DocumentError) as error:
        log.warning("changes are told without the texts of rules: %s", error)
        return {}


@command.command(name="waivers")
@config_option
@click.option(
    "--pack",
    "names",
    multiple=True,
    metavar="NAME|FILE",
    help="A further pack whose rules are waived; may be repeated.",
)
@click.argument("file", type=click.Path())
@click.pass_context
def check_waivers(ctx: click.Context, path: str | None, names: tuple[str, ...], file: str) -> None:
    """Check a waivers file, and say which of its waivers have expired.

    A rule has to be in a built-in pack, in one of the configuration, or in one of --pack.

    \b
    Examples:
      jianwei hits waivers /etc/jianwei/waivers.yaml
    Exit codes: 0 it is right, 1 it is not, 2 it, the configuration or a pack cannot be read.
    """
    try:
        found = waivers.load(file)
    except DocumentError as error:
        if error.line is None:
            raise
        click.echo(str(error), err=True)
        ctx.exit(1)
    today = datetime.now().astimezone().date()
    for waiver in found:
        if waiver.expires < today:
            click.echo(f"{waiver.id}: expired on {waiver.expires}")
    rules = _rules(configuration.load(path), names)
    wrong = [waiver for waiver in found if waiver.rule not in rules]
    for waiver in wrong:
        near = difflib.get_close_matches(waiver.rule, rules, 1)
        hint = f"did you mean {near[0]!r}?" if near else "name its pack by --pack or --config"
        click.echo(f"{waiver.id}: no pack has a rule {waiver.rule!r}; {hint}", err=True)
    if wrong:
        ctx.exit(1)
    click.echo(f"{file}: {len(found)} waivers, no mistake")


def _rules(config: Config, names: Iterable[str]) -> set[str]:
    """The rules that can be waived, by id."""
    settings = config.audit
    read = signing.reader(settings.trusted_keys)
    found = {rule.id for name in built_in() for rule in packs.outline(name).rules}
    for name in dict.fromkeys((*settings.packs, *names)):
        policies = scapolicies.sort([name], settings.sca_semantics, read)
        found |= {rule.id for pack in policies.packs for rule in packs.outline(pack, read).rules}
        found |= {rule_of(policy, it) for policy in policies.policies for it in policy.checks}
    return found


def _store(path: str | None) -> HitStore:
    return HitStore(state_dir(configuration.load(path)))


def _named(store: HitStore, marks: Iterable[str]) -> list[tuple[Ledger, Hit]]:
    """The hits whose fingerprints begin so; raises UserError unless each is exactly one."""
    problems: list[str] = []
    every = [(ledger, hit) for ledger in store.all(problems.append) for hit in ledger.hits]
    found = []
    for mark in dict.fromkeys(marks):
        them = [(ledger, hit) for ledger, hit in every if mark and hit.fingerprint.startswith(mark)]
        if not them:
            told = f"there is no hit {mark!r}; see jianwei hits list"
            raise UserError("; ".join((told, *problems)))
        if len(them) > 1:
            raise UserError(f"{len(them)} hits begin with {mark!r}; write more of it")
        found += them
    return found

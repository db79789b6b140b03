"""`jianwei rules`: what the packs hold, whether a pack is right, whether its rules judge rightly."""

from __future__ import annotations

import click
import msgspec

from agents.cli.options import language_of, language_option, semantics_option
from agents.cli.packsigning import sign, verify
from agents.errors import UserError
from agents.limits import limited
from collectors import strictyaml
from collectors.strictyaml import DocumentError
from exporters.findings.coveragetable import table as coverage_table
from exporters.findings.text import neutral, words
from rules import pack as packs
from rules import scenarios
from rules.coverage import coverage as covered
from rules.coverage import levels
from rules.model import Pack
from rules.packfile import Origin, path_of
from rules.sca import policy as sca
from rules.sca.kind import policy_of
from rules.settings import built_in

DEADLINE = 60.0  # seconds for the scenarios of one pack


@click.group(name="rules")
def command() -> None:
    """List, lint and test rule packs.

    \b
    Examples:
      jianwei rules list --lang en
      jianwei rules lint city.yaml
      jianwei rules test city.yaml
    Exit codes: 0 done, 1 a pack or a scenario is wrong, 2 a file cannot be read.
    """


command.add_command(sign)
command.add_command(verify)


@command.command(name="list")
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--json", "as_json", is_flag=True, help="The packs whole, as JSON.")
@language_option
def list_(names: tuple[str, ...], as_json: bool, lang: str | None) -> None:
    """List the rules of packs, of all that are built in if none is named.

    \b
    Examples:
      jianwei rules list
      jianwei rules list host-basics --json
    Exit codes: 0 done, 2 a pack cannot be read or is wrong.
    """
    loaded = [packs.load(name) for name in names or built_in()]
    if as_json:
        click.echo(msgspec.json.encode(loaded))
        return
    language = language_of(lang)
    for pack in loaded:
        click.echo(f"{pack.title.of(language)} ({pack.pack})")
        for rule in pack.rules:
            clauses = " ".join(clause for them in rule.maps.values() for clause in them)
            click.echo(f"  {rule.severity:8}  {rule.id}  {rule.title.of(language)}  {clauses}")


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@semantics_option
@click.pass_context
def lint(ctx: click.Context, files: tuple[str, ...], semantics: str | None) -> None:
    """Check that packs are right: keys, facts, expressions, texts, scenarios.

    Of a Wazuh SCA policy: keys, rules, regular expressions; what cannot be judged is a mistake too.

    \b
    Examples:
      jianwei rules lint city.yaml
    Exit codes: 0 all are right, 1 some are not, 2 a file cannot be read. Each mistake is told with file and line.
    """
    wrong = 0
    for name in files:
        strictyaml.read(path_of(name))
        try:
            if (policy := policy_of(name)) is not None:
                wrong += _lint_policy(policy, name, semantics)
                continue
            pack = packs.load(name)
        except DocumentError as error:
            wrong += 1
            click.echo(neutral(str(error)), err=True)
        else:
            click.echo(f"{name}: {len(pack.rules)} rules, no mistake")
    if wrong:
        ctx.exit(1)


def _lint_policy(content: bytes, name: str, semantics: str | None) -> bool:
    """Tell what is wrong with a Wazuh SCA policy, and whether anything is."""
    policy = sca.parse(content, name, 4 if semantics == "4" else 5)
    problems = list(policy.mistakes)
    checks = [*((policy.requirements,) if policy.requirements else ()), *policy.checks]
    for check in checks:
        problems += [f"{name}:{check.line}: check {check.id}: {it}" for it in check.problems]
    for problem in problems:
        click.echo(neutral(problem), err=True)
    said = f"{name}: Wazuh SCA policy {policy.id}, {len(policy.checks)} checks, {policy.engine}"
    click.echo(f"{said}, {len(problems) or 'no'} mistake{'s' * (len(problems) > 1)}")
    return bool(problems)


@command.command()
@click.argument("files", nargs=-1, metavar="[NAME|FILE]...")
@click.pass_context
def test(ctx: click.Context, files: tuple[str, ...]) -> None:
    """Run the scenarios in packs: do their rules come out as the scenarios say?

    \b
    Examples:
      jianwei rules test
      jianwei rules test city.yaml
    Exit codes: 0 all did, 1 some did not, 2 a pack cannot be read or is wrong.
    """
    wrong = 0
    for name in files or built_in():
        assembled = packs.whole(name)
        pack = assembled.pack
        with limited(DEADLINE):
            results = list(scenarios.run(pack))
        failed = [result for result in results if not result.right]
        wrong += len(failed)
        for result in failed:
            _tell(result, pack, assembled.origins[result.rule])
        click.echo(
            f"{pack.pack}: {len(pack.rules)} rules, {len(results)} scenarios, {len(failed)} wrong"
        )
    if wrong:
        ctx.exit(1)


@command.command()
@click.option("--pack", "name", default="mlps-l3", show_default=True, metavar="NAME|FILE")
@click.option("--rules", "with_rules", is_flag=True, help="The rules of each item as well.")
@click.option("--json", "as_json", is_flag=True)
@language_option
@click.pass_context
def coverage(
    ctx: click.Context, name: str, with_rules: bool, as_json: bool, lang: str | None
) -> None:
    """Say of every item of GB/T 22239 at a pack's level which rules cover it.

    \b
    Examples:
      jianwei rules coverage --pack mlps-l3
      jianwei rules coverage --pack city.yaml --rules --lang en
    Exit codes: 0 every item is covered, 1 some are missing or switched off, 2 a pack cannot be read.
    """
    pack = packs.load(name)
    found = [it for level in levels(pack) for it in covered(pack, level)]
    if not found:
        raise UserError(f"pack {pack.pack} names no clause of GB/T 22239")
    if as_json:
        told = [
            {
                "clause": it.clause.id,
                "unit": it.clause.unit,
                "how": it.how,
                "summary": it.clause.summary,
                "rules": [rule.id for rule in (*it.automatic, *it.manual)],
                "off": {rule.id: pack.off[rule.id] for rule in it.off},
            }
            for it in found
        ]
        click.echo(msgspec.json.encode(told))
    else:
        click.echo(coverage_table(found, language_of(lang), with_rules))
    if any(it.how in ("off", "missing") for it in found):
        ctx.exit(1)


def _tell(result: scenarios.ScenarioResult, pack: Pack, origin: Origin) -> None:
    """One scenario that came out wrong: where, what was expected, what came instead, of what."""
    where = ("rules", origin.number, "tests", result.expected, result.number)
    document = origin.document
    rule = pack.rules[result.rule]
    click.echo(f"{document.path}:{document.line(where)}: rule {result.id}")
    click.echo(f"  expected  {result.expected}")
    click.echo(f"  came out  {result.outcome}")
    for verdict in result.verdicts:
        details = [
            ("instance", verdict.instance),
            ("actual", words(verdict.actual)),
            ("reason", verdict.reason),
        ]
        shown = "  ".join(f"{key}: {neutral(value)}" for key, value in details if value)
        if shown:
            click.echo(f"            {shown}")
    expression = rule.offenders or rule.asserts
    click.echo(f"  {'offenders' if rule.offenders else 'assert   '} {neutral(expression)}")
    scenario = rule.tests.by_outcome()[result.expected][result.number]
    for name, value in scenario.items():
        click.echo(f"  {name:9} {words(value)}")

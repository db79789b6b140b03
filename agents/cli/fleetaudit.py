"""`jianwei audit --inventory`: many hosts, told one by one and in the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import click
import msgspec

from agents.cli.options import language_of, progress
from agents.errors import UserError
from agents.fleet.audit import HostResult
from agents.hitstore import HitKeeper
from exporters.findings.fleettable import Row, table
from exporters.findings.hitstable import lost
from exporters.findings.text import cut, neutral
from rules.model import AuditResult, Text, Verdict

BAR = 30  # columns
SHOWN = 5  # names of clones
_NO_TITLE = Text("", "")


def run(
    results: Iterable[HostResult],
    count: int,
    keeper: HitKeeper | None,
    encode: Callable[[HostResult], bytes] | None,
    fails: Callable[[AuditResult], bool],
    lang: str | None,
) -> int:
    """Tell the hosts; the exit status. What `encode` makes of a host is told as soon as it is done; without it
    there is a table in the end."""
    rows: list[Row] = []
    wrong = False
    problems: list[str] = []
    dropped = 0
    names: dict[str, list[str]] = {}  # by the id of the host
    _bar(0, count, "")
    for done, it in enumerate(results, 1):
        if it.result:
            names.setdefault(it.result.host.id, []).append(it.name)
        if keeper and it.result:
            kept = keeper.kept(it.result)
            problems += [kept.hits_problem] if kept.hits_problem else []
            dropped += kept.hits_lost
            it = msgspec.structs.replace(it, result=kept)
        wrong = wrong or not it.result or fails(it.result)
        if encode:
            progress("")
            click.echo(encode(it), nl=False)
            sys.stdout.flush()
        else:
            rows.append(Row(it.name, it.result and _outline(it.result), it.problem))
        _bar(done, count, it.name)
    progress("")
    _warn_of_clones(names)
    if not encode:
        click.echo(table(rows, language_of(lang)))
    if dropped:
        click.echo(lost(dropped), err=True)
    if problems:
        raise UserError("; ".join(dict.fromkeys(problems)))
    return 1 if wrong else 0


def _warn_of_clones(names: dict[str, list[str]]) -> None:
    for host, clones in names.items():
        if len(clones) > 1:
            shown = [*map(neutral, sorted(clones)[:SHOWN]), *["…"] * (len(clones) > SHOWN)]
            click.echo(
                f"{len(clones)} hosts have one machine-id ({neutral(host)}): {', '.join(shown)}; their "
                "findings are taken for those of one host: give each clone its own (machine-id(5))",
                err=True,
            )


def _outline(result: AuditResult) -> AuditResult:
    """What the table takes of a host, so that hundreds cost little memory."""
    packs = []
    for pack in result.packs:
        outcomes = dict.fromkeys((v.rule, v.verdict, v.severity) for v in pack.verdicts)
        verdicts = tuple(
            Verdict(sys.intern(rule), verdict, severity, _NO_TITLE)
            for rule, verdict, severity in outcomes
        )
        packs.append(msgspec.structs.replace(pack, verdicts=verdicts, params={}))
    return msgspec.structs.replace(result, packs=tuple(packs), hits=())


def _bar(done: int, count: int, name: str) -> None:
    full = BAR * done // max(count, 1)
    progress(f"[{'#' * full}{'.' * (BAR - full)}] {done} of {count}  {cut(neutral(name), 40)}")

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
from rules.model import AuditResult

BAR = 30  # columns


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
    _bar(0, count, "")
    for it in results:
        if keeper and it.result:
            kept = keeper.kept(it.result)
            problems += [kept.hits_problem] if kept.hits_problem else []
            dropped += kept.hits_lost
            it = msgspec.structs.replace(it, result=kept)
        rows.append(Row(it.name, it.result, it.problem))
        wrong = wrong or not it.result or fails(it.result)
        if encode:
            progress("")
            click.echo(encode(it), nl=False)
            sys.stdout.flush()
        _bar(len(rows), count, it.name)
    progress("")
    if not encode:
        click.echo(table(rows, language_of(lang)))
    if dropped:
        click.echo(lost(dropped), err=True)
    if problems:
        raise UserError("; ".join(dict.fromkeys(problems)))
    return 1 if wrong else 0


def _bar(done: int, count: int, name: str) -> None:
    full = BAR * done // max(count, 1)
    progress(f"[{'#' * full}{'.' * (BAR - full)}] {done} of {count}  {cut(neutral(name), 40)}")

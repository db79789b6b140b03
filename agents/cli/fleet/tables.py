"""What the fleet commands print in the end, on standard output: a table for people, or JSON lines.

On a terminal, hosts that have all in common are one row, and rows are bounded; elsewhere nothing is left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import click
import msgspec

from agents.cli.fleet import words
from agents.cli.fleet.said import said, without_host
from agents.fleet.model import FleetHost, Outcome, Seen
from agents.fleet.plan import Plan, mebibytes
from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral

NAME: Final = 40  # columns
FEW: Final = 20  # hosts that are shown one by one on a terminal
MAX_SHOWN: Final = 60  # rows on a terminal
_WORST_FIRST: Final = (
    "failed",
    "refused",
    "unreachable",
    "skipped",
    "changed",
    "unchanged",
)


class _Block(NamedTuple):
    """The rows of a host without its name, and as they are where other hosts have them too."""

    host: str
    rows: list[list[str]]
    alike: list[list[str]]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A host as `plan` and `status` tell it."""

    host: str
    seen: Seen | None = None
    plan: Plan | None = None
    same_config: bool | None = None
    problem: str = ""


def line(value: Any) -> None:
    """One JSON object, at once."""
    click.echo(msgspec.json.encode(value))
    sys.stdout.flush()


def outcomes(done: Sequence[Outcome], language: str) -> None:
    heads = [
        text.of(language)
        for text in (words.HOST, words.STATE, words.BEFORE, words.AFTER, words.SECONDS, words.WHY)
    ]
    order = sorted(done, key=lambda it: (_WORST_FIRST.index(it.state), it.host))
    _print(heads, [_outcome(it, language) for it in order], summary(done, language), language)


def _outcome(it: Outcome, language: str) -> _Block:
    state = words.STATES[it.state].of(language)
    versions = neutral(it.before) or "-", neutral(it.after) or "-"

    def row(seconds: str, problem: str) -> list[list[str]]:
        return [[state, *versions, seconds, _why(problem, language) or _steps(it, language)]]

    alike = row("", without_host(it.problem, it.host))
    return _Block(it.host, row(f"{it.seconds:.1f}", it.problem), alike)


def summary(done: Sequence[Outcome], language: str) -> str:
    counts = Counter(it.state for it in done)
    parts = [words.HOSTS.of(language).format(len(done))]
    parts += [
        f"{words.STATES[state].of(language)} {counts[state]}"
        for state in reversed(_WORST_FIRST)
        if counts[state]
    ]
    return "  ".join(parts)


def plans(looks: Sequence[Look], language: str) -> None:
    heads = [text.of(language) for text in (words.HOST, words.VERSION, words.STEP, words.WHY)]
    blocks = [_plan(look, language) for look in _problems_first(looks)]
    changing = [it.plan for it in looks if it.plan and it.plan.steps]
    bad = sum(1 for it in looks if it.problem)
    send = mebibytes(sum(plan.send for plan in changing))
    idle = len(looks) - len(changing) - bad
    total = words.TO_CHANGE.of(language).format(len(changing), send, idle, bad)
    _print(heads, blocks, total, language)


def _plan(look: Look, language: str) -> _Block:
    version = (neutral(look.seen.current) if look.seen else "") or "-"
    if look.problem:
        rows = [[version, "!", _why(look.problem, language)]]
        alike = [[version, "!", _why(without_host(look.problem, look.host), language)]]
        return _Block(look.host, rows, alike)
    if not look.plan or not look.plan.steps:
        rows = [[version, "-", words.NOTHING.of(language)]]
    else:
        rows = [
            [
                version if number == 0 else "",
                words.STEPS[step.name].of(language),
                _why(step.why, language),
            ]
            for number, step in enumerate(look.plan.steps)
        ]
    return _Block(look.host, rows, rows)


def statuses(looks: Sequence[Look], language: str) -> None:
    texts = (
        words.HOST,
        words.VERSION,
        words.PREVIOUS,
        words.RUNS,
        words.SINCE,
        words.READY,
        words.CONFIG,
        words.SYSTEM,
        words.WHY,
    )
    blocks = [_status(look, language) for look in _problems_first(looks)]
    versions = Counter(look.seen.current or "-" for look in looks if look.seen)
    ready = sum(1 for look in looks if look.seen and look.seen.ready)
    parts = [
        words.HOSTS.of(language).format(len(looks)),
        f"{words.READY.of(language)} {ready}",
        *(f"{neutral(version)}: {count}" for version, count in sorted(versions.items())),
    ]
    _print([text.of(language) for text in texts], blocks, "  ".join(parts), language)


def _status(look: Look, language: str) -> _Block:
    def yes(value: bool) -> str:
        return (words.YES if value else words.NO).of(language)

    seen, same = look.seen, look.same_config
    told = ["-"] * 7
    if seen:
        told = [
            neutral(seen.current) or "-",
            neutral(seen.previous) or "-",
            yes(seen.active),
            _when(seen.since) if seen.since else "-",
            yes(seen.ready),
            "-" if same is None else (words.SAME if same else words.DIFFERS).of(language),
            cut(neutral(seen.system), NAME),
        ]
    alike = [*told[:3], "", *told[4:], _why(without_host(look.problem, look.host), language)]
    return _Block(look.host, [[*told, _why(look.problem, language)]], [alike])


def _problems_first(looks: Iterable[Look]) -> list[Look]:
    return sorted(looks, key=lambda it: (not it.problem, it.host))


def _why(text: str, language: str) -> str:
    return neutral(said(text, language))


def _when(since: int) -> str:
    return datetime.fromtimestamp(since, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _steps(it: Outcome, language: str) -> str:
    return " ".join(words.STEPS[step.name].of(language) for step in it.steps)


def _print(heads: list[str], blocks: Sequence[_Block], total: str, language: str) -> None:
    rows = [heads]
    if len(blocks) <= FEW or not sys.stdout.isatty():
        for block in blocks:
            rows += _of_hosts(cut(neutral(block.host), NAME), block.rows)
        click.echo("\n".join((*aligned(rows), total)))
        return
    groups: dict[tuple[tuple[str, ...], ...], list[_Block]] = {}
    for block in blocks:
        groups.setdefault(tuple(map(tuple, block.alike)), []).append(block)
    left = 0
    for same in groups.values():
        first, *others = same
        if len(rows) + len(first.rows) > MAX_SHOWN:
            left += len(same)
        elif not others:
            rows += _of_hosts(cut(neutral(first.host), NAME), first.rows)
        else:
            names = " ".join(neutral(it.host) for it in same[:FEW])
            named = words.ALIKE.of(language).format(len(same), names)
            rows += _of_hosts(cut(named, NAME), first.alike)
    more = [words.NOT_SHOWN.of(language).format(left)] if left else []
    click.echo("\n".join((*aligned(rows), *more, total)))


def _of_hosts(name: str, rows: Sequence[list[str]]) -> list[list[str]]:
    return [[name if number == 0 else "", *row] for number, row in enumerate(rows)]


def named(hosts: Sequence[FleetHost]) -> tuple[str, ...]:
    return tuple(host.name for host in hosts)

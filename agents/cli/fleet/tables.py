"""What the fleet commands print in the end, on standard output: a table for people, or JSON lines."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec

from agents.cli.fleet import words
from agents.cli.fleet.said import said
from agents.fleet.model import FleetHost, Outcome, Seen
from agents.fleet.plan import Plan, mebibytes
from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral

NAME: Final = 40  # columns
PROBLEM: Final = 200
_WORST_FIRST: Final = (
    "failed",
    "refused",
    "unreachable",
    "skipped",
    "changed",
    "unchanged",
)


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
    rows = [
        [
            _name(it.host),
            words.STATES[it.state].of(language),
            neutral(it.before) or "-",
            neutral(it.after) or "-",
            f"{it.seconds:.1f}",
            cut(neutral(said(it.problem, language)), PROBLEM) or _steps(it, language),
        ]
        for it in order
    ]
    _print([heads, *rows], summary(done, language))


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
    rows = [row for look in sorted(looks, key=lambda it: it.host) for row in _plan(look, language)]
    changing = [it.plan for it in looks if it.plan and it.plan.steps]
    bad = sum(1 for it in looks if it.problem)
    send = mebibytes(sum(plan.send for plan in changing))
    idle = len(looks) - len(changing) - bad
    total = words.TO_CHANGE.of(language).format(len(changing), send, idle, bad)
    _print([heads, *rows], total)


def _plan(look: Look, language: str) -> list[list[str]]:
    name, version = _name(look.host), neutral(look.seen.current) if look.seen else ""
    if look.problem:
        return [[name, version or "-", "!", cut(neutral(said(look.problem, language)), PROBLEM)]]
    if not look.plan or not look.plan.steps:
        return [[name, version or "-", "-", words.NOTHING.of(language)]]
    return [
        [
            name if number == 0 else "",
            (version or "-") if number == 0 else "",
            words.STEPS[step.name].of(language),
            neutral(said(step.why, language)),
        ]
        for number, step in enumerate(look.plan.steps)
    ]


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
    rows = [_status(look, language) for look in sorted(looks, key=lambda it: it.host)]
    none = words.NOT_INSTALLED.of(language)
    versions = Counter(look.seen.current or none for look in looks if look.seen)
    ready = sum(1 for look in looks if look.seen and look.seen.ready)
    parts = [
        words.HOSTS.of(language).format(len(looks)),
        f"{words.READY.of(language)} {ready}",
        *(f"{neutral(version)} {count}" for version, count in sorted(versions.items())),
    ]
    _print([[text.of(language) for text in texts], *rows], "  ".join(parts))


def _status(look: Look, language: str) -> list[str]:
    def yes(value: bool) -> str:
        return (words.YES if value else words.NO).of(language)

    seen, same = look.seen, look.same_config
    if seen is None:
        return [_name(look.host), *("-",) * 7, cut(neutral(look.problem), PROBLEM)]
    config = "-" if same is None else (words.SAME if same else words.DIFFERS).of(language)
    return [
        _name(look.host),
        neutral(seen.current) or "-",
        neutral(seen.previous) or "-",
        yes(seen.active),
        _when(seen.since) if seen.since else "-",
        yes(seen.ready),
        config,
        cut(neutral(seen.system), NAME),
        cut(neutral(said(look.problem, language)), PROBLEM),
    ]


def _when(since: int) -> str:
    return datetime.fromtimestamp(since, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _steps(it: Outcome, language: str) -> str:
    return " ".join(words.STEPS[step.name].of(language) for step in it.steps)


def _name(host: str) -> str:
    return cut(neutral(host), NAME)


def _print(rows: list[list[str]], total: str) -> None:
    click.echo("\n".join((*aligned(rows), total)))


def named(hosts: Sequence[FleetHost]) -> tuple[str, ...]:
    return tuple(host.name for host in hosts)

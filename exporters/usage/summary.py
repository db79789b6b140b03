"""Judgements of use added up: by state, by advice, and by department what would come free.

What is not known is counted beside each sum and is in none: a sum is at least what it says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral
from exporters.usage.amounts import department, gib, plain, tib
from exporters.usage.words import STATE, say
from rules.usagejudgement import ADVICES, STATES, Amount, Judgement

DUE: Final = ("reclaim", "shrink")
MAX_CELL: Final = 30  # columns


class Sum(msgspec.Struct, frozen=True):
    """Of `resources`; `unknown` says of how many a part is not known."""

    resources: int
    vcpus: float
    memory: int
    disk: int
    unknown: Mapping[str, int]


class Total(msgspec.Struct, frozen=True):
    """`granted` to all but machines themselves; what would come free of those to reclaim or shrink (`due`)
    and of those that are `watched`; and what was granted to those that could not be judged."""

    resources: int
    states: Mapping[str, int]
    advice: Mapping[str, int]
    granted: Sum
    due: Sum
    watched: Sum
    unjudged: Sum


class Department(msgspec.Struct, frozen=True):
    """`name` is empty for what is unassigned."""

    name: str
    total: Total


class Summary(msgspec.Struct, frozen=True):
    """`measured` are servers, hosts and containers that were judged by figures, and of `memory_unknown` of
    them nobody knows the use of memory. Departments with the most to come free are first."""

    total: Total
    departments: Sequence[Department]
    insufficient: int
    unassigned: int
    measured: int
    memory_unknown: int


def summarise(judgements: Iterable[Judgement]) -> Summary:
    judgements = list(judgements)
    by_department: dict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        by_department[one.department].append(one)
    departments = [Department(name, _total(them)) for name, them in by_department.items()]
    departments.sort(key=lambda it: (-it.total.due.vcpus, -it.total.due.memory, it.name))
    measured = [it for it in judgements if it.found in ("idle", "low", "right-sized", "busy")]
    return Summary(
        _total(judgements),
        departments,
        sum(it.state == "insufficient" for it in judgements),
        sum(not it.department for it in judgements),
        len(measured),
        sum("memory" not in it.figures for it in measured),
    )


def table(summary: Summary, language: str) -> str:
    """Counts of states, then a line a department, then how much is not known."""
    states = [(STATE[s].of(language), str(summary.total.states[s])) for s in STATES]
    heads = ["department", "resources", "granted_vcpus", "granted_memory"]
    heads += ["free_vcpus", "free_memory", "free_disk", "watched"]
    rows = [[say(head, language) for head in heads]]
    for one in summary.departments:
        name = cut(neutral(department(one.name, language)), MAX_CELL)
        rows.append([name, *_figures(one.total, language)])
    rows.append([say("all", language), *_figures(summary.total, language)])
    return "\n".join([*aligned(states), "", *aligned(rows), "", *_notes(summary, language)])


def _notes(summary: Summary, language: str) -> list[str]:
    number = summary.total.resources
    shares = say("shares", language).format(
        resources=number,
        insufficient=_share(summary.insufficient, number),
        unassigned=_share(summary.unassigned, number),
        measured=summary.measured,
        memory=_share(summary.memory_unknown, summary.measured),
    )
    return [shares, say("note", language)]


def _figures(total: Total, language: str) -> list[str]:
    due, granted = total.due, total.granted
    return [
        str(total.resources),
        _known(plain(granted.vcpus), granted.unknown["vcpus"], language),
        _known(plain(gib(granted.memory)), granted.unknown["memory"], language),
        _known(plain(due.vcpus), due.unknown["vcpus"], language),
        _known(plain(gib(due.memory)), due.unknown["memory"], language),
        _known(plain(tib(due.disk)), due.unknown["disk"], language),
        str(total.advice["watch"]),
    ]


def _known(text: str, unknown: int, language: str) -> str:
    if not unknown:
        return text
    return f"{text} ({say('more_unknown', language).format(unknown)})"


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else str(part)


def _total(judgements: Sequence[Judgement]) -> Total:
    states = Counter(it.state for it in judgements)
    advice = Counter(it.advice for it in judgements)
    return Total(
        len(judgements),
        {state: states[state] for state in STATES},
        {one: advice[one] for one in ADVICES},
        _sum(it.granted for it in judgements if it.kind != "host"),
        _sum(it.free for it in judgements if it.advice in DUE),
        _sum(it.free for it in judgements if it.advice == "watch"),
        _sum(it.granted for it in judgements if it.state == "insufficient" and it.kind != "host"),
    )


def _sum(amounts: Iterable[Amount]) -> Sum:
    amounts = list(amounts)
    return Sum(
        len(amounts),
        sum(it.vcpus or 0.0 for it in amounts),
        sum(it.memory or 0 for it in amounts),
        sum(it.disk or 0 for it in amounts),
        {
            name: sum(getattr(it, name) is None for it in amounts)
            for name in ("vcpus", "memory", "disk")
        },
    )

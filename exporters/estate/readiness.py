"""The estate's readiness from the results of its subjects: figures, ranks, what to fix first.

Pure, and the same whatever the order of rows and results: sums are exact, ties go by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from math import fsum
from typing import Final

import msgspec

from collectors.ipv6.estate.model import LEVELS, EstateRow
from exporters.estate.joining import COUNTED, Results, Scored, layers_of, merged, scored
from rules.model import SEVERITIES, Outcome, Severity, Text
from rules.readinessmodel import CheckResult, LayerScore

GROUP_FIXES: Final = 5  # of a department or a level
FRESH: Final = timedelta(days=35)  # a month and some days; an older result is marked


class Loss(msgspec.Struct, frozen=True):
    """What one check costs one subject: points of its 100."""

    subject: str
    department: str
    points: float
    reason: Text


class Fix(msgspec.Struct, frozen=True):
    """One check that subjects lose points by. `caps`: some subject's score is capped for it."""

    check: str
    layer: str
    severity: Severity
    title: Text
    fix: Text | None
    points: float
    caps: bool
    losses: tuple[Loss, ...]


class Group(msgspec.Struct, frozen=True):
    """Subjects together: a department, a level or all. A subject not tested counts with nothing.

    `ipv6_only` is of sites, null where there are none; `untested` is a share, 0 to 1; equal means
    have an equal `rank`, 1 the best.
    """

    name: str
    count: int
    tested: int
    mean: float
    ipv6_only: float | None
    untested: float
    worst: str
    worst_score: float | None
    rank: int
    fixes: tuple[Fix, ...]


class Report(msgspec.Struct, frozen=True):
    """The whole estate; departments and subjects are in order, worst first."""

    whole: Group
    departments: tuple[Group, ...]
    levels: tuple[Group, ...]
    subjects: tuple[Scored, ...]
    layers: tuple[LayerScore, ...]
    fixes: tuple[Fix, ...]
    gaps: tuple[Fix, ...]  # checks that nobody could do, as fixes are: what to make testable
    first: datetime | None  # when the first and the last subject was looked at
    last: datetime | None


def report(rows: Sequence[EstateRow], results: Results) -> Report:
    """The estate of `rows`, of which there is at least one."""
    subjects = sorted(scored(rows, results), key=_order)
    times = sorted(one.time for one in subjects if one.time)
    return Report(
        whole=_group("", subjects),
        departments=_ranked(_groups(subjects, lambda row: row.department)),
        levels=tuple(
            sorted(
                _ranked(_groups(subjects, lambda row: row.level or "")),
                key=lambda group: [*LEVELS, ""].index(group.name),
            )
        ),
        subjects=tuple(subjects),
        layers=_layers(subjects),
        fixes=losses(subjects, "fail"),
        gaps=losses(subjects, "unknown"),
        first=times[0] if times else None,
        last=times[-1] if times else None,
    )


def rank_of(subjects: Sequence[Scored]) -> dict[str, int]:
    """The place of each subject, 1 the best; equal scores have an equal place."""
    return _places({one.row.name: one.counted for one in subjects})


def outdated(one: Scored, made: datetime) -> bool:
    """Whether a result is too old to be taken for what is now."""
    return one.time is not None and made - one.time > FRESH


def losses(subjects: Iterable[Scored], verdict: Outcome) -> tuple[Fix, ...]:
    """What came out so: first what caps a score, then what is critical, then by points lost. A
    subject's own checks count, those of the hosts behind it at the hosts, so that nothing is
    counted twice."""
    capping: set[str] = set()
    found: dict[str, list[tuple[Loss, CheckResult]]] = {}
    for one in subjects:
        whole = fsum(check.weight for check in one.own if check.verdict in COUNTED)
        if not one.tested or not whole:
            continue
        for check in one.own:
            points = 100 * check.weight / whole + _by_cap(one, check.id, whole)
            if check.verdict == verdict and points > 0:
                loss = Loss(one.row.name, one.row.department, points, check.reason)
                found.setdefault(check.id, []).append((loss, check))
                if check.id in one.capped_by:
                    capping.add(check.id)
    fixes = [_fix(check, ones, check in capping) for check, ones in found.items()]
    return tuple(sorted(fixes, key=_urgency))


def _urgency(fix: Fix) -> tuple[bool, bool, float, str]:
    return not fix.caps, fix.severity != "critical", -fix.points, fix.check


def _by_cap(one: Scored, check: str, whole: float) -> float:
    """What a cap takes beyond the weights, shared by the checks that failed for it."""
    if check not in one.capped_by or one.own_score is None:
        return 0.0
    passed = fsum(c.weight for c in one.own if c.verdict == "pass")
    return max(0.0, 100 * passed / whole - one.own_score) / len(one.capped_by)


def _fix(check: str, ones: list[tuple[Loss, CheckResult]], caps: bool) -> Fix:
    ones.sort(key=lambda one: (-one[0].points, one[0].subject))
    points = fsum(loss.points for loss, _ in ones)
    first = ones[0][1]
    return Fix(
        check=check,
        layer=first.layer,
        severity=max((c.severity for _, c in ones), key=SEVERITIES.index),
        title=first.title,
        fix=next((c.fix for _, c in ones if c.fix), None),
        points=points,
        caps=caps,
        losses=tuple(loss for loss, _ in ones),
    )


def _order(one: Scored) -> tuple[float, float, str]:
    """Worst first: who was not tested is where a score of nothing is, before all that has one."""
    return one.counted if one.tested else -1.0, -one.untested, one.row.name


def _groups(subjects: Iterable[Scored], key: Callable[[EstateRow], str]) -> list[Group]:
    members: dict[str, list[Scored]] = {}
    for one in subjects:
        members.setdefault(key(one.row), []).append(one)
    return [_group(name, ones, losses(ones, "fail")) for name, ones in members.items()]


def _group(name: str, subjects: Sequence[Scored], fixes: tuple[Fix, ...] = ()) -> Group:
    """`subjects` are sorted, worst first; `worst` is one that was tested, where one was."""
    worst = next((one for one in subjects if one.tested), subjects[0])
    sites = [one.ipv6_only_score or 0.0 for one in subjects if one.row.kind == "site"]
    return Group(
        name=name,
        count=len(subjects),
        tested=sum(one.tested for one in subjects),
        mean=fsum(one.counted for one in subjects) / len(subjects),
        ipv6_only=fsum(sites) / len(sites) if sites else None,
        untested=fsum(one.untested for one in subjects) / len(subjects),
        worst=worst.row.name,
        worst_score=worst.score,
        rank=1,
        fixes=fixes[:GROUP_FIXES],
    )


def _ranked(groups: Sequence[Group]) -> tuple[Group, ...]:
    places = _places({group.name: group.mean for group in groups})
    placed = [msgspec.structs.replace(group, rank=places[group.name]) for group in groups]
    return tuple(sorted(placed, key=lambda group: (group.mean, -group.untested, group.name)))


def _places(values: dict[str, float]) -> dict[str, int]:
    """As people see them, with one decimal: what looks equal has an equal place."""
    shown = {name: round(value, 1) for name, value in values.items()}
    best_first = sorted(shown.values(), reverse=True)
    first = {value: best_first.index(value) + 1 for value in set(best_first)}
    return {name: first[value] for name, value in shown.items()}


def _layers(subjects: Sequence[Scored]) -> tuple[LayerScore, ...]:
    """The estate's layers: sums over the own checks of the subjects that were tested."""
    first = sorted(subjects, key=lambda one: (one.row.kind != "site", one.row.name))
    seen = [layers_of(one.own, one.layers) for one in first if one.tested]
    sums: dict[str, list[LayerScore]] = {layer.layer: [] for layer in merged(seen)}
    for layers in seen:
        for layer in layers:
            sums[layer.layer].append(layer)
    return tuple(
        LayerScore(
            layer=name,
            title=layers[0].title,
            points=fsum(layer.points for layer in layers),
            of=fsum(layer.of for layer in layers),
            untested=fsum(layer.untested for layer in layers),
        )
        for name, layers in sums.items()
    )

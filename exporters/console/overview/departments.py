"""Departments by their open hits, with hosts, silent ones and score: from the tallies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, case, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.overview.attention import stale
from exporters.console.overview.scores import DepartmentScore
from exporters.console.schema import department, hit_tally, host
from exporters.console.web.asker import Asker
from rules.model import SEVERITIES, WORKFLOWS, Severity, Workflow


class Ranked(msgspec.Struct, frozen=True):
    """`score` is the mean over all packs of all hosts, null where nothing counted; `unheard` hosts are silent,
    `unaudited` had no audit yet, `stale` none for two days (these included)."""

    id: int
    name: str
    hosts: int
    unheard: int
    unaudited: int
    stale: int
    open: dict[Severity, int]
    score: float | None

    @property
    def whole(self) -> int:
        return sum(self.open.values())


class OpenHits(msgspec.Struct, frozen=True):
    severity: Severity
    open: int
    states: dict[Workflow, int]


def ranked(
    connection: Connection, asker: Asker, scores: Mapping[int, DepartmentScore]
) -> tuple[tuple[Ranked, ...], tuple[OpenHits, ...], set[tuple[int, int]]]:
    """Departments that have hosts, the one with most critical, then high, then all open hits first; and all open hits
    by severity, the worst first; and the departments and states that have any."""
    tally = hit_tally.c
    statement = (
        select(tally.department_id, tally.severity, tally.state, func.sum(tally.hits).label("hits"))
        .where(tally.state.in_(OPEN_STATES), tally.hits > 0)
        .group_by(tally.department_id, tally.severity, tally.state)
    )
    groups: set[tuple[int, int]] = set()
    by_department: dict[int, dict[Severity, int]] = {}
    whole: dict[Severity, dict[Workflow, int]] = {one: {} for one in reversed(SEVERITIES)}
    for row in connection.execute(asker.scoped(statement, tally.department_id)):
        severity, state = SEVERITIES[row.severity], WORKFLOWS[row.state]
        counts = by_department.setdefault(row.department_id, dict.fromkeys(SEVERITIES, 0))
        counts[severity] += int(row.hits)
        groups.add((row.department_id, row.state))
        whole[severity][state] = whole[severity].get(state, 0) + int(row.hits)
    rows = [
        Ranked(
            row.id,
            row.name,
            row.hosts,
            row.unheard,
            row.unaudited,
            row.stale,
            by_department.get(row.id, dict.fromkeys(SEVERITIES, 0)),
            scores[row.id].mean if row.id in scores else None,
        )
        for row in connection.execute(_hosts(asker))
    ]
    rows.sort(key=lambda one: (-one.open["critical"], -one.open["high"], -one.whole, one.id))
    hits = tuple(
        OpenHits(severity, sum(states.values()), states) for severity, states in whole.items()
    )
    return tuple(rows), hits, groups


def _hosts(asker: Asker) -> Select[Any]:
    statement = (
        select(
            department.c.id,
            department.c.name,
            func.count(host.c.id).label("hosts"),
            func.count(host.c.silent_since).label("unheard"),
            func.count(case((host.c.last_audit.is_(None), 1))).label("unaudited"),
            func.count(case((stale(asker.now), 1))).label("stale"),
        )
        .join_from(host, department, department.c.id == host.c.department_id)
        .group_by(department.c.id, department.c.name)
    )
    return asker.scoped(statement, host.c.department_id)

"""IPv6 readiness as the hosts' audits told it: by department, and the hosts that are least ready."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.codes import OUTCOME
from exporters.console.schema import department, host, host_pack, outcome_tally
from exporters.console.web.asker import Asker

PACK: Final = "ipv6-readiness"
FEW: Final = 20


class DepartmentReadiness(msgspec.Struct, frozen=True):
    """`mean` of the `scored` of its `hosts`, `unknown` are checks on them; both null where there is none."""

    department: str
    hosts: int
    scored: int
    mean: float | None
    unknown: int | None


class HostReadiness(msgspec.Struct, frozen=True):
    id: int
    name: str
    department: str
    score: float
    unknown: int


class Readiness(msgspec.Struct, frozen=True):
    """`hosts` are those with the lowest scores."""

    departments: tuple[DepartmentReadiness, ...]
    hosts: tuple[HostReadiness, ...]


def readiness(connection: Connection, asker: Asker) -> Readiness:
    by_department = (
        select(
            department.c.id,
            department.c.name,
            func.count(host.c.id).label("hosts"),
            func.count(host_pack.c.score).label("scored"),
            func.avg(host_pack.c.score).label("mean"),
        )
        .join_from(department, host, host.c.department_id == department.c.id)
        .outerjoin(host_pack, (host_pack.c.host_id == host.c.id) & (host_pack.c.pack == PACK))
        .group_by(department.c.id, department.c.name)
    )
    tally = outcome_tally.c
    unseen = (
        select(tally.department_id, func.sum(tally.hosts).label("hosts"))
        .where(tally.pack == PACK, tally.outcome == OUTCOME["unknown"])
        .group_by(tally.department_id)
    )
    unknown = {
        row.department_id: int(row.hosts)
        for row in connection.execute(asker.scoped(unseen, tally.department_id))
    }
    rows = sorted(
        connection.execute(asker.scoped(by_department, host.c.department_id)),
        key=lambda row: (row.mean is None, row.mean or 0.0, row.name),
    )
    worst = (
        select(
            host.c.id,
            host.c.name,
            department.c.name.label("department"),
            host_pack.c.score,
            host_pack.c.counts,
        )
        .join_from(host_pack, host, host.c.id == host_pack.c.host_id)
        .join(department, department.c.id == host.c.department_id)
        .where(host_pack.c.pack == PACK, host_pack.c.score.is_not(None))
        .order_by(host_pack.c.score, host_pack.c.host_id)
        .limit(FEW)
    )
    return Readiness(
        tuple(
            DepartmentReadiness(
                *(row.name, row.hosts, row.scored, row.mean),
                unknown.get(row.id, 0 if row.scored else None),
            )
            for row in rows
        ),
        tuple(
            HostReadiness(
                row.id, row.name, row.department, row.score, int(row.counts.get("unknown", 0))
            )
            for row in connection.execute(asker.scoped(worst, host.c.department_id))
        ),
    )

"""Metrics of the fleet: who is heard, which targets fail, whether the targets files are right. From the tables: the same
on every console that shares them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from collectors.model import Family, gauge, sample
from exporters.console.pull import known
from exporters.console.schema import host, target


def families(connection: Connection, now: datetime) -> Sequence[Family]:
    sources = connection.execute(
        select(host.c.source, func.count(), func.count(host.c.silent_since))
        .group_by(host.c.source)
        .order_by(host.c.source)
    ).all()
    targets, failing, due = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((target.c.failures > 0, 1), else_=0)), 0),
            func.min(target.c.due),
        ).select_from(target)
    ).one()
    late = max(0.0, (now - due).total_seconds()) if due else 0.0
    return (
        gauge(
            "jianwei_console_agents",
            "Agents that are known, by how their audits come: pull or push.",
            *(sample(float(count), source=source) for source, count, _ in sources),
        ),
        gauge(
            "jianwei_console_agents_silent",
            "Agents of which nothing is heard any longer.",
            *(sample(float(silent), source=source) for source, _, silent in sources),
        ),
        gauge(
            "jianwei_console_targets", "Agents that the targets files name.", sample(float(targets))
        ),
        gauge(
            "jianwei_console_targets_failing",
            "Targets that gave no audit when they were last asked.",
            sample(float(failing)),
        ),
        gauge(
            "jianwei_console_pull_late_seconds",
            "How late the target is that should have been asked first.",
            sample(late),
        ),
        gauge(
            "jianwei_console_targets_file_success",
            "Whether a targets file was right when it was last read; else what it said before is in force.",
            *(sample(float(not it.problem), file=it.path) for it in known.files(connection)),
        ),
    )

"""Metrics of pulling: which targets fail, how late it is, whether the targets files are right. From the tables: the same
on every console that shares them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from collectors.model import Family, gauge, sample
from exporters.console.pull import known
from exporters.console.schema import target


def families(connection: Connection, now: datetime) -> Sequence[Family]:
    failing, due = connection.execute(
        select(
            func.coalesce(func.sum(case((target.c.failures > 0, 1), else_=0)), 0),
            func.min(target.c.due),
        ).select_from(target)
    ).one()
    late = max(0.0, (now - due).total_seconds()) if due else 0.0
    return (
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

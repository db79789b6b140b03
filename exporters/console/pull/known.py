"""What is known of each target, in the table `target`; and of the files that they are from, in `setting`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from exporters.console.database import Database
from exporters.console.pull import schedule
from exporters.console.pull.targets import FileState, Target
from exporters.console.schema import setting, target

FILES: Final = "pull.files"  # in `setting`: JSON, a list of FileState
_MANY: Final = 500  # parameters of a statement


@dataclass
class Known:
    """A target between two pulls. Changed by the thread that pulls it, and kept by `keep`."""

    id: int
    url: str
    labels: Mapping[str, str]
    due: datetime
    host_id: int | None = None
    etag: str = ""
    asked: datetime | None = None
    heard: datetime | None = None
    failures: int = 0
    problem: str = ""
    audits: int = 0
    unchanged: int = 0
    failed: int = 0
    lines_due: datetime | None = None  # of this console alone


_KEPT: Final = (
    "host_id",
    "etag",
    "due",
    "asked",
    "heard",
    "failures",
    "problem",
    "audits",
    "unchanged",
    "failed",
)


def synchronised(
    connection: Connection, targets: Mapping[str, Target], interval: float, now: datetime
) -> dict[str, Known]:
    """The table as the files say it: new targets are due soon, those that are gone are forgotten; others go on. Where
    labels have changed the audit is asked for again, since they are the host's."""
    rows = {row.url: row for row in connection.execute(select(target))}
    gone = [row.id for url, row in rows.items() if url not in targets]
    for first in range(0, len(gone), _MANY):
        connection.execute(delete(target).where(target.c.id.in_(gone[first : first + _MANY])))
    new, changed = [], []
    for url, it in targets.items():
        labels = dict(it.labels)
        values = {"labels": labels, "department": labels.get("department", "")}
        if url not in rows:
            new.append({"url": url, "due": schedule.first(url, interval, now), **values})
        elif rows[url].labels != labels:
            changed.append({"of": url, "etag": "", **values})
    if new:
        connection.execute(insert(target), new)
    if changed:
        statement = update(target).where(target.c.url == bindparam("of"))
        connection.execute(
            statement.values({k: bindparam(k) for k in changed[0] if k != "of"}), changed
        )
    found = connection.execute(select(target))
    return {
        row.url: Known(row.id, row.url, row.labels, **{name: getattr(row, name) for name in _KEPT})
        for row in found
    }


def keep(connection: Connection, known: Sequence[Known]) -> None:
    if known:
        connection.execute(
            update(target)
            .where(target.c.id == bindparam("of"))
            .values({name: bindparam(name) for name in _KEPT}),
            [{"of": it.id, **{name: getattr(it, name) for name in _KEPT}} for it in known],
        )


def keep_files(connection: Connection, database: Database, states: Sequence[FileState]) -> None:
    text = msgspec.json.encode(states).decode()
    put = database.upsert(setting).values(name=FILES, value=text)
    connection.execute(
        put.on_conflict_do_update(index_elements=[setting.c.name], set_={"value": text})
    )


def files(connection: Connection) -> tuple[FileState, ...]:
    text = connection.execute(select(setting.c.value).where(setting.c.name == FILES)).scalar()
    return msgspec.json.decode(text, type=tuple[FileState, ...]) if text else ()

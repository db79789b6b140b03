"""The hits of one host: read, brought past an audit, and what changed written in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from exporters.console.codes import SEVERITY, STATE
from exporters.console.database import Database
from exporters.console.intake import bulk, events, life, rows
from exporters.console.intake.arrived import Taken
from exporters.console.intake.contention import Contended
from exporters.console.intake.rows import Known
from exporters.console.intake.tallies import Deltas
from exporters.console.intake.waivers import Given, of_department, of_host, taken_back
from exporters.console.schema import hit, hit_event, rule
from rules.model import AuditResult, Hit

CHUNK: Final = 500  # ids in one statement


class HostHits:
    """Within the transaction that has locked the host's row."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        deltas: Deltas,
        result: AuditResult,
        rules: Mapping[str, int],
        host_id: int,
        department_id: int,
        moved: bool,
    ) -> None:
        self._database = database
        self._connection = connection
        self._deltas = deltas
        self._result = result
        self._rules = rules
        self._host_id = host_id
        self._department_id = department_id
        self._moved = moved

    def write(self, given: Sequence[Given], department: str, today: date) -> Taken:
        known = self._read()
        before = {mark: one.hit for mark, one in known.items()}
        mine = of_host(of_department(given, department, today), self._result.host)
        now = life.after(before, self._result, mine)
        new = [one for mark, one in now.items() if mark not in known]
        changed: list[tuple[Known, Hit]] = []
        seen: list[int] = []
        for mark, old in known.items():
            one = now.get(mark)
            if one is None or one is old.hit:
                continue
            if rows.differ(old.hit, one):
                if old.hit.waiver and one.state == "new" and old.hit.state == "waived":
                    note = taken_back(one.note, old.hit.waiver, given, today)
                    one = rows.noted(one, note)
                changed.append((old, one))
            elif old.hit.last_seen != one.last_seen:
                seen.append(old.id)
        if self._moved:
            self._move(known.values())
        self._forget([old for mark, old in known.items() if mark not in now])
        self._seen(seen)
        self._change(changed)
        self._add(new)
        return Taken(
            "taken",
            self._host_id,
            opened=sum(one.state != "waived" for one in new),
            regressed=sum(o.hit.state == "fixed" and n.state == "regressed" for o, n in changed),
            fixed=sum(o.hit.state != "fixed" and n.state == "fixed" for o, n in changed),
        )

    def _read(self) -> dict[str, Known]:
        statement = rows.selected().where(hit.c.host_id == self._host_id)
        if self._moved:
            statement = statement.with_for_update()  # all of them change
        found = self._connection.execute(statement).all()
        names = {number: name for name, number in self._rules.items()}
        missing = sorted({row.rule_id for row in found} - names.keys())
        for some in chunks(missing):
            wanted = select(rule.c.id, rule.c.name).where(rule.c.id.in_(some))
            names.update((row.id, row.name) for row in self._connection.execute(wanted))
        host = self._result.host
        known = (rows.known(row, host, names[row.rule_id]) for row in found)
        return {one.hit.fingerprint: one for one in known}

    def _move(self, known: Iterable[Known]) -> None:
        for old in known:
            self._count(-1, old, old.hit, old.department_id)
            self._count(1, old, old.hit, self._department_id)
        self._connection.execute(
            update(hit)
            .where(hit.c.host_id == self._host_id)
            .values(department_id=self._department_id)
        )

    def _forget(self, gone: Sequence[Known]) -> None:
        for old in gone:
            self._count(-1, old, old.hit, self._department_id)
        for some in chunks([old.id for old in gone]):
            self._connection.execute(delete(hit_event).where(hit_event.c.hit_id.in_(some)))
            self._connection.execute(delete(hit).where(hit.c.id.in_(some)))

    def _seen(self, ids: Sequence[int]) -> None:
        values = [{"old_id": one, "last_seen": self._result.time} for one in ids]
        bulk.change(self._database, self._connection, hit, ["id"], values)

    def _change(self, changed: Sequence[tuple[Known, Hit]]) -> None:
        """A person may have changed one since it was read: then all of this is done again."""
        if not changed:
            return
        values = [
            {
                "old_id": old.id,
                "old_version": old.version,
                # who has the page of one that is counted otherwise now is told so
                "version": old.version + _counts_otherwise(old.hit, one),
                **rows.changing(one),
            }
            for old, one in changed
        ]
        keys = ["id", "version"]
        if bulk.change(self._database, self._connection, hit, keys, values) != len(values):
            raise Contended
        told = []
        for old, one in changed:
            if _counts_otherwise(old.hit, one):
                self._count(-1, old, old.hit, self._department_id)
                self._count(1, old, one, self._department_id)
            told += events.of_change(old.id, old.hit, one, self._result.time)
        bulk.insert(self._database, self._connection, hit_event, told)

    def _add(self, new: Sequence[Hit]) -> None:
        if not new:
            return
        values = [
            {
                "fingerprint": bytes.fromhex(one.fingerprint),
                "host_id": self._host_id,
                "rule_id": self._rules[one.rule],
                "department_id": self._department_id,
                "first_seen": one.first_seen,
                "instance": one.instance,
                **rows.changing(one),
            }
            for one in new
        ]
        returning = (hit.c.id, hit.c.fingerprint)
        made = bulk.insert(self._database, self._connection, hit, values, returning)
        by_mark = {one.fingerprint: one for one in new}
        told = []
        for row in made:
            one = by_mark[row.fingerprint.hex()]
            told += events.of_change(row.id, None, one, self._result.time)
            self._deltas.hit(
                1,
                host=self._host_id,
                department=self._department_id,
                rule=self._rules[one.rule],
                severity=SEVERITY[one.severity],
                state=STATE[one.state],
            )
        bulk.insert(self._database, self._connection, hit_event, told)

    def _count(self, number: int, old: Known, one: Hit, department: int) -> None:
        self._deltas.hit(
            number,
            host=self._host_id,
            department=department,
            rule=old.rule_id,
            severity=SEVERITY[one.severity],
            state=STATE[one.state],
        )


def _counts_otherwise(old: Hit, one: Hit) -> bool:
    return (old.state, old.severity) != (one.state, one.severity)


def chunks(ids: Sequence[int]) -> Iterable[list[Any]]:
    for start in range(0, len(ids), CHUNK):
        yield list(ids[start : start + CHUNK])

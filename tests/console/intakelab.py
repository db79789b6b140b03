"""Small audits by hand, and what became of them in the tables."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from sqlalchemy import select

from exporters.console.attest.reach import kept
from exporters.console.codes import OUTCOME, STATE
from exporters.console.intake.arrived import Arrived, Taken
from exporters.console.intake.take import take
from exporters.console.intake.tallies import Deltas
from exporters.console.intake.verify import wrong_tallies
from exporters.console.schema import (
    department,
    hit,
    hit_event,
    host,
    metadata,
    outcome_tally,
    rule,
    waiver,
    waiver_department,
    waiver_host,
)
from rules.model import WORKFLOWS, AuditResult, Hit, Host, Outcome, PackResult, Text, Verdict
from rules.model import fingerprint as mark_of
from rules.score import counts
from tests.consolelab import Console

DATABASES: Final = ("sqlite", "postgresql")
BEGUN: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TITLE: Final = Text("规则", "rule")
RULE: Final = "x.root-login"

# a verdict: the outcome, or for one that fails what it shows
Told = Mapping[str, Outcome | Sequence[tuple[str, str]]]


def kept_console(request: pytest.FixtureRequest) -> Iterator[Console]:
    """One console for all tests of a module, on the database that the parameter names."""
    with tempfile.TemporaryDirectory() as folder:
        if request.param == "sqlite":
            url = f"sqlite:///{folder}/console.db"
        else:
            url = request.getfixturevalue("postgres").url()
        console = Console(url)
        yield console
        console.close()


def emptied(console: Console) -> Console:
    """As it was when it was made."""
    with console.database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    console.database.rules.clear()
    return console


def hours(number: float) -> datetime:
    return BEGUN + timedelta(hours=number)


def audit(
    when: datetime, told: Told, pack: str = "p", key: str = "h1", **parts: Any
) -> AuditResult:
    """One pack; a failing rule as (instance, evidence) pairs."""
    verdicts: list[Verdict] = []
    for name, what in told.items():
        if isinstance(what, str):
            verdicts.append(Verdict(name, what, "high", TITLE, reason="why" * (what == "unknown")))
            continue
        for instance, evidence in what:
            verdicts.append(
                Verdict(
                    name,
                    "fail",
                    "high",
                    TITLE,
                    instance=instance,
                    actual=evidence,
                    fingerprint=mark_of(key, name, instance),
                    evidence=evidence,
                )
            )
    result = PackResult(pack, TITLE, {}, 0.5, counts(verdicts), tuple(verdicts))
    return AuditResult(Host(key, f"vm-{key}"), when, 1.0, (result,), **parts)


def together(one: AuditResult, other: AuditResult) -> AuditResult:
    """The packs of both."""
    return AuditResult(one.host, one.time, 1.0, (*one.packs, *other.packs))


def said(when: datetime, state: Any, waiver: str = "", key: str = "h1") -> tuple[Hit, ...]:
    """What the agent itself has of the hit of RULE."""
    return (
        Hit(
            *(mark_of(key, RULE, ""), Host(key), RULE, TITLE, "high"),
            *(state, BEGUN, when, when),
            waiver=waiver,
            by="张伟",
            note="在办",
        ),
    )


class Row(NamedTuple):
    state: str
    first_seen: datetime
    last_seen: datetime
    unseen_since: datetime | None
    waiver: str
    by: str
    note: str
    evidence: str
    version: int
    id: int


class Lab:
    """A console that takes such audits; every step leaves tallies that are right."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def take(
        self,
        result: AuditResult,
        where: str = "市财政局",
        digest: str = "",
        agent_waivers: bool = False,
    ) -> Taken:
        arrived = Arrived("pull", {"department": where}, "h1:9808", "1", digest)
        now = result.time + timedelta(minutes=1)
        settings = msgspec.structs.replace(self.console.settings, agent_waivers=agent_waivers)
        services = dataclasses.replace(self.console.services, settings=settings)
        taken = take(self.console.database, services, arrived, result, now)
        self.check()
        return taken

    def check(self) -> None:
        with self.console.database.reading() as connection:
            assert wrong_tallies(connection) == []

    def hits(self, name: str = RULE) -> dict[str, Row]:
        """By instance."""
        h = hit.c
        with self.console.database.reading() as connection:
            found = connection.execute(
                select(
                    h.instance,
                    h.state,
                    h.first_seen,
                    h.last_seen,
                    h.unseen_since,
                    h.waiver,
                    h.by,
                    h.note,
                    h.evidence,
                    h.version,
                    h.id,
                )
                .join(rule)
                .where(rule.c.name == name)
            )
            return {row[0]: Row(WORKFLOWS[row[1]], *row[2:]) for row in found}

    def states(self, name: str = RULE) -> dict[str, str]:
        return {instance: row.state for instance, row in self.hits(name).items()}

    def events(self, instance: str = "", name: str = RULE) -> list[tuple[str, str, str]]:
        """(kind, before, after) of one hit, in their order."""
        e = hit_event.c
        with self.console.database.reading() as connection:
            found = connection.execute(
                select(e.kind, e.before, e.after)
                .where(e.hit_id == self.hits(name)[instance].id)
                .order_by(e.id)
            )
            return [(row.kind, row.before, row.after) for row in found]

    def everything(self) -> list[Any]:
        """All that intake writes, to see that nothing changed."""
        with self.console.database.reading() as connection:
            return [
                sorted(connection.execute(table.select()).all(), key=repr)
                for table in metadata.sorted_tables
            ]

    def host(self, key: str = "h1") -> Any:
        with self.console.database.reading() as connection:
            statement = select(host, department.c.name.label("department")).join(department)
            return connection.execute(statement.where(host.c.key == key)).one()

    def by_a_person(self, state: Any, name: str = RULE, **values: Any) -> None:
        """As somebody who reviews leaves all hits of a rule, with the tallies."""
        database = self.console.database
        deltas = Deltas()
        with database.writing() as connection:
            for row in connection.execute(select(hit).join(rule).where(rule.c.name == name)).all():
                for number, code in ((-1, row.state), (1, STATE[state])):
                    deltas.hit(
                        number,
                        host=row.host_id,
                        department=row.department_id,
                        rule=row.rule_id,
                        severity=row.severity,
                        state=code,
                    )
                connection.execute(
                    hit.update()
                    .where(hit.c.id == row.id)
                    .values(state=STATE[state], version=row.version + 1, **values)
                )
            deltas.write(database, connection)

    def waive(self, code: str = "W-1", **values: Any) -> None:
        given = {
            "code": code,
            "rule": RULE,
            "hosts": ["*"],
            "reason": "r",
            "owner": "王芳",
            "requester": "王芳",
            "approver": "李敏",
            "state": "approved",
            "expires": hours(24 * 30).date(),
            "created": BEGUN,
            **values,
        }
        with self.console.database.writing() as connection:
            made = connection.execute(waiver.insert().values(**given).returning(waiver.c.id))
            hosts = (waiver_host, given["hosts"])
            kept(
                connection, self.console.database, made.scalar_one(), (waiver_department, ()), hosts
            )

    def outcome(self, name: str, where: str, pack: str = "p") -> dict[str, int]:
        names = {code: word for word, code in OUTCOME.items()}
        o = outcome_tally.c
        with self.console.database.reading() as connection:
            found = connection.execute(
                select(o.outcome, o.hosts)
                .join(rule, rule.c.id == o.rule_id)
                .join(department, department.c.id == o.department_id)
                .where(rule.c.name == name, department.c.name == where, o.pack == pack, o.hosts > 0)
            )
            return {names[row.outcome]: row.hosts for row in found}

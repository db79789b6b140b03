"""A database as a console has it after some months: hits first through intake, as the puller does, which is measured;
then by the driver's own bulk way, tallies and all, until there are enough; then lines, waivers, targets and days.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, func, select, text

from benchmarks.agent import Figure
from benchmarks.consoledata import DEPARTMENTS, arrived, audits
from benchmarks.consoleprocess import cpu_of_database
from exporters.console.attest.reach import pattern_of
from exporters.console.codes import OUTCOME, SEVERITY, micros
from exporters.console.database import Database
from exporters.console.intake.prepared import prepared
from exporters.console.intake.take import take
from exporters.console.intake.tallies import Deltas
from exporters.console.schema import (
    day_tally,
    department,
    hit,
    host,
    host_pack,
    line,
    rule,
    target,
    unjudged,
    user,
    waiver,
    waiver_department,
    waiver_host,
)
from exporters.console.services import Services
from rules.model import AuditResult, PackResult
from rules.score import worst_by_rule

RATE: Final = 5000.0  # findings a second
LINES: Final = 10_000
WAIVERS: Final = 5_000
DAYS: Final = 90
AT_ONCE: Final = 2  # exporters/console/pull/puller.py
MADE: Final = 200  # audits made up at a time
_STATES: Final = (0,) * 60 + (1,) * 25 + (2,) * 6 + (3,) * 8 + (4,)
_BATCH: Final = 50_000


class Intake(NamedTuple):
    """Without the time of making audits up. `cpu` is this process's, in seconds, `database` PostgreSQL's."""

    findings: int
    hosts: int
    seconds: float
    cpu: float
    database: float

    def told(self, what: str) -> str:
        rate = self.findings / self.seconds
        about = f"{what}: findings taken in ({self.findings} of {self.hosts} hosts)"
        figure = Figure(about, rate, "/s", target=RATE, at_least=True)
        own, other = (one / self.findings * RATE for one in (self.cpu, self.database))
        return f"{figure}; CPU for 5000 {own:.2g} s, of PostgreSQL {other:.2g} s"


def taken_in(
    database: Database, services: Services, hosts: int, hits: int, round_: int, last: int
) -> Intake:
    """Of the audits of the first `last` hosts of so many; each is a transaction of its own."""
    seconds, cpu, of_database, findings = 0.0, 0.0, 0.0, 0
    made = itertools.islice(enumerate(audits(hosts, hits, round_=round_)), last)

    def work(given: tuple[int, AuditResult]) -> None:
        number, result = given
        now = result.time + timedelta(seconds=1)
        assert take(database, services, arrived(number), result, now).outcome == "taken"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        while some := list(itertools.islice(made, MADE)):
            findings += sum(v.verdict == "fail" for _, r in some for v in r.packs[0].verdicts)
            begin, before = time.perf_counter(), (time.process_time(), cpu_of_database(database))
            list(pool.map(work, some))
            seconds += time.perf_counter() - begin
            cpu += time.process_time() - before[0]
            of_database += cpu_of_database(database) - before[1]
    return Intake(findings, last, seconds, cpu, of_database)


class Bulk:
    """The audits of the other hosts, as if they had come over months and people had worked on them."""

    def __init__(self, database: Database, now: datetime) -> None:
        self._database, self._now = database, now
        self._chance = random.Random(3)  # noqa: S311 - not a secret
        self._deltas = Deltas()
        self._rows: dict[Table, list[tuple[Any, ...]]] = {
            one: [] for one in (host, host_pack, unjudged, hit)
        }
        with database.reading() as connection:
            self._rules = {
                row.name: row.id for row in connection.execute(select(rule.c.name, rule.c.id))
            }
            self._departments = {row.name: row.id for row in connection.execute(select(department))}
            self._analyst = connection.execute(
                select(user.c.id).where(user.c.name == "analyst")
            ).scalar_one()
            self._host = connection.execute(select(func.max(host.c.id))).scalar_one()
            self._hit = connection.execute(select(func.max(hit.c.id))).scalar_one()

    def write(self, found: Iterator[tuple[int, AuditResult]]) -> None:
        for number, result in found:
            self._audit(number, prepared(result))
            if len(self._rows[hit]) >= _BATCH:
                self._flush()
        self._flush()
        with self._database.writing() as connection:
            self._deltas.write(self._database, connection)
            if not self._database.sqlite:
                for table in ("host", "hit"):
                    connection.execute(
                        text(
                            f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"  # noqa: S608
                        )
                    )

    def _audit(self, number: int, result: AuditResult) -> None:
        labels, at = arrived(number).labels, micros(self._now - timedelta(seconds=number % 3600))
        self._host += 1
        about = self._host, self._departments[labels["department"]]
        silent = at if number % 97 == 0 else None
        self._rows[host].append(
            (
                *(about[0], result.host.id, result.host.name, about[1], labels["system"]),
                *(labels["region"], labels["level"], json.dumps(labels), "pull"),
                *(arrived(number).target, "1", at, at, at, "", at, silent, "", 0, 0),
            )
        )
        pack = result.packs[0]
        self._judged(about, pack, at)
        began = self._now - timedelta(days=self._chance.random() ** 2 * DAYS)
        for verdict in pack.verdicts:
            if verdict.verdict == "fail":
                self._failed(about, verdict, began, at)

    def _judged(self, about: tuple[int, int], pack: PackResult, at: int) -> None:
        outcomes = {
            self._rules[name]: OUTCOME[one.verdict]
            for name, one in worst_by_rule(pack.verdicts).items()
        }
        for number, outcome in outcomes.items():
            self._deltas.outcome(1, about[1], pack.pack, number, outcome)
        counts, told = json.dumps(dict(pack.counts)), json.dumps(outcomes).encode()
        self._rows[host_pack].append((about[0], pack.pack, at, pack.score, counts, told))
        for one in pack.verdicts:
            if one.verdict == "unknown":
                self._rows[unjudged].append((about[0], self._rules[one.rule], one.reason))

    def _failed(self, about: tuple[int, int], verdict: Any, began: datetime, at: int) -> None:
        chance, now = self._chance, self._now
        self._hit += 1
        seen = began if chance.random() < 0.7 else now - (now - began) * chance.random()
        severity, state = SEVERITY[verdict.severity], chance.choice(_STATES)
        number = self._rules[verdict.rule]
        self._deltas.hit(
            1, host=about[0], department=about[1], rule=number, severity=severity, state=state
        )
        self._rows[hit].append(
            (
                *(self._hit, bytes.fromhex(verdict.fingerprint), about[0], number, about[1]),
                *(severity, state, micros(seen), at),
                micros(seen + (now - seen) * chance.random()),
                micros(now) if chance.random() < 0.002 else None,
                *(verdict.instance, '["mlps-l3"]', verdict.actual, verdict.expected),
                *(verdict.source, verdict.evidence, "", "{}", "", ""),
                self._analyst if chance.random() < 0.01 else None,
                f"T-{chance.randrange(1000)}" if chance.random() < 0.01 else "",
                1,
            )
        )

    def _flush(self) -> None:
        for table, rows in self._rows.items():
            copied(self._database, table, rows)
            rows.clear()


def the_rest(database: Database, hosts: int, now: datetime) -> None:
    chance = random.Random(8)  # noqa: S311 - not a secret
    lines = []
    for number in range(LINES):
        rank = chance.choices((0, 1, 2, 3, 4), (1, 3, 5, 3, 88))[0]
        state = ("down", "down", "degraded", "unknown", "up")[rank]
        figures = json.dumps({"state": state, "loss": 0.01, "rtt_median": 0.01, "site": "城关"})
        level = ("county", "town", "village")[number % 3]
        for family in ("ipv4", "ipv6"):
            key = (number % min(hosts, 20) + 1, f"线路-{number}", family)
            lines.append((*key, micros(now), level, rank, figures))
    copied(database, line, lines)
    of = range(1, len(DEPARTMENTS) + 1)
    days = [
        ((now - timedelta(days=day)).date(), one, severity, chance.randrange(4000))
        for day in range(1, DAYS)
        for one in of
        for severity in range(5)
    ]
    with database.writing() as connection:
        rows = [dict(zip(day_tally.c.keys(), one, strict=True)) for one in days]
        connection.execute(day_tally.insert(), rows)
        targets = [
            {
                "url": f"https://{arrived(number).target}",
                "labels": dict(arrived(number).labels),
                "department": arrived(number).labels["department"],
                "due": now + timedelta(days=1),
                "heard": now,
            }
            for number in range(hosts)
        ]
        connection.execute(target.insert(), targets)
    _waivers(database, chance, now)


def _waivers(database: Database, chance: random.Random, now: datetime) -> None:
    rows: list[dict[str, Any]] = []
    departments: list[dict[str, Any]] = []
    patterns: list[dict[str, Any]] = []
    for number in range(1, WAIVERS + 1):
        hosts = [f"vm-{chance.randrange(5000):05}", f"vm-{chance.randrange(500):04}*"]
        mine = chance.randrange(len(DEPARTMENTS)) if number % 2 else None
        rows.append(
            {
                "id": number,
                "code": f"W-2026-{number:04}",
                "rule": "linux.sshd.no-root-login",
                "hosts": hosts,
                "departments": None if mine is None else [DEPARTMENTS[mine]],
                "reason": "历史系统，年底下线",
                "owner": f"owner{number % 40}",
                "requester": "analyst",
                "approver": "approver",
                "state": chance.choice(("requested", "approved", "refused", "withdrawn")),
                "expires": (now + timedelta(days=chance.randrange(-50, 300))).date(),
                "created": now - timedelta(days=60),
                "decided": now - timedelta(days=59),
            }
        )
        if mine is not None:
            departments.append({"waiver_id": number, "department_id": mine + 1})
        patterns += [{"waiver_id": number, "pattern": pattern_of(database, one)} for one in hosts]
    with database.writing() as connection:
        connection.execute(waiver.insert(), rows)
        connection.execute(waiver_department.insert(), departments)
        connection.execute(waiver_host.insert(), patterns)


def settled(database: Database) -> None:
    """As after PostgreSQL's own upkeep; SQLite's is the console's own."""
    if not database.sqlite:
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE")
            )


def copied(database: Database, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """By the driver's own way, every column in its order."""
    names = ", ".join(f'"{column.name}"' for column in table.c)
    with database.writing() as connection:
        driver: Any = connection.connection.driver_connection
        if database.sqlite:
            marks = ", ".join("?" * len(table.c))
            driver.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', rows)  # noqa: S608
            return
        with (
            driver.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy,
        ):
            for row in rows:
                copy.write_row(row)


def today() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

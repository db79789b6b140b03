"""How long the first page and the lists of hosts, rules and lines take with a full database, for who sees all and for who
sees two departments, on either database. The rows are put in directly, tallies and all; nothing goes through intake.

    python -m benchmarks.consoleoverview [--hosts N] [--hits N] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Table, text

from benchmarks.agent import Figure
from benchmarks.consoledata import DEPARTMENTS, REGIONS, SYSTEMS
from exporters.console.codes import SEVERITY, micros
from exporters.console.database import Database
from exporters.console.schema import (
    day_tally,
    department,
    hit,
    hit_tally,
    host,
    host_pack,
    host_tally,
    line,
    outcome_tally,
    rule,
    rule_clause,
    rule_pack,
    unjudged,
)
from exporters.console.services import Services
from rules.model import OUTCOMES
from tests.consolelab import Console, Postgres

PACKS: Final = ("mlps-l3", "mlps-l2", "host-basics", "ipv6-readiness")
LINES: Final = 10_000
ROUNDS: Final = 30
SEED: Final = 8


def fill(console: Console, hosts: int, hits: int) -> None:
    chance = random.Random(SEED)  # noqa: S311 - not a secret
    now = datetime.now(UTC)
    database = console.database
    rules = _rules(database, console.services)
    _hosts(database, hosts, now)
    _judged(database, console.services, rules, hosts, chance, now)
    _hits(database, list(rules.values()), hosts, hits, chance, now)
    with database.writing() as connection:
        connection.execute(
            day_tally.insert(),
            [
                {
                    "day": (now - timedelta(days=day)).date(),
                    "department_id": one + 1,
                    "severity": severity,
                    "open": chance.randrange(4000),
                }
                for day in range(30)
                if day % 9 != 4
                for one in range(len(DEPARTMENTS))
                for severity in range(5)
            ],
        )
    _lines(database, hosts, chance, now)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _rules(database: Database, services: Services) -> dict[str, tuple[int, int]]:
    """Ids and severities by name."""
    with database.writing() as connection:
        known = {r.id: r for name in PACKS for r in services.packs[name].about("host")}
        found = {
            name: (number + 1, SEVERITY[r.severity])
            for number, (name, r) in enumerate(known.items())
        }
        connection.execute(
            rule.insert(),
            [
                {
                    "id": found[name][0],
                    "name": name,
                    "title_zh": one.title.zh,
                    "title_en": one.title.en,
                    "severity": found[name][1],
                }
                for name, one in known.items()
            ],
        )
        pairs = {
            (found[r.id][0], pack) for pack in PACKS for r in services.packs[pack].about("host")
        }
        connection.execute(rule_pack.insert(), [{"rule_id": r, "pack": p} for r, p in pairs])
        clauses = {
            (found[r.id][0], standard, clause)
            for pack in PACKS
            for r in services.packs[pack].about("host")
            for standard, ones in r.maps.items()
            for clause in ones
        }
        connection.execute(
            rule_clause.insert(),
            [{"rule_id": r, "standard": s, "clause": c} for r, s, c in clauses],
        )
    return found


def _hosts(database: Database, hosts: int, now: datetime) -> None:
    with database.writing() as connection:
        connection.execute(
            department.insert(), [{"id": n + 1, "name": one} for n, one in enumerate(DEPARTMENTS)]
        )
        rows: list[dict[str, Any]] = [
            {
                "id": n + 1,
                "key": f"{n:032x}",
                "name": f"vm-{n:05}",
                "department_id": n % len(DEPARTMENTS) + 1,
                "system": f"政务系统{n % SYSTEMS + 1:02}",
                "region": REGIONS[n % len(REGIONS)],
                "level": "三级" if n % 3 else "二级",
                "labels": {},
                "source": "pull",
                "first_seen": now - timedelta(days=90),
                "last_audit": now - timedelta(hours=n % 60),
                "silent_since": now - timedelta(hours=3) if n % 97 == 0 else None,
                "hits": 0,
            }
            for n in range(hosts)
        ]
        connection.execute(host.insert(), rows)


def _judged(
    database: Database,
    services: Services,
    rules: dict[str, tuple[int, int]],
    hosts: int,
    chance: random.Random,
    now: datetime,
) -> None:
    tally: Counter[tuple[int, str, int, int]] = Counter()
    packs: list[tuple[Any, ...]] = []
    unseen: list[tuple[Any, ...]] = []
    for number in range(hosts):
        of_host: set[int] = set()
        for pack in PACKS:
            outcomes: dict[int, int] = {}
            for one in services.packs[pack].about("host"):
                code = 4 if one.manual else chance.choices((0, 1, 2, 3), (60, 20, 12, 8))[0]
                rule_id = rules[one.id][0]
                outcomes[rule_id] = code
                tally[number % len(DEPARTMENTS) + 1, pack, rule_id, code] += 1
                if code == 3 and rule_id not in of_host:
                    of_host.add(rule_id)
                    unseen.append((number + 1, rule_id, "/etc/shadow: permission denied"))
            whole = Counter(outcomes.values())
            counts = {word: whole[n] for n, word in enumerate(OUTCOMES)}
            score = None if number % 211 == 0 else round(chance.random(), 4)
            packs.append(
                (
                    number + 1,
                    pack,
                    micros(now),
                    score,
                    json.dumps(counts),
                    json.dumps(outcomes).encode(),
                )
            )
    _bulk(database, host_pack, ("host_id", "pack", "time", "score", "counts", "outcomes"), packs)
    _bulk(database, unjudged, ("host_id", "rule_id", "reason"), unseen)
    _bulk(
        database,
        outcome_tally,
        ("department_id", "pack", "rule_id", "outcome", "hosts"),
        [(*key, count) for key, count in tally.items()],
    )


def _hits(
    database: Database,
    rules: Sequence[tuple[int, int]],
    hosts: int,
    hits: int,
    chance: random.Random,
    now: datetime,
) -> None:
    names = ("id", "fingerprint", "host_id", "rule_id", "department_id", "severity", "state")
    columns = (
        *names,
        "first_seen",
        "last_seen",
        "changed",
        "instance",
        "packs",
        "actual",
        "expected",
        "source",
        "evidence",
        "waiver",
        "waived_for",
        "by",
        "note",
        "ticket",
        "version",
    )
    tally: Counter[tuple[int, int, int, int]] = Counter()
    of_host: Counter[tuple[int, int, int]] = Counter()
    begun = micros(now - timedelta(days=90))
    span = micros(now) - begun
    rows: list[tuple[Any, ...]] = []
    for number in range(hits):
        host_id = number % hosts + 1
        department_id = (host_id - 1) % len(DEPARTMENTS) + 1
        rule_id, severity = rules[int(chance.random() ** 2 * len(rules))]
        state = chance.choices((0, 1, 2, 3, 4), (40, 20, 5, 30, 5))[0]
        tally[department_id, rule_id, severity, state] += 1
        of_host[host_id, severity, state] += 1
        first = begun + int(chance.random() * span)
        rows.append(
            (
                *(number + 1, number.to_bytes(32, "big"), host_id, rule_id, department_id),
                *(severity, state, first, micros(now), first, f"用户{number % 40}", '["mlps-l3"]'),
                *('"yes"', '"no"', "/etc/ssh/sshd_config:33", "e", "", "{}", "", "", "", 1),
            )
        )
        if len(rows) == 50_000:
            _bulk(database, hit, columns, rows)
            rows = []
    _bulk(database, hit, columns, rows)
    _bulk(
        database,
        hit_tally,
        ("department_id", "rule_id", "severity", "state", "hits"),
        [(*key, count) for key, count in tally.items()],
    )
    _bulk(
        database,
        host_tally,
        ("host_id", "severity", "state", "hits"),
        [(*key, count) for key, count in of_host.items()],
    )
    with database.writing() as connection:
        connection.execute(
            text(
                "UPDATE host SET hits = (SELECT coalesce(sum(hits), 0) FROM host_tally "
                "WHERE host_tally.host_id = host.id AND state IN (0, 1, 4))"
            )
        )


def _lines(database: Database, hosts: int, chance: random.Random, now: datetime) -> None:
    rows = []
    for number in range(LINES):
        rank = chance.choices((0, 1, 2, 3, 4), (1, 3, 5, 3, 88))[0]
        state = ("down", "down", "degraded", "unknown", "up")[rank]
        figures = json.dumps({"state": state, "loss": 0.01, "rtt_median": 0.01, "site": "城关"})
        level = ("county", "town", "village")[number % 3]
        for family in ("ipv4", "ipv6"):
            key = (number % min(hosts, 20) + 1, f"线路-{number}", family)
            rows.append((*key, micros(now), level, rank, figures))
    names = ("host_id", "name", "family", "time", "level", "rank", "figures")
    _bulk(database, line, names, rows)


def _bulk(
    database: Database, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """By the driver's own way: a million rows."""
    names = ", ".join(f'"{name}"' for name in columns)
    with database.writing() as connection:
        driver: Any = connection.connection.driver_connection
        if database.sqlite:
            marks = ", ".join("?" * len(columns))
            driver.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', rows)  # noqa: S608
            return
        with (
            driver.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy,
        ):
            for row in rows:
                copy.write_row(row)


PATHS: Final = (
    ("/", 0.4),
    ("/api/v1/overview", 0.4),
    ("/clauses", 0.4),
    ("/hosts", 0.15),
    ("/hosts?sort=score", 0.15),
    ("/hosts?sort=audit&silent=yes", 0.15),
    ("/hosts?text=vm-04", 0.15),
    ("/hosts/1", 0.15),
    ("/rules", 0.15),
    ("/rules?pack=mlps-l3&outcome=fail", 0.15),
    ("/rules/linux.sshd.no-root-login", 0.15),
    ("/lines", 0.15),
    ("/lines?state=down&level=county", 0.15),
)


def measured(name: str, console: Console) -> Iterator[Figure]:
    for whose, departments in (("all", None), ("two departments", DEPARTMENTS[:2])):
        client = console.client("viewer", departments, name=f"viewer {whose}")
        for path, target in PATHS:
            taken = []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                answer = client.get(path)
                taken.append(time.perf_counter() - begin)
                assert answer.status_code == 200, answer.text
            p95 = sorted(taken)[int(len(taken) * 0.95) - 1]
            yield Figure(f"{name}, {whose}: {path}, p95", p95 * 1000, "ms", target=target * 1000)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure(f"{name}: most memory of this process, filling included", memory, "MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--hits", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    if given.only in (None, "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            _one("SQLite", f"sqlite:///{folder}/console.db", given)
    if given.only in (None, "postgresql"):
        with Postgres() as running:
            _one("PostgreSQL", running.url(), given)


def _one(name: str, url: str, given: argparse.Namespace) -> None:
    console = Console(url)
    fill(console, given.hosts, given.hits)
    for figure in measured(name, console):
        print(figure, flush=True)
    console.close()


if __name__ == "__main__":
    main()

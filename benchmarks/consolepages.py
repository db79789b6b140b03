"""How long pages of the review take with a million hits of 5,000 hosts, on either database, through the whole
application in this process: each as p95 against its target, with the median beside it.

    python -m benchmarks.consolepages [--hosts N] [--hits N] [--only sqlite|postgresql] [--times N] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import func, insert, select, text
from starlette.testclient import TestClient

from benchmarks.consoledata import DEPARTMENTS, arrived, audits
from exporters.console.codes import SEVERITY
from exporters.console.database import Database
from exporters.console.schema import (
    department,
    hit,
    hit_tally,
    host,
    host_tally,
    rule,
    rule_clause,
    rule_pack,
)
from tests.consolelab import Console, Postgres

TARGET: Final = 150.0  # ms
_STATES: Final = (0,) * 60 + (1,) * 25 + (2,) * 6 + (3,) * 8 + (4,)
_BATCH: Final = 20_000

# What of a list: a name and its URL
PAGES: Final = (
    ("open ones", "/hits"),
    *(
        (f"sort={one}", f"/hits?sort={one}")
        for one in ("age", "last_seen", "host", "rule", "changed")
    ),
    *(
        (f"sort={one}, the other way", f"/hits?sort={one}&direction={way}")
        for one, way in (("severity", "asc"), ("age", "asc"), ("host", "desc"), ("rule", "desc"))
    ),
    ("200 a page", "/hits?size=200"),
    ("all states", "/hits?state=all"),
    ("regressed", "/hits?state=regressed"),
    ("regressed by age", "/hits?state=regressed&sort=age"),
    ("fixed, last changed", "/hits?state=fixed&sort=changed"),
    ("critical", "/hits?severity=critical&sort=age"),
    ("info by host", "/hits?severity=info&sort=host"),
    ("verdict unknown", "/hits?verdict=unknown"),
    ("a clause", "/hits?clause=8.1.4.1&sort=last_seen"),
    ("a clause by host", "/hits?clause=8.1.4.1.a&sort=host"),
    ("a pack", "/hits?pack=mlps-l3"),
    ("a department", "/hits?department={department}"),
    ("a department by host", "/hits?department={department}&sort=host"),
    ("a system", "/hits?system={system}"),
    ("a system, a clause", "/hits?system={system}&clause=8.1.4.1"),
    ("a region by age", "/hits?region={region}&sort=age"),
    ("a region, newest week", "/hits?region={region}&max_age=7"),
    ("a host", "/hits?host=vm-01234"),
    ("a rule", "/hits?rule={rule}"),
    ("a rule of a department", "/hits?rule={rule}&department={department}&sort=changed"),
    ("an owner", "/hits?owner=analyst"),
    ("nobody's", "/hits?owner=none&sort=last_seen"),
    ("older than 60 days", "/hits?min_age=60"),
    ("newest 2 days by host", "/hits?max_age=2&sort=host"),
    ("newest 2 days, last seen", "/hits?max_age=2&sort=last_seen"),
    ("a ticket", "/hits?ticket=T-77"),
    ("text: two characters", "/hits?text=口令"),
    ("text: two characters of the value", "/hits?text=张伟"),
    ("text: a name", "/hits?text=zabbix3"),
    ("text: nowhere", "/hits?text=nowhere-at-all"),
    ("text: nowhere, of a department", "/hits?text=nowhere-at-all&department={department}"),
    ("by rule", "/hits?group=rule"),
    ("by host", "/hits?group=host"),
    ("by host, of a clause", "/hits?group=host&clause=8.1.4.1"),
    ("by host, regressed", "/hits?group=host&state=regressed"),
    ("by rule, of a region", "/hits?group=rule&region={region}"),
    ("by rule, of a department", "/hits?group=rule&department={department}"),
    ("by rule, with a text", "/hits?group=rule&text=zabbix"),
)
DEEP: Final = ("severity", "age", "last_seen", "host", "rule", "changed")


def fill(database: Database, hosts: int, hits: int) -> None:
    """The hits of made-up audits, as if they had come over 90 days and people had worked on them."""
    chance = random.Random(3)  # noqa: S311 - not a secret
    now = datetime.now(UTC).replace(microsecond=0)
    departments: dict[str, int] = {}
    rules: dict[str, int] = {}
    by_rule: Counter[tuple[int, ...]] = Counter()
    by_host: Counter[tuple[int, ...]] = Counter()
    rows: list[dict[str, Any]] = []
    with database.writing() as connection:
        owner = connection.execute(text("SELECT id FROM \"user\" WHERE name = 'analyst'")).scalar()
        for number, audit in enumerate(audits(hosts, hits)):
            labels = arrived(number).labels
            name = labels["department"]
            if name not in departments:
                departments[name] = len(departments) + 1
                connection.execute(insert(department), {"id": departments[name], "name": name})
            about: dict[str, Any] = {
                "system": labels["system"],
                "region": labels["region"],
                "source": "pull",
            }
            about |= {"key": audit.host.id, "name": audit.host.name, "last_audit": audit.time}
            about |= {"id": number + 1, "department_id": departments[name], "first_seen": now}
            connection.execute(insert(host), about)
            began = now - timedelta(days=chance.random() ** 2 * 90)
            for verdict in audit.packs[0].verdicts:
                if verdict.rule not in rules:
                    rules[verdict.rule] = len(rules) + 1
                    _rule(connection, rules[verdict.rule], verdict)
                if verdict.verdict != "fail":
                    continue
                seen = began if chance.random() < 0.7 else now - (now - began) * chance.random()
                row: dict[str, Any] = {
                    "fingerprint": hashlib.sha256(verdict.fingerprint.encode()).digest(),
                    "host_id": number + 1,
                    "rule_id": rules[verdict.rule],
                    "department_id": departments[name],
                    "severity": SEVERITY[verdict.severity],
                    "state": chance.choice(_STATES),
                    "first_seen": seen,
                    "last_seen": now - timedelta(seconds=number % 3600),
                    "changed": seen + (now - seen) * chance.random(),
                    "unseen_since": now if chance.random() < 0.002 else None,
                    "instance": verdict.instance,
                    "actual": json.dumps(verdict.actual, ensure_ascii=False),
                    "source": verdict.source,
                    "evidence": verdict.evidence,
                    "packs": '["mlps-l3"]',
                    "owner_id": owner if chance.random() < 0.01 else None,
                    "ticket": f"T-{chance.randrange(1000)}" if chance.random() < 0.01 else "",
                }
                rows.append(row)
                kind = (row["severity"], row["state"])
                by_rule[(row["department_id"], row["rule_id"], *kind)] += 1
                by_host[(row["host_id"], *kind)] += 1
            if len(rows) >= _BATCH:
                connection.execute(insert(hit), rows)
                rows.clear()
        if rows:
            connection.execute(insert(hit), rows)
        for table, counts in ((hit_tally, by_rule), (host_tally, by_host)):
            names = [column.name for column in table.c]
            found = [dict(zip(names, (*key, n), strict=True)) for key, n in counts.items()]
            connection.execute(insert(table), found)


def _rule(connection: Any, identity: int, verdict: Any) -> None:
    title = {"title_zh": verdict.title.zh, "title_en": verdict.title.en}
    about = {"id": identity, "name": verdict.rule, "severity": SEVERITY[verdict.severity]}
    connection.execute(insert(rule), {**about, **title})
    connection.execute(insert(rule_pack), {"rule_id": identity, "pack": "mlps-l3"})
    clauses = [
        {"rule_id": identity, "standard": standard, "clause": one}
        for standard, ones in verdict.maps.items()
        for one in ones
    ]
    if clauses:
        connection.execute(insert(rule_clause), clauses)


def settled(database: Database) -> None:
    """As after PostgreSQL's own upkeep."""
    if not database.sqlite:
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE")
            )


class Taken(NamedTuple):
    """In ms; `cpu` is the mean of what this process and PostgreSQL's took, whatever else the machine does."""

    least: float
    middle: float
    late: float
    cpu: float


def on_cpu(database: Database) -> float:
    """Seconds so far (proc(5): schedstat) of this process and of the database's."""
    found = time.process_time()
    if not database.sqlite:
        with database.reading() as connection:
            pids = connection.execute(
                text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
            ).scalars()
            found += (
                sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)
                / 1e9
            )
    return found


def measured(database: Database, client: TestClient, url: str, times: int) -> Taken:
    taken = []
    before = on_cpu(database)
    for _ in range(times):
        begin = time.perf_counter()
        answer = client.get(url)
        taken.append((time.perf_counter() - begin) * 1000)
        assert answer.status_code == 200, (url, answer.status_code, answer.text[:300])
    taken.sort()
    cpu = (on_cpu(database) - before) / times * 1000
    return Taken(
        taken[0], statistics.median(taken), taken[min(len(taken) - 1, int(0.95 * len(taken)))], cpu
    )


def urls(console: Console, client: TestClient) -> Iterator[tuple[str, str]]:
    with console.database.reading() as connection:
        most = select(hit_tally.c.rule_id).group_by(hit_tally.c.rule_id)
        most = most.order_by(func.sum(hit_tally.c.hits).desc()).limit(1)
        name = connection.execute(
            select(rule.c.name).where(rule.c.id == connection.execute(most).scalar_one())
        ).scalar_one()
        system, region = connection.execute(select(host.c.system, host.c.region).limit(1)).one()
    of = {"department": DEPARTMENTS[2], "system": system, "region": region, "rule": name}
    for title, url in PAGES:
        yield title, url.format(**of)
    for sort in DEEP:
        cursor = ""
        for _ in range(30):
            answer = client.get(f"/api/v1/hits?sort={sort}&size=200&cursor={cursor}").json()
            cursor = answer["next"] or cursor
        yield f"sort={sort}, page 120", f"/hits?sort={sort}&cursor={cursor}"
    yield "one hit", "/hits/1000"


def report(name: str, console: Console, times: int) -> None:
    everywhere = console.client("analyst")
    some = console.client("analyst", DEPARTMENTS[:5], name="departmental")
    heads = f"{'least ms':>8} {'p50':>8} {'p95':>8} {'CPU':>8} {'of target':>9}"
    print(f"{name}: {'page':50} {heads}")
    for who, client in (("", everywhere), (" [5 departments]", some)):
        worst = 0.0
        for title, url in urls(console, client):
            if who and title == "one hit":
                continue
            client.get(url)
            one = measured(console.database, client, url, times)
            worst = max(worst, one.late)
            figures = f"{one.least:8.1f} {one.middle:8.1f} {one.late:8.1f} {one.cpu:8.1f}"
            print(f"{name}: {title + who:50} {figures} {one.late / TARGET:9.2f}", flush=True)
        print(
            f"{name}: {'worst p95' + who:50} {worst:8.1f} ms, {worst / TARGET:.2f} of target",
            flush=True,
        )
    status = Path("/proc/self/status").read_text()
    own, mapped = (
        int(status.split(f"{part}:")[1].split()[0]) >> 10 for part in ("RssAnon", "RssFile")
    )
    print(f"{name}: resident {own} MB, and {mapped} MB of files", flush=True)


def run(name: str, url: str, given: argparse.Namespace) -> None:
    console = Console(url)
    console.person("analyst", "analyst")
    with console.database.reading() as connection:
        known = connection.execute(select(hit.c.id).limit(1)).first()
    if known is None:
        begin = time.perf_counter()
        fill(console.database, given.hosts, given.hits)
        settled(console.database)
        print(f"{name}: filled in {time.perf_counter() - begin:.0f} s", flush=True)
    report(name, console, given.times)
    console.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--hits", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--keep", default="", help="a folder whose SQLite file is used again")
    given = parser.parse_args()
    if given.only in (None, "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            place = os.path.abspath(given.keep or folder)
            run("SQLite", f"sqlite:///{place}/console.db", given)
    if given.only in (None, "postgresql"):
        with Postgres() as running:
            run("PostgreSQL", running.url(), given)


if __name__ == "__main__":
    main()

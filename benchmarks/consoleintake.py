"""How many findings a second a console takes in, on either database, first and again, one audit a transaction: each on
disk (fsync) before the next begins.

    python -m benchmarks.consoleintake [--hosts N] [--hits N] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.agent import Figure
from benchmarks.consoledata import arrived, audits
from exporters.console.database import Database
from exporters.console.intake.take import take_many
from exporters.console.services import Services
from exporters.console.serving import services_of
from exporters.console.settings import ConsoleSettings
from tests.consolelab import Postgres

ROUNDS = ("first", "again", "third")


def rates(name: str, url: str, hosts: int, hits: int, together: int) -> Iterator[Figure]:
    database, services = Database(url), services_of(ConsoleSettings())
    database.migrate()
    for round_, what in enumerate(ROUNDS):
        seconds, findings = _round(database, services, hosts, hits, together, round_)
        told = f"{name}, {what}: findings taken in, {together} audits a transaction"
        yield Figure(told, findings / seconds, "/s", target=5000, at_least=True)
    database.close()


def _round(
    database: Database, services: Services, hosts: int, hits: int, together: int, round_: int
) -> tuple[float, int]:
    """Seconds within `take` alone, and findings."""
    seconds, findings = 0.0, 0
    numbered = enumerate(audits(hosts, hits, round_=round_))
    while some := list(itertools.islice(numbered, together)):
        given = [(arrived(number), result) for number, result in some]
        now = max(result.time for _, result in given) + timedelta(seconds=1)
        findings += sum(v.verdict == "fail" for _, r in given for p in r.packs for v in p.verdicts)
        begin = time.perf_counter()
        taken = take_many(database, services, given, now)
        seconds += time.perf_counter() - begin
        assert all(one.outcome == "taken" for one in taken)
    return seconds, findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=250)
    parser.add_argument("--hits", type=int, default=50_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    for together in (1, 10):
        if given.only in (None, "sqlite"):
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/console.db"
                for figure in rates("SQLite", url, given.hosts, given.hits, together):
                    print(figure, flush=True)
        if given.only in (None, "postgresql"):
            with Postgres() as running:
                url = running.url()
                for figure in rates("PostgreSQL", url, given.hosts, given.hits, together):
                    print(figure, flush=True)


if __name__ == "__main__":
    main()

"""How many findings a second a console takes in, on either database, first and again: each transaction is on disk (fsync)
before it counts. Two at once is what the puller does.

    python -m benchmarks.consoleintake [--hosts N] [--hits N] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from benchmarks.agent import Figure
from benchmarks.consoledata import arrived, audits
from exporters.console.database import Database
from exporters.console.intake.arrived import Arrived
from exporters.console.intake.take import take_many
from exporters.console.services import Services
from exporters.console.serving import services_of
from exporters.console.settings import ConsoleSettings
from rules.model import AuditResult
from tests.consolelab import Postgres

MADE = 200  # audits made up at a time
ROUNDS = ("first", "again", "third")


def rates(
    name: str, url: str, hosts: int, hits: int, together: int, threads: int
) -> Iterator[Figure]:
    database, services = Database(url), services_of(ConsoleSettings())
    database.migrate()
    for round_, what in enumerate(ROUNDS):
        seconds, findings = _round(database, services, hosts, hits, together, threads, round_)
        told = (
            f"{name}, {what}: findings taken in, {threads} at once, {together} audits a transaction"
        )
        yield Figure(told, findings / seconds, "/s", target=5000, at_least=True)
    database.close()


def _round(
    database: Database,
    services: Services,
    hosts: int,
    hits: int,
    together: int,
    threads: int,
    round_: int,
) -> tuple[float, int]:
    """Seconds of taking in, without those of making the audits up, and findings."""
    seconds, findings = 0.0, 0
    numbered = enumerate(audits(hosts, hits, round_=round_))

    def work(given: list[tuple[Arrived, AuditResult]]) -> None:
        now = max(result.time for _, result in given) + timedelta(seconds=1)
        taken = take_many(database, services, given, now)
        assert all(one.outcome == "taken" for one in taken)

    with ThreadPoolExecutor(threads) as pool:
        while some := list(itertools.islice(numbered, MADE)):
            given = [(arrived(number), result) for number, result in some]
            groups = [given[at : at + together] for at in range(0, len(given), together)]
            findings += sum(
                v.verdict == "fail" for _, r in given for p in r.packs for v in p.verdicts
            )
            begin = time.perf_counter()
            list(pool.map(work, groups))
            seconds += time.perf_counter() - begin
    return seconds, findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=250)
    parser.add_argument("--hits", type=int, default=50_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    for together, threads in ((1, 1), (1, 2), (10, 1)):
        size = (given.hosts, given.hits, together, threads)
        if given.only in (None, "sqlite"):
            with tempfile.TemporaryDirectory() as folder:
                for figure in rates("SQLite", f"sqlite:///{folder}/console.db", *size):
                    print(figure, flush=True)
        if given.only in (None, "postgresql"):
            with Postgres() as running:
                for figure in rates("PostgreSQL", running.url(), *size):
                    print(figure, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(Figure("peak memory of this process, made-up audits included", peak, "MiB"))


if __name__ == "__main__":
    main()

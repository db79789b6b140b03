"""The review console with a million hits of 5,000 hosts, on SQLite and on PostgreSQL with its defaults: findings taken in
a second, how long every page takes for who sees all and for who sees some departments, and the memory of the process.

    python -m benchmarks.console [--hosts N] [--hits N] [--only sqlite|postgresql] [--times N] [--keep FOLDER]

Each page is asked of `jianwei console` over HTTP. What a page costs in CPU (the console's and PostgreSQL's) is beside it,
since other work on the machine makes it slower but not dearer.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import httpx
from sqlalchemy import select

from benchmarks import consolefill
from benchmarks.agent import Figure
from benchmarks.consoledata import DEPARTMENTS, audits
from benchmarks.consoleprocess import ConsoleProcess, console, cpu_of_database
from benchmarks.consoleurls import urls
from exporters.console.database import Database
from exporters.console.intake.verify import wrong_tallies
from exporters.console.schema import host
from tests.consolelab import Console, Postgres

THROUGH_INTAKE: Final = 200_000  # hits; the others are put in directly, which takes less time
AGAIN: Final = 50_000  # of those, taken in once more
AT_ONCE: Final = 8  # settings.threads
MEMORY: Final = 250.0


class Taken(NamedTuple):
    """In ms. `cpu`: the mean."""

    middle: float
    late: float
    cpu: float


def fill(name: str, lab: Console, hosts: int, hits: int) -> Iterator[str]:
    database, services = lab.database, lab.services
    through = max(1, hosts * min(hits, THROUGH_INTAKE) // hits)
    again = max(1, through * AGAIN // THROUGH_INTAKE)
    begin = time.perf_counter()
    for round_, what, last in ((0, "first", through), (1, "again", again)):
        found = consolefill.taken_in(database, services, hosts, hits, round_, last)
        yield found.told(f"{name}, {what}")
    now = consolefill.today()
    rest = itertools.islice(enumerate(audits(hosts, hits)), through, None)
    consolefill.Bulk(database, now).write(rest)
    consolefill.the_rest(database, hosts, now)
    consolefill.settled(database)
    with database.reading() as connection:
        wrong = wrong_tallies(connection)
    assert not wrong, wrong[:5]
    share = f"{min(hits, THROUGH_INTAKE)} of {hits} hits through intake, the others directly"
    yield str(Figure(f"{name}: filled, {share}", time.perf_counter() - begin, "s"))
    found = consolefill.taken_in(database, services, hosts, hits, 2, again)
    yield found.told(f"{name}, again into the full database with {consolefill.WAIVERS} waivers")


def pages(name: str, database: Database, process: ConsoleProcess, times: int) -> Iterator[str]:
    worst: dict[tuple[str, float], tuple[float, str]] = {}
    for who in ("analyst", "departmental"):
        with contextlib.closing(process.client(who)) as client:
            for title, url, target in urls(database, client):
                one = measured(database, process, client, url, times)
                figure = Figure(f"{name}, {who}: {title}, p95", one.late, "ms", target=target)
                yield f"{figure}; p50 {one.middle:.4g}, CPU {one.cpu:.4g} ms"
                worst[who, target] = max(worst.get((who, target), (0.0, "")), (one.late, title))
    for (who, target), (late, title) in worst.items():
        yield str(Figure(f"{name}, {who}: worst p95 ({title})", late, "ms", target=target))


def measured(
    database: Database, process: ConsoleProcess, client: httpx.Client, url: str, times: int
) -> Taken:
    taken = []
    assert client.get(url).status_code == 200, url
    before = process.cpu() + cpu_of_database(database)
    for _ in range(times):
        begin = time.perf_counter()
        answer = client.get(url)
        taken.append((time.perf_counter() - begin) * 1000)
        assert answer.status_code == 200, (url, answer.status_code)
    cpu = (process.cpu() + cpu_of_database(database) - before) / times * 1000
    taken.sort()
    return Taken(statistics.median(taken), taken[max(0, round(0.95 * times) - 1)], cpu)


def together(database: Database, process: ConsoleProcess) -> None:
    """A third of the pages each by as many people at once as the console answers: every thread has a connection then."""

    def ask(number: int) -> None:
        with contextlib.closing(process.client("departmental" if number % 2 else "analyst")) as one:
            for _, url, _ in itertools.islice(urls(database, one), number % 3, None, 3):
                assert one.get(url).status_code == 200, url

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, range(AT_ONCE)))


def run(name: str, url: str, given: argparse.Namespace) -> None:
    lab = Console(url)
    lab.person("analyst", "analyst")
    with lab.database.reading() as connection:
        known = connection.execute(select(host.c.id).limit(1)).first()
    if known is None:
        for told in fill(name, lab, given.hosts, given.hits):
            print(told, flush=True)
    lab.person("departmental", "analyst", DEPARTMENTS[:5])
    with console(url) as process:
        whole, own = process.memory()
        print(Figure(f"{name}: memory of the console, just started", whole, "MB"), flush=True)
        for told in pages(name, lab.database, process, given.times):
            print(told, flush=True)
        together(lab.database, process)
        whole, own = process.memory()
        for title, value in ((" (RSS)", whole), (", its own without files (RssAnon)", own)):
            figure = Figure(f"{name}: memory of the console{title}", value, "MB", target=MEMORY)
            print(figure, flush=True)
    lab.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--hits", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--keep", default="", help="a folder whose SQLite file is used again")
    given = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    if given.only in (None, "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            place = os.path.abspath(given.keep or folder)
            run("SQLite", f"sqlite:///{place}/console.db", given)
    if given.only in (None, "postgresql"):
        with Postgres() as running:
            run("PostgreSQL", running.url(), given)


if __name__ == "__main__":
    main()

"""`python -m benchmarks.report`: the monthly report of a made-up city (reportdata.py), from each source, all formats.

2,000 resources × 31 days × five minutes out of a history file, a real Prometheus backfilled by promtool and a real
VictoriaMetrics, servers with their limits at their defaults; 10,000 out of a history file with two months. Beside them
the peer: the same 95th percentiles as dashboards ask for them, by subqueries. A measurement, no judgement: the exit status
is 0 in any case. Backfilling takes minutes, which are not counted, and some 12 GB of memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from benchmarks import reportdata
from benchmarks.agent import Figure
from exporters.promapi.client import PromClient
from exporters.promapi.selectors import chosen
from exporters.promapi.series import RECORDED
from exporters.promapi.settings import PromSettings
from exporters.usage.period import months_before
from tests import promlab

MONTH: Final = "2026-10"
FORMATS: Final = "html,xlsx,pdf"
MB: Final = 1e6
PROFILE: Final = """city: 示范市
capacity: {vcpus: 100000, memory_gib: 400000, disk_tib: 2000}
prices: prices.csv
follow_up: followup.csv
"""

Server = Callable[..., AbstractContextManager[str]]


class Run(NamedTuple):
    """`memory` is the most that the command and its children had at a time, in bytes."""

    wall: float
    cpu: float
    memory: int


def run(argv: Sequence[str]) -> Run:
    """Raises RuntimeError unless it ends well."""
    begin, most = time.perf_counter(), 0
    cpu: dict[int, float] = {}
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        its = psutil.Process(process.pid)
        while process.poll() is None:
            now = 0
            try:
                for one in (its, *its.children(recursive=True)):
                    now += one.memory_info().rss
                    cpu[one.pid] = sum(one.cpu_times()[:2])
            except psutil.Error:
                continue
            most = max(most, now)
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{argv}: exit status {process.returncode}")
    return Run(time.perf_counter() - begin, sum(cpu.values()), most)


def report(folder: Path, source: Sequence[str], formats: str = FORMATS) -> Run:
    (folder / "prices.csv").write_text(
        "项目,单价,单位\nvcpu,0.12,小时\nmemory,20,月\n", encoding="utf-8"
    )
    (folder / "city.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "followup.csv").unlink(missing_ok=True)
    argv = [sys.executable, "-P", "-m", "agents", "report", "--month", MONTH, *source]
    argv += [
        "--profile",
        str(folder / "city.yaml"),
        "--out",
        str(folder / "out"),
        "--format",
        formats,
    ]
    return run(argv)


def told(what: str, done: Run, seconds: float, megabytes: float) -> Iterator[Figure]:
    yield Figure(f"{what}, wall", done.wall, "s", target=seconds)
    yield Figure(f"{what}, CPU", done.cpu, "s")
    yield Figure(f"{what}, memory", done.memory / MB, "MB", target=megabytes)


def history(
    folder: Path, count: int, months: int, seconds: float, memory: float
) -> Iterator[Figure]:
    path = folder / f"city-{count}.db"
    reportdata.write_history(path, count, months_before(MONTH, months))
    done = report(folder, ["--history", str(path)])
    yield from told(f"{count} resources from a history of {months} months", done, seconds, memory)
    path.unlink()


def database(name: str, folder: Path, count: int, server: Server) -> Iterator[Figure]:
    place = folder / name
    place.mkdir()
    series = reportdata.write_series(count, MONTH)
    with server(place, series) as url:
        done = report(folder, ["--prometheus", url])
        yield from told(f"{count} resources from {name}", done, 60, 1000)
        yield subqueries(name, url, count)


def subqueries(name: str, url: str, count: int) -> Figure:
    """95th percentiles of CPU of 200 resources: ours over the plain range, and over a subquery of the ratio."""
    period = reportdata.last(MONTH)
    ids = [reportdata.resource(number).id for number in range(min(count, 200))]
    its = f"{RECORDED['cpu']}{{{chosen(ids)}}}"
    seconds = round(period.until - period.since)
    queries = (
        f"quantile_over_time(0.95, {its}[{seconds}s])",
        f"quantile_over_time(0.95, ({its} / 100)[{seconds}s:5m])",
    )
    with PromClient(PromSettings(url=url)) as client:
        took = []
        for query in queries:
            begin = time.perf_counter()
            client.instant(query, period.until)
            took.append(time.perf_counter() - begin)
    ours, theirs = took
    return Figure(f"P95 of {len(ids)} resources in {name}, peer a subquery", ours, "s", peer=theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=2000)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--only", choices=["history", "large", "prometheus", "victoria"])
    given = parser.parse_args()
    parts: dict[str, Callable[[Path], Iterator[Figure]]] = {
        "history": lambda folder: history(folder, given.resources, 1, 30, 1000),
        "large": lambda folder: history(folder, given.large, 2, 120, 2000),
        "prometheus": lambda folder: database(
            "Prometheus", folder, given.resources, promlab.prometheus
        ),
        "victoria": lambda folder: database(
            "VictoriaMetrics", folder, given.resources, promlab.victoria
        ),
    }
    for part, figures in parts.items():
        if given.only in (None, part):
            with tempfile.TemporaryDirectory() as folder:
                for figure in figures(Path(folder)):
                    print(figure, flush=True)


if __name__ == "__main__":
    main()

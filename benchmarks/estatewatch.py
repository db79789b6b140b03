"""Watching an engine while it scrapes: its figures over a window that begins once every agent was scraped."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

import httpx

from benchmarks.estatelab import JOB, RULES, Agents, Name, Process, disk, grown, machine
from benchmarks.estatequeries import Stopwatch
from benchmarks.estateresult import Cost, Disk, Result, Scrapes
from benchmarks.estateserver import FAILURES, Estate, number

STEP: Final = 2.0  # seconds between two looks
RAMP, PACE = 100, 20.0  # agents that come at once, and a second
SETTLE: Final = 600.0  # seconds at most
_FAIL: Final = tuple(fate for fate in FAILURES if fate != "late")


def watched(
    name: Name, estate: Estate, agents: Agents, engines: list[Process], folder: Path, minutes: float
) -> Result:
    """Blocks for the minutes, after the time that the engine needs to know every series."""
    store = engines[0]
    begin = time.time()
    _begun(name, agents, estate, store, folder)
    first = time.time()
    busy, cost = machine(), [process.cpu() for process in (agents, *engines)]
    appended, lost = _appended(name, store), _lost(store)
    resident, queries = 0.0, Stopwatch(RULES)
    while (now := time.time()) < first + minutes * 60:
        resident = max(resident, sum(process.resident() for process in engines))
        if now > first + minutes * 30:  # in the second half there is something to ask for
            queries.ask(store.query)
        time.sleep(max(0.0, STEP - (time.time() - now)))
    end = time.time()
    took = end - first
    used = [
        (process.cpu() - before) / took
        for process, before in zip((agents, *engines), cost, strict=True)
    ]
    everywhere = (machine() - busy) / took
    new, dropped = _appended(name, store) - appended, int(_lost(store) - lost)
    told = agents.told()
    if name == "victoria-metrics":
        store.http.get("/internal/force_flush").raise_for_status()
    return Result(
        name=name,
        estate=(estate.agents, estate.series, estate.interval, estate.churn, estate.failures),
        begun=first - begin,
        minutes=took / 60,
        scrapes=_scrapes(store, estate, begin, first, end)._replace(lost=dropped),
        problems=_problems(store),
        answers=told.answers,
        restarts=told.restarts,
        samples=new / took,
        series=_series(name, store),
        cost=Cost(sum(used[1:]), resident, used[0], max(0.0, everywhere - sum(used))),
        disk=_disk(name, store, folder),
        queries=tuple(queries.told()),
    )


def _begun(name: Name, agents: Agents, estate: Estate, store: Process, folder: Path) -> None:
    """Targets come in batches, as they are rolled out; then until no series come that are not those of churn."""
    port = agents.http.base_url.port
    assert port
    for count in range(RAMP, estate.agents, RAMP):
        grown(folder, count, port)
        time.sleep(RAMP / PACE)
    grown(folder, estate.agents, port)
    series, ends = 0, time.time() + SETTLE
    while time.time() < ends:
        time.sleep(estate.interval)
        before, series = series, _series(name, store)
        asked = sum(agents.told().answers.values())
        whole = asked >= estate.agents and series >= 0.97 * estate.agents * estate.series
        if whole and series - before < 0.02 * series:
            return
    print(f"not settled: {series} series; {_problems(store)}", file=sys.stderr)


def _appended(name: Name, store: Process) -> float:
    if name == "prometheus":
        return _sum(store.metrics(), "prometheus_tsdb_head_samples_appended_total")
    return _sum(store.metrics(), 'vm_rows_inserted_total{type="promscrape"}')


def _lost(store: Process) -> float:
    """Samples that VictoriaMetrics had no time for: it scraped them, and dropped them."""
    return _sum(store.metrics(), "vm_concurrent_addrows_dropped_rows_total")


def _sum(metrics: dict[str, float], name: str, without: str = "\n", only: str = "") -> float:
    """Of all series whose name begins so; without those that have a text, or only those."""
    return sum(
        v for k, v in metrics.items() if k.startswith(name) and only in k and without not in k
    )


def _series(name: Name, store: Process) -> int:
    metrics = store.metrics()
    if name == "prometheus":
        return int(metrics["prometheus_tsdb_head_series"])
    return int(metrics['vm_cache_entries{type="storage/hour_metric_ids"}'])


def _samples(
    store: Process, metric: str, begin: float, end: float
) -> dict[str, list[tuple[float, float]]]:
    """All samples of a metric of each agent."""
    window = f"{int(end - begin) + 1}s"
    found: dict[str, list[tuple[float, float]]] = {}
    for row in store.query(f'{metric}{{job="{JOB}"}}[{window}]', end):
        labels, values = row["metric"], row["values"]
        assert isinstance(labels, dict)
        assert isinstance(values, list)
        found[labels["instance"]] = [(float(at), float(value)) for at, value in values]
    return found


def _scrapes(store: Process, estate: Estate, begin: float, first: float, end: float) -> Scrapes:
    """From what the engine wrote of each scrape. Of an agent's n-th it is known whether it was to fail. How long they
    take is of those in the window: the first ones make all series."""
    done = failed = meant = missed = surprises = early = 0
    up = _samples(store, "up", begin, end)
    for instance, samples in up.items():
        agent = number(instance.partition(":")[0])
        due = [estate.fate(agent, n) in _FAIL for n in range(len(samples))]
        seen = [(at, value == 0, should) for (at, value), should in zip(samples, due, strict=True)]
        early += sum(bad for at, bad, _ in seen if at < first)
        seen = [one for one in seen if one[0] >= first]
        bad, should = sum(bad for _, bad, _ in seen), sum(should for *_, should in seen)
        done, failed, meant = done + len(seen), failed + bad, meant + should
        surprises += max(0, bad - should)
        times = [first, *(at for at, *_ in seen), end]
        gaps = pairwise(times)
        missed += sum(max(0, round((b - a) / estate.interval - 0.1) - 1) for a, b in gaps)
    missed += (estate.agents - len(up)) * round((end - first) / estate.interval)
    took = sorted(
        value
        for samples in _samples(store, "scrape_duration_seconds", first, end).values()
        for _, value in samples
    )
    high = took[int(len(took) * 0.99)] if took else float("nan")
    slowest = took[-1] if took else float("nan")
    return Scrapes(done, failed, meant, surprises, missed, 0, early, high, slowest)


def _problems(store: Process) -> tuple[str, ...]:
    """The last errors that the engine names, most frequent first."""
    counted: dict[str, int] = defaultdict(int)
    with_errors = store.http.get("/api/v1/targets", params={"state": "active"}).json()
    for target in with_errors["data"]["activeTargets"]:
        if target["lastError"]:
            counted[target["lastError"].rpartition(": ")[2][:80]] += 1
    return tuple(
        f"{count} × {text}" for text, count in sorted(counted.items(), key=lambda it: -it[1])[:3]
    )


def _disk(name: Name, store: Process, folder: Path) -> Disk:
    """What the samples take as the engine keeps them for long: Prometheus is made to write its head as a block."""
    if name == "victoria-metrics":
        store.http.get("/internal/force_merge", timeout=httpx.Timeout(300)).raise_for_status()
        time.sleep(5)
        metrics = store.metrics()
        rows = _sum(metrics, "vm_rows{", without="indexdb")
        data = _sum(metrics, "vm_data_size_bytes{", without="indexdb")
        index = _sum(metrics, "vm_data_size_bytes{", only="indexdb")
        return Disk(data / rows, index, 0.0)
    told = store.http.post(
        "/api/v1/admin/tsdb/snapshot", timeout=httpx.Timeout(300)
    ).raise_for_status()
    snapshot = folder / "data/snapshots" / told.json()["data"]["name"]
    samples = _appended(name, store)
    chunks = sum(path.stat().st_size for path in snapshot.glob("*/chunks/*"))
    index = sum(path.stat().st_size for path in snapshot.glob("*/index"))
    return Disk(chunks / samples, index, disk(folder / "data/wal") / samples)

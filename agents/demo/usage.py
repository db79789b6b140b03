"""What the example city used over a month, as the history file of an agent: machines by their department's story, and
lines with their outages. Values are drawn from generators with fixed seeds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from agents.demo import city
from agents.demo.city import Machine, Site
from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.spans import Identity, encoded
from exporters.history.blocks import Floats
from exporters.history.days import Days
from exporters.history.file import connect
from exporters.history.landing import land
from exporters.history.schema import SLOT
from exporters.history.store import HistoryWriter, Known, Span
from exporters.history.units import ALL_METRICS, LINE, LINE_KNOWN, LINE_UP, line_id
from exporters.usage.period import Period

GIB: Final = 2**30
USED: Final = ("cpu", "memory", "net_rx", "net_tx")
HELD: Final = 400 * 86400.0  # seconds that the machines were there before


class CityLine(NamedTuple):
    """`role`: main or backup; `peer` is the other one of its site, empty where there is none."""

    name: str
    site: Site
    role: str
    peer: str
    carrier: str


def lines() -> Iterator[CityLine]:
    """Areas have a main and a backup line, all else has one."""
    for number, site in enumerate(city.sites()):
        carrier = ("电信", "移动", "联通")[number % 3]
        if site.level == "county":
            main, backup = f"{site.name}-主", f"{site.name}-备"
            yield CityLine(main, site, "main", backup, "电信")
            yield CityLine(backup, site, "backup", main, "移动")
        else:
            yield CityLine(site.name, site, "main", "", carrier)


def write(path: Path, period: Period, zone: ZoneInfo) -> None:
    """The history of a month."""
    machines, all_lines = list(city.machines()), list(lines())
    since = period.since - HELD
    known = [Known(it.id, "server", it.name, "政务云", since, period.until) for it in machines]
    known += [Known(line_id(it.name), LINE, it.name, "", since, period.until) for it in all_lines]
    spans = [span for it in machines for span in _facts(it, since)]
    with closing(HistoryWriter(path)) as writer:
        writer.add(int(period.since // SLOT), (), known, spans)
    with closing(connect(path)) as connection:
        days = Days(zone)
        first = days.of(period.since)
        numbers = {
            metric: _series(connection, metric, [it.id for it in machines]) for metric in USED
        }
        of_lines = [line_id(it.name) for it in all_lines]
        numbers |= {
            metric: _series(connection, metric, of_lines) for metric in (LINE_KNOWN, LINE_UP)
        }
        for day in range(first, days.of(period.until - 1) + 1):
            _, slots = days.span(day)
            values = {metric: used(metric, machines, day - first, slots) for metric in USED}
            values |= line_values(all_lines, day - first, slots)
            connection.execute("BEGIN")
            for metric, found in values.items():
                land(connection, days, day, numbers[metric], found, found)
            connection.execute("COMMIT")


def used(metric: str, machines: Sequence[Machine], day: int, slots: int) -> Floats:
    """A machine a row: busy by day, and as its department's story goes."""
    generator = np.random.default_rng([USED.index(metric), day])
    noise = generator.random((len(machines), slots), np.float32)
    hours = np.arange(slots) / slots * 24
    work = np.clip(np.sin((hours - 7) / 12 * np.pi), 0, None) * (0.25 if day % 7 in (5, 6) else 1.0)
    levels = np.array([_level(metric, it) for it in machines])[:, None]
    if metric in ("cpu", "memory"):
        share = 0.45 if metric == "cpu" else 0.08
        found: NDArray[np.floating[Any]] = levels * (1 - share + share * 1.6 * work) + noise * 2
        found = np.minimum(found, 100.0)
    else:
        found = levels * (0.3 + work) * (0.6 + 0.8 * noise)
    # now and then an agent misses a slot
    return np.asarray(np.where(noise > 0.9995, np.nan, np.round(found, 1)), np.float32)


def _level(metric: str, it: Machine) -> float:
    if it.department == city.IDLE:
        return {"cpu": 1.2, "memory": 9.0, "net_rx": 300.0, "net_tx": 200.0}[metric]
    if it.department == city.STARVING:
        return {"cpu": 88.0, "memory": 90.0, "net_rx": 4e6, "net_tx": 6e6}[metric]
    busy = 8 + (it.number * 37) % 47
    return {"cpu": busy, "memory": 25 + busy, "net_rx": 2e4 * busy, "net_tx": 3e4 * busy}[metric]


def line_values(all_lines: Sequence[CityLine], day: int, slots: int) -> dict[str, Floats]:
    """Percent of each slot that is known, and of that the line was up."""
    known = np.full((len(all_lines), slots), 100.0, np.float32)
    up = known.copy()
    generator = np.random.default_rng([77, day])
    for row, it in enumerate(all_lines):
        if it.name == city.DEAD and day >= 8:
            up[row] = 0.0
        elif generator.random() < (0.03 if it.site.level == "village" else 0.008):
            begin = int(generator.integers(0, slots - 1))
            up[row, begin : begin + int(generator.integers(1, 25))] = 0.0
    up[known == 0] = np.nan
    return {LINE_KNOWN: known, LINE_UP: up}


def _facts(it: Machine, since: float) -> Iterator[Span]:
    owner = Owner(it.department, it.system, it.area, "production")
    facts = {
        "identity": Identity("server", it.name, "政务云", "openstack"),
        "state": "active",
        "size": Size(it.vcpus, it.memory * GIB, 100 * GIB),
        "owner": Attribution(owner, "metadata"),
    }
    for aspect, value in facts.items():
        yield Span(it.id, aspect, since, None, encoded(value))  # type: ignore[arg-type]


def _series(connection: sqlite3.Connection, metric: str, ids: Sequence[str]) -> NDArray[np.int64]:
    """Numbers of new series, in the order of their numbers: that of the resources."""
    connection.execute(
        "INSERT INTO metrics (name, unit) VALUES (?, ?)", (metric, ALL_METRICS[metric])
    )
    connection.executemany(
        "INSERT INTO series (metric, resource) SELECT metrics.number, resources.number"
        " FROM metrics, resources WHERE metrics.name = ? AND id = ?",
        [(metric, id) for id in ids],
    )
    rows = connection.execute(
        "SELECT series.number FROM series JOIN metrics ON metrics.number = metric"
        " WHERE name = ? ORDER BY series.number",
        (metric,),
    )
    return np.array([number for (number,) in rows], np.int64)

"""A city that was made up, the same every time: resources of 23 departments and 46 systems, and what they used over
months, as a history file and as series of a time-series database.

A fifth of the servers idles, a twentieth is busy; every hundredth has no figures of memory, every fiftieth is resized
in the middle of the last month.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.spans import Identity, Value, encoded
from exporters.history.blocks import Floats
from exporters.history.days import Days
from exporters.history.file import connect
from exporters.history.landing import land
from exporters.history.schema import SLOT, ZONE
from exporters.history.store import HistoryWriter, Known, Span
from exporters.history.units import METRICS
from exporters.promapi import series
from exporters.usage.period import Period, month
from tests.promlab import Made

DEPARTMENTS: Final = 23
SYSTEMS: Final = 46
USED: Final = ("cpu", "memory", "steal", "net_rx", "net_tx")
ZONE_INFO: Final = ZoneInfo(ZONE)
GIB: Final = 2**30


class Resource(NamedTuple):
    id: str
    owner: Owner
    size: Size


def resource(number: int) -> Resource:
    system = number % SYSTEMS
    vcpus = (2, 4, 8, 16)[number // SYSTEMS % 4]
    owner = Owner(
        f"部门{system % DEPARTMENTS + 1:02}", f"系统{system + 1:02}", "市本级", "production"
    )
    return Resource(f"vm-{number:05}", owner, Size(vcpus, vcpus * 4 * GIB, 100 * GIB))


def values(metric: str, count: int, day: int, slots: int) -> Floats:
    """Use of all resources on a day (an ordinal), a resource a row."""
    generator = np.random.default_rng([USED.index(metric), day])
    number = np.arange(count)[:, None]
    noise = generator.random((count, slots), np.float32)
    shape = np.maximum(0, np.sin((np.arange(slots) / slots - 0.25) * 2 * np.pi))[None, :]
    level = np.where(number % 5 == 0, 1.0, np.where(number % 20 == 7, 84.0, number % 53 + 5.0))
    if metric == "cpu":
        found: NDArray[np.floating[Any]] = level * (0.7 + 0.3 * shape) + noise * 2
    elif metric == "memory":
        found = 20 + number % 60 + 5 * shape + noise
        found = np.where(number % 100 == 3, np.nan, found)
    elif metric == "steal":
        found = noise * 0.5
    else:
        found = level * level * 20 * (0.5 + shape) + noise * 100
    return np.asarray(np.where(noise > 0.999, np.nan, np.round(found, 2)), np.float32)


def last(label: str) -> Period:
    return month(label, ZONE_INFO, 1e12)


def days_of(period: Period) -> list[tuple[int, int, int]]:
    """Ordinal, first slot and slots of each day."""
    days = Days(ZONE_INFO)
    first, end = days.of(period.since), days.of(period.until - 1) + 1
    return [(day, *days.span(day)) for day in range(first, end)]


def write_history(path: Path, count: int, labels: list[str]) -> None:
    """The months `labels`, in order."""
    first, end = last(labels[0]).since, last(labels[-1]).until
    resources = [resource(number) for number in range(count)]
    known = [Known(it.id, "server", it.id, "city", first - 86400, end) for it in resources]
    spans = [
        Span(it.id, aspect, first - 86400, None, encoded(value))
        for it in resources
        for aspect, value in _facts(it)
    ]
    with closing(HistoryWriter(path)) as writer:
        writer.add(int(first // SLOT), (), known, spans)
    with closing(connect(path)) as connection:
        numbers = _series(connection, resources)
        days = Days(ZONE_INFO)
        for label in labels:
            for day, _, slots in days_of(last(label)):
                connection.execute("BEGIN")
                for metric in USED:
                    found = values(metric, count, day, slots)
                    land(connection, days, day, numbers[metric], found, found)
                connection.execute("COMMIT")


def _facts(it: Resource) -> Iterator[tuple[str, Value]]:
    yield "identity", Identity("server", it.id, "city", "openstack")
    yield "state", "active"
    yield "size", it.size
    yield "owner", Attribution(it.owner, "metadata")


def _series(connection: object, resources: list[Resource]) -> dict[str, NDArray[np.int64]]:
    import sqlite3

    assert isinstance(connection, sqlite3.Connection)
    found = {}
    for metric in USED:
        connection.execute(
            "INSERT INTO metrics (name, unit) VALUES (?, ?)", (metric, METRICS[metric])
        )
        connection.executemany(
            "INSERT INTO series (metric, resource) SELECT metrics.number, resources.number"
            " FROM metrics, resources WHERE metrics.name = ? AND id = ?",
            [(metric, it.id) for it in resources],
        )
        rows = connection.execute(
            "SELECT series.number FROM series JOIN metrics ON metrics.number = metric"
            " WHERE name = ? ORDER BY series.number",
            (metric,),
        )
        found[metric] = np.array([number for (number,) in rows], np.int64)
    return found


def write_series(count: int, label: str, facts: float = 3600.0) -> Iterator[Made]:
    """The same of one month, as recorded series and as what agents tell, every `facts` seconds."""
    period = last(label)
    days = days_of(period)
    times = np.arange(period.since + SLOT, period.until + 1, SLOT)
    for metric, name in series.RECORDED.items():
        whole = np.concatenate(
            [values(metric, count, day, slots) for day, _, slots in days], axis=1
        )
        for number in range(count):
            row = np.round(whole[number].astype(np.float64), 2)  # in as few digits as it has
            yield Made(name, {"resource": resource(number).id}, times, row)
    moments = np.arange(period.since, period.until + 1, facts)
    ones = np.ones(len(moments))
    for number in range(count):
        it = resource(number)
        own = {"resource": it.id}
        owner = it.owner
        info = {
            **own,
            "kind": "server",
            "name": it.id,
            "cloud": "city",
            "how": "metadata",
            "department": owner.department,
            "system": owner.system,
            "region": owner.region,
            "environment": owner.environment,
        }
        yield Made(series.INFO, info, moments, ones)
        yield Made(series.STATE, {**own, "state": "active"}, moments, ones)
        for name, value in (
            (series.VCPUS, it.size.vcpus),
            (series.MEMORY, it.size.memory),
            (series.DISK, it.size.disk),
        ):
            yield Made(name, own, moments, ones * float(value or 0))

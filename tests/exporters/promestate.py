"""A small estate of which everything happens within a month, as raw samples: told to a time-series database, and
recomputed with numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from exporters.history import workcalendar
from exporters.history.reader import Span
from exporters.promapi import series
from exporters.promapi.client import PromClient, PromSettings
from exporters.promapi.source import PrometheusSource
from rules.usagemodel import Measured
from tests.promlab import SLOT, Made, month, needs_prometheus, needs_victoria, prometheus, victoria

ZONE = ZoneInfo("Asia/Shanghai")
SINCE = int(datetime(2026, 10, 1, tzinfo=ZONE).timestamp())
SLOTS = 288 * 31
UNTIL = SINCE + SLOTS * SLOT
DAY = 288
FIRST = SINCE // SLOT
MONTH = Span(FIRST, FIRST + SLOTS)
NOW = UNTIL + 86400.0
CALENDAR = workcalendar.load()
Server = Callable[..., AbstractContextManager[str]]
BOTH = [
    pytest.param(prometheus, marks=needs_prometheus, id="prometheus"),
    pytest.param(victoria, marks=needs_victoria, id="victoria"),
]
IDS = [
    "plain-0001",
    'quo"te',
    "back\\slash",
    "re.gex+(a|b)*[c]^$?{2}",
    "服务器 一",
    "two\nlines",
    "tab\there",
    "plain-0002",
    "twin-a",
    "twin-b",
    "no-facts",
    "volume",
]
CPU, MEMORY, NET = "cpu", "memory", "net_rx"


def usage(before: int = 40, after: int = 40) -> dict[str, NDArray[np.float64]]:
    """By metric, a row a resource and a column a slot, from `before` slots before the month to `after` after it: what
    is beside it must not count. NaN is no sample."""
    generator = np.random.default_rng(7)
    shape = len(IDS), before + SLOTS + after
    cpu = np.round(generator.gamma(0.9, 11, shape), 3).astype(np.float32).astype(np.float64)
    cpu[:, :before] = 190.0
    cpu[:, before + SLOTS :] = 195.0
    month_of = cpu[:, before : before + SLOTS]
    month_of[1, 100:700] = np.nan  # a gap of two days
    month_of[2][generator.random(SLOTS) < 0.1] = np.nan
    month_of[3, :] = 5.0  # of many highest the first counts
    month_of[5, :] = np.nan
    month_of[5, 777] = 3.25  # one sample
    month_of[6, :] = 0.0
    month_of[7, 3 * DAY - 1] = month_of[7, 3 * DAY] = 150.0  # the last slot of a day, and one more
    month_of[8, 0], month_of[9, -1] = 160.0, 161.0  # the edges
    memory = np.round(generator.random(shape) * 100, 2)
    memory[::2] = np.nan
    net = np.round(generator.lognormal(8, 3, shape))
    for rows in (cpu, memory, net):
        rows[4, : before + 10 * DAY + 7] = np.nan
        rows[7, before + 25 * DAY + 11 :] = np.nan  # seen last
        rows[11] = np.nan
    return {CPU: cpu, MEMORY: memory, NET: net}


def recorded(after: float = 0) -> list[Made]:
    """As rules record it, `after` seconds after each full five minutes."""
    return [
        one
        for metric, rows in usage().items()
        for one in month(series.RECORDED[metric], rows, SINCE - 40 * SLOT, IDS, after)
    ]


def fact(name: str, labels: dict[str, str], since: float, until: float, value: float = 1.0) -> Made:
    """Told every five minutes of (since, until] by one agent."""
    times = np.arange(since + SLOT, until + 1, SLOT, dtype=np.float64)
    told = {"instance": "agent:9100", "job": "jianwei", **labels}
    return Made(name, told, times, np.full(len(times), value))


def info(id: str, since: float, until: float, **labels: str) -> Made:
    its = {
        "resource": id, "kind": "server", "name": f"名{id}", "cloud": "city", "how": "project",
        "department": "市教育局", "system": "学籍", "region": "", "environment": "", **labels,
    }  # fmt: skip
    return fact(series.INFO, {k: v for k, v in its.items() if v}, since, until)


def day(number: float) -> int:
    """The beginning of a day of the month, from 0."""
    return int(SINCE + number * DAY * SLOT)


FROM, TO = day(-3), day(33)
MOVED, RESIZED, GRANTED = day(12) + 7 * SLOT, day(20) + 3600, day(10) + 7 * SLOT
STOPPED, SEEN_LAST = day(-2) + 4 * SLOT, day(25) + 11 * SLOT
AWAY = (day(14) + 5 * SLOT, day(16) + 9 * SLOT)  # the agent told nothing


def facts() -> list[Made]:
    made = []
    twins = {"twin-a": "孪生", "twin-b": "孪生"}
    for id in IDS:
        if id == "no-facts":
            continue
        begin = GRANTED if id == IDS[4] else FROM
        end = SEEN_LAST if id == "plain-0002" else TO
        own = {"name": twins[id]} if id in twins else {}
        if id == "volume":
            own["kind"] = "volume"
        if id == 'quo"te':
            made += [
                info(id, begin, MOVED, **own),
                info(id, MOVED, end, **own, department="市卫健局", how="override"),
            ]
        else:
            made.append(info(id, begin, end, **own))
        if id == "volume":
            made.append(fact(series.DISK, {"resource": id}, begin, end, 2e12))
            made.append(fact(series.ATTACHED, {"resource": id}, begin, day(5), 1))
            made.append(fact(series.ATTACHED, {"resource": id}, day(5), end, 0))
            continue
        cuts = [(begin, end, 4.0)]
        if id == "back\\slash":
            cuts = [(begin, RESIZED, 4.0), (RESIZED, end, 8.0)]
        for since, until, vcpus in cuts:
            made.append(fact(series.VCPUS, {"resource": id}, since, until, vcpus))
        made.append(fact(series.MEMORY, {"resource": id}, begin, end, 8 * 2**30))
        states = [(begin, end, "active")]
        if id == "tab\there":
            states = [(begin, STOPPED, "active"), (STOPPED, end, "stopped")]
        for since, until, state in states:
            made.append(fact(series.STATE, {"resource": id, "state": state}, since, until))
        if id == IDS[4]:
            created = float(GRANTED - 77)
            made.append(fact(series.CREATED, {"resource": id}, begin, end, created))
    return [_without(one, *AWAY) for one in made]


def estate() -> list[Made]:
    made = []
    for resource, physical in (("vcpus", 100.0), ("memory_bytes", 2.0**40)):
        made.append(fact(series.PHYSICAL, {"resource": resource}, FROM, TO, physical))
        made.append(fact(series.USABLE, {"resource": resource}, FROM, TO, 4 * physical))
    return made


def _without(one: Made, since: float, until: float) -> Made:
    kept = (one.times <= since) | (one.times > until)
    return one._replace(times=one.times[kept], values=one.values[kept])


def expected(rows: NDArray[np.float64], first: int, work: NDArray[np.bool_]) -> dict[str, Measured]:
    """Of slots from `first` on, by numpy alone."""
    found = {}
    for id, row in zip(IDS, rows, strict=True):
        known = ~np.isnan(row)
        values = row[known]
        if not len(values):
            continue
        p50, p95, upper = np.quantile(values, (0.5, 0.95, 0.976)).tolist()
        at = int(np.nanargmax(row))
        parts = [row[known & which] for which in (work, ~work)]
        inside, off = (float(part.mean()) if len(part) else None for part in parts)
        found[id] = Measured(
            len(values), float(values.mean()), p50, p95, float(values.max()),
            float((first + at) * SLOT), len(values) / len(row), inside, off, False, upper,
        )  # fmt: skip
    return found


def in_work(first: int, slots: int, zone: ZoneInfo) -> NDArray[np.bool_]:
    """By the calendar of October 2026: the 1st to the 7th are holidays, the 10th is worked."""
    found = []
    for slot in range(first, first + slots):
        when = datetime.fromtimestamp(slot * SLOT, zone)
        works = when.weekday() < 5
        if (when.year, when.month) == (2026, 10):
            works = (works and when.day > 7) or when.day == 10
        found.append(works and (9 <= when.hour < 12 or 14 <= when.hour < 18))
    return np.array(found, dtype=np.bool_)


@contextmanager
def reading(url: str, zone: ZoneInfo = ZONE, now: float = NOW) -> Iterator[PrometheusSource]:
    with PromClient(PromSettings(url=url)) as client:
        yield PrometheusSource(client, url, zone, now)


def numpys(
    metric: str, first: int, end: int, zone: ZoneInfo = ZONE
) -> tuple[dict[str, Measured], NDArray[np.float64]]:
    """What numpy makes of the slots [first, end), counted from the beginning of the month."""
    rows = usage()[metric][:, 40 + first : 40 + end]
    work = in_work(FIRST + first, end - first, zone)
    return expected(rows, FIRST + first, work), rows


def same(found: Mapping[str, Measured], expected: Mapping[str, Measured], off: float) -> None:
    assert set(found) == set(expected)
    for id, one in expected.items():
        it = found[id]
        assert (it.samples, it.coverage) == (one.samples, one.coverage)
        assert it.maximum_at == one.maximum_at, id
        assert not it.estimated
        assert (it.work is None, it.off is None) == (one.work is None, one.off is None)
        for name in ("mean", "p50", "p95", "upper", "maximum", "work", "off"):
            number = getattr(one, name)
            # `upper` is of those metrics that are added up
            if number is not None and getattr(it, name) is not None:
                assert getattr(it, name) == pytest.approx(number, rel=off, abs=1e-9), (id, name)

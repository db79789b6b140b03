"""A small city in a history file, with the raw samples beside it, for tests of the monthly report's content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.spans import Aspect, Value, encoded
from exporters.history import workcalendar
from exporters.history.accumulate import Rollup
from exporters.history.file import connect
from exporters.history.schema import SLOT
from exporters.history.store import HistoryWriter, Known, Span
from exporters.report.content.making import Inputs
from exporters.usage.historysource import HistorySource
from exporters.usage.period import Period, month, months_before, resource_uses
from rules.exemptions import Exemptions
from rules.usagejudgement import Judgement
from rules.usagemodel import ResourceUse
from rules.usagethresholds import Thresholds
from rules.utilisation import NOBODY, judge

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 3, 9, tzinfo=ZONE).timestamp()
CALENDAR = workcalendar.load()
SEPTEMBER, OCTOBER = (month(label, ZONE, NOW) for label in ("2026-09", "2026-10"))
GIB = 1 << 30
DAY = 86400.0

Array = NDArray[np.float64]
Fact = tuple[Aspect, float, float | None, Value]


def at(number: int, day: int = 1, hour: int = 0) -> float:
    """A moment of a month of 2026."""
    return datetime(2026, number, day, hour, tzinfo=ZONE).timestamp()


def slot(moment: float) -> int:
    return int(moment // SLOT)


def owned(department: str, system: str = "") -> Attribution:
    return Attribution(Owner(department, system), "metadata")


class City:
    """`raw` has what was measured: by metric, resource and slot; `facts` what was held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = HistoryWriter(path)
        self.raw: dict[tuple[str, str], tuple[int, Array]] = {}
        self.facts: dict[str, Sequence[Fact]] = {}

    def holds(
        self,
        id: str,
        *facts: Fact,
        kind: str = "server",
        name: str = "",
        first: float = SEPTEMBER.since,
        last: float = NOW,
    ) -> None:
        self.facts[id] = facts
        told = [Span(id, what, since, until, encoded(value)) for what, since, until, value in facts]
        self.writer.add(
            0, (), [Known(id, kind, name or f"name of {id}", "city", first, last)], told
        )

    def server(
        self,
        id: str,
        owner: str,
        system: str = "",
        vcpus: float | None = 4,
        memory: int | None = 8 * GIB,
        since: float = SEPTEMBER.since,
        **more: Any,
    ) -> None:
        """One that stays what it is."""
        self.holds(
            id,
            ("owner", since, None, owned(owner, system)),
            ("size", since, None, Size(vcpus, memory, 40 * GIB)),
            ("state", since, None, "active"),
            first=since,
            **more,
        )

    def measured(self, metric: str, id: str, since: float, values: Array) -> None:
        """NaN is not known."""
        first = slot(since)
        values = values.astype(np.float32).astype(np.float64)  # as a history keeps them
        self.raw[metric, id] = first, values
        self.writer.add(first, [Rollup(id, metric, 0.0, 0.0)])
        with closing(connect(self.path)) as db:
            [(series,)] = db.execute(
                "SELECT series.number FROM series JOIN metrics ON metrics.number = metric"
                " JOIN resources ON resources.number = resource"
                " WHERE id = ? AND metrics.name = ?",
                (id, metric),
            )
            known = np.flatnonzero(~np.isnan(values)).tolist()
            rows = [(first + n, series, values[n], values[n]) for n in known]
            db.execute("BEGIN")
            db.execute("DELETE FROM rollups WHERE slot = ? AND series = ?", (first, series))
            db.executemany("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?)", rows)
            db.execute("COMMIT")

    def all_of(self, metric: str, id: str, period: Period) -> Array:
        """A value a slot of a period, from the raw samples."""
        first, end = slot(period.since), slot(period.until)
        found = np.full(end - first, np.nan)
        if (metric, id) in self.raw:
            begin, values = self.raw[metric, id]
            low, high = max(first, begin), min(end, begin + len(values))
            if low < high:
                found[low - first : high - first] = values[low - begin : high - begin]
        return found


@contextmanager
def source_of(path: Path) -> Iterator[HistorySource]:
    with closing(connect(path)) as connection:
        yield HistorySource(connection, "history.db")


def judged(
    source: HistorySource,
    periods: Sequence[Period],
    exemptions: Exemptions = NOBODY,
    thresholds: Thresholds | None = None,
) -> list[Judgement]:
    """Of the last of the months."""
    found: dict[str, list[ResourceUse]] = {}
    for period in periods:
        uses = resource_uses(source, period, CALENDAR)
        found = {use.resource: [*found.get(use.resource, ()), use] for use in uses}
    on: date = datetime.fromtimestamp(periods[-1].until - 1, ZONE).date()
    return [
        judge(uses, thresholds or Thresholds(), exemptions, on, ZONE) for uses in found.values()
    ]


def inputs(
    source: HistorySource,
    period: Period = OCTOBER,
    exemptions: Exemptions = NOBODY,
    trend: int = 12,
    **more: Any,
) -> Inputs:
    labels = months_before(period.label, trend)
    before = [month(label, ZONE, NOW) for label in labels[:-1]]
    return Inputs(
        source=source,
        period=period,
        before=before,
        judgements=judged(source, [*before[-2:], period], exemptions),
        calendar=CALENDAR,
        thresholds=Thresholds(),
        now=NOW,
        exemptions=exemptions,
        **{"judgements_before": judged(source, before[-3:]) if before else None, **more},
    )

"""A time-series database that speaks the Prometheus API as a source of usage (exporters/usage/source.py)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from exporters.history.reader import Span, span
from exporters.history.schema import SLOT
from exporters.history.workcalendar import WorkCalendar
from exporters.promapi import lives, series, statistics
from exporters.promapi import used as together
from exporters.promapi.asking import WORKERS, Asker, Client, Progress
from exporters.promapi.capacity import capacity
from exporters.promapi.extent import extent
from exporters.promapi.statistics import Counted, Metric
from exporters.usage.lives import Life, known_at
from exporters.usage.source import CapacityTold, Key, Segment, Used
from rules.usagemodel import Measured

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class PrometheusSource:
    """`name` is what people are told, without secrets; `now` is Unix time. `asked` counts queries. What lives
    and counts are of a period is asked for once: it is taken that nobody writes into the past meanwhile."""

    kind: Final[Literal["prometheus"]] = "prometheus"
    error: Final = 0.0  # quantiles are of all samples

    def __init__(
        self,
        client: Client,
        name: str,
        zone: ZoneInfo,
        now: float,
        workers: int = WORKERS,
        progress: Progress | None = None,
    ) -> None:
        self.name, self.zone, self._now = name, zone, now
        self._asker = Asker(client, workers, progress)
        self._counts: dict[tuple[str, Span], Counted] = {}
        self._sums: dict[tuple[str, Span], statistics.Totals] = {}
        self._at_once: bool | None = None
        self._extent: list[tuple[float, float] | None] = []
        self._lives: dict[tuple[float, float], list[Life]] = {}
        self._departments: dict[str, str] = {}
        self._told: dict[tuple[str, float, float], bytes] = {}

    @property
    def asked(self) -> int:
        return self._asker.asked

    def extent(self) -> tuple[float, float] | None:
        if not self._extent:
            self._extent = [extent(self._asker, series.RECORDED["cpu"], self._now)]
        return self._extent[0]

    def lives(self, since: float, until: float) -> list[Life]:
        if (since, until) not in self._lives:
            self._lives[since, until] = self._lived(since, until)
        return list(self._lives[since, until])

    def _lived(self, since: float, until: float) -> list[Life]:
        period = span(since, until)
        used: dict[str, set[str]] = defaultdict(set)
        jobs = [partial(self._counted, self._metric(metric), period) for metric in series.RECORDED]
        counts = self._asker.together("use", jobs)
        for name, counted in zip(series.RECORDED.values(), counts, strict=True):
            for id in counted.slots:
                used[id].add(name)
        found = lives.lives(self._asker, since, until, used)
        self._departments |= {one.id: one.owner(until).owner.department for one in found}
        then = (known_at(it, until) for it in sorted(found, key=lambda it: it.id))
        self._tell("lives", since, until, list(then))
        return found

    def measured(
        self, metric: str, period: Span, calendar: WorkCalendar, begins: Mapping[str, float]
    ) -> dict[str, Measured]:
        if metric not in series.RECORDED:
            return {}
        counts = self._counted(self._metric(metric), period).slots
        late: dict[int, set[str]] = defaultdict(set)
        for id in counts.keys() & begins.keys():
            if (first := span(begins[id], 0).first) > period.first:
                late[first].add(id)
        whole = self._sorted(counts.keys() - set().union(*late.values()))
        of = self._metric(metric)
        found = statistics.measured(
            of, period, {id: counts[id] for id in whole}, self.zone, calendar
        )
        self._sums[metric, period] = {
            id: (it.mean * it.samples, it.samples) for id, it in found.items()
        }
        slots = period.end - period.first
        for first, ids in sorted(late.items()):
            if first >= period.end:
                continue
            part = Span(first, period.end)
            totals = statistics.sums(of, {part: self._sorted(ids)})[part]
            own = {id: int(count) for id, (_, count) in totals.items()}
            for id, it in statistics.measured(of, part, own, self.zone, calendar).items():
                found[id] = msgspec.structs.replace(it, coverage=it.samples / slots)
        self._tell(metric, period.first * SLOT, period.end * SLOT, found)
        return found

    def sums(
        self, metric: str, period: Span, stretches: Mapping[str, Sequence[Span]]
    ) -> dict[str, list[tuple[float, float]]]:
        if metric not in series.RECORDED:
            return {}
        counts = self._counted(self._metric(metric), period).slots
        cached = self._sums.get((metric, period), {})
        found = {id: [(0.0, 0.0)] * len(its) for id, its in stretches.items() if id in counts}
        wanted: dict[Span, list[tuple[str, int]]] = defaultdict(list)
        for id in found:
            for place, one in enumerate(stretches[id]):
                cut = Span(max(one.first, period.first), min(one.end, period.end))
                if cut == period and id in cached:
                    found[id][place] = cached[id]
                elif cut.first < cut.end:
                    wanted[cut].append((id, place))
        by_stretch = {one: self._sorted({id for id, _ in its}) for one, its in wanted.items()}
        for stretch, totals in statistics.sums(self._metric(metric), by_stretch).items():
            for id, place in wanted[stretch]:
                found[id][place] = totals.get(id, (0.0, 0.0))
        return found

    def used(self, period: Span, segments: Sequence[Segment]) -> dict[Key, Used]:
        of = self._metric("cpu")
        return together.used(of, period, segments, self._counted(of, period))

    def capacity(self, until: float) -> CapacityTold | None:
        return capacity(self._asker, until)

    def digest(self, since: float, until: float) -> str:
        found = hashlib.sha256()
        for (_, *stretch), told in sorted(self._told.items()):
            if stretch[0] < until and since < stretch[1]:
                found.update(told)
        return found.hexdigest()

    def _metric(self, metric: str) -> Metric:
        name = series.RECORDED[metric]
        if self._at_once is None:
            self._at_once = statistics.quantiles_at_once(self._asker, name, self._now)
        return Metric(self._asker, metric, name, self._at_once)

    def _counted(self, of: Metric, period: Span) -> Counted:
        if (of.what, period) not in self._counts:
            self._counts[of.what, period] = statistics.counted(of, period)
        return self._counts[of.what, period]

    def _sorted(self, ids: set[str]) -> list[str]:
        """By department, as far as that is known: what is refused, or damaged, is of few of them."""
        return sorted(ids, key=lambda id: (self._departments.get(id, ""), id))

    def _tell(self, what: str, since: float, until: float, found: object) -> None:
        told = _ENCODER.encode([what, since, until, found])
        self._told[what, since, until] = hashlib.sha256(told).digest()

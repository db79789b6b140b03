"""Queries of a check, which stay below the default limits of every server for 10,000 resources and a month; what is
refused all the same is asked for again by halves of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from exporters.history.schema import SLOT
from exporters.promapi.client import PromClient, TooMuch
from exporters.promapi.selectors import ranged
from exporters.usage.period import Period

HOUR: Final = 3600
PER_HOUR: Final = HOUR // SLOT
FRESH: Final = "15m"  # a fact that was told within it is there

Labels = frozenset[tuple[str, str]]


class Hour(NamedTuple):
    """An hour of a month, by when it begins: samples of most resources (their median: one that came or went within the
    hour is no gap), and of how many there are some."""

    begin: float
    samples: float
    resources: float


class Asked:
    """Everything raises SourceError."""

    def __init__(self, client: PromClient, period: Period, zone: ZoneInfo) -> None:
        self.client, self.period, self.zone = client, period, zone

    def noons(self) -> list[float]:
        """A moment of each day of the period: local noon, or the end where that comes first."""
        day = datetime.fromtimestamp(self.period.since, self.zone).replace(hour=12)
        found = []
        while day.timestamp() - HOUR * 12 < self.period.until - SLOT:
            found.append(min(day.timestamp(), self.period.until))
            day += timedelta(days=1)
        return found

    def counts(self, name: str) -> dict[Labels, float]:
        """Samples of each series within the period."""
        since, until = self.period.since, self.period.until
        slots = int((until - since) // SLOT)
        return self._counts(name, until, slots) if slots else {}

    def hours(self, name: str) -> list[Hour]:
        """Those that are over, also without samples."""
        since = self.period.since
        count = int((self.period.until - since) // HOUR)
        if not count:
            return []
        inner = f"count_over_time({ranged(name, '', PER_HOUR)})"
        # of several series of a resource the fullest, as the report has it
        samples = self._over(f"quantile(0.5, max by (resource) ({inner}))", since + HOUR, count)
        resources = self._over(f"count(max by (resource) ({inner}))", since + HOUR, count)
        begins = [since + hour * HOUR for hour in range(count)]
        return [
            Hour(at, samples.get(at + HOUR, 0.0), resources.get(at + HOUR, 0.0)) for at in begins
        ]

    def there(self, name: str, moments: Sequence[float]) -> float | None:
        """The last of these moments at which a series has been told of late."""
        for at in reversed(moments):
            if self.client.instant(f"count(last_over_time({name}[{FRESH}]))", at):
                return at
        return None

    def _counts(self, name: str, until: float, slots: int) -> dict[Labels, float]:
        try:
            told = self.client.instant(f"count_over_time({ranged(name, '', slots)})", until)
        except TooMuch:
            if slots <= PER_HOUR:
                raise
            half = slots // 2
            found = defaultdict(float, self._counts(name, until, half))
            for labels, value in self._counts(name, until - half * SLOT, slots - half).items():
                found[labels] += value
            return dict(found)
        return {frozenset(one.labels.items()): one.value for one in told}

    def _over(self, query: str, first: float, count: int) -> Mapping[float, float]:
        """Of hours, by when they end."""
        try:
            series = self.client.over(query, first, first + (count - 1) * HOUR, HOUR)
        except TooMuch:
            if count < 2:
                raise
            half = count // 2
            later = self._over(query, first + half * HOUR, count - half)
            return {**self._over(query, first, half), **later}
        return {
            at: value
            for one in series
            for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True)
        }

"""Resources, metrics and series of an import as numbers of the history file, made where they are new."""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from exporters.history.file import HistoryError
from exporters.history.seriescodes import Metrics, Resources, SeriesTable

_RESOURCE = """
INSERT INTO resources (id, kind, name, cloud, first_seen, last_seen) VALUES (?, ?, ?, '', ?, ?)
ON CONFLICT (id) DO UPDATE SET
    first_seen = min(first_seen, excluded.first_seen),
    last_seen = max(last_seen, excluded.last_seen)
WHERE excluded.first_seen < first_seen OR excluded.last_seen > last_seen
"""


class Catalogue:
    """Numbers of an import → those of the file. Writes within the caller's transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        resources: Resources,
        metrics: Metrics,
        series: SeriesTable,
        kind: str,
    ) -> None:
        self._connection, self._series, self._kind = connection, series, kind
        self._kinds = resources.kinds
        self._ids = list(resources.numbers)
        self._metric_names = list(metrics.numbers)
        self._units = {one.name: one.unit for one in metrics.told}
        self._metrics: dict[int, int] = {}
        self._known: dict[int, int] = {}

    def numbers(self, series: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of series in the file; `seen` is from when to when each has values."""
        its = [self._series.resources[one] for one in series.tolist()]
        self._connection.executemany(
            _RESOURCE,
            [
                (self._ids[own], self._kinds.get(own, self._kind), self._ids[own], since, until)
                for own, (since, until) in zip(its, seen.tolist(), strict=True)
            ],
        )
        new = [one for one in series.tolist() if one not in self._known]
        for one in new:
            metric = self._metric(self._series.metrics[one])
            resource = self._ids[self._series.resources[one]]
            self._connection.execute(
                "INSERT OR IGNORE INTO series (metric, resource)"
                " SELECT ?, number FROM resources WHERE id = ?",
                (metric, resource),
            )
            [(number,)] = self._connection.execute(
                "SELECT series.number FROM series JOIN resources ON resources.number = resource"
                " WHERE metric = ? AND id = ?",
                (metric, resource),
            )
            self._known[one] = number
        return np.array([self._known[one] for one in series.tolist()], np.int64)

    def metrics_of(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers in the import of the metrics of series."""
        return np.array([self._series.metrics[one] for one in series.tolist()], np.int64)

    def _metric(self, number: int) -> int:
        if number in self._metrics:
            return self._metrics[number]
        name = self._metric_names[number]
        unit = self._units[name]
        self._connection.execute(
            "INSERT OR IGNORE INTO metrics (name, unit) VALUES (?, ?)", (name, unit)
        )
        [(found, kept)] = self._connection.execute(
            "SELECT number, unit FROM metrics WHERE name = ?", (name,)
        )
        if kept != unit:
            raise HistoryError(f"{name} is kept in {kept} meanwhile, which {unit} contradicts")
        self._metrics[number] = found
        return int(found)

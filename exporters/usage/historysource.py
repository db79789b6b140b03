"""A history file as a source of usage (exporters/usage/source.py)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from collectors.cloud import capacities
from collectors.cloud.life import FORGOTTEN
from collectors.cloud.spans import Capacities, decoded
from exporters.history import sketch, statistics, stretches
from exporters.history.file import zone_of
from exporters.history.reader import Span, span, span_of
from exporters.history.schema import SLOT
from exporters.history.together import Part, together
from exporters.history.workcalendar import WorkCalendar
from exporters.usage import lives
from exporters.usage.capacitytold import of_whole
from exporters.usage.lives import Life
from exporters.usage.source import CapacityTold, Key, Segment, Used
from rules.usagemodel import Measured

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class HistorySource:
    """Of a connection that stays the caller's; errors are HistoryError and sqlite3.Error."""

    kind: Final[Literal["history"]] = "history"
    error: Final = sketch.RELATIVE_ERROR

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.connection, self.name = connection, name
        self.zone = zone_of(connection)
        self._metrics = {one for (one,) in connection.execute("SELECT name FROM metrics")}
        self._told: dict[tuple[str, float, float], bytes] = {}

    def extent(self) -> tuple[float, float] | None:
        whole = span_of(self.connection)
        return (whole.first * SLOT, whole.end * SLOT) if whole else None

    def lives(self, since: float, until: float) -> list[Life]:
        found = list(lives.lives(self.connection, since, until))
        then = (lives.known_at(it, until) for it in sorted(found, key=lambda it: it.id))
        self._tell("lives", since, until, list(then))
        return found

    def measured(
        self, metric: str, period: Span, calendar: WorkCalendar, begins: Mapping[str, float]
    ) -> dict[str, Measured]:
        if metric not in self._metrics:
            return {}
        since, until = period.first * SLOT, period.end * SLOT
        found = statistics.usage(self.connection, metric, since, until, calendar, begins=begins)
        self._tell(metric, since, until, found)
        return found

    def sums(
        self, metric: str, period: Span, stretched: Mapping[str, Sequence[Span]]
    ) -> dict[str, list[tuple[float, float]]]:
        if metric not in self._metrics:
            return {}
        return stretches.sums(self.connection, metric, period, stretched)

    def used(self, period: Span, segments: Sequence[Segment]) -> dict[Key, Used]:
        keys = sorted({(it.department, it.system) for it in segments})
        place = {key: number for number, key in enumerate(keys)}
        parts: dict[str, list[Part]] = {}
        for it in segments:
            if it.size.vcpus is not None:
                own = place[it.department, it.system], span(it.since, it.until), it.size.vcpus
                parts.setdefault(it.resource, []).append(Part(*own))
        if "cpu" not in self._metrics:
            return {}
        found = together(self.connection, "cpu", period, parts, len(keys))
        return {
            key: Used(period.first, found.values[n] / 100, found.known[n])
            for n, key in enumerate(keys)
            if found.whole[n] and found.known[n].any()
        }

    def capacity(self, until: float) -> CapacityTold | None:
        rows = self.connection.execute(
            "SELECT name, value FROM spans JOIN resources ON number = resource"
            " WHERE kind = ? AND aspect = 'capacity' AND since < ? AND last_seen >= ?"
            " ORDER BY since",
            (capacities.KIND, until, until - FORGOTTEN),
        )
        told = {name: decoded("capacity", value) for name, value in rows}
        kept = {name: one for name, one in told.items() if isinstance(one, Capacities)}
        if not kept:
            return None
        each = {name: capacities.together({name: one})[1] for name, one in kept.items()}
        known = [
            (name, it)
            for name, size in each.items()
            for it in size.__struct_fields__
            if getattr(size, it) is not None
        ]
        held = self.connection.execute(
            # whose it is its identity tells: of Nova's servers the hypervisors tell as well
            "SELECT DISTINCT coalesce((SELECT json_extract(value, '$.cloud') FROM spans"
            " WHERE resource = number AND aspect = 'identity' AND since < ?"
            " ORDER BY since DESC LIMIT 1), cloud), kind"
            " FROM resources WHERE first_seen < ? AND last_seen >= ?"
            " AND NOT EXISTS (SELECT 1 FROM spans WHERE resource = number AND aspect = 'state'"
            " AND value = '\"released\"' AND since < ? AND (until IS NULL OR until >= ?))",
            (until, until, until - FORGOTTEN, until, until),
        )
        return of_whole(*capacities.together(kept), held, known)

    def digest(self, since: float, until: float) -> str:
        found = hashlib.sha256()
        for (_what, *stretch), told in sorted(self._told.items()):
            if stretch[0] < until and since < stretch[1]:
                found.update(told)
        return found.hexdigest()

    def _tell(self, what: str, since: float, until: float, found: object) -> None:
        told = _ENCODER.encode([what, since, until, found])
        self._told[what, since, until] = hashlib.sha256(told).digest()

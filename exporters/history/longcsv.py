"""Long CSV: one sample a line, `timestamp,resource,metric,value`, with or without a header.

With a header columns may be in any order, and there may be `unit` and `maximum` (of the five minutes;
`value` is then their average), `kind` of new resources, and others, which are ignored. Without, a line of three is
timestamp, resource, value of `--metric`.

A chunk without quotes or anything odd is split at once; else Python's csv module reads it, and line by
line where that shows that a line is bad.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporters.history.badlines import BadLines, ImportRefused
from exporters.history.csvlines import Lines
from exporters.history.csvvalues import MOST, BadField, name, seconds, value
from exporters.history.seriescodes import (
    BAD,
    KINDS,
    Kinds,
    Metrics,
    Resources,
    SeriesTable,
    check_kind,
)
from exporters.history.spool import TOP, Spool

COLUMNS: Final[dict[str, str]] = {
    "timestamp": "timestamp", "time": "timestamp", "时间": "timestamp", "时间戳": "timestamp",
    "resource": "resource", "id": "resource", "资源": "resource", "资源编号": "resource",
    "metric": "metric", "指标": "metric",
    "value": "value", "值": "value", "数值": "value",
    "maximum": "maximum", "最大值": "maximum",
    "unit": "unit", "单位": "unit",
    "kind": "kind", "类型": "kind",
}  # fmt: skip
_NEEDED: Final = ("timestamp", "resource", "value")
_COMMA, _END = 44, 10
_TIMES: Final = 1_000_000  # remembered


class _Times(dict[bytes, int]):
    """Spelling → Unix seconds; BAD where it is no time."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, raw: bytes) -> int:
        try:
            found = seconds(raw.decode("ascii", "replace"), self._zone)
        except BadField:
            return BAD
        if len(self) >= _TIMES:
            self.clear()
        self[raw] = found
        return found


class LongReader:
    """Chunks of one file into a spool. A value counts at its time and `offsets`."""

    def __init__(
        self,
        resources: Resources,
        metrics: Metrics,
        series: SeriesTable,
        spool: Spool,
        bad: BadLines,
        zone: ZoneInfo,
        metric: str,
        offsets: NDArray[np.int64],
    ) -> None:
        self._resources, self._metrics, self._series = resources, metrics, series
        self._spool, self._bad, self._zone = spool, bad, zone
        self._times, self._kinds = _Times(zone), Kinds()
        self._metric = metric.encode()
        self._offsets = offsets
        self._at: dict[str, int] = {}  # column → place
        self._count = 0  # of columns
        self.missing = 0

    def read(self, chunk: Lines) -> int:
        """Put the samples of a chunk into the spool; how many there are."""
        if not self._at:
            chunk = self._begin(chunk)
            if not chunk.data:
                return 0
        columns = self._split(chunk.data) or self._parse(chunk.data)
        if columns is None:
            return self._slowly(chunk)
        return self._take(columns, chunk)

    def _begin(self, chunk: Lines) -> Lines:
        """Learn the columns from the first line."""
        first, _, rest = chunk.data.partition(b"\n")
        try:
            fields = split_line(first)
        except BadField as error:
            raise ImportRefused(f"{self._bad.file}:1: {error}") from error
        names = [COLUMNS.get(_plain(field), "") for field in fields]
        if any(names):
            self._at = {name: place for place, name in enumerate(names) if name}
            if len(self._at) < sum(map(bool, names)):
                raise ImportRefused(f"{self._bad.file}:1: a column is there twice")
            needed = (*_NEEDED, *(() if self._metric else ("metric",)))
            if lacking := [one for one in needed if one not in self._at]:
                raise ImportRefused(f"{self._bad.file}:1: there is no column {lacking[0]}")
            chunk = Lines(chunk.number + 1, rest)
        elif len(fields) == 3 and self._metric:
            self._at = dict(zip(_NEEDED, range(3), strict=True))
        elif len(fields) == 4:
            self._at = {"timestamp": 0, "resource": 1, "metric": 2, "value": 3}
        else:
            raise ImportRefused(
                f"{self._bad.file}:1: this is no long CSV: it begins with timestamp,resource,metric,value"
                " or such a line (or timestamp,resource,value with --metric; or --wide is meant)"
            )
        self._count = len(fields)
        return chunk

    def _split(self, data: bytes) -> list[list[bytes]] | None:
        """The columns of a chunk in which every line has all its commas and nothing is quoted."""
        if b'"' in data or b"\0" in data:
            return None
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        raw = np.frombuffer(data, np.uint8)
        ends = raw[(raw == _COMMA) | (raw == _END)]
        if len(ends) % self._count or b"\r" in data:
            return None
        ends = ends.reshape(-1, self._count)
        if (ends[:, -1] != _END).any() or (ends[:, :-1] != _COMMA).any():
            return None
        fields = data.replace(b"\n", b",").split(b",")
        fields.pop()
        return [fields[place :: self._count] for place in range(self._count)]

    def _parse(self, data: bytes) -> list[list[bytes]] | None:
        """As _split, with quotes; None where a line is bad, or a quoted field has a line's end."""
        if b"\0" in data:
            return None
        lines = data.decode("latin-1").split("\n")[:-1]  # every byte a character
        try:
            rows = list(csv.reader(lines, strict=True))
        except csv.Error:
            return None
        if len(rows) != len(lines) or any(len(row) != self._count for row in rows):
            return None
        return [[field.encode("latin-1") for field in column] for column in zip(*rows, strict=True)]

    def _take(self, columns: Sequence[Sequence[bytes]], chunk: Lines) -> int:
        count = len(columns[0])
        at = np.fromiter(
            map(self._times.__getitem__, columns[self._at["timestamp"]]), np.int64, count
        )
        resources = np.fromiter(
            map(self._resources.__getitem__, columns[self._at["resource"]]), np.int64, count
        )
        metrics = self._metric_codes(columns, count)
        plain = b"_" not in chunk.data and bool(chunk.data)
        values = _numbers(columns[self._at["value"]], plain)
        good = (at >= 0) & (resources >= 0) & (metrics >= 0) & (values >= 0) & (values <= MOST)
        kinds = None
        if "kind" in self._at:
            kinds = np.fromiter(
                map(self._kinds.__getitem__, columns[self._at["kind"]]), np.int64, count
            )
            good &= kinds >= 0
        tops = None
        if "maximum" in self._at:
            tops = _numbers(given := columns[self._at["maximum"]], plain)
            for place in np.flatnonzero(np.isnan(tops)).tolist():
                if not given[place].strip():
                    tops[place] = values[place]
            good &= (tops >= 0) & (tops <= MOST)
        if not good.all():
            lines = chunk.data.split(b"\n")
            for place in np.flatnonzero(~good).tolist():
                self._judge(chunk.number + place, lines[place])
            at, resources, metrics = at[good], resources[good], metrics[good]
            values = values[good]
            tops = None if tops is None else tops[good]
            kinds = None if kinds is None else kinds[good]
        if kinds is not None:
            self._learn_kinds(resources, kinds)
        self._put(at, resources, metrics, values, tops)
        return len(at)

    def _learn_kinds(self, resources: NDArray[np.int64], kinds: NDArray[np.int64]) -> None:
        """The first one told counts."""
        told = kinds > 0
        own, where = np.unique(resources[told], return_index=True)
        for resource, kind in zip(own.tolist(), kinds[told][where].tolist(), strict=True):
            self._resources.kinds.setdefault(resource, KINDS[kind])

    def _metric_codes(self, columns: Sequence[Sequence[bytes]], count: int) -> NDArray[np.int64]:
        place, unit = self._at.get("metric"), self._at.get("unit")
        names = [self._metric] * count if place is None else columns[place]
        if unit is None:
            if names.count(names[0]) == count:  # nearly always
                return np.full(count, self._metrics[names[0], b""])
            pairs = ((one, b"") for one in names)
            return np.fromiter(map(self._metrics.__getitem__, pairs), np.int64, count)
        pairs = zip(names, columns[unit], strict=True)  # type: ignore[assignment]
        return np.fromiter(map(self._metrics.__getitem__, pairs), np.int64, count)

    def _put(
        self,
        at: NDArray[np.int64],
        resources: NDArray[np.int64],
        metrics: NDArray[np.int64],
        values: NDArray[np.float64],
        tops: NDArray[np.float64] | None,
    ) -> None:
        if not len(metrics):
            return
        one = bool((metrics == metrics[0]).all())  # nearly always
        for code in [int(metrics[0])] if one else np.unique(metrics).tolist():
            metric, own = self._metrics.told[code], slice(None) if one else metrics == code
            series = self._series.of(metric.number, resources[own])
            metric.highest = max(metric.highest, float(values[own].max()))
            when = (at[own][:, None] + self._offsets).ravel()
            times = len(self._offsets)
            both = [(series, values[own])]
            if tops is not None:
                both.append((series | TOP, tops[own]))
            for number, content in both:
                number, content = np.repeat(number, times), np.repeat(content, times)
                self._spool.add(when, number, content * metric.factor)

    def _slowly(self, chunk: Lines) -> int:
        """Line by line, leaving out the bad ones."""
        rows, numbers = [], []
        for number, line in enumerate(chunk.data.split(b"\n")[:-1], chunk.number):
            if self._judge(number, line):
                rows.append(split_line(line))
                numbers.append(number)
        if not rows:
            return 0
        columns = list(zip(*rows, strict=True))
        # all are good
        return self._take(columns, Lines(numbers[0], b""))

    def _judge(self, number: int, line: bytes) -> bool:
        """Whether a line is good; else it is told, unless it only has no value."""
        line = line.removesuffix(b"\r")
        try:
            if b"\0" in line:
                raise BadField("the line has NUL bytes")
            if not line.strip():
                return False  # an empty line is nothing
            fields = split_line(line)
            if len(fields) != self._count:
                raise BadField(f"the line has {len(fields)} fields and not {self._count}")
            seconds(fields[self._at["timestamp"]].decode("ascii", "replace"), self._zone)
            name(fields[self._at["resource"]], "resource")
            metric = fields[self._at["metric"]] if "metric" in self._at else self._metric
            self._metrics.metric(metric, fields[self._at["unit"]] if "unit" in self._at else b"")
            if "kind" in self._at:
                check_kind(fields[self._at["kind"]])
            if not fields[self._at["value"]].strip():
                self.missing += 1
                return False
            value(fields[self._at["value"]])
            if "maximum" in self._at and fields[self._at["maximum"]].strip():
                value(fields[self._at["maximum"]])
        except BadField as error:
            self._bad.tell(number, line, str(error))
            return False
        return True


def _numbers(fields: Sequence[bytes], plain: bool) -> NDArray[np.float64]:
    """NaN of what is none; `plain` where no field has the `_` that Python allows in numbers."""
    if plain or b"_" not in b"".join(fields):
        try:
            return np.fromiter(map(float, fields), np.float64, len(fields))
        except ValueError:
            pass
    return np.array([_number(one) for one in fields])


def _number(field: bytes) -> float:
    try:
        return value(field)
    except BadField:
        return np.nan


def split_line(line: bytes) -> list[bytes]:
    """The fields of a line. Raises BadField."""
    line = line.removesuffix(b"\r")
    if b'"' not in line:
        return line.split(b",")
    try:
        rows = list(csv.reader([line.decode("latin-1")], strict=True))
    except csv.Error as error:
        raise BadField(f"quotes: {error}") from error
    return [field.encode("latin-1") for field in rows[0]]


def _plain(field: bytes) -> str:
    """A column's head as COLUMNS has it."""
    try:
        return name(field, "column").lower()
    except BadField:
        return ""

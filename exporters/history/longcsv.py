"""Long CSV: one sample a line, `timestamp,resource,metric,value`, with or without a header.

With a header columns may be in any order, and there may be `unit` and `maximum` (of the five minutes;
`value` is then their average), `kind` of new resources, and others, which are ignored. Without, a line of three is
timestamp, resource, value of `--metric`.

A chunk without quotes or anything odd is taken at once (fields.py); else Python's csv module reads it, and it is read
line by line where that shows that a line is bad.
"""

from __future__ import annotations

import csv
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporters.history.badlines import BadLines, ImportRefused
from exporters.history.csvlines import Lines
from exporters.history.csvvalues import MOST, BadField, name, seconds, value
from exporters.history.fields import Columns, Known, ListColumns, plain
from exporters.history.seriescodes import (
    BAD,
    KINDS,
    Kinds,
    Metrics,
    Resources,
    SeriesTable,
    Spelled,
    Times,
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
        self._spelled = Spelled()
        lookups = {
            "timestamp": Times(zone), "resource": resources, "kind": Kinds(),
            "metric": self._spelled, "unit": self._spelled,
        }  # fmt: skip
        self._known = {name: Known(one.__getitem__) for name, one in lookups.items()}
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
        columns = plain(chunk.data, self._count) or self._parse(chunk.data)
        if columns is None:
            return self._slowly(chunk)
        taken = self._take(columns, chunk)
        return self._slowly(chunk) if taken is None else taken

    def _begin(self, chunk: Lines) -> Lines:
        """Learn the columns from the first line."""
        first, _, rest = chunk.data.partition(b"\n")
        try:
            fields = split_line(first)
        except BadField as error:
            raise ImportRefused(f"{self._bad.file}:1: {error}") from error
        names = [COLUMNS.get(_plain(field), "") for field in fields]
        if any(names) and not any(self._known["timestamp"].lookup(one) >= 0 for one in fields):
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

    def _parse(self, data: bytes) -> ListColumns | None:
        """As `plain`, with quotes; None where a line is bad, or a quoted field has a line's end."""
        if b"\0" in data:
            return None
        lines = data.decode("latin-1").split("\n")[:-1]  # every byte a character
        try:
            rows = list(csv.reader(lines, strict=True))
        except csv.Error:
            return None
        if len(rows) != len(lines) or any(len(row) != self._count for row in rows):
            return None
        return ListColumns(
            [[field.encode("latin-1") for field in column] for column in zip(*rows, strict=True)]
        )

    def _take(self, columns: Columns, chunk: Lines) -> int | None:
        """None where lines must be read one by one, since what a metric is kept in follows from those before."""
        at = columns.codes(self._at["timestamp"], self._known["timestamp"])
        resources = columns.codes(self._at["resource"], self._known["resource"])
        metrics = self._metric_codes(columns)
        if metrics is None:
            return None
        values = columns.numbers(self._at["value"], _number)
        good = (at >= 0) & (resources >= 0) & (metrics >= 0) & (values >= 0) & (values <= MOST)
        kinds = None
        if "kind" in self._at:
            kinds = columns.codes(self._at["kind"], self._known["kind"])
            good &= kinds >= 0
        tops = None
        if "maximum" in self._at:
            tops = columns.numbers(self._at["maximum"], _number)
            given = columns.empty(self._at["maximum"])
            tops[given] = values[given]
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

    def _metric_codes(self, columns: Columns) -> NDArray[np.int64] | None:
        """None where a metric is bad and told again: with a unit it may be good from there on."""
        if "metric" in self._at:
            names = columns.codes(self._at["metric"], self._known["metric"])
        else:
            names = np.full(len(columns), self._spelled[self._metric])
        units = np.full(len(columns), self._spelled[b""])
        if "unit" in self._at:
            units = columns.codes(self._at["unit"], self._known["unit"])
        if (names == names[0]).all() and (units == units[0]).all():  # nearly always
            return np.full(len(names), self._metrics[self._pair(int(names[0]), int(units[0]))])
        found, first, where = np.unique(names << 32 | units, return_index=True, return_inverse=True)
        order = np.argsort(first).tolist()  # that of the lines
        pairs = [self._pair(*divmod(one, 1 << 32)) for one in found[order].tolist()]
        codes = np.empty(len(pairs), np.int64)
        for at, (place, pair) in enumerate(zip(order, pairs, strict=True)):
            codes[place] = self._metrics[pair]
            if codes[place] == BAD and any(_same(pair[0], one) for one, _ in pairs[at + 1 :]):
                return None
        return codes[where]

    def _pair(self, name: int, unit: int) -> tuple[bytes, bytes]:
        return self._spelled.spellings[name], self._spelled.spellings[unit]

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
        columns = ListColumns(list(zip(*rows, strict=True)))
        return self._take(columns, Lines(numbers[0], b"")) or 0  # all are good

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


def _same(metric: bytes, other: bytes) -> bool:
    try:
        return name(metric, "metric") == name(other, "metric")
    except BadField:
        return False


def _plain(field: bytes) -> str:
    """A column's head as COLUMNS has it."""
    try:
        return name(field, "column").lower()
    except BadField:
        return ""

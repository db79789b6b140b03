"""Wide CSV: one resource a line, `id,v0,v1,…`: a value every step from the start on, of one metric.

A header is a first line whose first field is empty or names the column (id, resource, vm_id, 资源), with
the time of each value in the others. An empty value is missing. A line with bad values is told, and
its good values are used.
"""

from __future__ import annotations

from array import array
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporters.history.badlines import BadLines, ImportRefused
from exporters.history.csvlines import Lines
from exporters.history.csvvalues import LATEST, MOST, BadField, again, name, seconds, value
from exporters.history.longcsv import split_line
from exporters.history.schema import SLOT
from exporters.history.seriescodes import Metric, Resources, SeriesTable
from exporters.history.spool import Spool

IDS: Final = ("", "id", "resource", "vm_id", "resource_id", "资源", "资源编号")
DEFAULT_STEP: Final = SLOT
DAY: Final = 86400
_VALUES: Final = 2_000_000  # held at a time


class WideReader:
    """Lines of one file into a spool. `start` and `step` in seconds, None where not given."""

    def __init__(
        self,
        resources: Resources,
        metric: Metric,
        series: SeriesTable,
        spool: Spool,
        bad: BadLines,
        zone: ZoneInfo,
        start: int | None,
        step: int | None,
    ) -> None:
        self._resources, self._metric, self._series = resources, metric, series
        self._spool, self._bad, self._zone = spool, bad, zone
        self._start, self._step = start, step
        self._offsets = offsets(DEFAULT_STEP)
        self._times: NDArray[np.int64] = np.empty(0, np.int64)  # of the values of a line
        self.missing = 0

    def read(self, chunk: Lines) -> int:
        """Put the values of a chunk into the spool; how many there are."""
        lines = chunk.data.split(b"\n")
        lines.pop()
        first = chunk.number
        if not len(self._times):
            self._times = self._begin(lines[0])
            if _is_header(lines[0]):
                del lines[0]
                first += 1
        batch = max(1, _VALUES // len(self._times))
        return sum(
            self._read(first + at, lines[at : at + batch]) for at in range(0, len(lines), batch)
        )

    def _read(self, first: int, lines: list[bytes]) -> int:
        """Lines of which most are good: those are looked at together."""
        width, values, numbers, resources = len(self._times), array("d"), [], []
        rest: list[int] = []
        for number, line in enumerate(lines):
            raw, _, cells = line.partition(b",")
            own, mark = self._resources[raw], len(values)
            if own >= 0 and b"_" not in cells and b'"' not in line:
                try:
                    values.extend(map(float, cells.split(b",")))
                except ValueError:
                    del values[mark:]
            if len(values) == mark + width:
                numbers.append(number)
                resources.append(own)
            else:
                del values[mark:]
                rest.append(number)
        matrix = np.frombuffer(values, np.float64).reshape(-1, width)
        good = ((matrix >= 0) & (matrix <= MOST)).all(axis=1)
        rest += [numbers[at] for at in np.flatnonzero(~good).tolist()]
        taken = self._put(np.array(resources, np.int64)[good], matrix[good])
        for number in sorted(rest):
            taken += self._slowly(first + number, lines[number], width)
        return taken

    def _slowly(self, number: int, line: bytes, width: int) -> int:
        """One line, value by value."""
        if not line.strip():
            return 0
        try:
            if b"\0" in line:
                raise BadField("the line has NUL bytes")
            fields = split_line(line)
            name(fields[0], "resource")
            if len(fields) != width + 1:
                raise BadField(f"the line has {len(fields) - 1} values and not {width}")
        except BadField as error:
            self._bad.tell(number, line, str(error))
            return 0
        found = np.full(width, np.nan)
        reasons = []
        for place, field in enumerate(fields[1:]):
            if not field.strip():
                self.missing += 1
                continue
            try:
                found[place] = value(field)
            except BadField as error:
                reasons.append(f"value {place + 1}: {error}")
        if reasons:
            more = f", and {len(reasons) - 1} more" if reasons[1:] else ""
            self._bad.tell(number, line, reasons[0] + more)
        return self._put(np.array([self._resources[fields[0]]]), found[None, :])

    def _begin(self, line: bytes) -> NDArray[np.int64]:
        """The times of the values, by the header or by --start and --step."""
        where = f"{self._bad.file}:1"
        try:
            fields = split_line(line)[1:]
            if not fields:
                raise BadField("the line has no values")
            if _is_header(line):
                times = _times([field.decode("ascii", "replace") for field in fields], self._zone)
                if self._start is not None:
                    raise BadField("the header has the times of the values; leave --start out")
                self._learn_step(times)
                return times
            if self._start is None:
                raise BadField("without a header with times, --start is needed")
            step = self._step or DEFAULT_STEP
            self._offsets = offsets(step)
            times = self._start + step * np.arange(len(fields))
            if times[-1] >= LATEST:
                raise BadField("the last value would be after 2099")
        except BadField as error:
            raise ImportRefused(f"{where}: {error}") from error
        return times

    def _learn_step(self, times: NDArray[np.int64]) -> None:
        """Values at equal distances of more than five minutes stand for all the time between."""
        gaps = np.unique(np.diff(np.sort(times)))
        step = self._step or (int(gaps[0]) if len(gaps) == 1 else DEFAULT_STEP)
        whole = self._step or (step > 0 and step % SLOT == 0 and step <= DAY)
        self._offsets = offsets(step if whole else DEFAULT_STEP)

    def _put(self, resources: NDArray[np.int64], matrix: NDArray[np.float64]) -> int:
        known = ~np.isnan(matrix)
        if not known.any():
            return 0
        self._metric.highest = max(self._metric.highest, float(matrix[known].max()))
        series = self._series.of(self._metric.number, resources)
        rows, columns = np.nonzero(known)
        at, own, content = self._times[columns], series[rows], matrix[known] * self._metric.factor
        times = len(self._offsets)
        if times > 1:
            at = (at[:, None] + self._offsets).ravel()
            own, content = np.repeat(own, times), np.repeat(content, times)
        self._spool.add(at, own, content)
        return len(rows)


def _times(fields: list[str], zone: ZoneInfo) -> NDArray[np.int64]:
    """Those of a header. One that is there twice, since clocks showed it twice, is the later one where it comes after
    the other in time."""
    found = [seconds(field, zone) for field in fields]
    backward = found[0] > found[-1]
    there: set[int] = set()
    for place in sorted(range(len(found)), reverse=backward):
        if found[place] in there and (later := again(fields[place], zone)) is not None:
            found[place] = later
        there.add(found[place])
    return np.array(found)


def offsets(step: int) -> NDArray[np.int64]:
    """Where else a value counts, in seconds from its time: in all slots of a long step."""
    return np.arange(max(1, step // SLOT)) * SLOT


def _is_header(line: bytes) -> bool:
    return line.partition(b",")[0].strip(b' "').decode("utf-8", "replace").lower() in IDS

"""Samples of an import by day, in the order they came: in memory, and what is too much in a file.

The file has no name, so that nothing is left of it whatever happens.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporters.history.days import Days
from exporters.history.schema import SLOT

RECORD: Final = np.dtype([("at", "<u4"), ("series", "<u4"), ("value", "<f4")])
TOP: Final = 1 << 31  # in `series`: the value is a maximum
BUDGET: Final = 128 << 20  # bytes in memory

Records = NDArray[Any]


class Spool:
    """Raises OSError where the file cannot be written."""

    def __init__(self, folder: Path, days: Days, budget: int = BUDGET) -> None:
        self._days, self._budget = days, budget
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._held: dict[int, list[Records]] = {}
        self._written: dict[int, list[tuple[int, int]]] = {}  # offset, bytes
        self._size = self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(
        self, at: NDArray[np.int64], series: NDArray[np.int64], values: NDArray[np.float64]
    ) -> None:
        """More samples, of any days."""
        if not len(at):
            return
        records = np.empty(len(at), RECORD)
        records["at"], records["series"], records["value"] = at, series, values
        low, high = (self._days.of(one) for one in (int(at.min()), int(at.max())))
        if low == high:
            self.put(low, records)
            return
        begins = [self._days.span(day)[0] * SLOT for day in range(low, high + 1)]
        own = np.searchsorted(begins, at, side="right") - 1
        order = np.argsort(own, kind="stable")
        ends = np.cumsum(np.bincount(own)).tolist()
        for day, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True), low):
            if begin < end:
                self.put(day, records[order[begin:end]])

    def put(self, day: int, records: Records) -> None:
        """More samples of one day."""
        self._held.setdefault(day, []).append(records)
        self._size += records.nbytes
        if self._size > self._budget:
            self._write()

    def _write(self) -> None:
        for day, parts in self._held.items():
            data = memoryview(np.concatenate(parts).tobytes())
            self._written.setdefault(day, []).append((self._end, len(data)))
            self._end += len(data)
            while data:
                data = data[os.write(self._file.fileno(), data) :]
        self._held.clear()
        self._size = 0

    def days(self) -> list[int]:
        return sorted(self._held.keys() | self._written.keys())

    def count(self, day: int) -> int:
        """How many samples a day has."""
        stored = sum(size for _, size in self._written.get(day, ()))
        return stored // RECORD.itemsize + sum(map(len, self._held.get(day, ())))

    def parts(self, day: int) -> Iterator[Records]:
        """The samples of a day, in the order they came."""
        for offset, size in self._written.get(day, ()):
            data = os.pread(self._file.fileno(), size, offset)
            if len(data) != size:
                raise OSError("the temporary file is cut off")
            yield np.frombuffer(data, RECORD)
        yield from self._held.get(day, ())

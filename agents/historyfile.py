"""The history file as the agent holds it: opened when it can be, and opened again when it could not.

What cannot be written waits, up to a bound, and is counted where it is lost. SQLite is imported with this
module, so only by an agent that keeps a history.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from exporters.history.accumulate import Rollup
from exporters.history.file import HistoryError
from exporters.history.schema import SLOT
from exporters.history.store import HistoryWriter, Known, Span, is_damage

log = logging.getLogger(__name__)

WAITING: Final = 2000  # rollups and resources that wait for a disk: most of a day of one host
NOT_YET: Final = "nothing was written yet"


class _Waiting(NamedTuple):
    slot: int
    rows: Sequence[Rollup]
    resources: Sequence[Known]


class HistoryFile:
    """Not for two threads at once, but for what is told: `problem` is why nothing can be written, or empty; `lost`
    rollups never will be; `last` is the end of the last slot in the file, as Unix time."""

    def __init__(self, path: Path, zone: str) -> None:
        self.path, self._zone = path, zone
        self.problem = NOT_YET
        self.lost = 0
        self.last: float | None = None
        self._writer: HistoryWriter | None = None
        self._place: tuple[int, int] | None = None
        self._suspect = self._strangers = False
        self._waiting: deque[_Waiting] = deque()

    def write(
        self,
        rollups: Mapping[int, Sequence[Rollup]],
        resources: Sequence[Known] = (),
        spans: Sequence[Span] = (),
    ) -> bool:
        """Whether all of it is on disk, and what waited before it. Spans do not wait: who tells them
        sees by those that are open that they are not there."""
        slots = list(rollups.items()) or [(0, ())]
        new = [_Waiting(*slot, () if number else resources) for number, slot in enumerate(slots)]
        self._waiting += new
        try:
            writer = self._opened()
            while self._waiting:
                it = self._waiting[0]
                self._one(writer, it, spans if it is new[0] else ())
                self._waiting.popleft()
        except HistoryError as error:
            self._failed(error)
            return False
        self._told("")
        return True

    def open_spans(self) -> list[Span] | None:
        """What is true until now; None where that cannot be read."""
        try:
            return self._opened().open_spans()
        except HistoryError as error:
            self._failed(error)
            return None

    def first_slot(self) -> int | None:
        """The first slot of those that no block has yet; None for none, or none that can be read."""
        try:
            return self._opened().first_slot()
        except HistoryError as error:
            self._failed(error)
            return None

    def suspect(self) -> None:
        """It could not be read elsewhere: it is read through when something is written next."""
        self._suspect = True
        self.close()

    def close(self) -> None:
        """It is opened again when something is written."""
        if self._writer:
            self._writer.close()
            self._writer = None

    def size(self) -> int:
        """Bytes on disk, with the journal."""
        return sum(map(_size, (self.path, self.path.with_name(self.path.name + "-wal"))))

    def _one(self, writer: HistoryWriter, it: _Waiting, spans: Sequence[Span]) -> None:
        if left_out := writer.add(it.slot, it.rows, it.resources, spans):
            if not self._strangers:
                log.error("history: %d rollups are of resources nobody told of, and lost", left_out)
            self._strangers = True
            self.lost += left_out
        if it.rows:
            self.last = max(self.last or 0.0, float((it.slot + 1) * SLOT))

    def _opened(self) -> HistoryWriter:
        if self._writer and self._place != _place(self.path):
            self.close()  # somebody moved it away, and would not see what is written there
        if self._writer is None:
            # an agent before us has a moment to end, once: who waits here keeps all others waiting
            patience = None if self.problem == NOT_YET else 0.0
            self._writer = HistoryWriter(self.path, self._zone, self._suspect, patience)
            self._place, self._suspect = _place(self.path), False
            if self._writer.put_aside:
                log.error(
                    "the history was damaged and begins anew; what there was is kept in %s",
                    self._writer.put_aside,
                )
            if self._writer.zone != self._zone:
                log.warning(
                    "the days of %s are of %s, not of %s", self.path, self._writer.zone, self._zone
                )
        return self._writer

    def _failed(self, error: HistoryError) -> None:
        self._suspect = self._suspect or is_damage(error)
        self.close()
        waiting = sum(len(it.rows) + len(it.resources) for it in self._waiting)
        while waiting > WAITING:
            it = self._waiting.popleft()
            waiting -= len(it.rows) + len(it.resources)
            self.lost += len(it.rows)
        self._told(str(error))

    def _told(self, problem: str) -> None:
        if problem != self.problem:
            if problem:
                log.error("the history cannot be written: %s", problem)
            elif self.problem != NOT_YET:
                log.info("the history is written again")
        self.problem = problem


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

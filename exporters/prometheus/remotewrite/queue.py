"""Samples that a receiver has not taken yet, on disk: what `put` returned for survives kill -9 and a power cut.

A folder of segments (segment.py), appended to and deleted whole, and a `cursor`: how far the receiver has taken them
(docs/adr/0016). One process writes it, which a lock sees to; each process begins a segment of its own, so a torn end is
never written behind. Beyond its bytes or its age the oldest segment goes, and what is lost is counted exactly: every
block knows how many samples were queued before it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from exporters.locks import locked
from exporters.prometheus.remotewrite import segment
from exporters.prometheus.remotewrite.cursor import Cursor
from exporters.prometheus.remotewrite.losses import Losses, Lost
from exporters.prometheus.remotewrite.segment import SUFFIX, Block, Position, Segment, Writer
from exporters.prometheus.remotewrite.series import Snapshot
from exporters.prometheus.remotewrite.walk import Walk

SEGMENT_SIZE: Final = 8 << 20  # bytes after which the next begins


class QueueError(Exception):
    """The queue cannot be used. `str()` says why."""


class Fill(NamedTuple):
    """What waits: bytes on disk, samples, and since when the oldest, in Unix milliseconds (None where nothing does).
    `lost` by reason, since the queue was opened."""

    bytes: int
    samples: int
    oldest: int | None
    lost: dict[Lost, int]


class Queue:
    """Safe for one thread that puts and one that reads. Raises QueueError where disk or another process is in the way.

    `max_age` in seconds. `now` is Unix time; tests and benchmarks let it run. `patience`: seconds for another process
    to end, else as for all locks.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        max_age: float,
        now: Callable[[], float] = time.time,
        patience: float | None = None,
    ) -> None:
        self._folder, self._max_bytes, self._max_age, self._now = folder, max_bytes, max_age, now
        self._segment_size = min(SEGMENT_SIZE, max(1 << 12, max_bytes // 8))
        self._mutex = threading.RLock()
        self._losses = Losses()
        self._segments: list[Segment] = []
        self._writer: Writer | None = None
        self._out = -1
        self._place: Cursor | None = None
        self._walk = Walk(self._segments)
        self._oldest: int | None = None
        self._closed = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = locked(folder / "lock", patience=patience)
        except OSError as error:
            raise QueueError(f"{error.filename or folder}: {error.strerror}") from error
        try:
            self._open()
        except OSError as error:
            self.close()
            raise QueueError(f"{error.filename or folder}: {error.strerror}") from error

    def _open(self) -> None:
        self._place = Cursor(self._folder / "cursor")
        self._place.sync(now=True)
        self._segments[:], newest = segment.found(self._folder, self.cursor.segment)
        self._total, self._next = self.cursor.total, newest + 1
        if self._segments:
            last = self._segments[-1]
            self._total = max(self._total, segment.count_of(last.path, last.number))
            self._oldest = self._segments[0].time

    @property
    def cursor(self) -> Position:
        """How far the receiver has taken it."""
        return self._place.position if self._place else Position()

    # --- putting ---

    def put(self, snapshot: Snapshot) -> None:
        """On disk when it returns, behind all that was put before."""
        with self._mutex:
            self._check()
            samples = len(snapshot.values)
            try:
                writer = self._writer
                if writer is None or self._full(snapshot.time):
                    writer = self._begin(snapshot.time)
                self._append(writer.records(snapshot))
            except OSError as error:
                self._undo()
                self._losses.not_put(samples)
                raise QueueError(f"{self._folder}: {error.strerror}") from error
            if self._total == self.cursor.total:
                self._oldest = snapshot.time
            self._total += samples
            self._bound()

    def _full(self, now: int) -> bool:
        """Whether the segment has its bytes, or a quarter of the age: then it can go in time."""
        newest = self._segments[-1]
        return newest.size >= self._segment_size or now - newest.time > self._max_age * 250

    def _begin(self, now: int) -> Writer:
        self._abandon()
        number, self._next = self._next, self._next + 1
        path = self._folder / f"{number:016d}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._out = os.open(path, flags, 0o600)
        writer = Writer(self._total)
        self._segments.append(Segment(number, path, 0, self._total, now))
        self._append(writer.header(now))
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._writer = writer
        return writer

    def _append(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self._out, view) :]
        os.fdatasync(self._out)
        self._segments[-1].size += len(content)

    def _abandon(self) -> None:
        """The next put begins another segment; what is torn at the end of this one is not read."""
        if self._out >= 0:
            os.close(self._out)
        self._out, self._writer = -1, None

    def _undo(self) -> None:
        """A record could not be written whole: away with its part, which takes what space there is."""
        if self._out >= 0:
            newest = self._segments[-1]
            with contextlib.suppress(OSError):  # it is no worse than torn
                os.ftruncate(self._out, newest.size)
                if newest.first == self._total:
                    self._segments.pop().path.unlink()
        self._abandon()

    def _bound(self) -> None:
        """Let the oldest segments go that are beyond what the queue may hold."""
        oldest, size = self._oldest_allowed(), sum(one.size for one in self._segments)
        while len(self._segments) > 1:
            gone, follows = self._segments[:2]
            full = size > self._max_bytes
            if not full and follows.time >= oldest:
                return
            size -= gone.size
            if self.cursor.total < follows.first:
                self._losses.count("full" if full else "old", self.cursor.total, follows.first)
                self._oldest = follows.time
            count = max(self.cursor.total, follows.first)
            self._move(Position(follows.number, count, segment.HEADER))

    def _oldest_allowed(self) -> float:
        return (self._now() - self._max_age) * 1000

    # --- reading ---

    def read(self, samples: int, after: Position | None = None) -> list[Block]:
        """The blocks behind the cursor, or behind what was read before, of so many samples together at most, but one at
        least where there is one. They stay until `done`."""
        with self._mutex:
            self._check()
            ahead = after if after and after.total > self.cursor.total else None
            try:
                return self._read(samples, ahead)
            except OSError as error:
                raise QueueError(f"{self._folder}: {error.strerror}") from error

    def _read(self, room: int, ahead: Position | None) -> list[Block]:
        found: list[Block] = []
        oldest = self._oldest_allowed()
        at = ahead or self.cursor
        expected = at.total
        self._walk.seek(at)
        while room > 0 and (block := self._walk.next()):
            if block.end.total <= at.total:
                continue  # done before
            if block.begin < at.total:
                block = block.cut(at.total - block.begin)[1]
            missing = block.begin - expected
            if found and (missing or block.samples > room):
                self._walk.put_back(block, found[-1].end)
                break
            if missing:
                self._losses.count("damaged", expected, block.begin)
                if not ahead:
                    self._move(Position(block.end.segment, block.begin, self.cursor.offset))
            expected = block.end.total
            if not found and block.time < oldest:
                self._losses.count("old", block.begin, block.end.total)
                if not ahead:
                    self._move(block.end)
                continue
            found.append(block)
            room -= block.samples
        self._oldest = found[0].time if found else None
        return found

    def done(self, end: Position) -> None:
        """The receiver has, or will never have, what is up to here."""
        with self._mutex:
            self._check()
            if end.total <= self.cursor.total:
                return  # it was let go meanwhile
            try:
                self._move(end)
                if self._place:
                    self._place.sync()
            except OSError as error:
                raise QueueError(f"{self._folder}: {error.strerror}") from error

    def _move(self, end: Position) -> None:
        """The cursor, and away with segments before it: not before the disk has it, or a power cut would make losses
        of what the receiver has."""
        assert self._place  # noqa: S101 - from the opening on
        self._place.move(end)
        if self._segments and self._segments[0].number < end.segment:
            self._place.sync(now=True)
        while self._segments and self._segments[0].number < end.segment:
            self._segments.pop(0).path.unlink(missing_ok=True)

    # --- all ---

    def fill(self) -> Fill:
        with self._mutex:
            waiting = self._total - self.cursor.total
            size = sum(one.size for one in self._segments) - self.cursor.offset if waiting else 0
            oldest = self._oldest if waiting else None
            return Fill(max(0, size), waiting, oldest, dict(self._losses.by_reason))

    def close(self) -> None:
        """Nothing can be done with it any more, by any thread."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            self._abandon()
            self._walk.close()
            if self._place:
                self._place.close()
            os.close(self._lock)

    def _check(self) -> None:
        if self._closed:
            raise QueueError("the queue is closed")

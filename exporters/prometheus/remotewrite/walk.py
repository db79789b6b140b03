"""The blocks of a queue in order, from segment to segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from exporters.prometheus.remotewrite.segment import Block, Position, Reader, Segment


class Walk:
    """Through segments, whose owner adds new ones and takes the oldest away as it goes on."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._in: BinaryIO | None = None
        self._reader: Reader | None = None
        self._unread: tuple[Position, Block] | None = None  # what comes behind this position

    def seek(self, at: Position) -> None:
        """Stand there, or before it in its segment."""
        if self._unread and self._unread[0] == at:
            return
        self._unread = None
        reader = self._reader
        if reader and (reader.number, reader.offset) == (at.segment, at.offset):
            return
        self._enter(next((s for s in self._segments if s.number >= at.segment), None))

    def next(self) -> Block | None:
        """The next one that is good, of this segment or a later one."""
        unread, self._unread = self._unread, None
        if unread:
            return unread[1]
        while reader := self._reader:
            after = [one for one in self._segments if one.number >= reader.number]
            if after and after[0].number == reader.number:
                if block := reader.next(after[0].size):
                    return block
                del after[0]
            if not after:
                return None
            self._enter(after[0])
        return None

    def put_back(self, block: Block, after: Position) -> None:
        """It is the next one again, for who seeks to the end of the one before."""
        self._unread = after, block

    def close(self) -> None:
        self._enter(None)

    def _enter(self, one: Segment | None) -> None:
        if self._in:
            self._in.close()
        before, self._in, self._reader = self._reader, None, None
        if one:
            self._in = one.path.open("rb")
            self._reader = Reader(one.number, self._in, before)

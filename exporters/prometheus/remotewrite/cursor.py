"""How far a queue is done, in a file of two places that are written in turn: a torn one leaves the other.

place = segment:u64 total:u64 offset:u64 crc:u32    little-endian, CRC-32 of what is before it
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from pathlib import Path
from typing import Final

from exporters.prometheus.remotewrite.segment import Position

SYNC: Final = 1.0  # seconds between two times that it is forced to disk
_SLOT: Final = struct.Struct("<QQQI")


class Cursor:
    """Raises OSError."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(path, flags, 0o600)
        slots = [os.pread(self._file, _SLOT.size, at * _SLOT.size) for at in (0, 1)]
        places = [(1, Position()), *((at, _position(slot)) for at, slot in enumerate(slots))]
        self._slot, self.position = max(places, key=lambda it: (it[1].total, it[1].segment))
        self._synced = 0.0

    def move(self, end: Position) -> None:
        self._slot ^= 1
        slot = _SLOT.pack(*end, 0)[:-4]
        slot += struct.pack("<I", zlib.crc32(slot))
        os.pwrite(self._file, slot, self._slot * _SLOT.size)
        self.position = end

    def sync(self, now: bool = False) -> None:
        """Force it to disk: now, or now and then."""
        if now or time.monotonic() - self._synced > SYNC:
            os.fdatasync(self._file)
            self._synced = time.monotonic()

    def close(self) -> None:
        os.close(self._file)


def _position(slot: bytes) -> Position:
    """Of one place; the beginning where it is torn or was never written."""
    if len(slot) < _SLOT.size:
        return Position()
    *numbers, crc = _SLOT.unpack(slot)
    return Position(*numbers) if zlib.crc32(slot[:-4]) == crc else Position()

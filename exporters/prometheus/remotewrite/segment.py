"""One file of a queue of samples: series once, then block after block of values, each with a checksum.

    file    = header record*
    header  = "JWPUSH1\\n" first:u64 time:i64 crc:u32       first: samples ever queued before this file
    record  = size:u32 crc:u32 kind:u8 payload              crc: CRC-32 of the payload, begun with 0x4A570000 | kind
    kind S  = snappy of MessagePack: series, numbered on from those before
    kind B  = time:i64 first:u64 refs:u32 refs values       both snappy; no refs: as of the last block
    refs    = u32 numbers of series, each less the one before
    values  = f64, XORed with those of the last block where its refs are the same

Little-endian. It is only ever appended to, and deleted whole. What is torn or damaged ends the file: nothing behind it
can be trusted, and `first` of what is found next tells how many samples that cost.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import cramjam
import msgspec

from collectors.model import Labels
from exporters.prometheus.remotewrite.series import Series, Snapshot

SUFFIX: Final = ".seg"
MAGIC: Final = b"JWPUSH1\n"
_HEADER: Final = struct.Struct("<8sQqI")
_RECORD: Final = struct.Struct("<IIB")
_BLOCK: Final = struct.Struct("<qQI")
HEADER: Final = _HEADER.size
_SEED: Final = 0x4A570000
MAX_RECORD: Final = 256 << 20
_SERIES: Final = msgspec.msgpack.Decoder(list[Series])


class Segment:
    """One file: how long it is, how many samples were queued before it, and the time of its first block."""

    __slots__ = ("first", "number", "path", "size", "time")

    def __init__(self, number: int, path: Path, size: int, first: int, time: int) -> None:
        self.number, self.path, self.size = number, path, size
        self.first, self.time = first, time


class Header(NamedTuple):
    first: int
    time: int


class Position(NamedTuple):
    """How far a queue is read: `total` samples of those ever queued, the last of them in `segment`, up to `offset`."""

    segment: int = 0
    total: int = 0
    offset: int = 0


class Block(NamedTuple):
    """Values at one moment, as they were put. `begin` samples were queued before it, `end` is behind it."""

    time: int
    series: list[Series]
    values: bytes
    begin: int
    end: Position

    @property
    def samples(self) -> int:
        return len(self.values) // 8

    def cut(self, at: int) -> tuple[Block, Block]:
        """The first `at` samples, and the others."""
        middle = self.begin + at
        return (
            Block(
                self.time,
                self.series[:at],
                self.values[: 8 * at],
                self.begin,
                Position(self.end.segment, middle),
            ),
            Block(self.time, self.series[at:], self.values[8 * at :], middle, self.end),
        )


class Writer:
    """Makes the records of one segment."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._numbers: dict[Series, int] = {}
        self._series: list[Series] | None = None
        self._refs: array[int] = array("I")
        self._last = 0

    def header(self, time: int) -> bytes:
        head = _HEADER.pack(MAGIC, self.first, time, 0)
        return head[:-4] + struct.pack("<I", zlib.crc32(head[:-4]))

    def records(self, snapshot: Snapshot) -> bytes:
        """What is appended for it. The writer counts it as written."""
        out, refs = b"", b""
        raw = little(snapshot.values)
        packed = int.from_bytes(raw, "little")
        if snapshot.series is self._series:
            values = (packed ^ self._last).to_bytes(len(raw), "little")
        else:
            numbers = self._numbers
            new = [one for one in snapshot.series if one not in numbers]
            if new:
                numbers.update(zip(new, range(len(numbers), len(numbers) + len(new)), strict=True))
                out = _record(b"S", _packed(msgspec.msgpack.encode(new)))
            now = array("I", map(numbers.__getitem__, snapshot.series))
            if now == self._refs and now:
                values = (packed ^ self._last).to_bytes(len(raw), "little")
            else:
                values = raw
                refs = _packed(little(array("I", map(_less, now, (0, *now)))))
            self._series, self._refs = snapshot.series, now
        self._last = packed
        head = _BLOCK.pack(snapshot.time, self.first, len(refs))
        self.first += len(snapshot.values)
        return out + _record(b"B", head + refs + _packed(values))


class Reader:
    """Reads blocks of one segment from a file, which may grow meanwhile. A series of the reader `before` stays the same
    object, with what others keep of it."""

    def __init__(self, number: int, file: BinaryIO, before: Reader | None = None) -> None:
        self.number, self._file = number, file
        self._before = {_content(one): one for one in before._table} if before else {}
        self.offset = HEADER
        self._table: list[Series] = []
        self._series: list[Series] = []
        self._last = 0

    def next(self, end: int) -> Block | None:
        """The next block that ends before `end`; None where there is none, or it is damaged."""
        while (found := self._record(end)) is not None:
            kind, payload = found
            self.offset += _RECORD.size + len(payload)
            if kind == 83:  # S
                new = _SERIES.decode(_unpacked(payload))
                self._table += [self._before.get(_content(one), one) for one in new]
                continue
            self._before.clear()  # most come at once
            time, first, size = _BLOCK.unpack_from(payload)
            at = _BLOCK.size
            raw = _unpacked(payload[at + size :])
            if size:
                refs = array("I", _unpacked(payload[at : at + size]))
                numbers = accumulate(refs, _added)
                self._series = [self._table[number] for number in numbers]
                self._last = int.from_bytes(raw, "little")
            else:
                self._last ^= int.from_bytes(raw, "little")
                raw = self._last.to_bytes(len(raw), "little")
            end_here = Position(self.number, first + len(self._series), self.offset)
            return Block(time, self._series, raw, first, end_here)
        return None

    def _record(self, end: int) -> tuple[int, bytes] | None:
        if self.offset + _RECORD.size > end:
            return None
        self._file.seek(self.offset)
        head = self._file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return None
        size, crc, kind = _RECORD.unpack(head)
        if size > MAX_RECORD or self.offset + _RECORD.size + size > end:
            return None
        payload = self._file.read(size)
        if len(payload) < size or kind not in b"SB" or _crc(kind, payload) != crc:
            return None
        return kind, payload


def header_of(file: BinaryIO) -> Header | None:
    """None where it is torn or of something else."""
    file.seek(0)
    head = file.read(HEADER)
    if len(head) < HEADER:
        return None
    magic, first, time, crc = _HEADER.unpack(head)
    if magic != MAGIC or zlib.crc32(head[:-4]) != crc:
        return None
    return Header(first, time)


def found(folder: Path, since: int) -> tuple[list[Segment], int]:
    """The segments from this number on, and the newest number of all. What is done before, or was torn before it held
    anything, is deleted."""
    there, newest = [], since
    for path in sorted(folder.glob(f"{'[0-9]' * 16}{SUFFIX}")):
        number = int(path.stem)
        newest = max(newest, number)
        with path.open("rb") as file:
            head = header_of(file)
        if head is None or number < since:
            path.unlink()
        else:
            there.append(Segment(number, path, path.stat().st_size, head.first, head.time))
    return there, newest


def count_of(path: Path, number: int) -> int:
    """How many samples were queued ever, up to its last good block; the header must be good."""
    with path.open("rb") as file:
        head = header_of(file)
        reader, count = Reader(number, file), head.first if head else 0
        while block := reader.next(path.stat().st_size):
            count = block.end.total
        return count


def little(values: array[float] | array[int]) -> bytes:
    """Little-endian bytes on any machine."""
    if struct.pack("=H", 1) == b"\1\0":
        return values.tobytes()
    other = values[:]
    other.byteswap()
    return other.tobytes()


def _content(one: Series) -> tuple[Labels, str, str, int]:
    return one.labels, one.kind, one.help, one.created


def _less(now: int, before: int) -> int:
    return (now - before) & 0xFFFFFFFF


def _added(before: int, less: int) -> int:
    return (before + less) & 0xFFFFFFFF


def _record(kind: bytes, payload: bytes) -> bytes:
    return _RECORD.pack(len(payload), _crc(kind[0], payload), kind[0]) + payload


def _crc(kind: int, payload: bytes) -> int:
    """Not 0 of nothing: a file system may leave zeros behind a power cut."""
    return zlib.crc32(payload, _SEED | kind)


def _packed(content: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(content))


def _unpacked(content: bytes) -> bytes:
    return bytes(cramjam.snappy.decompress_raw(content))

"""Chunks of whole lines of a CSV file, plain or gzipped by its content, with their line numbers.

A line may be as long as MAX_LINE; a longer one is told and left out, and so is what follows where
compressed data end too early or are damaged.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final, NamedTuple

from exporters.history.badlines import BadLines, ImportRefused

MAX_LINE: Final = 4 << 20
CHUNK: Final = 512 << 10  # what becomes of it stays in the processor's cache
_READ: Final = 256 << 10
_STEP: Final = 256
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class Lines(NamedTuple):
    """Whole lines, each with its end; `number` is that of the first."""

    number: int
    data: bytes


class Source:
    """An open file; `-` is standard input."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name, self._file = name, file
        self._number, self._cut = 1, False
        self.read = 0  # bytes, as they are on disk
        self.size = 0 if name == "-" else os.fstat(file.fileno()).st_size  # 0 is unknown

    def chunks(self, bad: BadLines) -> Iterator[Lines]:
        """All lines in order."""
        rest, skipping, beginning = b"", False, True
        for piece in self._pieces(bad):
            if beginning:
                piece, beginning = _begin(self.name, piece), False
            if skipping:
                _, found, piece = piece.partition(b"\n")
                if not found:
                    continue
                skipping = False
                self._number += 1
            whole, found, tail = piece.rpartition(b"\n")
            if found:
                data = rest + whole + found if rest else whole + found
                rest = tail
                yield Lines(self._number, data)
                self._number += data.count(b"\n")
            else:
                rest += tail
            if len(rest) > MAX_LINE:
                bad.tell(self._number, rest, f"the line is longer than {MAX_LINE >> 20} MiB")
                rest, skipping = b"", True
        if rest and not self._cut:
            yield Lines(self._number, rest + b"\n")

    def _pieces(self, bad: BadLines) -> Iterator[bytes]:
        """The content in pieces of about CHUNK."""
        first = self._get()
        if not first.startswith(_GZIP):
            parts, size = [first], len(first)
            while data := self._get():
                parts.append(data)
                size += len(data)
                if size >= CHUNK:
                    yield b"".join(parts)
                    parts, size = [], 0
            yield b"".join(parts)
            return
        yield from self._inflated(first, bad)

    def _inflated(self, data: bytes, bad: BadLines) -> Iterator[bytes]:
        inflater, parts, size = zlib.decompressobj(31), [], 0
        before, given = inflater, b""
        try:
            while data:
                if inflater.eof:  # one more member, or padding
                    if not data.strip(b"\0"):
                        data = self._get()
                        continue
                    inflater = zlib.decompressobj(31)
                before, given = inflater.copy(), data
                parts.append(inflater.decompress(data, CHUNK))
                size += len(parts[-1])
                data = inflater.unconsumed_tail or inflater.unused_data or self._get()
                if size >= CHUNK:
                    yield b"".join(parts)
                    parts, size = [], 0
        except zlib.error as error:
            yield b"".join([*parts, _before_damage(before, given)])
            self._tell_cut(bad, f"the compressed data are damaged from here on: {error}")
            return
        parts.append(inflater.flush() if not inflater.eof else b"")
        yield b"".join(parts)
        if not inflater.eof:
            self._tell_cut(bad, "the compressed data end too early")

    def _tell_cut(self, bad: BadLines, problem: str) -> None:
        self._cut = True
        bad.tell(self._number, b"", problem)

    def _get(self) -> bytes:
        try:
            data = self._file.read(_READ)
        except OSError as error:
            raise ImportRefused(f"{self.name}: cannot be read: {error.strerror}") from error
        self.read += len(data)
        return data


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Raises ImportRefused."""
    if name == "-":
        yield Source(name, sys.stdin.buffer)
        return
    try:
        file = open(name, "rb", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise ImportRefused(f"{name}: cannot be read: {error.strerror}") from error
    with file:
        yield Source(name, file)


def _before_damage(inflater: Any, data: bytes) -> bytes:
    """What comes out before the damaged part: zlib gives nothing of a call that fails."""
    parts = []
    with suppress(zlib.error):
        for at in range(0, len(data), _STEP):
            parts.append(inflater.decompress(data[at : at + _STEP]))
    return b"".join(parts)


def _begin(name: str, piece: bytes) -> bytes:
    if piece.startswith(_UTF16):
        raise ImportRefused(f"{name}: is UTF-16; save it as CSV in UTF-8")
    return piece.removeprefix(_BOM)

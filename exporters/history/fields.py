"""Columns of a chunk of plain CSV as arrays, without a Python object for every field.

A field is looked at as words of eight bytes. Where it is as that in the line before, or as that a cycle before (files in
order of time have the same resources again and again, those in order of resources the same times), what
it means is known; only others are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]  # a word a row, a field a column

_COMMA, _END, _POINT, _ZERO, _SPACE = 44, 10, 46, 48, 32
_BYTES: Final = 8  # of a word
_WORDS: Final = 8  # of a field at most; a longer one is for the csv module
_DIGITS: Final = 15  # that a double holds exactly
_MASKS: Final = np.array([(1 << 8 * size) - 1 for size in range(_BYTES + 1)], np.uint64)
_POWERS: Final = 10.0 ** np.arange(_DIGITS + 1)
_REMEMBERED: Final = 1 << 17  # fields of a column
_LONGEST: Final = 64  # chunks without looking for a cycle


class Columns(Protocol):
    """Those of some lines."""

    def __len__(self) -> int: ...

    def codes(self, place: int, known: Known) -> NDArray[np.int64]:
        """What `known` says of each field of a column."""

    def numbers(self, place: int, slowly: Callable[[bytes], float]) -> NDArray[np.float64]:
        """The fields of a column as numbers, NaN where empty; those that are not plain ones as `slowly` has them."""

    def empty(self, place: int) -> NDArray[np.bool_]:
        """Which fields have nothing but space."""


class Known:
    """What a lookup says of the fields of a column, chunk after chunk. The same field must always be the same."""

    def __init__(self, lookup: Callable[[bytes], int]) -> None:
        self.lookup = lookup
        self._words: Words = np.empty((0, 0), np.uint64)
        self._codes = np.empty(0, np.int64)
        self._wrong = self._pause = 0  # chunks

    def codes(self, words: Words) -> NDArray[np.int64]:
        count = words.shape[1]
        new = np.ones(count, np.bool_)
        np.any(words[:, 1:] != words[:, :-1], axis=0, out=new[1:])
        begins = np.flatnonzero(new)
        if len(begins) == count:
            return self._of(words)
        return np.repeat(self._of(words[:, begins]), np.diff(begins, append=count))

    def _of(self, words: Words) -> NDArray[np.int64]:
        count = words.shape[1]
        if self._pause:  # there is no cycle, it seems
            self._pause -= 1
            return self._looked_up(words)
        period = self._period(words)
        if not period:
            codes = self._looked_up(words)
            self._remember(words, codes, _REMEMBERED)
            return codes
        cycle, times = self._words[:, -period:], -(-count // period)
        other = (np.tile(cycle, times)[:, :count] != words).any(axis=0)
        codes = np.tile(self._codes[-period:], times)[:count]
        if other.any():
            codes[other] = self._looked_up(words[:, other])
            period = _REMEMBERED
        wrong = int(other.sum()) * 2 > count
        self._wrong = self._wrong + 1 if wrong else 0
        if wrong and count > 1:
            self._pause = min(1 << self._wrong, _LONGEST)
        self._remember(words, codes, period)
        return codes

    def _period(self, words: Words) -> int:
        """How long ago the first one was there; 0 if it was not."""
        if len(self._words) != len(words) or not len(self._codes):
            return 0
        same = self._words[0] == words[0, 0]
        for before, now in zip(self._words[1:], words[1:, 0], strict=True):
            same &= before == now
        before = np.flatnonzero(same)
        return len(self._codes) - int(before[-1]) if len(before) else 0

    def _remember(self, words: Words, codes: NDArray[np.int64], most: int) -> None:
        if len(self._words) != len(words):
            self._words, self._codes = words[:, -most:], codes[-most:]
            return
        kept = max(0, most - len(codes))
        old = max(0, len(self._codes) - kept)
        self._words = np.concatenate([self._words[:, old:], words[:, -most:]], axis=1)
        self._codes = np.concatenate([self._codes[old:], codes[-most:]])

    def _looked_up(self, words: Words) -> NDArray[np.int64]:
        fields = np.ascontiguousarray(words.T).view(f"S{_BYTES * len(words)}").ravel()
        return np.fromiter(map(self.lookup, fields.tolist()), np.int64, len(fields))


class PlainColumns:
    """Made by `plain`."""

    def __init__(self, data: bytes, begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        self._data, self._begins, self._lengths = data, begins, lengths  # a column a row
        padded = data + bytes(_BYTES * _WORDS)
        size = len(padded) - _BYTES + 1
        self._words = np.ndarray((size,), np.dtype("<u8"), padded, strides=(1,))

    def __len__(self) -> int:
        return len(self._begins[0])

    def codes(self, place: int, known: Known) -> NDArray[np.int64]:
        return known.codes(self._words_of(place, int(self._lengths[place].max())))

    def empty(self, place: int) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self._lengths[place] == 0
        for at in np.flatnonzero(self._words[self._begins[place]] & 0xFF <= _SPACE).tolist():
            found[at] = not self._field(place, at).strip()
        return found

    def numbers(self, place: int, slowly: Callable[[bytes], float]) -> NDArray[np.float64]:
        lengths = self._lengths[place]
        width = min(int(lengths.max()), _DIGITS + 1)
        words, count = self._words_of(place, width), len(lengths)
        total, decimals = np.zeros(count, np.uint64), np.zeros(count, np.uint8)
        pointed, odd = np.zeros(count, np.bool_), lengths > width
        for at in range(width):
            byte = (words[at // _BYTES] >> np.uint64(at % _BYTES * 8)) & np.uint64(0xFF)
            digit = byte - np.uint64(_ZERO)
            is_digit, point = digit < 10, byte == _POINT
            total = np.where(is_digit, total * np.uint64(10) + digit, total)
            decimals += is_digit & pointed
            odd |= (point & pointed) | ~(is_digit | point | (byte == 0))
            pointed |= point
        digits = lengths - pointed
        odd |= (digits < 1) | (digits > _DIGITS)
        odd &= lengths > 0
        found: NDArray[np.float64] = total / _POWERS[np.minimum(decimals, _DIGITS)]
        found[lengths == 0] = np.nan
        for at in np.flatnonzero(odd).tolist():
            found[at] = slowly(self._field(place, at))
        return found

    def _field(self, place: int, at: int) -> bytes:
        begin = int(self._begins[place, at])
        return self._data[begin : begin + int(self._lengths[place, at])]

    def _words_of(self, place: int, width: int) -> Words:
        begins, lengths = self._begins[place], self._lengths[place]
        shortest = int(lengths.min())
        words = np.empty((max(1, -(-width // _BYTES)), len(begins)), np.uint64)
        for at, row in enumerate(words):
            row[:] = self._words[begins + at * _BYTES if at else begins]  # take() would copy all
            if shortest < (at + 1) * _BYTES:
                left = np.minimum(np.maximum(lengths - at * _BYTES, 0), _BYTES)
                row &= _MASKS[left] if shortest < width else _MASKS[left[0]]
        return words


class ListColumns:
    """Of lists of fields."""

    def __init__(self, columns: Sequence[Sequence[bytes]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def codes(self, place: int, known: Known) -> NDArray[np.int64]:
        return np.fromiter(map(known.lookup, self._columns[place]), np.int64, len(self))

    def empty(self, place: int) -> NDArray[np.bool_]:
        return np.array([not field.strip() for field in self._columns[place]], np.bool_)

    def numbers(self, place: int, slowly: Callable[[bytes], float]) -> NDArray[np.float64]:
        return np.fromiter(map(slowly, self._columns[place]), np.float64, len(self))


def plain(data: bytes, count: int) -> PlainColumns | None:
    """Of a chunk in which every line has `count` fields, none quoted or very long; else None."""
    if b'"' in data or b"\0" in data:
        return None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        if b"\r" in data:
            return None
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((raw == _COMMA) | (raw == _END))
    if not len(ends) or len(ends) % count:
        return None
    marks = raw[ends].reshape(-1, count)
    if (marks[:, -1] != _END).any() or (marks[:, :-1] != _COMMA).any():
        return None
    begins = np.empty_like(ends)
    begins[0], begins[1:] = 0, ends[:-1] + 1
    begins, ends = (np.ascontiguousarray(one.reshape(-1, count).T) for one in (begins, ends))
    lengths = ends - begins
    return None if lengths.max() > _WORDS * _BYTES else PlainColumns(data, begins, lengths)

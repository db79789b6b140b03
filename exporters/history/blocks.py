"""A day of one series as a block: a header of four bytes, then averages and maxima, a slot each.

Header: version (1), flags (bit 0: maxima follow; else they are equal to the averages), slots (two bytes:
276, 288 or 300). Then little-endian float32, NaN where nothing is known.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

VERSION: Final = 1
_MAXIMA: Final = 1
_HEADER: Final = struct.Struct("<BBH")
_VALUE: Final = np.dtype("<f4")


class BlockError(ValueError):
    """The bytes are no block of that many slots."""


def encode(averages: Floats, maxima: Floats) -> list[bytes]:
    """Blocks of a matrix, a series a row."""
    count, slots = averages.shape
    low, high = (np.ascontiguousarray(one, _VALUE) for one in (averages, maxima))
    same = ((low == high) | (np.isnan(low) & np.isnan(high))).all(axis=1).tolist()
    width = slots * _VALUE.itemsize
    raw, tops = low.tobytes(), b"" if all(same) else high.tobytes()
    plain, both = (_HEADER.pack(VERSION, flags, slots) for flags in (0, _MAXIMA))
    return [
        plain + raw[at : at + width]
        if equal
        else both + raw[at : at + width] + tops[at : at + width]
        for at, equal in zip(range(0, count * width, width), same, strict=True)
    ]


def decode(blocks: Sequence[bytes], slots: int) -> tuple[Floats, Floats]:
    """Averages and maxima of blocks, a row each. Raises BlockError."""
    width = slots * _VALUE.itemsize
    plain, both = (_HEADER.pack(VERSION, flags, slots) for flags in (0, _MAXIMA))
    low, high = [], []
    for block in blocks:
        head, size = block[: _HEADER.size], len(block) - _HEADER.size
        if head == plain and size == width:
            low.append(block[_HEADER.size :])
            high.append(low[-1])
        elif head == both and size == 2 * width:
            low.append(block[_HEADER.size : _HEADER.size + width])
            high.append(block[_HEADER.size + width :])
        else:
            raise BlockError(f"{len(block)} bytes are no block of {slots} slots")
    shape = (len(blocks), slots)
    averages, maxima = (np.frombuffer(b"".join(one), _VALUE).reshape(shape) for one in (low, high))
    return averages, maxima

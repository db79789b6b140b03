"""Made-up usage of many resources, the same every time: long and wide CSV.

Each resource has a level and a swing over the day, by its number; values are percent with one digit.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

START = 1_761_926_400  # 2025-11-01 00:00 at Shanghai
STEP = 300
SLOTS = 288  # a day
_TENTHS = 1000


def tenths(resources: int, slot: int) -> NDArray[np.int64]:
    """Use of all resources in a slot, in tenths of a percent."""
    generator = np.random.default_rng(slot)
    level = np.arange(resources) * 7919 % 600
    swing = level * max(0.0, np.sin((slot % SLOTS) * 2 * np.pi / SLOTS)) * 0.5
    found = level + swing.astype(np.int64) + generator.integers(-40, 41, resources)
    clipped: NDArray[np.int64] = np.clip(found, 0, _TENTHS)
    return clipped


def resource(number: int) -> str:
    return f"vm-{number:05}"


def write_long(path: Path, resources: int, days: int) -> int:
    """In order of time; how many samples. Gzipped by its name."""
    heads = [f",{resource(number)},cpu,".encode() for number in range(resources)]
    tails = [f"{number / 10}\n".encode() for number in range(_TENTHS + 1)]

    def lines() -> Iterator[bytes]:
        for slot in range(days * SLOTS):
            at = str(START + slot * STEP).encode()
            values = map(tails.__getitem__, tenths(resources, slot).tolist())
            yield b"".join(chain.from_iterable(zip(repeat(at), heads, values, strict=False)))

    opener = gzip.open(path, "wb", 1) if path.suffix == ".gz" else open(path, "wb")  # noqa: SIM115
    with opener as file:
        file.write(b"timestamp,resource,metric,value\n")
        for line in lines():
            file.write(line)
    return resources * days * SLOTS


def write_wide(path: Path, resources: int, days: int) -> int:
    """The same values, without a header."""
    matrix = np.empty((resources, days * SLOTS), np.int16)
    for slot in range(days * SLOTS):
        matrix[:, slot] = tenths(resources, slot)
    words = [str(number / 10).encode() for number in range(_TENTHS + 1)]
    with open(path, "wb") as file:
        for number, row in enumerate(matrix):
            values = b",".join(map(words.__getitem__, row.tolist()))
            file.write(b"%s,%s\n" % (resource(number).encode(), values))
    return matrix.size

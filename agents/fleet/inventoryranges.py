"""Ranges of hosts as Ansible's inventories have them: `vm-[001:120]`, `vm-[1:9:2]`, `rack-[a:f]`, both ends included.

Leading zeros are kept. Several ranges in one text are every combination, the last one changing first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Final

_RANGE: Final = re.compile(
    r"\[(?:(\d{1,9}):(\d{1,9})|([a-z]):([a-z])|([A-Z]):([A-Z]))(?::(\d{1,9}))?\]"
)


class RangeError(ValueError):
    """A range that is none, or is too long."""


class Ranged:
    """A text with its ranges; `count` is known before anything is made of them. Raises RangeError."""

    def __init__(self, text: str) -> None:
        self._plain: list[str] = []
        self._ranges: list[Sequence[str] | _Numbers] = []
        at = 0
        for match in _RANGE.finditer(text):
            self._plain.append(text[at : match.start()])
            self._ranges.append(_range(match))
            at = match.end()
        self._plain.append(text[at:])
        self.count = 1
        for one in self._ranges:
            self.count *= len(one)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def first(self) -> str:
        return self._text([next(iter(one)) for one in self._ranges])

    def all(self) -> list[str]:
        """Every text, in order."""
        return [self._text(chosen) for chosen in itertools.product(*self._ranges)]

    def _text(self, chosen: Sequence[str]) -> str:
        return "".join(itertools.chain(*zip(self._plain, (*chosen, ""), strict=True)))


class _Numbers:
    """Numbers as text, made when they are asked for."""

    def __init__(self, numbers: range, width: int) -> None:
        self._numbers, self._width = numbers, width

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> itertools.chain[str]:
        return itertools.chain(str(number).zfill(self._width) for number in self._numbers)


def _range(match: re.Match[str]) -> Sequence[str] | _Numbers:
    first, last = [part for part in match.groups()[:6] if part]
    step = int(match[7] or 1)
    if step < 1:
        raise RangeError(f"the range {match[0]} has a step of 0")
    if not match[1]:
        letters = range(ord(first), ord(last) + 1, step)
        found: Sequence[str] | _Numbers = [chr(letter) for letter in letters]
    else:
        padded = first.startswith("0") and len(first) > 1
        if padded and len(first) != len(last):
            raise RangeError(f"the range {match[0]} has ends of different lengths; write [01:20]")
        found = _Numbers(range(int(first), int(last) + 1, step), len(first) if padded else 0)
    if not len(found):
        raise RangeError(f"the range {match[0]} ends before it begins")
    return found

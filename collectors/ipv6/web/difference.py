"""How much two pages differ, as runs of lines: a number from 0 to 1, and the lines in question.

Lines are compared without regard to their order, so that cost grows with the page and not with its
square. What differs between two fetches over one family is noise, and so is what the other family
has in its place. A page of which most is noise compares with nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

SHOWN: Final = 6
MAX_SHOWN = 160


class Compared(NamedTuple):
    """`noise` counts the lines that differed over one family already; `difference` is None where
    they are most of the page, and what the other family has in their place could be anything."""

    difference: float | None
    differences: tuple[str, ...]
    noise: int


def difference(one: Iterable[str], other: Iterable[str]) -> float:
    """1 − the share of characters that both have; symmetric, 0 for equal pages, 1 for strangers."""
    first, second = Counter(one), Counter(other)
    total = _weight(first) + _weight(second)
    if not total:
        return 0.0
    return 1 - 2 * _weight(first & second) / total


def compare(before: Sequence[str], other: Sequence[str], after: Sequence[str]) -> Compared:
    """A page of one family against its fetches `before` and `after` over the other family."""
    one, two = Counter(before), Counter(after)
    stable = one & two
    steady = 2 * _weight(stable) >= max(_weight(one), _weight(two))
    if not steady and Counter(other) not in (one, two):
        return Compared(None, (), len(before) - stable.total())
    slots = _slots(before, stable)
    for key, size in _slots(after, stable).items():
        slots[key] = max(slots[key], size)
    known = (one | two) - stable
    kept = [line for line, noisy, _ in _walk(before, stable) if not noisy]
    theirs: list[str] = []
    for line, noisy, slot in _walk(other, stable):
        if not noisy:
            theirs.append(line)
        elif known[line] > 0:
            known[line] -= 1
        elif slots[slot] > 0:
            slots[slot] -= 1
        else:
            theirs.append(line)
    noise = len(before) - len(kept)
    pairs = zip_longest(_only(kept, theirs, "-"), _only(theirs, kept, "+"))
    only = [line for pair in pairs for line in pair if line]
    return Compared(difference(kept, theirs), tuple(only[:SHOWN]), noise)


def _walk(lines: Sequence[str], stable: Counter[str]) -> Iterable[tuple[str, bool, str]]:
    """Each line, whether it is none of the stable ones, and the stable line before it."""
    left = Counter(stable)
    last = ""
    for line in lines:
        if left[line] > 0:
            left[line] -= 1
            last = line
            yield line, False, last
        else:
            yield line, True, last


def _slots(lines: Sequence[str], stable: Counter[str]) -> Counter[str]:
    """How many unstable lines there are behind each stable one."""
    return Counter(last for _, noisy, last in _walk(lines, stable) if noisy)


def _only(lines: Sequence[str], others: Sequence[str], sign: str) -> list[str]:
    """The first lines that the others lack, ready to be shown."""
    left = Counter(others)
    found: list[str] = []
    for line in lines:
        if left[line] > 0:
            left[line] -= 1
        elif len(found) < SHOWN:
            found.append(f"{sign} {readable(line)}")
    return found


def readable(line: str) -> str:
    """A line of somebody else's page, fit for a report."""
    text = "".join(c if c.isprintable() else "�" for c in line[: MAX_SHOWN + 1])
    return f"{text[:MAX_SHOWN]}…" if len(line) > MAX_SHOWN else text


def _weight(lines: Counter[str]) -> int:
    return sum((len(line) + 1) * count for line, count in lines.items())

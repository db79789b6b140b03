"""Text of PromQL: ids of resources are other people's text, so that they are matched as they are, whatever
characters they have; and ranges.

A range is one millisecond short of a multiple of five minutes. So Prometheus 2, whose ranges have both their ends,
and Prometheus 3 and VictoriaMetrics, whose ranges are open on the left, take the same samples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from exporters.history.reader import Span
from exporters.history.schema import SLOT

HOUR: Final = 12  # slots
MOST: Final = 250  # resources a query
LENGTH: Final = 12_000  # bytes of selectors a query: VictoriaMetrics takes queries of 16 KiB
_META: Final = re.compile(r"[.+*?()|\[\]{}^$\\]")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\x00"})

Range = Callable[[str, str, int], str]  # of a series, a matcher, and how many slots


def quoted(text: str) -> str:
    """A string of PromQL."""
    return '"' + text.translate(_ESCAPES) + '"'


def escaped(text: str) -> str:
    """A regular expression (RE2) of that text alone."""
    return _META.sub(r"\\\g<0>", text)


def chosen(ids: Sequence[str]) -> str:
    """The matcher of these resources."""
    if len(ids) == 1:
        return f"resource={quoted(ids[0])}"
    return f"resource=~{quoted('|'.join(map(escaped, ids)))}"


def ranged(name: str, matcher: str, slots: int) -> str:
    """All samples of some slots up to when it is evaluated: what is recorded at the end of a slot is of it."""
    return f"{name}{{{matcher}}}[{slots * SLOT * 1000 - 1}ms]"


def recorded(name: str, matcher: str, slots: int) -> str:
    """The same of a rule, which a server evaluates anywhere within five minutes: each sample is of the slot that
    is nearest to the five minutes before it."""
    return f"{ranged(name, matcher, slots)} offset -{SLOT // 2}s"


def sampled(name: str, matcher: str, slots: int) -> str:
    """The same of a fact, which agents are asked for several times a minute and which seldom changes: one sample an
    hour, at full hours, is what longer ranges have. A subquery, but of few points."""
    if slots < HOUR:
        return ranged(name, matcher, slots)
    return f"{ranged(name, matcher, slots)[:-1]}:1h]"


def each(
    function: str, name: str, matcher: str, slots: int, over: Range = ranged, by: str = "max"
) -> str:
    """A function over a range, by resource. Of series that differ in other labels (two servers that evaluate the same
    rules) the highest counts: they tell the same, but one may have been away for a while."""
    head, _, argument = function.partition(" ")
    inner = f"{argument}, " if argument else ""
    return f"{by} by (resource) ({head}({inner}{over(name, matcher, slots)}))"


def shards(ids: Sequence[str], copies: int = 1, most: int = MOST) -> Iterator[list[str]]:
    """Resources by what one query asks for; its selector stands in it `copies` times."""
    part: list[str] = []
    size = 0
    for id in ids:
        own = len(escaped(id).translate(_ESCAPES).encode()) + 1
        if part and (len(part) >= most or (size + own) * copies > LENGTH):
            yield part
            part, size = [], 0
        part.append(id)
        size += own
    if part:
        yield part


def cut(first: int, end: int, most: int) -> Iterator[Span]:
    """[first, end) in parts of so many at most."""
    for begin in range(first, end, most):
        yield Span(begin, min(begin + most, end))

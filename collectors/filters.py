"""Which names a collector keeps: patterns that are searched for in a name, in RE2 syntax.

A pattern from settings runs under re2, which no pattern can hang but which costs 2.5 MB of memory.
Our own default patterns run under `re`, so that an agent with default settings does not pay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from collectors.strictyaml import Regex

Matcher = Callable[[str], object]


class OwnRegex(Regex):
    """A default of ours, in syntax that `re` and RE2 read alike."""

    __slots__ = ()


@lru_cache(maxsize=64)
def matcher(pattern: str) -> Matcher:
    """Truthy for a name in which the pattern is found; the empty pattern is found in none."""
    if not pattern:
        return lambda _: False
    if isinstance(pattern, OwnRegex):
        return re.compile(pattern, re.ASCII).search
    import re2

    return re2.compile(pattern).search  # type: ignore[no-any-return]


def keeper(include: str, exclude: str) -> Matcher:
    """Truthy for a name that `include` (empty: any name) has and `exclude` has not."""
    excluded = matcher(exclude)
    if not include:
        return lambda name: not excluded(name)
    included = matcher(include)
    return lambda name: included(name) and not excluded(name)

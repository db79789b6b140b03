"""How long rotated files of a log are kept by logrotate: logrotate(8).

What is told before a block holds for it, what is told in it wins, of two blocks about one file the
first counts. A log that is rotated by its size (size, or maxsize beside a period) has no days that could be told
beforehand. An included file with a mistake is skipped whole, all its logs with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from collectors.model import ParseError
from collectors.sources.patterns import path_matches

MAX_DEPTH = 5
MAX_FILES = 1000
MAX_PATTERNS = 5000

DAYS = {"hourly": 0.04, "daily": 1, "weekly": 7, "monthly": 30, "yearly": 365}
_TABOO = (
    *(",v", ".cfsaved", ".disabled", ".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new"),
    *(".dpkg-old", ".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".ucf-dist", ".ucf-new"),
    *(".ucf-old", "~"),
)
_SCRIPTS = {"prerotate", "postrotate", "firstaction", "lastaction", "preremove"}
_PATH = re.compile(r'"([^"]*)"|\'([^\']*)\'|([^\s"\'{]+)')

Include = Callable[[str], dict[str, str]]


class _Mistake(ParseError):
    """What logrotate does not take: it skips the file."""


class Keeping(NamedTuple):
    """How a log is rotated. `size`: by it and not by time; `maxsize`: before its time as well where it
    is long; `maxage` in days, 0 = none; `rotate` -1 = all."""

    rotate: int = 0
    period: str = "weekly"
    size: bool = False
    maxage: int = 0
    maxsize: bool = False

    @property
    def by(self) -> str:
        """time or size."""
        return "size" if self.size or self.maxsize else "time"

    @property
    def days(self) -> int:
        """For how long a record is there at least; −1 = for ever."""
        if self.rotate < 0:
            return self.maxage or -1
        days = int(self.rotate * DAYS[self.period])
        return min(days, self.maxage) if self.maxage else days


class Block(NamedTuple):
    patterns: tuple[str, ...]
    keeping: Keeping
    source: str

    def covers(self, path: str) -> bool:
        return any(path_matches(path, pattern) for pattern in self.patterns)


def blocks(path: str, text: str, include: Include) -> list[Block]:
    """The blocks of a configuration in their order; `include` gives the files of a pattern."""
    return list(_read(path, text, include, [Keeping()], [0, 0], 0))


def _read(
    path: str, text: str, include: Include, outer: list[Keeping], count: list[int], depth: int
) -> Iterator[Block]:
    """`outer` has what holds outside of blocks: an included file changes it for what follows."""
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_FILES:
        raise ParseError(f"{path}: includes without end")
    patterns: list[str] = []
    inner: Keeping | None = None
    script = False
    source = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if script:
            script = line != "endscript"
            continue
        if not line or line.startswith("#"):
            continue
        if inner is None and line[0] in "/\"'~{":
            header, brace, line = line.partition("{")
            source = source or f"{path}:{number}"
            patterns += (a or b or c for a, b, c in _PATH.findall(header))
            count[1] += 1
            if count[1] > MAX_PATTERNS:
                raise ParseError(f"{path}:{number}: too many logs")
            if not brace:
                continue
            inner, line = outer[0], line.strip()
        if line.endswith("}") and inner is not None:
            inner = _told(line[:-1], inner)
            yield Block(tuple(patterns), inner, source)
            patterns, inner, source = [], None, ""
        elif inner is not None:
            script = line.split()[:1] != [] and line.split()[0] in _SCRIPTS
            inner = _told(line, inner)
        elif line.split()[0] == "include":
            for name, content in _included(line, include):
                before = outer[0]
                try:
                    yield from list(_read(name, content, include, outer, count, depth + 1))
                except _Mistake:
                    outer[0] = before
        else:
            outer[0] = _told(line, outer[0])
    if inner is not None:  # the end of the file ends it as well
        yield Block(tuple(patterns), inner, source)


def _included(line: str, include: Include) -> list[tuple[str, str]]:
    target = line.split(None, 1)[1].strip().rstrip("/") if " " in line else ""
    if not target.startswith("/"):
        raise ParseError("include of what is no absolute path")
    found = include(f"{target}/*") or include(target)
    return [(name, found[name]) for name in sorted(found) if not name.endswith(_TABOO)]


def _told(line: str, keeping: Keeping) -> Keeping:
    """What holds after one directive."""
    words = line.replace("=", " ", 1).split()
    if not words:
        return keeping
    name, value = words[0], words[1] if len(words) > 1 else ""
    if name in DAYS:
        return keeping._replace(period=name, size=False)
    if name == "annually":
        return keeping._replace(period="yearly", size=False)
    if name == "size":
        return keeping._replace(size=True)
    if name == "maxsize":
        return keeping._replace(maxsize=value.strip("0") != "")
    if name in ("rotate", "maxage"):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            raise _Mistake(f"logrotate: {name} without a number")
        number = int(value)
        return (
            keeping._replace(rotate=number) if name == "rotate" else keeping._replace(maxage=number)
        )
    return keeping

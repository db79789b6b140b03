"""robots.txt: what it allows us, and how slowly (RFC 9309; Crawl-delay is in no standard).

Python's own parser takes the first rule that fits and knows no wildcards; the RFC wants the longest
and both `*` and `$`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

MAX_BYTES: Final = 500 << 10  # that a crawler must read; what is behind is ignored
MAX_RULES = 2000
MAX_PATTERN = 1000
MAX_STARS = 20  # of one pattern
_STARS = re.compile(r"\*{2,}")
_UNESCAPED = "%/:?#[]@!$&'()*+,;=~-._"


class Robots(NamedTuple):
    """Rules for one agent: whether they allow, and a pattern. `delay` is in seconds."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay: float = 0.0

    def allows(self, path: str) -> bool:
        """Whether a path, with its query, may be asked for; the longest pattern decides."""
        best, allowed = -1, True
        for allow, pattern in self.rules:
            longer = len(pattern) > best or (len(pattern) == best and allow)
            if longer and _fits(pattern, path):
                best, allowed = len(pattern), allow
        return allowed


NOTHING: Final = Robots(((False, "/"),))


def parse_robots(body: bytes, agent: str) -> Robots:
    """The group of an agent, or of `*`; groups of the same agent are one. Never raises."""
    groups: dict[str, list[tuple[bool, str]]] = {}
    delays: dict[str, float] = {}
    current: list[str] = []
    naming = False
    total = 0
    if len(body) > MAX_BYTES:  # half a rule may forbid, or allow, much more than the whole
        body = body[:MAX_BYTES].rpartition(b"\n")[0]
    for line in body.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            if not naming:
                current = []
            naming = True
            name = value.partition("/")[0].strip().lower()
            if name in (agent.lower(), "*") and name not in current:
                current.append(name)
                groups.setdefault(name, [])
        elif key in ("allow", "disallow"):
            naming = False
            if value and current and total < MAX_RULES:
                total += 1
                pattern = _bounded(value, cut=key == "disallow")
                for name in current if pattern else ():
                    groups[name].append((key == "allow", pattern))
        elif key == "crawl-delay":
            naming = False
            for name in current:
                delays.setdefault(name, _seconds(value))
    name = agent.lower() if agent.lower() in groups else "*"
    return Robots(tuple(groups.get(name, ())), delays.get(name, 0.0))


def _bounded(value: str, cut: bool) -> str:
    """A pattern that costs little to try. Of one too long `cut` leaves the beginning, which forbids
    more; else it is none, since it must not allow more."""
    value = _STARS.sub("*", value)
    pieces = value.split("*")
    if len(value) <= MAX_PATTERN and len(pieces) <= MAX_STARS + 1:
        return quote(value, safe=_UNESCAPED)
    return quote("*".join(pieces[: MAX_STARS + 1])[:MAX_PATTERN], safe=_UNESCAPED) if cut else ""


def _fits(pattern: str, path: str) -> bool:
    """Whether a pattern fits the beginning of a path. In one pass: the first place that fits a
    piece is as good as any later one."""
    whole = pattern.endswith("$")
    first, *pieces = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    if not pieces:
        return not whole or at == len(path)
    last = pieces.pop()
    for piece in pieces:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    if whole:
        return len(path) - len(last) >= at and path.endswith(last)
    return path.find(last, at) >= 0


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) else 0.0

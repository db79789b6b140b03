"""What people write into waivers, answers and windows, checked where it comes in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid

LONGEST: Final = timedelta(days=366)  # that anything is answered for
NAME: Final = 200  # characters
TEXT: Final = 2000
PATTERNS: Final = 200
_BREAKS: Final = "\n\t"
# marks of direction make a text look like another one
_TURNING: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def written(field: str, text: str, most: int = TEXT, *, lines: bool = False) -> str:
    """The text without spaces around it, never empty; `lines`: it may have several. Raises Invalid."""
    if not (found := optional(field, text, most, lines=lines)):
        raise Invalid("attest.blank", field, name=field)
    return found


def optional(field: str, text: str, most: int = TEXT, *, lines: bool = False) -> str:
    return exact(field, text.replace("\r\n", "\n").strip(), most, lines=lines)


def exact(field: str, found: str, most: int = TEXT, *, lines: bool = False) -> str:
    """As it is, spaces too."""
    if len(found) > most:
        raise Invalid("attest.long", field, name=field, most=most)
    for one in found:
        if lines and one in _BREAKS:
            continue
        if one in _TURNING or unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp"):
            raise Invalid("attest.control", field, name=field)
    return found


def patterns(field: str, given: Iterable[str]) -> tuple[str, ...]:
    """Names and patterns, each once; a line, or a part of one between commas or semicolons, is one."""
    parts = (
        part
        for text in given
        for line in text.splitlines()
        for part in line.replace("，", ",").replace("；", ",").replace(";", ",").split(",")
    )
    found = dict.fromkeys(optional(field, part, NAME) for part in parts)
    found.pop("", None)
    if len(found) > PATTERNS:
        raise Invalid("attest.many", field, name=field, most=PATTERNS)
    return tuple(found)


def today(asker: Asker) -> date:
    """By the site's clock."""
    return asker.now.astimezone(asker.zone).date()


def last_day(field: str, day: date, today: date) -> date:
    if not today <= day <= today + LONGEST:
        raise Invalid("attest.day", field, name=field, first=today, last=today + LONGEST)
    return day

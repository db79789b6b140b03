"""What a check of a time-series database found: one thing, how bad it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from exporters.findings.text import cut, neutral
from exporters.promapi.checkwords import REMEDIES, WORDS
from rules.model import Text

Level = Literal["ok", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("ok", "warning", "error")
MAX_VALUE: Final = 800  # columns of a value in a sentence
MAX_DETAIL: Final = 120
MAX_DETAILS: Final = 400


class Finding(msgspec.Struct, frozen=True):
    """`details` are days, stretches of time, months or resources, at most MAX_DETAILS; `count` is how many there are."""

    level: Level
    code: str
    text: Text
    remedy: Text
    details: tuple[str, ...] = ()
    count: int = 0


def finding(level: Level, code: str, details: Iterable[str] = (), **values: object) -> Finding:
    """With its words of checkwords.py; values may be anybody's text."""
    listed = list(details)
    safe = {name: cut(neutral(str(value)), MAX_VALUE) for name, value in values.items()}
    nothing = Text("", "")
    return Finding(
        level,
        code,
        _filled(WORDS[code], safe),
        nothing if level == "ok" else _filled(REMEDIES.get(code, nothing), safe),
        tuple(cut(neutral(one), MAX_DETAIL) for one in listed[:MAX_DETAILS]),
        len(listed),
    )


def failed(findings: Iterable[Finding]) -> bool:
    """Whether no number should be trusted: the exit code of a check is 1 then."""
    return any(one.level == "error" for one in findings)


def _filled(text: Text, values: dict[str, str]) -> Text:
    return Text(text.zh.format(**values).strip(), text.en.format(**values).strip())

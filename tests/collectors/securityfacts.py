"""Answers and facts for tests of the security collectors."""

from __future__ import annotations

from typing import Any

import msgspec

from collectors.model import Answer, Answers, Collector, Fact, NeedMore, Reading
from collectors.rows import Clock, FileStat

ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")
NOW = 1_782_900_000.0
DAY = 86_400
CLOCK = Clock(NOW, "CST", 28_800)


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def rows(*them: Any) -> Answer:
    return Answer("content", msgspec.json.encode(them))


def files(**by_path: str | Answer) -> Answer:
    return tree(by_path)


def tree(by_path: dict[str, str | Answer]) -> Answer:
    """An answer to a Glob."""
    return Answer(
        "content",
        children=tuple(
            (path, value if isinstance(value, Answer) else text(value))
            for path, value in by_path.items()
        ),
    )


def stat(path: str, mode: int = 0o644, days: float = 0.0, **more: Any) -> FileStat:
    """A file of root's that was changed `days` ago."""
    return FileStat(
        path, more.pop("kind", "file"), mode, 0, 0, 1, NOW - days * DAY, more.pop("target", "")
    )


def facts(collector: Collector, answers: dict[Reading, Answer]) -> dict[str, Fact]:
    """Its facts. Of what is not among the answers, patterns match nothing and files are absent."""
    known: dict[Reading, Answer] = dict(answers)
    for reading in collector.readings():
        known.setdefault(reading, _nothing(reading))
    while True:
        try:
            made = list(collector.parse(Answers(known)))
        except NeedMore as need:
            known |= {reading: _nothing(reading) for reading in need.readings}
            continue
        return {fact.name: fact for fact in made if isinstance(fact, Fact)}


def _nothing(reading: Reading) -> Answer:
    kind = type(reading).__name__
    if kind == "Stat" or (kind == "Inventory" and reading.kind == "processes"):  # type: ignore[union-attr]
        return Answer("content", b"[]")
    return Answer("content") if kind == "Glob" else ABSENT

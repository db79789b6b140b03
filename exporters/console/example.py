"""What is made up (settings.example) says so in every file that leaves the console: in a column of every row of a table, in
the labels of every event, in the first line of YAML. Pages say it by their frame (base.html.j2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from exporters.console.settings import ConsoleSettings
from exporters.console.words import say
from exporters.report.sheet import Cell, lines


def mark(settings: ConsoleSettings, language: str) -> str:
    """Empty where nothing is made up."""
    return say("example", language) if settings.example else ""


def table(said: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """As sheet.lines; `said` is the mark."""
    if not said:
        return lines(heads, rows)
    return lines([*heads, said], ([*row, said] for row in rows))


def labels(settings: ConsoleSettings) -> tuple[str, ...]:
    return (mark(settings, "zh"), mark(settings, "en")) if settings.example else ()


def comment(settings: ConsoleSettings) -> bytes:
    """A line of YAML, or nothing."""
    return f"# {' · '.join(labels(settings))}\n".encode() if settings.example else b""

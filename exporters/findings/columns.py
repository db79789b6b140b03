"""Rows of text in columns for a terminal, where some characters take two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exporters.findings.text import width


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """One line a row; all rows have as many cells."""
    rows = list(rows)
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]

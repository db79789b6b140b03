"""Cells as spreadsheets take them and make of them: months, and text that is no formula, number or day."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from collectors.cloud.override import dated
from exporters.report import sheet

_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})月?|(\d{2}))")
_SHORT: Final = re.compile(r"([A-Za-z]{3})-(\d{2})|(\d{2})-([A-Za-z]{3})")
_NUMBERLIKE: Final = re.compile(r"[\d\s.,:/+\-eE%]*\d[\d\s.,:/+\-eE%]*")
_SIGNED: Final = re.compile(r"[-+]?\d+(\.\d+)?%?")


def month_of(text: str) -> str:
    """2026-10, of `2026-10`, `2026/10/1`, `2026年10月`, `202610`, `Oct-26`; empty where it is none."""
    if match := _MONTH.fullmatch(text):
        year, number = int(match[1]), int(match[2] or match[3])
    elif match := _SHORT.fullmatch(text):
        name, year = (match[1] or match[4]).lower(), 2000 + int(match[2] or match[3])
        number = _NAMES.index(name) + 1 if name in _NAMES else 0
    else:
        try:
            day = date.fromisoformat(dated(text))
        except ValueError:
            return ""
        year, number = day.year, day.month
    return f"{year:04}-{number:02}" if year and 1 <= number <= 12 else ""


def guarded(text: str, numbers: bool = False) -> str:
    """The text so that a spreadsheet takes it neither for a formula nor, unless `numbers`, for a number or a day."""
    return f"'{text}" if _taken(text, numbers) else text


def unguarded(text: str, numbers: bool = False) -> str:
    """What `guarded` was given."""
    return text[1:] if text.startswith("'") and _taken(text[1:], numbers) else text


def _taken(text: str, numbers: bool) -> bool:
    text = text.lstrip("'")
    if numbers and _SIGNED.fullmatch(text):
        return False
    return text.startswith(sheet.FORMULA) or bool(not numbers and _NUMBERLIKE.fullmatch(text))

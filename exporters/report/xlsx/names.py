"""Names of sheets: what Excel takes, unique, and still to be recognised; and links to them."""

from __future__ import annotations

from typing import Final

from exporters.findings.text import neutral

MAX_NAME: Final = 31  # UTF-16 units, as Excel counts
_FORBIDDEN: Final = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_RESERVED: Final = ("history",)  # Excel keeps it for itself, in any case
_EMPTY: Final = "-"


class SheetNames:
    """Gives each sheet a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set(_RESERVED)

    def name(self, wanted: str) -> str:
        """What is wanted, with what Excel forbids left out, or that with a number behind."""
        clean = _clean(wanted)
        name, number = _cut(clean, MAX_NAME), 1
        while name.casefold() in self._taken:
            number += 1
            suffix = f"~{number}"
            name = _cut(clean, MAX_NAME - len(suffix)) + suffix
        self._taken.add(name.casefold())
        return name


def _clean(wanted: str) -> str:
    """Apostrophes are kept within alone: Excel refuses them at either end."""
    return " ".join(neutral(wanted).translate(_FORBIDDEN).split()).strip("' ") or _EMPTY


def _cut(text: str, units: int) -> str:
    raw = text.encode("utf-16-le")[: 2 * units]
    return raw.decode("utf-16-le", "ignore").rstrip("' ") or _EMPTY


def quoted(sheet: str) -> str:
    """As formulas name it."""
    return "'" + sheet.replace("'", "''") + "'"


def link(sheet: str) -> str:
    return f"internal:{quoted(sheet)}!A1"

"""How cells look: made once a workbook, by kind of value and by role."""

from __future__ import annotations

from typing import Any, Final, Literal

from xlsxwriter import Workbook
from xlsxwriter.format import Format

from exporters.report.columns import Kind

# Where Excel has no such font (macOS, Linux) it takes its own Chinese one: the family says which sort.
FONT: Final = {"zh": "等线", "en": "Calibri"}
INK: Final = "#1F2933"
DEEP: Final = "#1F4E79"
PALE: Final = "#DCE6F1"
RULE: Final = "#BFC9D4"
BAR: Final = "#9DC3E6"
Role = Literal["cell", "total", "wrapped"]
_NUMBERS: Final[dict[Kind, str]] = {
    "text": "@",
    "count": "#,##0",
    "amount": "#,##0.00",
    "percent": "0.0%",
    "precise": "0.000%",
    "points": "0.0",
    "hours": "#,##0.0",
    "money": "#,##0.00",
    "date": "yyyy-mm-dd",
    "moment": "yyyy-mm-dd hh:mm",
}
_WHOLE: Final = "#,##0"
_SPECIAL: Final[dict[str, dict[str, Any]]] = {
    "title": {"bold": True, "font_size": 18, "font_color": DEEP},
    "section": {"bold": True, "font_size": 13, "font_color": DEEP},
    "note": {"font_color": "#52606D", "italic": True},
    "prose": {"text_wrap": True, "valign": "top"},
    "label": {"bold": True, "bottom": 1, "bottom_color": RULE},
    "link": {"font_color": "#0563C1", "underline": 1},
    "head": {
        "bold": True,
        "font_color": "#FFFFFF",
        "bg_color": DEEP,
        "text_wrap": True,
        "align": "center",
        "valign": "vcenter",
        "border": 1,
        "border_color": RULE,
    },
}


class Styles:
    """Formats of one workbook."""

    def __init__(self, workbook: Workbook, language: str) -> None:
        self._workbook, self._font = workbook, FONT["en" if language == "en" else "zh"]
        self._made: dict[tuple[str, ...], Format] = {}

    def of(self, name: str) -> Format:
        """One of `_SPECIAL`."""
        return self._format((name,), _SPECIAL[name])

    def cell(self, kind: Kind, role: Role = "cell", whole: bool = False) -> Format:
        """`whole`: an amount without anything behind the point."""
        key = (kind, role, "whole" if whole else "")
        made = self._made.get(key)
        return made if made is not None else self._format(key, _properties(kind, role, whole))

    def quoted(self, role: Role) -> Format:
        """Of a text that would become a formula when somebody edits its cell and changes nothing."""
        key = ("quoted", role)
        return self._format(key, _properties("text", role, False) | {"quote_prefix": True})

    def _format(self, key: tuple[str, ...], properties: dict[str, Any]) -> Format:
        if key not in self._made:
            base = {
                "font_name": self._font,
                "font_size": 10,
                "font_color": INK,
                "valign": "vcenter",
            }
            self._made[key] = self._workbook.add_format({**base, **properties})
        return self._made[key]


def _properties(kind: Kind, role: Role, whole: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"bottom": 1, "bottom_color": RULE}
    if kind in _NUMBERS:
        found["num_format"] = _WHOLE if whole else _NUMBERS[kind]
    if kind in ("text", "long"):
        found["indent"] = 1
    if kind in ("date", "moment"):
        found["align"] = "center"
    if role == "total":
        found |= {"bold": True, "bg_color": PALE}
    if role == "wrapped":
        found |= {"text_wrap": True, "valign": "top"}
    return found

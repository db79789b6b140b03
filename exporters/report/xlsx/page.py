"""One sheet: its cells, its tables with their totals, and how it is printed.

Text is written as text, whatever it looks like; what is not known is an empty cell. Formulas are ours alone, and carry their
values for whoever does not compute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from xlsxwriter.utility import xl_range, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from exporters.findings.text import width as text_width
from exporters.report import plain
from exporters.report.columns import WIDTHS, Column, Kind
from exporters.report.sheet import FORMULA
from exporters.report.xlsx.styles import BAR, Role, Styles
from exporters.report.xlsx.words import say

MAX_ROWS: Final = 1_048_576
MAX_HEADER: Final = 60  # characters of what others named, of the 255 that Excel takes
_A4: Final = 9
_FIRST_DAY: Final = 1900  # of Excel's calendar
_LEAST_WIDTH: Final = 9.0
_READABLE: Final = 260  # characters across the paper
_HEAD_HEIGHT: Final = 54
_LINE: Final = 15  # its height
_MOST_LINES: Final = 8
Shown = str | float | int | date | None


class Sum(NamedTuple):
    """A column added up: the cell of its total, all its cells, and what that comes to."""

    cell: str
    cells: str
    value: float | None


class Placed(NamedTuple):
    """Where a table is, and its totals by the keys of columns."""

    head: int
    last: int
    totals: Mapping[str, Sum]


class Page:
    """`sheet` has the name `name`; rows and columns are counted from 0."""

    def __init__(self, sheet: Worksheet, name: str, styles: Styles, language: str) -> None:
        self.sheet, self.name, self.styles, self.language = sheet, name, styles, language
        self._wide = 0.0

    def text(self, row: int, column: int, text: str, style: str) -> None:
        self.sheet.write_string(row, column, plain.long(text), self.styles.of(style))

    def link(self, row: int, column: int, target: str, text: str) -> None:
        self.sheet.write_url(row, column, target, self.styles.of("link"), plain.long(text))

    def cell(self, row: int, column: int, value: Shown, kind: Kind, role: Role = "cell") -> None:
        """Percent is given as 0 to 100, and is a share of 1 in the sheet."""
        if value is None:
            self.sheet.write_blank(row, column, None, self.styles.cell(kind, role))
        elif isinstance(value, str):
            self._string(row, column, value, kind, role)
        elif isinstance(value, date):
            self._day(row, column, value, kind, role)
        else:
            number = value / 100 if kind in ("percent", "precise") else value
            style = self.styles.cell(kind, role, _whole(number, kind))
            self.sheet.write_number(row, column, number, style)

    def _string(self, row: int, column: int, value: str, kind: Kind, role: Role) -> None:
        text = plain.long(value)
        if text.startswith(FORMULA):
            style = self.styles.quoted(role)
        else:
            style = self.styles.cell("long" if kind == "long" else "text", role)
        self.sheet.write_string(row, column, text, style)

    def _day(self, row: int, column: int, value: date, kind: Kind, role: Role) -> None:
        if value.year < _FIRST_DAY:
            text = value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
            self.sheet.write_string(row, column, text, self.styles.cell("text", role))
        else:
            self.sheet.write_datetime(row, column, value, self.styles.cell(kind, role))

    def formula(
        self, row: int, column: int, formula: str, value: float | None, kind: Kind, role: Role
    ) -> None:
        """`value` is what it comes to; None: nothing known, and the formula says so by an empty text."""
        style = self.styles.cell(kind, role, value is not None and _whole(value, kind))
        self.sheet.write_formula(row, column, formula, style, "" if value is None else value)

    def table(
        self,
        row: int,
        columns: Sequence[Column[Any]],
        rows: Sequence[Any],
        totals: bool = True,
        wrap: bool = False,
        listed: str = "",
    ) -> Placed:
        """From `row` on: totals of what is shown, heads, rows. `listed` is the name of a table of Excel's own, with filters of
        its own; without one the sheet's filters are set."""
        first = row + 2 if totals else row + 1
        sums = self._rows(first, columns, rows, "wrapped" if wrap else "cell")
        head, last = first - 1, max(first, first + len(rows) - 1)
        placed = self._totals(row, columns, (first, last), sums) if totals else {}
        self.sheet.set_row(head, _HEAD_HEIGHT)
        for number, column in enumerate(columns):
            self.text(head, number, column.head(self.language), "head")
        if listed and rows:
            self._listed(head, last, columns, listed)
        elif not listed:
            self.sheet.autofilter(head, 0, last, len(columns) - 1)
        if not rows:
            self.text(first, 0, say("none", self.language), "note")
        return Placed(head, last, placed)

    def _rows(
        self, first: int, columns: Sequence[Column[Any]], rows: Sequence[Any], role: Role
    ) -> list[float | None]:
        sums: list[float | None] = [None] * len(columns)
        described = [(number, it, it.kind, it.adds) for number, it in enumerate(columns)]
        for at, one in enumerate(rows, first):
            lines = 1
            for number, column, kind, adds in described:
                value = column.of(one, self.language)
                self.cell(at, number, value, kind, role)
                if role == "wrapped" and isinstance(value, str):
                    lines = max(lines, _lines(value, column))
                if adds and isinstance(value, (int, float)):
                    sums[number] = (sums[number] or 0) + value
            if lines > 1:
                self.sheet.set_row(at, _LINE * lines)
        return sums

    def _totals(
        self,
        row: int,
        columns: Sequence[Column[Any]],
        span: tuple[int, int],
        sums: Sequence[float | None],
    ) -> dict[str, Sum]:
        found: dict[str, Sum] = {}
        for number, column in enumerate(columns):
            if column.adds:
                cells = xl_range(span[0], number, span[1], number)
                formula = f'=IF(SUBTOTAL(102,{cells})=0,"",SUBTOTAL(109,{cells}))'
                self.formula(row, number, formula, sums[number], column.kind, "total")
                found[column.key] = Sum(xl_rowcol_to_cell(row, number), cells, sums[number])
            else:
                self.cell(row, number, None, "text", "total")
        for number, column in enumerate(columns):
            if column.per and all(key in found for key in column.per):
                (part, _, value), (whole, _, of) = (found[key] for key in column.per)
                ratio = value / of if value is not None and of else None
                formula = f'=IFERROR({part}/{whole},"")'
                self.formula(row, number, formula, ratio, column.kind, "total")
        label = next(
            n for n, it in enumerate(columns) if not it.adds and it.kind in ("text", "long")
        )
        self.cell(row, label, say("total", self.language), "text", "total")
        return found

    def _listed(self, head: int, last: int, columns: Sequence[Column[Any]], name: str) -> None:
        style = self.styles.of("head")
        heads = [{"header": it.head(self.language), "header_format": style} for it in columns]
        self.sheet.add_table(
            head, 0, last, len(columns) - 1, {"name": name, "columns": heads, "style": None}
        )

    def bars(self, placed: Placed, columns: Sequence[Column[Any]], key: str) -> None:
        """Behind the numbers of a column."""
        number = [it.key for it in columns].index(key)
        look = {"type": "data_bar", "bar_solid": True, "bar_color": BAR, "min_type": "num"}
        span = (placed.head + 1, number, placed.last, number)
        self.sheet.conditional_format(*span, {**look, "min_value": 0})

    def widths(self, *tables: Sequence[Column[Any]]) -> None:
        """As wide as the first of the tables has them; numbers and times of the others fit, too."""
        main, others = tables[0], tables[1:]
        self._wide = 0.0
        for number, column in enumerate(main):
            width = _width(column)
            below = [it[number] for it in others if number < len(it)]
            least = [_width(it) for it in below if it.kind not in ("text", "long")]
            self._wide += (wide := max(_LEAST_WIDTH, width, *least))
            self.sheet.set_column(number, number, wide)

    def printed(self, title: str, repeated: tuple[int, int] | None, columns: int = 0) -> None:
        """On A4 across, as few sheets of it beside each other as can be read; rows and columns that begin each."""
        sheet = self.sheet
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
        across = math.ceil(self._wide / _READABLE) or 1
        sheet.fit_to_pages(across, 0)
        if across > 1 and columns:
            sheet.repeat_columns(0, columns - 1)
        sheet.set_header(f"&L{_code(title)}&R&A")
        sheet.set_footer("&C" + say("page", self.language))
        if repeated is not None:
            sheet.repeat_rows(*repeated)


def _width(column: Column[Any]) -> int:
    return column.width or WIDTHS[column.kind]


def _lines(text: str, column: Column[Any]) -> int:
    """That a text takes where it is wrapped; not every program makes rows as high as it needs."""
    return min(math.ceil(text_width(text) / (_width(column) - 1)), _MOST_LINES)


def _whole(number: float, kind: Kind) -> bool:
    return kind in ("amount", "hours") and number == int(number)


def _code(text: str) -> str:
    """In a header & begins a code."""
    return plain.name(text)[:MAX_HEADER].replace("&", "&&")

"""The report as CSV files for spreadsheets and scripts: docs/report-schema.md has their columns.

Numbers are in the unit of their head, without thousands; a cell of what is not known is empty. Of a part that the
report has not there is no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from exporters.report import sectioncolumns as sections
from exporters.report import sheet
from exporters.report import usagecolumns as usage
from exporters.report.columns import Column, Kind, Table
from exporters.report.document import Document
from exporters.report.resourcecolumns import RESOURCES
from rules.model import Text

TABLES: Final[tuple[Table[Any], ...]] = (
    *(RESOURCES, usage.DEPARTMENTS, usage.SYSTEMS, usage.SHOWBACK, usage.HELD),
    *(usage.EXEMPTIONS, usage.FOLLOW_UPS, usage.STEPS, sections.TREND, sections.DAYS),
    *(
        sections.LEVELS,
        sections.LINES,
        sections.MAINTENANCE,
        sections.IPV6,
        sections.IPV6_DEPARTMENTS,
    ),
    *(sections.BASELINE, sections.HITS, sections.WAIVERS, sections.GAPS),
)
EXAMPLE: Final = Text("示例数据", "Example data")
DIGITS: Final[dict[Kind, int]] = {
    "count": 0, "amount": 3, "percent": 3, "precise": 5, "points": 3, "hours": 3, "money": 6,
}  # fmt: skip


def csvs(document: Document, language: str) -> dict[str, bytes]:
    """By file name."""
    found = {}
    for table in TABLES:
        rows = table.rows(document)
        if rows is not None:
            found[f"{table.key}.csv"] = _csv(table, rows, language, document.scope.example)
    return found


def _csv(table: Table[Any], rows: Iterable[Any], language: str, example: bool) -> bytes:
    """What is made up says so in every row, wherever that is copied to."""
    heads = [column.head(language) for column in table.columns]
    cells = ([_cell(column, row, language) for column in table.columns] for row in rows)
    if example:
        words = EXAMPLE.of(language)
        heads, cells = [*heads, words], ([*row, words] for row in cells)
    return sheet.table(heads, cells)


def _cell(column: Column[Any], row: Any, language: str) -> sheet.Cell:
    value = column.of(row, language)
    if value is None or isinstance(value, (str, date)):
        return value
    return sheet.Number(float(value), DIGITS[column.kind])

"""The report as a workbook (Office Open XML, ECMA-376) for Excel, WPS and LibreOffice: a sheet a part, and one a department.

The same document gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from xlsxwriter import Workbook

from exporters.report import sectioncolumns as sections
from exporters.report import usagecolumns as usage
from exporters.report.columns import Table
from exporters.report.document import Document
from exporters.report.resourcecolumns import RESOURCES, counted
from exporters.report.xlsx.cover import Entry, cover, definitions, title
from exporters.report.xlsx.department import department
from exporters.report.xlsx.estate import estate
from exporters.report.xlsx.names import SheetNames, link
from exporters.report.xlsx.page import MAX_ROWS, Page
from exporters.report.xlsx.styles import Styles
from exporters.report.xlsx.words import costs_note, say
from exporters.usage.amounts import department as shown

_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_TOP: Final = 3  # rows over a table: title, link and note, and one that is empty
_TABLES: Final[tuple[Table[Any], ...]] = (
    *(usage.SYSTEMS, usage.SHOWBACK, usage.HELD, usage.EXEMPTIONS, usage.FOLLOW_UPS, usage.STEPS),
    *(
        sections.LEVELS,
        sections.LINES,
        sections.MAINTENANCE,
        sections.IPV6_DEPARTMENTS,
        sections.IPV6,
    ),
    *(sections.BASELINE, sections.HITS, sections.WAIVERS, sections.GAPS),
)
# The others are in departments.csv.
_RANKING: Final = usage.DEPARTMENTS.some(
    *("rank", "rank_before", "department", "resources"),
    *("granted_vcpus", "granted_memory", "granted_disk"),
    *("granted_core_hours", "known_core_hours", "used_core_hours", "waste"),
    *("used", "used_before", "change", "cpu_p95", "cpu_peak", "memory_used", "coverage"),
    *("state_idle", "state_low", "state_busy", "state_insufficient"),
    *("due_vcpus", "due_memory", "due_disk", "due_vcpus_unknown", "change_reason"),
)
_WRAPPED: Final = (sections.GAPS, sections.HITS, sections.WAIVERS)
_NO_SUMS: Final = (sections.MAINTENANCE, sections.GAPS, sections.HITS, sections.WAIVERS)
_FROZEN: Final = 2  # columns


def xlsx(document: Document, language: str, max_rows: int = MAX_ROWS) -> bytes:
    """A table of more than `max_rows` goes on in another sheet; of a department's it is said where the rest is."""
    out = io.BytesIO()
    with Workbook(out, _OPTIONS) as workbook:
        made = document.scope.made.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        workbook.set_properties(
            {
                "title": title(document.scope, language),
                "author": document.scope.issuer,
                "created": made,
            }
        )
        _Book(workbook, document, language, max_rows).write()
    return out.getvalue()


class _Book:
    def __init__(self, workbook: Workbook, document: Document, language: str, rows: int) -> None:
        self._workbook, self._document, self._language = workbook, document, language
        self._styles, self._names, self._rows = Styles(workbook, language), SheetNames(), rows
        self._title = title(document.scope, language)
        self._contents: list[Entry] = []
        self._home = ""

    def write(self) -> None:
        """Cover first, though what is in it is known last."""
        document, language = self._document, self._language
        first = self._sheet(say("cover", language))
        self._home = first.name
        excerpt = document.scope.department is not None
        if not excerpt:
            self._estate()
            self._ranking()
        for number, one in enumerate(document.departments, 1):
            page = self._page(shown(one.name, language))
            department(page, one, number, _TOP, self._rows)
            page.sheet.freeze_panes(1, 1)
            page.printed(self._title, (0, 0))
        every = list(RESOURCES.rows(document) or ())
        self._table(RESOURCES, [it for it in every if counted(it)])
        self._uncounted([it for it in every if not counted(it)])
        for table in _TABLES:
            rows = table.rows(document)
            if rows is not None:
                self._table(table, list(rows), note=self._note(table))
        definitions(self._page(say("definitions", language), top=False), document)
        cover(first, document, self._contents)

    def _sheet(self, wanted: str) -> Page:
        name = self._names.name(wanted)
        return Page(self._workbook.add_worksheet(name), name, self._styles, self._language)

    def _page(self, wanted: str, top: bool = True) -> Page:
        """A sheet that the contents name; at its top what it is, and the way back."""
        page = self._sheet(wanted)
        self._contents.append(Entry(page.name, wanted))
        if top:
            example = self._document.scope.example
            page.text(
                0, 0, f"{wanted} · {say('example', self._language)}" if example else wanted, "title"
            )
            page.link(1, 0, link(self._home), say("back", self._language))
            page.text(
                1, 1, f"{self._document.scope.month} · {say('empty', self._language)}", "note"
            )
        return page

    def _estate(self) -> None:
        page = self._page(say("estate", self._language))
        estate(self._workbook, page, self._document, _TOP)
        page.sheet.freeze_panes(1, 0)
        page.printed(self._title, (0, 0))

    def _ranking(self) -> None:
        rows = self._document.departments
        page = self._page(usage.DEPARTMENTS.title.of(self._language))
        page.widths(_RANKING)
        placed = page.table(_TOP, _RANKING, rows)
        page.bars(placed, _RANKING, "waste")
        page.sheet.freeze_panes(placed.head + 1, _FROZEN + 1)
        page.printed(self._title, (0, placed.head), _FROZEN + 1)

    def _uncounted(self, some: Sequence[Any]) -> None:
        if some:
            self._table(RESOURCES, some, say("uncounted", self._language), totals=False)

    def _note(self, table: Table[Any]) -> str:
        document, language = self._document, self._language
        if table is usage.FOLLOW_UPS and document.follow_ups:
            return document.follow_ups.note.of(language)
        return costs_note(document.showback, language) if table is usage.SHOWBACK else ""

    def _table(
        self,
        table: Table[Any],
        rows: Sequence[Any],
        name: str = "",
        totals: bool = True,
        note: str = "",
    ) -> None:
        room = self._rows - _TOP - 2
        for start in range(0, max(1, len(rows)), room):
            page = self._page(name or table.title.of(self._language))
            page.widths(table.columns)
            page.text(2, 1, note, "note")
            summed = totals and table not in _NO_SUMS and any(it.adds for it in table.columns)
            some = rows[start : start + room]
            placed = page.table(_TOP, table.columns, some, summed, wrap=table in _WRAPPED)
            page.sheet.freeze_panes(placed.head + 1, _FROZEN)
            page.printed(self._title, (0, placed.head), _FROZEN)

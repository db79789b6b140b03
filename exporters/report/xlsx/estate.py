"""The sheet of the whole estate: capacity, load, counts, the trend with its picture, and the days of the month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.utility import xl_rowcol_to_cell

from exporters.report import sectioncolumns as sections
from exporters.report.columns import Kind, Table, gib, local
from exporters.report.document import Capacity, Document, Load
from exporters.report.xlsx.page import Page, Placed, Shown
from exporters.report.xlsx.styles import BAR, DEEP
from exporters.report.xlsx.words import say
from exporters.usage.holdingwords import KIND, of
from exporters.usage.words import STATE

_CAPACITY: Final = (
    *("resource", "unit", "physical", "usable", "granted", "unknown", "granted_share", "used"),
    *("coverage", "told_by"),
)


def estate(workbook: Workbook, page: Page, document: Document, row: int) -> None:
    found, language = document.estate, page.language
    for number in range(len(_CAPACITY)):
        page.sheet.set_column(number, number, 16)
    row = _capacity(page, row, found.capacity)
    row = load(page, row + 1, found.load)
    row = _counts(page, row + 1, "states", "state", found.states, STATE)
    row = _counts(page, row + 1, "kinds", "resource", found.kinds, KIND)
    tables: tuple[Table[Any], ...] = (sections.TREND, sections.DAYS)
    for table in tables:
        rows = list(table.rows(document) or ())
        if rows:
            page.text(row + 1, 0, table.title.of(language), "section")
            placed = page.table(
                row + 2, table.columns, rows, totals=False, listed=f"{table.key}_table"
            )
            if table is sections.TREND:
                _picture(workbook, page, placed)
            row = placed.last + 1


def _capacity(page: Page, row: int, capacity: Sequence[Capacity]) -> int:
    page.text(row, 0, say("capacity", page.language), "section")
    for number, key in enumerate(_CAPACITY):
        page.text(row + 1, number, say(key, page.language), "head")
    for at, one in enumerate(capacity, row + 2):
        vcpus = one.resource == "vcpus"
        granted = None if one.granted.unknown and not one.granted.value else one.granted.value
        values = (one.physical, one.usable, granted, one.used)
        physical, usable, held, used = values if vcpus else tuple(map(gib, values))
        page.cell(at, 0, say(one.resource, page.language), "text")
        page.cell(at, 1, "vCPU" if vcpus else "GiB", "text")
        page.cell(at, 2, physical, "amount")
        page.cell(at, 3, usable, "amount")
        page.cell(at, 4, held, "amount")
        page.cell(at, 5, one.granted.unknown, "count")
        part, whole = xl_rowcol_to_cell(at, 4), xl_rowcol_to_cell(at, 3)
        ratio = held / usable if held is not None and usable else None
        known = f'=IF(OR({part}="",{whole}=""),"",IFERROR({part}/{whole},""))'
        page.formula(at, 6, known, ratio, "percent", "cell")
        page.cell(at, 7, used, "amount")
        page.cell(at, 8, one.coverage, "percent")
        page.cell(at, 9, one.told_by.of(page.language), "text")
    return row + 2 + len(capacity)


def load(page: Page, row: int, one: Load) -> int:
    """As pairs of a name and a value."""
    page.text(row, 0, say("load", page.language), "section")
    pairs: tuple[tuple[str, Shown, Kind], ...] = (
        ("average", one.average, "percent"),
        ("p50", one.p50, "percent"),
        ("p95", one.p95, "percent"),
        ("peak", one.peak, "percent"),
        ("peak_at", local(one.peak_at), "moment"),
        ("work", one.work, "percent"),
        ("off", one.off, "percent"),
        ("used", one.cores, "amount"),
        ("coverage", one.coverage, "percent"),
    )
    for at, (key, value, kind) in enumerate(pairs, row + 1):
        page.text(at, 0, say(key, page.language), "label")
        page.cell(at, 1, value, kind)
    return row + 1 + len(pairs)


def _counts(
    page: Page, row: int, head: str, first: str, counts: Mapping[str, int], words: Mapping[Any, Any]
) -> int:
    page.text(row, 0, say(head, page.language), "section")
    page.text(row + 1, 0, say(first, page.language), "head")
    page.text(row + 1, 1, say("count", page.language), "head")
    for at, (key, count) in enumerate(counts.items(), row + 2):
        page.text(at, 0, of(words, key, page.language), "label")
        page.cell(at, 1, count, "count")
    return row + 2 + len(counts)


def _picture(workbook: Workbook, page: Page, placed: Placed) -> None:
    """Granted as columns, use as a line; a month of which nothing is known is a gap."""
    keys = [it.key for it in sections.TREND.columns]

    def series(key: str) -> dict[str, Any]:
        number = keys.index(key)
        return {
            "name": [page.name, placed.head, number],
            "categories": [page.name, placed.head + 1, 0, placed.last, 0],
            "values": [page.name, placed.head + 1, number, placed.last, number],
        }

    bars, line = workbook.add_chart({"type": "column"}), workbook.add_chart({"type": "line"})
    bars.add_series({**series("granted_vcpus_average"), "fill": {"color": BAR}})
    look = {"line": {"color": DEEP, "width": 2.25}, "marker": {"type": "circle"}}
    line.add_series({**series("cpu_average"), **look, "y2_axis": True})
    bars.combine(line)
    bars.show_blanks_as("gap")
    line.show_blanks_as("gap")
    bars.set_title({"name": sections.TREND.title.of(page.language), "overlay": False})
    bars.set_y_axis(
        {"name": "vCPU", "min": 0, "num_format": "#,##0", "major_gridlines": {"visible": True}}
    )
    line.set_y2_axis({"name": "CPU %", "min": 0, "num_format": "0%"})
    bars.set_legend({"position": "bottom"})
    bars.set_size({"width": 620, "height": 330})
    page.sheet.insert_chart(placed.head, len(keys) + 1, bars)

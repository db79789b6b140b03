"""The workbook: read by openpyxl and computed anew by LibreOffice; totals are those of the document."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import Any

import msgspec
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

from exporters.findings.text import width as text_width
from exporters.report import usagecolumns
from exporters.report.columns import gib
from exporters.report.document import Sums, Total
from exporters.report.excerpt import excerpt
from exporters.report.resourcecolumns import DUE, RESOURCES, counted
from exporters.report.sheet import FORMULA
from exporters.report.tablewords import HEADS, STEP
from exporters.report.xlsx.names import SheetNames
from exporters.report.xlsx.words import say
from exporters.report.xlsx.workbook import xlsx
from tests.officelab import computed, parts
from tests.reportsample import sample

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported")  # openpyxl, of bars

PLAIN = sample(5, 130)
FEW = sample(4, 40, hostile=True)
HOSTILE = sample(23, 60, hostile=True)
_CELL = r"[A-Z]+\d+"
_CELLS = rf"{_CELL}(:{_CELL})?"
OURS = re.compile(
    rf'=IF\(SUBTOTAL\(102,{_CELLS}\)=0,"",SUBTOTAL\(109,{_CELLS}\)\)'
    rf'|=IF\(COUNT\({_CELLS}\)=0,"",SUM\({_CELLS}\)\)'
    rf'|=IFERROR\({_CELL}/{_CELL},""\)'
    rf'|=IF\(OR\({_CELL}="",{_CELL}=""\),"",IFERROR\({_CELL}/{_CELL},""\)\)'
)


@pytest.fixture(scope="module")
def books() -> dict[str, bytes]:
    return {
        "plain": xlsx(PLAIN, "zh"),
        "few": xlsx(FEW, "zh"),
        "hostile": xlsx(HOSTILE, "zh"),
        "english": xlsx(PLAIN, "en"),
    }


@pytest.fixture(scope="module")
def anew(books: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    two = {name: books[name] for name in ("plain", "few")}
    return computed(tmp_path_factory.mktemp("office"), two)


@cache
def opened(content: bytes, values: bool = False) -> Any:
    """Many tests read the same one; none changes it."""
    return openpyxl.load_workbook(io.BytesIO(content), data_only=values)


def formulas(book: Any) -> Iterator[tuple[str, str, str]]:
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    yield sheet.title, cell.coordinate, cell.value


def head_row(sheet: Any, *keys: str) -> int:
    """The first row in which all these heads are."""
    wanted = {HEADS[key].zh for key in keys}
    for row in sheet.iter_rows(min_row=1, max_row=sheet.max_row):
        if wanted <= {cell.value for cell in row}:
            return int(row[0].row)
    raise AssertionError(keys)


def column(sheet: Any, row: int, key: str) -> int:
    return next(int(cell.column) for cell in sheet[row] if cell.value == HEADS[key].zh)


def close(one: object, other: object) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return (one or "") == (other or "")


@pytest.mark.parametrize("name", ["plain", "few"])
def test_recalculated_totals_are_those_that_came_with_it(
    name: str, books: dict[str, bytes], anew: dict[str, bytes]
) -> None:
    ours, theirs = opened(books[name], values=True), opened(anew[name], values=True)
    assert ours.sheetnames == theirs.sheetnames
    wrong, count = [], 0
    for sheet, cell, formula in formulas(opened(books[name])):
        count += 1
        cached, found = ours[sheet][cell].value, theirs[sheet][cell].value
        if not close(cached, found):
            wrong.append((sheet, cell, formula, cached, found))
    assert wrong == []
    assert count > 100


def test_recalculated_totals_of_the_ranking_are_sums_of_the_document(
    anew: dict[str, bytes],
) -> None:
    sheet = opened(anew["plain"], values=True)[usagecolumns.DEPARTMENTS.title.zh]
    head = head_row(sheet, "rank", "waste")

    def total(key: str) -> object:
        return sheet.cell(head - 1, column(sheet, head, key)).value

    estate, parts = PLAIN.estate, PLAIN.departments
    assert close(total("resources"), estate.granted.resources)
    assert close(total("granted_vcpus"), estate.granted.vcpus.value)
    assert close(total("granted_memory"), gib(estate.granted.memory.value))
    assert close(total("granted_disk"), gib(estate.granted.disk.value))
    assert close(total("due_vcpus"), estate.due.vcpus.value)
    assert close(total("due_memory"), gib(estate.due.memory.value))
    assert close(total("used_core_hours"), sum(it.used_core_hours for it in parts))
    assert close(total("used"), (estate.load.average or 0) / 100)
    assert close(total("coverage"), (estate.load.coverage or 0) / 100)
    assert close(total("state_idle"), sum(it.states["idle"] for it in parts))


def test_recalculated_figures_of_each_department_are_those_of_the_document(
    anew: dict[str, bytes],
) -> None:
    book = opened(anew["plain"], values=True)
    for one in PLAIN.departments:
        sheet = book[one.name or "未归属"]
        told = {row[0].value: row[1].value for row in sheet.iter_rows(max_row=30, max_col=2)}
        wanted: dict[str, Total] = {
            "granted_vcpus": one.granted.vcpus,
            "granted_memory": one.granted.memory,
            "granted_disk": one.granted.disk,
            "due_vcpus": one.due.vcpus,
            "due_memory": one.due.memory,
            "due_disk": one.due.disk,
        }
        for key, total in wanted.items():
            value = total.value if key.endswith("vcpus") else gib(total.value)
            assert close(told[say(key, "zh")], value), (one.name, key)
        assert told[say("resources", "zh")] == one.granted.resources


def test_recalculated_totals_of_all_resources_are_independent_sums(anew: dict[str, bytes]) -> None:
    sheet = opened(anew["plain"], values=True)[RESOURCES.title.zh]
    head = head_row(sheet, "resource", "counted")
    every = [it for one in PLAIN.departments for it in one.resources if counted(it)]
    assert sheet.max_row - head == len(every)
    due = [it for it in every if it.advice in DUE]
    for key, value in {
        "granted_vcpus": sum(it.granted.vcpus or 0 for it in every),
        "granted_memory": sum(it.granted.memory or 0 for it in every) / 2**30,
        "due_disk": sum(it.free.disk or 0 for it in due) / 2**30,
    }.items():
        assert close(sheet.cell(head - 1, column(sheet, head, key)).value, value), key


def test_recalculated_costs_are_those_of_the_document_and_amounts_of_other_units_do_not_add_up(
    anew: dict[str, bytes],
) -> None:
    sheet = opened(anew["plain"], values=True)["费用分摊"]
    head = head_row(sheet, "item", "granted_cost")

    def total(key: str) -> object:
        return sheet.cell(head - 1, column(sheet, head, key)).value

    assert PLAIN.showback is not None
    assert close(total("granted_cost"), PLAIN.showback.granted_cost)
    assert close(total("known_cost"), PLAIN.showback.known_cost)
    assert close(total("used_cost"), PLAIN.showback.used_cost)
    assert total("granted") is total("used_amount") is total("unpriced") is None


@pytest.mark.parametrize("name", ["plain", "hostile", "english"])
def test_nothing_is_a_formula_or_a_link_but_ours(name: str, books: dict[str, bytes]) -> None:
    for _, _, formula in formulas(opened(books[name])):
        assert OURS.fullmatch(formula), formula
    for sheet in opened(books[name]):
        for row in sheet.iter_rows():
            assert all(it.hyperlink is None or not it.hyperlink.target for it in row)
    for path, text in parts(books[name]).items():
        assert "TargetMode" not in text, path  # nothing leads out of the workbook


def test_hostile_names_are_kept_as_text(books: dict[str, bytes]) -> None:
    sheet = opened(books["hostile"])[RESOURCES.title.zh]
    head = head_row(sheet, "resource", "counted")
    number = column(sheet, head, "department")
    cells = [sheet.cell(row, number) for row in range(head + 1, sheet.max_row + 1)]
    assert {it.data_type for it in cells} == {"s"}
    told = {it.value for it in cells}
    starts = [it for it in cells if it.value.startswith(FORMULA)]
    assert starts
    assert all(it.quotePrefix for it in starts)  # stays text when somebody edits it
    assert all(it.number_format == "@" for it in cells)
    assert '=HYPERLINK("http://x","y")' in told
    assert "<script>alert(1)</script>" in told
    assert "第一行\\n第二行" in told  # a line break is shown as what it is
    assert "\\u202e局政财市\\u202c" in told


def test_the_writer_has_nothing_to_warn_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for language in ("zh", "en"):
            xlsx(FEW, language)


def test_a_sheet_a_department_with_a_name_that_excel_takes(books: dict[str, bytes]) -> None:
    names = opened(books["hostile"]).sheetnames
    contents = opened(books["plain"]).sheetnames
    assert len(names) - len(HOSTILE.departments) == len(contents) - len(PLAIN.departments)
    assert len({it.casefold() for it in names}) == len(names)
    for name in names:
        assert 0 < len(name.encode("utf-16-le")) / 2 <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name.strip("'") == name
        assert name.casefold() != "history"
    for one in PLAIN.departments:
        assert (one.name or "未归属") in contents


def test_every_link_leads_to_a_sheet_and_the_contents_name_all(books: dict[str, bytes]) -> None:
    for content in books.values():
        book = opened(content)
        cover = book.worksheets[0]
        linked = []
        for sheet in book:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.hyperlink is not None:
                        name = cell.hyperlink.location.rsplit("!", 1)[0]
                        name = name.removeprefix("'").removesuffix("'").replace("''", "'")
                        assert name in book.sheetnames
                        linked += [name] if sheet is cover else []
        assert linked == book.sheetnames[1:]


def test_cells_are_typed_and_the_unknown_is_empty(books: dict[str, bytes]) -> None:
    sheet = opened(books["plain"])[RESOURCES.title.zh]
    head = head_row(sheet, "resource", "counted")
    by_id = {sheet.cell(row, 1).value: row for row in range(head + 1, sheet.max_row + 1)}
    empty = 0
    for one in (it for part in PLAIN.departments for it in part.resources if counted(it)):
        row = by_id[one.resource]

        def cell(key: str, row: int = row) -> Any:
            return sheet.cell(row, column(sheet, head, key))

        assert cell("granted_vcpus").value == one.granted.vcpus
        empty += one.granted.vcpus is None
        cpu = one.measured.get("cpu")
        if cpu is None or cpu.average is None:
            assert cell("cpu_average").value is None
            continue
        assert math.isclose(cell("cpu_average").value, cpu.average / 100)
        assert cell("cpu_average").number_format == "0.0%"
        at = cell("cpu_peak_at").value
        assert at == (
            datetime.fromisoformat(cpu.peak_at).replace(tzinfo=None) if cpu.peak_at else None
        )
        if one.exemption:
            assert cell("expires").value.date() == one.exemption.expires
    assert empty


def test_filters_frozen_panes_and_print(books: dict[str, bytes]) -> None:
    book = opened(books["plain"])
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.page_setup.paperSize == 9
        assert sheet.page_setup.fitToHeight == 0
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert "&P" in sheet.oddFooter.center.text
        assert sheet.freeze_panes is not None
    for name in (RESOURCES.title.zh, usagecolumns.DEPARTMENTS.title.zh, "线路可用率", "费用分摊"):
        sheet = book[name]
        first = head_row(sheet, "department" if name != "线路可用率" else "line")
        assert sheet.auto_filter.ref.startswith(f"A{first}:")
        assert sheet.print_title_rows == f"$1:${first}"
    for one in PLAIN.departments:
        tables = book[one.name or "未归属"].tables
        assert any(name.startswith("resources_") for name in tables)
        assert all(it.autoFilter is not None for it in tables.values())
        held = next(it for it in tables.values() if it.name.startswith("resources_"))
        first, last = held.ref.split(":")
        rows = int(re.sub(r"\D", "", last)) - int(re.sub(r"\D", "", first))
        assert rows == sum(counted(it) for it in one.resources)


def test_what_is_printed_can_be_read(books: dict[str, bytes]) -> None:
    """A department's sheet has what fits on a page; of the others several pages stand beside each other."""
    book = opened(books["plain"])
    for one in PLAIN.departments:
        sheet = book[one.name or "未归属"]
        assert sheet.max_column <= 16
        assert sheet.page_setup.fitToWidth in (None, 1)
        head = head_row(sheet, "resource", "reason")
        reason = column(sheet, head, "reason")
        width = sheet.column_dimensions[get_column_letter(reason)].width
        tall = [
            row
            for row in range(head + 1, sheet.max_row + 1)
            if text_width(sheet.cell(row, reason).value or "") > 2 * width
        ]
        assert all(sheet.row_dimensions[row].height >= 30 for row in tall)
        assert sheet.cell(head + 1, reason).alignment.wrap_text
    sheet = book[RESOURCES.title.zh]
    assert sheet.page_setup.fitToWidth >= 3
    assert sheet.print_title_cols == "$A:$B"


def test_steps_of_follow_up_are_counted_and_systems_are_whole(books: dict[str, bytes]) -> None:
    book = opened(books["plain"])
    sheet = book[usagecolumns.STEPS.title.zh]
    head = head_row(sheet, "step", "count")
    assert PLAIN.follow_ups is not None
    told = {
        sheet.cell(row, 1).value: sheet.cell(row, 2).value
        for row in range(head + 1, sheet.max_row + 1)
    }
    steps = PLAIN.follow_ups.steps
    assert told == {text.zh: steps[key] for key, text in STEP.items() if key in steps}
    sheet = book[usagecolumns.SYSTEMS.title.zh]
    head = head_row(sheet, "system", "cpu_peak_at")
    assert sheet.max_row - head == sum(len(it.systems) for it in PLAIN.departments)


def test_a_department_that_holds_nothing_holds_0() -> None:
    first = PLAIN.departments[0]
    one = msgspec.structs.replace(first, resources=(), granted=Sums(), due=Sums())
    document = msgspec.structs.replace(PLAIN, departments=(one,))
    sheet = opened(xlsx(document, "zh"), values=True)[first.name]
    told = {row[0].value: row[1].value for row in sheet.iter_rows(max_row=30, max_col=2)}
    assert [told[say(f"granted_{it}", "zh")] for it in ("vcpus", "memory", "disk")] == [0, 0, 0]


def test_an_excerpt_has_all_columns_of_its_resources() -> None:
    one = PLAIN.departments[1]
    sheet = opened(xlsx(excerpt(PLAIN, one.name), "zh"))[RESOURCES.title.zh]
    head = head_row(sheet, *(it.key for it in RESOURCES.columns))
    assert sheet.max_row - head == sum(counted(it) for it in one.resources)


def test_nobody_s_machines_are_in_a_sheet_of_their_own_and_in_no_total(
    books: dict[str, bytes],
) -> None:
    sheet = opened(books["plain"])[say("uncounted", "zh")]
    head = head_row(sheet, "resource", "counted")
    assert sheet.max_row - head == len(PLAIN.estate.hosts) == 3


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_same_document_gives_the_same_bytes(language: str) -> None:
    assert xlsx(PLAIN, language) == xlsx(sample(5, 130), language)


def test_a_document_without_its_parts_and_without_resources() -> None:
    empty = {"showback": None, "follow_ups": None, "lines": None, "ipv6": None, "baseline": None}
    one = msgspec.structs.replace(PLAIN.departments[0], resources=(), systems=(), showback=None)
    bare = msgspec.structs.replace(PLAIN, **empty, departments=(one,), held=(), exemptions=())
    book = opened(xlsx(bare, "zh"))
    assert "费用分摊" not in book.sheetnames
    assert "占而未用" in book.sheetnames
    assert (
        opened(xlsx(msgspec.structs.replace(bare, departments=()), "en")).sheetnames[0] == "Cover"
    )


def test_a_table_of_too_many_rows_goes_on_in_another_sheet() -> None:
    book = opened(xlsx(PLAIN, "zh", max_rows=60))
    title = RESOURCES.title.zh
    several = [it for it in book.sheetnames if it.partition("~")[0] == title]
    rows = [book[name].max_row - head_row(book[name], "resource") for name in several]
    assert len(several) == 3
    assert sum(rows) == sum(counted(it) for one in PLAIN.departments for it in one.resources)
    assert all(book[name].max_row <= 60 for name in several)


def test_a_department_with_more_than_fits_says_where_the_rest_is() -> None:
    sheet = opened(xlsx(PLAIN, "zh", max_rows=80))[PLAIN.departments[0].name]
    assert sheet.max_row <= 80
    told = {row[0].value: row[1].value for row in sheet.iter_rows(max_col=2)}
    assert told[RESOURCES.title.zh] == say("rest", "zh")
    # sums are of all, and so no formula over what is here
    assert told[say("granted_vcpus", "zh")] == PLAIN.departments[0].granted.vcpus.value


def test_a_day_before_excel_s_calendar_and_a_value_that_is_no_number() -> None:
    gap = msgspec.structs.replace(PLAIN.gaps[0], share=float("inf"))
    first = PLAIN.exemptions[0]
    old = msgspec.structs.replace(first, expires=date(1, 1, 1))
    document = msgspec.structs.replace(PLAIN, gaps=(gap,), exemptions=(old,))
    book = opened(xlsx(document, "zh"))
    sheet = book["豁免"]
    head = head_row(sheet, "exemption", "expires")
    assert sheet.cell(head + 1, column(sheet, head, "expires")).value == "0001-01-01"
    sheet = book["数据质量"]
    head = head_row(sheet, "code", "share")
    assert sheet.cell(head + 1, column(sheet, head, "share")).value is None


@settings(max_examples=60)
@given(st.lists(st.text(max_size=50), max_size=12))
def test_names_of_sheets(wanted: list[str]) -> None:
    names = SheetNames()
    found = [names.name(it) for it in wanted]
    assert len({it.casefold() for it in found}) == len(found)
    for name in found:
        assert 0 < len(name.encode("utf-16-le")) // 2 <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name.strip("'") == name
        assert name.casefold() != "history"
        assert name.isprintable()

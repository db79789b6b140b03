"""CSV files of the report: read back by the csv module, and held against the document."""

from __future__ import annotations

import csv
import io
import math
from datetime import date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.report import sheet
from exporters.report.document import Document
from exporters.report.resourcecolumns import DUE, RESOURCES, counted
from exporters.report.tables import TABLES, csvs
from exporters.report.usagecolumns import DEPARTMENTS
from exporters.usage.words import STATE
from tests.reportsample import sample

PLAIN = sample(6, 150)
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def read(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def by_key(document: Document, name: str, language: str = "zh") -> list[dict[str, str]]:
    table = next(it for it in TABLES if it.key == name)
    heads = {column.head(language): column.key for column in table.columns}
    assert len(heads) == len(table.columns)
    rows = read(csvs(document, language)[f"{name}.csv"])
    return [{heads[head]: value for head, value in row.items()} for row in rows]


def test_a_file_a_part_in_both_languages() -> None:
    for language in ("zh", "en"):
        files = csvs(PLAIN, language)
        assert set(files) == {f"{it.key}.csv" for it in TABLES}
        for table in TABLES:
            heads = files[f"{table.key}.csv"].decode("utf-8-sig").splitlines()[0]
            assert heads.startswith(table.columns[0].head(language))


def test_there_is_no_file_of_a_part_that_is_not_there() -> None:
    empty = {"showback": None, "follow_ups": None, "lines": None, "ipv6": None, "baseline": None}
    files = csvs(msgspec.structs.replace(PLAIN, **empty), "zh")
    for name in ("showback", "followups", "lines", "maintenance", "ipv6", "ipv6departments"):
        assert f"{name}.csv" not in files
    for name in ("baseline", "hits", "waivers"):
        assert f"{name}.csv" not in files
    assert "gaps.csv" in files


def test_resources_are_all_there_and_the_unknown_is_empty() -> None:
    rows = {row["resource"]: row for row in by_key(PLAIN, "resources")}
    every = [it for one in PLAIN.departments for it in one.resources]
    every += PLAIN.estate.hosts
    assert len(rows) == len(every)
    for one in every:
        row, cpu = rows[one.resource], one.measured.get("cpu")
        assert row["department"] == (one.department or "未归属")
        assert row["state"] == STATE[one.state].zh
        vcpus = one.granted.vcpus
        assert row["granted_vcpus"] == ("" if vcpus is None else f"{vcpus:g}")
        assert (row["cpu_average"] == "") is (cpu is None or cpu.average is None)
        if cpu and cpu.average is not None:
            assert math.isclose(float(row["cpu_average"]), cpu.average, abs_tol=0.0005)
        if cpu and cpu.peak_at:
            at = datetime.fromisoformat(cpu.peak_at)
            assert row["cpu_peak_at"] == at.strftime("%Y-%m-%d %H:%M")
        due = one.advice in DUE
        assert row["due_vcpus"] == ("0" if not due else "" if one.free.vcpus is None else
                                    f"{one.free.vcpus:g}")  # fmt: skip


def test_sums_of_resources_are_those_of_departments_and_of_the_estate() -> None:
    resources = [it for it in by_key(PLAIN, "resources") if it["counted"] == "是"]
    departments = by_key(PLAIN, "departments")
    for key in ("granted_vcpus", "granted_memory", "granted_disk", "due_vcpus", "due_memory"):
        total = sum(float(it[key]) for it in resources if it[key])
        assert math.isclose(total, sum(float(it[key]) for it in departments if it[key]))
    granted = sum(float(it["granted_vcpus"]) for it in departments)
    assert granted == PLAIN.estate.granted.vcpus.value
    unknown = sum(int(it["granted_vcpus_unknown"]) for it in departments)
    assert unknown == PLAIN.estate.granted.vcpus.unknown
    assert len(resources) == sum(int(it["resources"]) for it in departments)


def test_costs_add_up_and_the_unpriced_is_empty() -> None:
    rows = by_key(PLAIN, "showback")
    total = sum(float(it["granted_cost"]) for it in rows if it["granted_cost"])
    assert PLAIN.showback is not None
    assert math.isclose(total, PLAIN.showback.granted_cost or 0, abs_tol=1e-4)
    storage = [it for it in rows if it["item"] == "存储"]
    assert storage
    assert all(it["granted_cost"] == "" and it["unpriced"] for it in storage)


def test_a_department_of_which_nothing_is_known_has_no_use() -> None:
    one = msgspec.structs.replace(
        PLAIN.departments[0], known_core_hours=0.0, used_core_hours=0.0, waste=None
    )
    rows = by_key(msgspec.structs.replace(PLAIN, departments=(one,)), "departments")
    assert rows[0]["used_core_hours"] == rows[0]["used"] == rows[0]["waste"] == ""
    assert rows[0]["coverage"] == "0"


def test_no_cell_of_a_hostile_document_is_a_formula_or_more_than_a_line() -> None:
    for language in ("zh", "en"):
        for content in csvs(sample(23, 200, hostile=True), language).values():
            for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")):
                for cell in row:
                    assert "\n" not in cell
                    assert "\r" not in cell
                    if cell.startswith(FORMULAS):
                        float(cell)  # a negative number


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (sheet.Number(12.0, 3), "12"),
        (sheet.Number(0.0, 3), "0"),
        (sheet.Number(-0.0, 3), "0"),
        (sheet.Number(1234567.891, 2), "1234567.89"),
        (sheet.Number(100.0, 0), "100"),
        (sheet.Number(0.00004, 2), "0.00004"),
        (sheet.Number(-3.5, 3), "-3.5"),
        (sheet.Number(1e-13, 3), "0"),
        (3.14159, "3.1"),
        (7, "7"),
        (None, ""),
        (date(2026, 10, 5), "2026-10-05"),
        (datetime(2026, 10, 5, 9, 30, 1), "2026-10-05 09:30"),
        ("-1", "'-1"),
    ],
)
def test_cells(cell: sheet.Cell, written: str) -> None:
    assert sheet.table(["a"], [[cell]]).decode("utf-8-sig").splitlines()[1:] == (
        [written] if written else ['""']
    )


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15),
    st.integers(0, 6),
)
def test_a_number_is_written_as_near_as_its_digits(value: float, digits: int) -> None:
    text = sheet.table(["a"], [[sheet.Number(value, digits)]]).decode("utf-8-sig").splitlines()[1]
    assert abs(float(text) - value) <= 0.5 * 10**-digits + 1e-9 * abs(value)
    assert "e" not in text
    if abs(value) >= 1e-11:
        assert float(text) != 0


def test_heads_are_unlike_and_counted_says_what_is_in_sums() -> None:
    for table in (RESOURCES, DEPARTMENTS):
        for language in ("zh", "en"):
            heads = [it.head(language) for it in table.columns]
            assert len(set(heads)) == len(heads)
    assert PLAIN.estate.hosts
    assert not any(map(counted, PLAIN.estate.hosts))

"""The price table: what is in it, what is wrong with it and where, and which price is in force."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError
from exporters.report.content.prices import ITEMS, UNITS, PriceErrors, Prices, load, parse

GOOD = """\
currency: CNY
prices:
  - {item: vcpu, unit: hour, price: 0.3, valid_to: 2026-10-15}
  - {item: vcpu, unit: hour, price: 0.1, valid_from: 2026-10-16}
  - item: memory
    unit: month
    price: 20
  - {item: vcpu, unit: day, price: 0, department: 市财政局, valid_from: 2026-10-10, valid_to: 2026-10-12}
"""
CSV = """\
项目,单位,单价,部门,生效日期,失效日期,币种,备注
vCPU,小时,0.3,,,2026/10/15,元,
核,时,0.1,,2026年10月16日,,元,
内存,月,"1,020.50",,,,,按月
vcpu,天,0,市财政局,2026/10/10,2026/10/12,,
,,,,,,,
,,,,,,,
"""


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(GOOD, encoding="utf-8")
    prices = load(str(path))
    assert prices.currency == "CNY"
    assert prices.rows[0].price == Decimal("0.3")  # and no 0.299999999999999988898
    assert [it.told for it in prices.rows] == [
        "0.3/h (→ 2026-10-15)",
        "0.1/h (2026-10-16 →)",
        "20/mo",
        "0/d (2026-10-10 → 2026-10-12)",
    ]
    assert prices.unmatched(["市人社局", ""]) == ["市财政局"]


def test_the_examples_of_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "report-files.md").read_text(encoding="utf-8")
    told = text.split("```yaml\n")[1].partition("```")[0]
    assert len(parse(told.encode(), "p.yaml").rows) == 4
    table = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    rows = parse("\n".join(table).encode(), "p.csv").rows
    assert [it.item for it in rows] == ["vcpu", "memory", "disk"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_same_as_spreadsheets_save_it(encoding: str, delimiter: str) -> None:
    text = CSV.replace("1,020.50", "20") if delimiter != "," else CSV
    text = text.replace(",", delimiter) if delimiter != "," else text
    told = parse(text.replace("\n", "\r\n").encode(encoding), "prices.csv")
    known = parse(GOOD.encode(), "prices.yaml")
    assert (told.currency, len(told.rows)) == (known.currency, 4)
    assert told.rows[:2] == known.rows[:2]
    assert told.rows[3] == known.rows[3]
    assert told.rows[2].price == Decimal("1020.50" if delimiter == "," else "20")
    assert told.rows[2].note == "按月"


def test_the_nearest_price_is_in_force_on_its_days() -> None:
    prices = parse(GOOD.encode(), "prices.yaml")

    def at(department: str, day: int) -> str | None:
        price = prices.at("vcpu", department, date(2026, 10, day))
        return str(price.price) if price else None

    assert [at("市财政局", day) for day in (9, 10, 12, 13, 16)] == ["0.3", "0", "0", "0.3", "0.1"]
    assert [at("", day) for day in (10, 15, 16)] == ["0.3", "0.3", "0.1"]
    assert prices.at("disk", "", date(2026, 10, 1)) is None
    changes = prices.changes(date(2026, 10, 1), date(2026, 10, 31))
    assert [it.day for it in changes] == [10, 13, 16]
    assert Prices().changes(date(2026, 10, 1), date(2026, 10, 31)) == []


@pytest.mark.parametrize(
    ("unit", "hours", "hourly"),
    [("hour", 744, Fraction(3, 5)), ("day", 720, Fraction(3, 120)), ("month", 744, Fraction(3, 3720)), ("month", 672, Fraction(3, 3360))],
)  # fmt: skip
def test_a_month_has_its_own_hours(unit: str, hours: int, hourly: Fraction) -> None:
    text = f"prices: [{{item: disk, unit: {unit}, price: 0.6}}]"
    assert parse(text.encode(), "p.yaml").rows[0].hourly(Fraction(hours)) == hourly


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("price: 0.3", "price: -0.3", 3, "price: -0.3 is below 0"),
        ("price: 0.3", "price: .nan", 3, "price: NaN is no price"),
        ("price: 0.3", "price: .inf", 3, "is no price"),
        ("price: 0.3", "price: -1e999999", 3, "is below 0"),
        ("price: 0.3", "price: 三毛", 3, "'三毛' is no price; write for example 0.05"),
        ("price: 0.3", "price: true", 3, "is no price"),
        ("price: 0.3", "price: 1e-30", 3, "decimals"),
        ("price: 0.3", "price: 9999999999", 3, "above 1,000,000,000"),
        ("    price: 20\n", "", 5, "price: is missing"),
        ("    unit: month\n", "", 5, "unit: is missing"),
        ("unit: month", "unit: year", 6, "'year' is not one of: hour, day, month"),
        ("item: memory", "item: gpu", 5, "'gpu' is not one of: vcpu, memory, disk"),
        ("item: memory", "itm: memory", 5, "did you mean 'item'"),
        ("valid_to: 2026-10-15", "valid_to: 2026-10-16", 4, "is priced by line 3 on the same days; end the earlier one with valid_to 2026-10-15"),
        ("valid_from: 2026-10-10", "valid_from: 2026-10-13", 8, "exchange them"),
        ("2026-10-15", "2026-02-30", 3, "is no date"),
        ("currency: CNY", "currency: yuan", 1, "is no currency"),
        ("currency: CNY", "curency: CNY", 1, "did you mean 'currency'"),
        ("department: 市财政局", 'department: "a\\e[1m"', 8, "control character"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(PriceErrors) as caught:
        parse(GOOD.replace(old, new, 1).encode(), "prices.yaml")
    told = str(caught.value)
    assert f"prices.yaml:{line}: " in told
    assert problem in told


def test_everything_that_is_wrong_with_a_spreadsheet() -> None:
    text = (
        "项目,单位,单价,币种\nvCPU,小时,-1,元\n内存,年,1,USD\n显卡,月,,\nvCPU,小时,2,\n存储,月,1,\n"
    )
    with pytest.raises(PriceErrors) as caught:
        parse(text.encode("gb18030"), "prices.csv")
    assert str(caught.value).splitlines() == [
        "prices.csv:2: 单价: -1 is below 0; write for example 0.05, or leave the row out",
        "prices.csv:3: 币种: 'USD' is not 'CNY' of line 2; one table, one currency",
        "prices.csv:3: 单位: '年' is not one of: hour, day, month",
        "prices.csv:4: 项目: '显卡' is not one of: vcpu, memory, disk",
        "prices.csv:4: 单价: is missing",
    ]


@pytest.mark.parametrize(
    "text", ["", "prices: []", "[]", "项目,单位,单价\n", "项目,单位\nvcpu,hour\n", "PK\x03\x04"]
)
@pytest.mark.parametrize("name", ["p.csv", "p.yaml", "p"])
def test_what_is_no_table_of_prices(text: str, name: str) -> None:
    with pytest.raises(DocumentError):
        parse(text.encode(), name)


WORDS = "核 内存 月 0.1 -1 0 NaN 1e9 1,000.5 2026-10-01 2026/1/32 元 USD ' \" \x00 =1+1 市财政局"
WORD = st.sampled_from([*ITEMS, *UNITS, *WORDS.split(" "), ""])


@given(
    st.lists(st.lists(WORD, max_size=8), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8-sig", "gb18030", "utf-16"]),
)
def test_no_spreadsheet_is_too_strange(rows: list[list[str]], mark: str, encoding: str) -> None:
    head = ["项目", "单位", "单价", "部门", "生效日期", "失效日期", "币种"]
    text = "\r\n".join(mark.join(row) for row in [head, *rows])
    try:
        prices = parse(text.encode(encoding), "p.csv")
    except DocumentError:
        return
    assert all(it.price >= 0 for it in prices.rows)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_are_too_strange(content: bytes) -> None:
    for name in ("p.csv", "p.yaml", "p"):
        with suppress(DocumentError):
            parse(content, name)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ITEMS),
            st.sampled_from(["", "甲", "乙"]),
            st.integers(1, 40),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_one_day_has_one_price(rows: list[tuple[str, str, int, int]]) -> None:
    first = date(2026, 10, 1)
    days = [(first + timedelta(begin), first + timedelta(begin + more)) for *_, begin, more in rows]
    text = "prices:\n" + "".join(
        f"  - {{item: {item}, unit: hour, price: {n}, department: '{department}',"
        f" valid_from: {since}, valid_to: {until}}}\n"
        for n, ((item, department, *_), (since, until)) in enumerate(zip(rows, days, strict=True))
    )
    clash = any(
        one[:2] == other[:2] and a[0] <= b[1] and b[0] <= a[1]
        for n, (one, a) in enumerate(zip(rows, days, strict=True))
        for other, b in list(zip(rows, days, strict=True))[:n]
    )
    try:
        prices = parse(text.encode(), "p.yaml")
    except PriceErrors:
        assert clash
        return
    assert not clash
    for offset in range(50):
        day = first + timedelta(offset)
        for item in ITEMS:
            own, common = (
                [n for n, (row, (since, until)) in enumerate(zip(rows, days, strict=True))
                 if row[:2] == (item, name) and since <= day <= until]
                for name in ("甲", "")
            )  # fmt: skip
            price = prices.at(item, "甲", day)
            assert (price and int(price.price)) == next(iter(own + common), None)

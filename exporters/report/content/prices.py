"""The price table of showback (费用分摊): YAML or CSV that says what a core hour and a GiB hour cost, and on which days.

    currency: CNY
    prices:
      - {item: vcpu, unit: hour, price: 0.05, valid_from: 2026-01-01, valid_to: 2026-10-15}
      - {item: vcpu, unit: hour, price: 0.045, valid_from: 2026-10-16}
      - {item: disk, unit: month, price: 0.6, department: 市财政局}

Prices are decimal numbers and are never made floats. docs/report-files.md describes the file for people who write one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from collectors import csvtable, rowsfile, strictyaml
from collectors.cloud.override import DATE_REMEDY, DAY, dated, day_before
from collectors.csvtable import Heads, Row, Table
from collectors.rowsfile import Problem, RowErrors, Tell, rows_of, teller, text_problem
from collectors.strictyaml import Document, DocumentError, hint

Item = Literal["vcpu", "memory", "disk"]
Unit = Literal["hour", "day", "month"]
ITEMS: Final[tuple[Item, ...]] = get_args(Item)
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
KEY: Final = "prices"
CURRENCY: Final = "currency"
LARGEST: Final = Decimal(10**9)
DECIMALS: Final = 12
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "item": ("项目", "计费项", "资源", "资源类型"),
    "unit": ("单位", "计费单位", "周期", "计费周期"),
    "price": ("单价", "价格"),
    "department": ("部门", "使用部门", "使用单位"),
    "valid_from": ("生效日期", "开始日期", "起始日期", "起", "from"),
    "valid_to": ("失效日期", "结束日期", "截止日期", "止", "to"),
    CURRENCY: ("币种", "货币"),
    "note": ("备注", "说明"),
}
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "item": {
        **dict.fromkeys(("vCPU", "VCPU", "CPU", "cpu", "核", "虚拟核", "处理器"), "vcpu"),
        **dict.fromkeys(("内存", "mem", "ram", "RAM"), "memory"),
        **dict.fromkeys(("存储", "硬盘", "云硬盘", "磁盘", "storage"), "disk"),
    },
    "unit": {
        **dict.fromkeys(("小时", "时", "每小时", "h"), "hour"),
        **dict.fromkeys(("天", "日", "每天", "d"), "day"),
        **dict.fromkeys(("月", "个月", "每月"), "month"),
    },
    CURRENCY: dict.fromkeys(("元", "人民币", "人民币元", "RMB", "¥", "￥"), "CNY"),
}
_SHORT: Final[Mapping[Unit, str]] = {"hour": "h", "day": "d", "month": "mo"}
_HEADS: Final = Heads(COLUMNS, ("item", "unit", "price"))
_STAND_INS: Final[Row] = {"item": "vcpu", "unit": "hour", "price": 0}
_CHOICES: Final = {"item": ITEMS, "unit": UNITS}
_EXAMPLE: Final = "{item: vcpu, unit: hour, price: 0.05, valid_from: 2026-01-01}"
_PRICE_REMEDY: Final = "write for example 0.05"
_THOUSANDS: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


class PriceErrors(RowErrors):
    """Everything that is wrong with a price table."""


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one virtual CPU or one GiB for an hour, a day or a month; for all departments or one. It is in force from
    the day `valid_from` to the day `valid_to`, both of them included; None is without end."""

    item: Item
    unit: Unit
    price: Decimal
    department: Annotated[str, msgspec.Meta(max_length=255)] = ""
    valid_from: date | None = None
    valid_to: date | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""

    def on(self, day: date) -> bool:
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)

    def overlaps(self, other: Price) -> bool:
        return (self.valid_from or date.min) <= (other.valid_to or date.max) and (
            other.valid_from or date.min
        ) <= (self.valid_to or date.max)

    def hourly(self, hours_of_month: Fraction) -> Fraction:
        """Of an hour, in a month of so many."""
        hours = {"hour": Fraction(1), "day": Fraction(24), "month": hours_of_month}
        return Fraction(self.price) / hours[self.unit]

    @property
    def told(self) -> str:
        """`0.05/h (2026-01-01 → 2026-10-15)`: of no language."""
        text = f"{self.price:f}/{_SHORT[self.unit]}"
        if self.valid_from is None and self.valid_to is None:
            return text
        ends = (it.isoformat() if it else "" for it in (self.valid_from, self.valid_to))
        return f"{text} ({' → '.join(ends).strip()})"


class Prices:
    """All of a table. Of two that are in force, that of the department counts."""

    def __init__(self, rows: Sequence[Price] = (), currency: str = "CNY") -> None:
        self.rows, self.currency = tuple(rows), currency
        self._of: defaultdict[tuple[Item, str], list[Price]] = defaultdict(list)
        for row in self.rows:
            self._of[row.item, row.department].append(row)

    def at(self, item: Item, department: str, day: date) -> Price | None:
        """The price in force on a day; None: there is none, which is not a price of 0."""
        own = self._of.get((item, department), ()) if department else ()
        return next((it for it in (*own, *self._of.get((item, ""), ())) if it.on(day)), None)

    def changes(self, since: date, until: date) -> list[date]:
        """The days after `since`, up to `until`, on which some price begins or is in force no more."""
        found = {it.valid_from for it in self.rows if it.valid_from}
        found |= {it.valid_to + DAY for it in self.rows if it.valid_to and it.valid_to < date.max}
        return sorted(day for day in found if since < day <= until)

    def unmatched(self, departments: Collection[str]) -> list[str]:
        """Departments with a price of their own that are none of these: mistyped, or gone."""
        return sorted({it.department for it in self.rows if it.department} - set(departments))


def load(path: str) -> Prices:
    """The table in a file. Raises PriceErrors, and DocumentError where it cannot be read."""
    return parse(strictyaml.read(path), path)


def parse(content: bytes, path: str) -> Prices:
    """The table in `content`: YAML or CSV by the name of its file, else by its first row."""
    named = path.lower().endswith((".csv", ".tsv")), path.lower().endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and csvtable.looks_like(content, _HEADS)):
        return _of_table(csvtable.parse(content, path, _HEADS, dict))
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), f"expected a mapping with the key {KEY}")
    for key in document.data:
        if key not in (KEY, CURRENCY):
            mistakes.append(document.error((key,), f"unknown key; {hint(key, [KEY, CURRENCY])}"))
    currency = document.data.get(CURRENCY, "CNY")
    if isinstance(currency, str):
        currency = WORDS[CURRENCY].get(currency, currency)
    if problem := _currency_problem(currency):
        mistakes.append(document.error((CURRENCY,), problem))
    rows = rows_of(document, KEY, "price", _EXAMPLE, mistakes)
    tell = teller(document, KEY, [number for number, _ in rows])
    return Prices(_checked(path, [row for _, row in rows], tell, mistakes), currency)


def _of_table(table: Table) -> Prices:
    if not table.heads.keys() >= set(_HEADS.required):
        raise PriceErrors(table.path, table.mistakes)  # every row would lack them
    rows = [rowsfile.translated(row, WORDS) for row in table.rows]
    wrong = list(table.mistakes)
    if not rows:
        wrong.append(DocumentError(table.path, None, "there is no row below the heads"))
    currency, first = "CNY", -1
    for number, row in enumerate(rows):
        told = row.pop(CURRENCY, None)
        if told is None:
            continue
        if first < 0:
            currency, first = told, number
            if problem := _currency_problem(told):
                wrong.append(table.tell(number, CURRENCY, problem))
        elif told != currency:
            line = table.numbers[first]
            problem = (
                f"{told!r:.20} is not {currency!r:.20} of line {line}; one table, one currency"
            )
            wrong.append(table.tell(number, CURRENCY, problem))
    return Prices(_checked(table.path, rows, table.tell, wrong), currency)


def _currency_problem(currency: Any) -> str:
    if isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency):
        return ""
    return f"{str(currency)!r:.20} is no currency; write its three letters, such as CNY"


def _checked(
    path: str, rows: Sequence[Row], tell: Tell, mistakes: Sequence[DocumentError]
) -> list[Price]:
    wrong = list(mistakes)
    found: defaultdict[tuple[Item, str], list[tuple[int, Price]]] = defaultdict(list)
    right = []
    for number, row in enumerate(rows):
        row = {key: _plain(key, it) for key, it in rowsfile.translated(row, WORDS).items()}
        one, problems = rowsfile.converted(row, Price, _STAND_INS, _explained)
        bad = {key for key, _ in problems}
        problems += [it for it in _problems(one) if it[0] not in bad]
        wrong += [tell(number, key, problem) for key, problem in problems]
        if problems:
            continue
        same = found[one.item, one.department]
        for before, other in same:
            if one.overlaps(other):
                line = tell(before, "", "").line
                problem = f"is priced by line {line} on the same days; {_remedy(one, other)}"
                wrong.append(tell(number, "item", problem))
                break
        same.append((number, one))
        right.append(one)
    if wrong:
        raise PriceErrors(path, wrong)
    return right


def _plain(key: str, value: Any) -> Any:
    """Days and numbers as spreadsheets write them, as msgspec takes them."""
    if key.startswith("valid_"):
        return dated(value)
    if key == "price" and isinstance(value, str):
        value = value.strip()
        return value.replace(",", "") if _THOUSANDS.fullmatch(value) else value
    return value


def _problems(one: Price) -> Iterator[Problem]:
    for key in ("department", "note"):
        if problem := text_problem(getattr(one, key)):
            yield key, problem
    price = one.price
    if not price.is_finite():
        yield "price", f"{price} is no price; {_PRICE_REMEDY}"
    elif price < 0:
        yield "price", f"{price!s:.20} is below 0; {_PRICE_REMEDY}, or leave the row out"
    elif price > LARGEST:
        yield "price", f"is above {LARGEST:,}; {_PRICE_REMEDY}"
    elif _decimals(price) > DECIMALS:
        yield "price", f"has more than {DECIMALS} decimals; {_PRICE_REMEDY}"
    if one.valid_from and one.valid_to and one.valid_to < one.valid_from:
        yield "valid_to", f"{one.valid_to} is before valid_from, {one.valid_from}; exchange them"


def _decimals(price: Decimal) -> int:
    exponent = price.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _remedy(one: Price, other: Price) -> str:
    earlier, later = sorted((one, other), key=lambda it: it.valid_from or date.min)
    if later.valid_from and later.valid_from != earlier.valid_from:
        return f"end the earlier one with valid_to {day_before(later.valid_from)}"
    return "give them days that do not overlap, or leave one out"


def _explained(key: str, value: Any, message: str) -> Problem:
    if key.startswith("valid_") and value is not None:
        return key, f"{str(value)!r:.60} is no date; {DATE_REMEDY}"
    if key == "price" and value is not None:
        return key, f"{str(value)!r:.60} is no price; {_PRICE_REMEDY}"
    return rowsfile.explained(key, value, message, _CHOICES)

"""Reads a file of maintenance windows, YAML or CSV, and tells every mistake in it at once, with its line.

    maintenance:
      - since: 2026-10-12 22:00       # in the site's zone, unless it says another: 2026-10-12T22:00+08:00
        until: 2026-10-13 02:00       # the first moment after it
        lines: [jinping-*]            # names; * and ? as in a shell
        levels: [town]                # lines of a level; neither lines nor levels: all lines
        reason: 骨干光缆割接
        approver: 李敏

In CSV one row a window, columns in English or Chinese, several names in a cell with `;` or spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, Final

import msgspec

from collectors import csvtable, rowsfile, strictyaml
from collectors.csvtable import Heads, Row
from collectors.link.lines import LEVELS, Level
from collectors.rowsfile import LEVEL_WORDS, Problem, RowErrors, Tell, rows_of, teller, text_problem
from collectors.strictyaml import Document, DocumentError, hint

KEY: Final = "maintenance"
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "since": ("开始", "开始时间", "起始时间", "begin", "start"),
    "until": ("结束", "结束时间", "截止时间", "end"),
    "lines": ("线路", "专线", "线路名称", "line"),
    "levels": ("级别", "层级", "level"),
    "reason": ("原因", "事由", "理由", "维护原因"),
    "approver": ("批准人", "审批人"),
}
_HEADS: Final = Heads(COLUMNS, ("since", "until", "reason"))
_EXAMPLE: Final = "{since: 2026-10-12 22:00, until: 2026-10-13 02:00, lines: […], reason: …}"
_TIME: Final = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[T \u3000]*"
    r"(\d{1,2})[:：时](\d{1,2})?(?:分(?:(\d{1,2})秒)?|[:：](\d{1,2}))? ?(Z|[+-]\d{2}:?\d{2})?"
)
_NEEDED: Final = ("since", "until", "reason")
_NO_TIME: Final = "lacks the time of day; write for example"
_WRONG_TIME: Final = "is not a time; write for example 2026-10-12 22:00"


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One window, [since, until)."""

    since: datetime
    until: datetime
    reason: str
    lines: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    approver: str = ""


class MaintenanceErrors(RowErrors):
    """Everything that is wrong with a file of maintenance windows."""


def load(path: str, zone: tzinfo) -> tuple[Window, ...]:
    """The windows in a file, in its order. Raises MaintenanceErrors, and DocumentError where it cannot be read."""
    return parse(strictyaml.read(path), path, zone)


def parse(content: bytes, path: str, zone: tzinfo) -> tuple[Window, ...]:
    """The windows in `content`: YAML or CSV by the name of its file, else by its first row."""
    named = path.endswith((".csv", ".tsv")), path.endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and csvtable.looks_like(content, _HEADS)):
        table = csvtable.parse(content, path, _HEADS, _row)
        if not table.heads.keys() >= set(_NEEDED):
            raise MaintenanceErrors(path, table.mistakes)  # every row would lack them
        return _checked(path, table.rows, table.tell, table.mistakes, zone)
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), f"expected a mapping with the key {KEY}")
    for key in document.data:
        if key != KEY:
            mistakes.append(document.error((key,), f"unknown key; {hint(str(key), [KEY])}"))
    if document.data.get(KEY) == [] and not mistakes:
        return ()  # a month without any
    rows = rows_of(document, KEY, "window", _EXAMPLE, mistakes)
    tell = teller(document, KEY, [number for number, _ in rows])
    return _checked(path, [row for _, row in rows], tell, mistakes, zone)


def _row(given: Row) -> Row:
    """A row of a spreadsheet."""
    row: Row = {k: csvtable.listed(v) if k in ("lines", "levels") else v for k, v in given.items()}
    if "levels" in row:
        row["levels"] = [LEVEL_WORDS.get(level, level) for level in row["levels"]]
    return row


def _checked(
    path: str, rows: Sequence[Row], tell: Tell, mistakes: Sequence[DocumentError], zone: tzinfo
) -> tuple[Window, ...]:
    found, wrong = [], list(mistakes)
    for number, row in enumerate(rows):
        problems: list[Problem] = []
        read = dict(row)
        for key in ("since", "until"):
            if key in row:
                try:
                    read[key] = moment(row[key], zone)
                except ValueError as error:
                    problems.append((key, str(error)))
                    del read[key]
        stand_ins: Row = {"since": _at(zone), "until": _at(zone), "reason": "?"}
        one, more = rowsfile.converted(read, Window, stand_ins, _explained)
        bad = {key for key, _ in problems}
        problems += [it for it in more if it[0].partition("[")[0] not in bad]
        bad = {key.partition("[")[0] for key, _ in problems}
        problems += [it for it in _problems(one) if it[0].partition("[")[0] not in bad]
        if not bad & {"since", "until"} and one.until <= one.since:
            problems.append(("until", "is not after since"))
        wrong += [tell(number, key, problem) for key, problem in problems]
        found.append(one)
    if wrong:
        raise MaintenanceErrors(path, wrong)
    return tuple(found)


def moment(value: Any, zone: tzinfo) -> datetime:
    """A time as people write it, in a zone unless it says which. Raises ValueError."""
    try:
        found = value if isinstance(value, datetime) else _written(value)  # YAML has read some
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        found.timestamp()
    except (ValueError, OverflowError) as error:
        lacking = isinstance(value, date) and not isinstance(value, datetime)
        problem = f"{value} {_NO_TIME} {value} 22:00" if lacking else f"{value!r:.60} {_WRONG_TIME}"
        raise ValueError(problem) from error
    return found


def _written(value: Any) -> datetime:
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 60 else None
    if not match:
        raise ValueError
    year, month, day, hour, minute = (int(it or 0) for it in match.groups()[:5])
    told = datetime(year, month, day, hour, minute, int(match[6] or match[7] or 0))
    offset = (match[8] or "").replace("Z", "+00:00")
    return datetime.fromisoformat(told.isoformat() + offset)


def _at(zone: tzinfo) -> datetime:
    return datetime(2000, 1, 1, tzinfo=zone)


def _problems(one: Window) -> Iterator[Problem]:
    for key in ("reason", "approver"):
        text = getattr(one, key)
        if key == "reason" and not text.strip():
            yield key, "is empty; say why"
        elif problem := text_problem(text):
            yield key, problem
    for n, name in enumerate(one.lines):
        if problem := text_problem(name) if name.strip() else "is empty":
            yield f"lines[{n}]", problem


def _explained(key: str, value: Any, message: str) -> Problem:
    return rowsfile.explained(key, value, message, {"levels": LEVELS})

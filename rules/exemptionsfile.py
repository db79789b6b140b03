"""Reads a file of exemptions, YAML or CSV, and tells every mistake in it at once, with its line.

    exemptions:
      - id: E-2026-004
        resources: [dr-*]             # ids or names; * and ? as in a shell
        departments: [市大数据局]      # these three: one or more of them, and each that is given must fit
        systems: [统一备份]
        states: [idle, low]           # optional: idle, low, busy, stopped, detached; all but busy if left out
        reason: 容灾备机，平时不承载业务
        owner: 张伟
        approver: 李敏
        expires: 2027-03-31           # its last day

In CSV one row an exemption, columns in English or Chinese, several names in a cell with `;` or spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from collectors import csvtable, rowsfile, strictyaml
from collectors.csvtable import Heads, Row
from collectors.rowsfile import Problem, RowErrors, Tell, rows_of, teller, text_problem
from collectors.strictyaml import Document, DocumentError, hint
from rules.exemptions import EXEMPTIBLE, SCOPES, Exemption, Exemptions
from rules.waivers import person

KEY: Final = "exemptions"
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("编号", "豁免编号"),
    "resources": ("资源", "云主机", "资源名称"),
    "departments": ("部门", "单位", "department"),
    "systems": ("系统", "业务系统", "system"),
    "states": ("状态", "豁免状态"),
    "reason": ("理由", "原因", "豁免理由"),
    "owner": ("责任人", "负责人"),
    "approver": ("批准人", "审批人"),
    "expires": ("到期", "到期日", "有效期至", "截止日期"),
}
WORDS: Final[Mapping[str, str]] = {
    "闲置": "idle",
    "低使用": "low",
    "繁忙": "busy",
    **dict.fromkeys(("停机", "停机占用"), "stopped"),
    **dict.fromkeys(("未挂载", "未挂载卷"), "detached"),
}
TEXTS: Final = ("id", "reason", "owner", "approver")
_HEADS: Final = Heads(COLUMNS, (*TEXTS, "expires"))
_EXAMPLE: Final = (
    "{id: E-1, resources: [dr-*], reason: …, owner: …, approver: …, expires: 2027-03-31}"
)
_STAND_INS: Final[Row] = {**dict.fromkeys(TEXTS, "?"), "expires": date.max}
_CHOICES: Final = {"states": EXEMPTIBLE}
_DAY: Final = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")


class ExemptionErrors(RowErrors):
    """Everything that is wrong with a file of exemptions."""


def load(path: str) -> Exemptions:
    """The exemptions in a file. Raises ExemptionErrors, and DocumentError where it cannot be read."""
    return parse(strictyaml.read(path), path)


def parse(content: bytes, path: str) -> Exemptions:
    """The exemptions in `content`: YAML or CSV by the name of its file, else by its first row."""
    named = path.endswith((".csv", ".tsv")), path.endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and csvtable.looks_like(content, _HEADS)):
        table = csvtable.parse(content, path, _HEADS, _row)
        if not table.heads.keys() >= set(_HEADS.required):
            raise ExemptionErrors(path, table.mistakes)  # every row would lack them
        return _checked(path, table.rows, table.tell, table.mistakes)
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), f"expected a mapping with the key {KEY}")
    for key in document.data:
        if key != KEY:
            mistakes.append(document.error((key,), f"unknown key; {hint(key, [KEY])}"))
    if document.data.get(KEY) == [] and not mistakes:
        return Exemptions()  # the last one was taken out
    rows = rows_of(document, KEY, "exemption", _EXAMPLE, mistakes)
    tell = teller(document, KEY, [number for number, _ in rows])
    return _checked(path, [row for _, row in rows], tell, mistakes)


def _row(given: Row) -> Row:
    """A row of a spreadsheet, whose days are written in several ways."""
    row: Row = {k: csvtable.listed(v) if k in (*SCOPES, "states") else v for k, v in given.items()}
    if "states" in row:
        row["states"] = [WORDS.get(state, state) for state in row["states"]]
    if match := _DAY.fullmatch(row.get("expires", "")):
        row["expires"] = "-".join((match[1], match[2].zfill(2), match[3].zfill(2)))
    return row


def _checked(
    path: str, rows: Sequence[Row], tell: Tell, mistakes: Sequence[DocumentError]
) -> Exemptions:
    found, wrong = [], list(mistakes)
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        one, problems = rowsfile.converted(row, Exemption, _STAND_INS, _explained)
        bad = {key.partition("[")[0] for key, _ in problems}
        problems += [it for it in _problems(one, row) if it[0].partition("[")[0] not in bad]
        wrong += [tell(number, key, problem) for key, problem in problems]
        if "id" in row and (known := seen.setdefault(one.id, number)) != number:
            line = tell(known, "id", "").line
            wrong.append(tell(number, "id", f"{one.id!r:.160} is on line {line} already"))
        found.append(one)
    if wrong:
        raise ExemptionErrors(path, wrong)
    return Exemptions(found)


def _problems(one: Exemption, row: Row) -> Iterator[Problem]:
    for key in TEXTS:
        text = getattr(one, key)
        if problem := text_problem(text) if text.strip() else "is empty":
            yield key, problem
    if not any(row.get(scope) for scope in SCOPES) and row.keys() <= COLUMNS.keys():
        yield "", f"names nothing; write one of {', '.join(SCOPES)}, such as resources: [dr-*]"
    for scope in SCOPES:
        for n, name in enumerate(getattr(one, scope)):
            if problem := text_problem(name) if name.strip() else "is empty":
                yield f"{scope}[{n}]", problem
    if "states" in row and not one.states:
        yield "states", "is empty; leave it out for all but busy"
    if {"owner", "approver"} <= row.keys() and person(one.owner) == person(one.approver):
        yield "approver", "nobody approves an exemption of their own"


def _explained(key: str, value: Any, message: str) -> Problem:
    if key == "expires":
        return key, f"{value!r:.60} is not a day; write for example 2027-03-31"
    return rowsfile.explained(key, value, message, _CHOICES)

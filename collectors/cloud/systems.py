"""The registry of systems: which there are, whose they are, and what is said of their move to the
cloud.

CSV or YAML; docs/attribution.md describes the file for people who write one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from collectors import csvtable, rowsfile, strictyaml
from collectors.cloud.override import DATE_REMEDY, dated
from collectors.cloud.owners import MAX_NAME, clean
from collectors.cloud.ownersettings import Aliases
from collectors.csvtable import Heads, Row, Table
from collectors.rowsfile import Problem, RowErrors, Tell, rows_of, teller, text_problem
from collectors.strictyaml import Document, DocumentError, hint

KEY = "systems"
OnCloud = Literal["yes", "no", "planned"]
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "system": ("系统", "系统名称", "业务系统", "应用系统", "名称", "name", "app"),
    "department": ("部门", "单位", "单位名称", "部门名称", "主管部门", "建设单位", "dept"),
    "region": ("区域", "区县", "地区", "所属区域"),
    "on_cloud": ("上云", "是否上云", "上云状态", "上云情况"),
    "since": ("上云日期", "上云时间", "日期"),
    "note": ("备注", "说明"),
}
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "on_cloud": {
        **dict.fromkeys(("是", "已上云", "已", "√", "y", "Y", "Yes", "YES", "true"), "yes"),
        **dict.fromkeys(("否", "未上云", "未", "×", "n", "N", "No", "NO", "false"), "no"),
        **dict.fromkeys(("计划", "计划中", "拟上云", "计划上云", "迁移中", "Planned"), "planned"),
    }
}
_HEADS: Final = Heads(COLUMNS, ("system", "department"))
_EXAMPLE = "{system: …, department: …}"
_STAND_INS: Row = {"system": "?", "department": "?"}

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`on_cloud` None: the registry does not say, and what the cloud holds tells. `since` is the
    day from which `on_cloud` holds."""

    system: Name
    department: Name
    region: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    on_cloud: OnCloud | None = None
    since: date | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class SystemErrors(RowErrors):
    """Everything that is wrong with a registry of systems."""


class Registry(msgspec.Struct, frozen=True):
    """Systems under their official names; no two of a department have one name."""

    systems: tuple[System, ...] = ()

    @classmethod
    def load(cls, path: str, aliases: Aliases | None = None) -> Registry:
        """The registry in a file. Raises SystemErrors, and DocumentError where it cannot be
        read."""
        return parse(strictyaml.read(path), path, aliases or Aliases())


def parse(content: bytes, path: str, aliases: Aliases) -> Registry:
    """The registry in `content`: YAML or CSV by the name of its file, else by its first row."""
    named = path.endswith((".csv", ".tsv")), path.endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and csvtable.looks_like(content, _HEADS)):
        return _of_table(csvtable.parse(content, path, _HEADS, dict), aliases)
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), f"expected a mapping with the key {KEY}")
    for key in document.data:
        if key != KEY:
            mistakes.append(document.error((key,), f"unknown key; {hint(key, [KEY])}"))
    rows = rows_of(document, KEY, "system", _EXAMPLE, mistakes)
    tell = teller(document, KEY, [number for number, _ in rows])
    return _checked(path, [row for _, row in rows], tell, aliases, mistakes)


def _of_table(table: Table, aliases: Aliases) -> Registry:
    if not table.heads.keys() >= set(_HEADS.required):
        raise SystemErrors(table.path, table.mistakes)  # every row would lack them
    mistakes = list(table.mistakes)
    if not table.rows:
        mistakes.append(DocumentError(table.path, None, "there is no system below the heads"))
    return _checked(table.path, table.rows, table.tell, aliases, mistakes)


def _checked(
    path: str, rows: Sequence[Row], tell: Tell, aliases: Aliases, mistakes: list[DocumentError]
) -> Registry:
    found: list[System] = []
    known: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows):
        one, problems = rowsfile.converted(_translated(row), System, _STAND_INS, _explained)
        wrong = {key for key, _ in problems}
        problems += [problem for problem in _texts(one) if problem[0] not in wrong]
        mistakes += [tell(number, key, problem) for key, problem in problems]
        if problems:
            continue
        one = msgspec.structs.replace(
            one,
            system=aliases.of("system", clean(one.system)),
            department=aliases.of("department", clean(one.department)),
            region=aliases.of("region", clean(one.region)),
        )
        first = known.setdefault((one.department, one.system), number)
        if first != number:
            line = tell(first, "system", "").line
            problem = f"{one.system!r} of {one.department!r} is on line {line} already"
            mistakes.append(tell(number, "system", f"{problem}; leave one of the two out"))
        found.append(one)
    if mistakes:
        raise SystemErrors(path, mistakes)
    return Registry(tuple(found))


def _translated(row: Row) -> Row:
    on_cloud: Any = row.get("on_cloud")
    if isinstance(on_cloud, bool):  # yes and no of YAML 1.1
        row = {**row, "on_cloud": "yes" if on_cloud else "no"}
    if "since" in row:
        row = {**row, "since": dated(row["since"])}
    return rowsfile.translated(row, VALUES)


def _explained(key: str, value: Any, message: str) -> Problem:
    if key == "since" and value is not None:
        return key, f"{str(value)!r:.60} is no date; {DATE_REMEDY}"
    return rowsfile.explained(key, value, message, {"on_cloud": get_args(OnCloud)})


def _texts(one: System) -> Iterator[Problem]:
    for key in ("system", "department", "region", "note"):
        if problem := text_problem(getattr(one, key)):
            yield key, problem
    for key in ("system", "department"):
        if not clean(getattr(one, key)):
            yield key, f"{getattr(one, key)!r:.60} is no {key}; leave the row out"

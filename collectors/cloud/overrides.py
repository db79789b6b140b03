"""The override table: CSV or YAML that says whose resources are, and from which day to which.

What it says is believed before anything that the cloud tells. docs/attribution.md describes the
file for people who write one.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from collectors import csvtable, rowsfile, strictyaml
from collectors.cloud.glob import is_glob, matches
from collectors.cloud.override import DAY, Override, Seen, same_id
from collectors.cloud.overridecheck import Checked
from collectors.cloud.ownersettings import Aliases
from collectors.csvtable import Heads, Table
from collectors.rowsfile import RowErrors, rows_of, teller
from collectors.strictyaml import Document, DocumentError, hint

KEY = "overrides"
ALIASES = "aliases"
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "resource": ("资源", "资源id", "资源编号", "资源标识", "uuid", "id", "云主机id", "实例id"),
    "name": ("名称", "资源名称", "云主机", "云主机名称", "主机名", "主机名称", "实例名称"),
    "project": ("项目", "项目名称", "项目id", "租户", "租户名称", "tenant"),
    "kind": ("类型", "资源类型", "类别", "种类", "type"),
    "department": (
        "部门",
        "单位",
        "单位名称",
        "部门名称",
        "主管部门",
        "使用单位",
        "使用部门",
        "dept",
    ),
    "system": ("系统", "业务系统", "系统名称", "应用", "应用系统", "app"),
    "region": ("区域", "区县", "地区", "所属区域"),
    "environment": ("环境", "环境类型", "env"),
    "valid_from": ("生效日期", "开始日期", "起始日期", "生效时间", "起", "from"),
    "valid_to": ("失效日期", "结束日期", "截止日期", "终止日期", "失效时间", "止", "to"),
    "note": ("备注", "说明", "原因", "reason"),
}
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "kind": {
        **dict.fromkeys(("云主机", "虚拟机", "服务器", "实例", "vm", "instance"), "server"),
        **dict.fromkeys(("云硬盘", "云盘", "硬盘", "磁盘", "卷", "disk"), "volume"),
        **dict.fromkeys(("物理机", "宿主机", "主机", "物理服务器"), "host"),
        **dict.fromkeys(("容器",), "container"),
    }
}
_HEADS: Final = Heads(COLUMNS, ("department",))
_RANK: Final = attrgetter("rank")
_EXAMPLE = "{name: …, department: …}"


class OverrideErrors(RowErrors):
    """Everything that is wrong with an override table."""


class Overrides:
    """Rows with the lines they stand on; `find` is fast however many there are."""

    def __init__(
        self,
        rows: Iterable[tuple[int, Override]] = (),
        path: str = "",
        aliases: Aliases | None = None,
    ) -> None:
        self.path, self.aliases = path, aliases or Aliases()
        self.rows = tuple(rows)
        self._ids: dict[str, list[Ranked]] = {}
        self._names: dict[str, list[Ranked]] = {}
        self._projects: dict[str, list[Ranked]] = {}  # of rows that take any name
        self._begins: dict[int, dict[str, list[Ranked]]] = {}  # by how a name begins
        self._ends: dict[int, dict[str, list[Ranked]]] = {}
        self._rest: list[Ranked] = []
        for number, (line, row) in enumerate(self.rows):
            self._place(row).append(_ranked(row, line, number))

    @classmethod
    def load(cls, path: str) -> Overrides:
        """The table in a file. Raises OverrideErrors, and DocumentError where it cannot be read."""
        return parse(strictyaml.read(path), path)

    def find(self, seen: Seen, day: date) -> list[Ranked]:
        """The rows of a resource on a day, what is nearest to it first."""
        return [one for one in self.ever(seen) if one.row.on(day)]

    def ever(self, seen: Seen) -> list[Ranked]:
        """The rows of a resource on any day, what is nearest to it first."""
        if not self.rows:
            return []
        id, project, project_name = map(same_id, (seen.id, seen.project, seen.project_name))
        seen = seen._replace(id=id, project=project, project_name=project_name)
        found = [
            *self._ids.get(seen.id, ()),
            *self._names.get(seen.name, ()),
            *self._projects.get(seen.project, ()),
            *self._projects.get(seen.project_name, ()),
            *self._rest,
        ]
        for size, begins in self._begins.items():
            found += begins.get(seen.name[:size], ())
        for size, ends in self._ends.items():
            found += ends.get(seen.name[-size:], ())
        if not found:
            return []
        right = {one.number: one for one in found if _takes(one.row, seen)}
        return sorted(right.values(), key=_RANK)

    def loose(self, all_seen: Iterable[Seen], day: date) -> list[int]:
        """The lines of rows that hold on a day and fit none of all resources of clouds. A row for
        hosts is none of them: the history has those."""
        fit = {one.number for seen in all_seen for one in self.find(seen, day)}
        return [
            line
            for number, (line, row) in enumerate(self.rows)
            if number not in fit and row.on(day) and row.kind != "host"
        ]

    def _place(self, row: Override) -> list[Ranked]:
        """Where the row is looked for, by what it fixes most."""
        if row.resource is not None:
            return self._ids.setdefault(same_id(row.resource), [])
        name = row.name or "*"
        if not is_glob(name):
            return self._names.setdefault(name, [])
        begin = name[: min(name.find(one) for one in "*?" if one in name)]
        end = name[max(name.rfind("*"), name.rfind("?")) + 1 :]
        if begin:
            return self._begins.setdefault(len(begin), {}).setdefault(begin, [])
        if end:
            return self._ends.setdefault(len(end), {}).setdefault(end, [])
        if row.project is not None and not is_glob(row.project):
            return self._projects.setdefault(same_id(row.project), [])
        return self._rest


class Ranked(NamedTuple):
    """A row with its line. The nearest to a resource ranks first; of two as near the one that
    begins later, then the one that stands first."""

    row: Override
    line: int
    number: int
    rank: tuple[Any, ...]
    nearness: tuple[Any, ...]


def nearest(rows: Sequence[Ranked], day: date) -> Override | None:
    """The row that decides on a day, of those of a resource."""
    return next((one.row for one in rows if one.row.on(day)), None)


def decided_since(rows: Sequence[Ranked], day: date) -> date | None:
    """The day from which the rows of a resource have said the same as on this one, by a row that
    began or one that ended; None where they always did."""
    now = nearest(rows, day)
    owner = now and now.owner
    for first in sorted({it for one in rows for it in one.row.changes if it <= day}, reverse=True):
        before = nearest(rows, first - DAY)
        if (before and before.owner) != owner:
            return first
    return None


def _ranked(row: Override, line: int, number: int) -> Ranked:
    by_id, name, project, kind = row.weight
    nearness = not by_id, -name, -project, not kind
    began = row.valid_from.toordinal() if row.valid_from else 0
    return Ranked(row, line, number, (*nearness, -began, number), nearness)


def _takes(row: Override, seen: Seen) -> bool:
    """`seen` has UUIDs in small letters."""
    return (
        (row.resource is None or same_id(row.resource) == seen.id)
        and row.kind in (None, seen.kind)
        and (row.name is None or _is(row.name, seen.name))
        and (
            row.project is None
            or _is(same_id(row.project), seen.project)
            or _is(same_id(row.project), seen.project_name)
        )
    )


def _is(pattern: str, text: str) -> bool:
    return pattern == text or (is_glob(pattern) and matches(pattern, text))


def parse(content: bytes, path: str) -> Overrides:
    """The table in `content`: YAML or CSV by the name of its file, else by its first row."""
    named = path.endswith((".csv", ".tsv")), path.endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and csvtable.looks_like(content, _HEADS)):
        return _of_table(csvtable.parse(content, path, _HEADS, dict))
    return _of_document(content, path)


def _of_table(table: Table) -> Overrides:
    if not table.heads.keys() >= set(_HEADS.required):
        raise OverrideErrors(table.path, table.mistakes)  # every row would lack them
    rows = [rowsfile.translated(row, VALUES) for row in table.rows]
    checked = Checked(rows, table.tell, Aliases())
    mistakes = [*table.mistakes, *checked.mistakes]
    if not table.rows:
        mistakes.append(DocumentError(table.path, None, "there is no row below the heads"))
    return _finished(table.path, checked, table.numbers, Aliases(), mistakes)


def _of_document(content: bytes, path: str) -> Overrides:
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), f"expected a mapping with the key {KEY}")
    for key in document.data:
        if key not in (KEY, ALIASES):
            mistakes.append(document.error((key,), f"unknown key; {hint(key, [KEY, ALIASES])}"))
    aliases = _aliases(document, mistakes)
    # a file of aliases alone is one too
    alone = KEY not in document.data and ALIASES in document.data
    rows = [] if alone else rows_of(document, KEY, "override", _EXAMPLE, mistakes)
    tell = teller(document, KEY, [number for number, _ in rows])
    translated = [rowsfile.translated(row, VALUES) for _, row in rows]
    checked = Checked(translated, tell, aliases)
    lines = [document.line((KEY, number)) or 0 for number, _ in rows]
    return _finished(path, checked, lines, aliases, [*mistakes, *checked.mistakes])


def _aliases(document: Document, mistakes: list[DocumentError]) -> Aliases:
    given = document.data.get(ALIASES)
    if given is None:
        return Aliases()
    part = copy.copy(document)  # knows the lines of all, and is asked for one key
    part.data = {ALIASES: given}
    try:
        return part.convert(_Part).aliases
    except DocumentError as error:
        mistakes.append(error)
        return Aliases()


class _Part(msgspec.Struct, frozen=True):
    aliases: Aliases


def _finished(
    path: str,
    checked: Checked,
    lines: list[int],
    aliases: Aliases,
    mistakes: list[DocumentError],
) -> Overrides:
    if mistakes:
        raise OverrideErrors(path, mistakes)
    rows = ((lines[number], row) for number, row in checked.rows)
    return Overrides(rows, os.path.basename(path), aliases)

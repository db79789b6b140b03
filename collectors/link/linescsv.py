"""Lines from a spreadsheet: CSV (RFC 4180) in UTF-8, or in GB18030 as a Chinese Excel saves it.

The first row names the columns, in English or Chinese and in any order. Several targets stand in
one cell, with spaces or `;` between them. Commas, semicolons or tabs part the cells.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Final, NamedTuple

from collectors.link.linecheck import Row
from collectors.strictyaml import DocumentError

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("名称", "线路", "线路名称", "线路名", "line"),
    "site": ("站点", "单位", "接入单位", "单位名称", "站点名称"),
    "level": ("级别", "层级", "单位级别", "行政级别"),
    "carrier": ("运营商", "承建商", "isp"),
    "role": ("角色", "主备", "主/备", "线路角色"),
    "peer": ("对端线路", "对端", "配对线路", "主备对端"),
    "bandwidth": ("带宽", "合同带宽", "签约带宽"),
    "targets": ("目标", "目标地址", "探测目标", "地址", "target", "address"),
    "family": ("协议", "地址族", "ip协议"),
    "probes": ("探测", "探测方式", "probe"),
    "dscp": ("服务等级",),
    "payload": ("载荷", "包长", "负载字节"),
    "source": ("源", "源地址", "源接口"),
    "device": ("设备", "设备名称", "路由器"),
    "interface": ("接口", "端口", "接口名称"),
}
_KEYS: Final = {word: key for key, words in COLUMNS.items() for word in (key, *words)}
_BLANK = " \t\r\n\u3000\u00a0\ufeff"


class Table(NamedTuple):
    """Rows with the keys of lines, the number of each one's first line, the heads as written."""

    path: str
    rows: list[Row]
    numbers: list[int]
    heads: dict[str, str]
    mistakes: list[DocumentError]

    def tell(self, row: int, key: str, problem: str) -> DocumentError:
        """A mistake in a row, named by its column."""
        column, bracket, rest = key.partition("[")
        head = self.heads.get(column, column)
        return DocumentError(self.path, self.numbers[row], f"{head}{bracket}{rest}: {problem}")


def looks_like_csv(content: bytes) -> bool:
    """Whether the first row is one of columns that we know."""
    try:
        first = decoded(content[: 1 << 16], "").lstrip(_BLANK).partition("\n")[0]
    except DocumentError:
        return False
    cells = {cell.strip(_BLANK + '"').lower() for cell in re.split("[,;\t]", first)}
    keys = {_KEYS[cell] for cell in cells if cell in _KEYS}
    return {"name", "targets"} <= keys


def parse(content: bytes, path: str) -> Table:
    """The rows of a table; raises DocumentError where it is none."""
    text = decoded(content, path)
    table = Table(path, [], [], {}, [])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            cells = [cell.strip(_BLANK) for cell in cells]
            if not any(cells):
                continue
            if columns is None:
                columns = _columns(cells, number, table)
            else:
                _add(table, columns, cells, number)
    except csv.Error as error:
        table.mistakes.append(DocumentError(path, begins, f"is not CSV: {error}; see the quotes"))
    if columns is None:
        raise DocumentError(path, None, "is empty; the first row names the columns")
    return table


def decoded(content: bytes, path: str) -> str:
    """The text, by its byte order mark, else UTF-8, else GB18030 (of which GBK is a part)."""
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DocumentError(path, None, "is an Excel workbook; save it as 'CSV UTF-8'")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
    raise DocumentError(path, line, "is neither UTF-8 nor GB18030; save it as 'CSV UTF-8'")


def _delimiter(text: str) -> str:
    head = text.lstrip(_BLANK).partition("\n")[0]
    return max(",;\t", key=head.count)


def _columns(cells: list[str], number: int, table: Table) -> list[str]:
    """The key of each column, empty where it is unknown."""
    columns: list[str] = []
    for cell in cells:
        key = _KEYS.get(cell.lower(), "")
        if not cell:
            pass
        elif not key:
            problem = f"unknown column {cell!r:.60}; {_nearest(cell.lower())}"
            table.mistakes.append(DocumentError(table.path, number, problem))
        elif key in columns:
            problem = f"the column {cell!r} is {key}, which {table.heads[key]!r} is already"
            table.mistakes.append(DocumentError(table.path, number, problem))
            key = ""
        columns.append(key)
        table.heads.setdefault(key, cell)
    table.mistakes.extend(
        DocumentError(table.path, number, f"there is no column {key!r}")
        for key in ("name", "targets")
        if key not in columns
    )
    return columns


def _add(table: Table, columns: list[str], cells: list[str], number: int) -> None:
    if any(cells[len(columns) :]):
        problem = f"has {len(cells)} cells, and there are {len(columns)} columns"
        table.mistakes.append(DocumentError(table.path, number, problem))
    given = {key: cell for key, cell in zip(columns, cells, strict=False) if key and cell}
    row: dict[str, Any] = {key: given[key] for key in given if key not in ("device", "interface")}
    if "targets" in row:
        row["targets"] = re.split(r"[;；,，、\s]+", row["targets"].strip(";；,，、"))
    if "probes" in row:
        row["probes"] = [_probe(text) for text in re.split(r"[;；\s]+", row["probes"])]
    if "device" in given or "interface" in given:
        parts = {"device": given.get("device"), "name": given.get("interface")}
        row["interface"] = {key: value for key, value in parts.items() if value}
    table.rows.append(row)
    table.numbers.append(number)


def _probe(text: str) -> Any:
    """`icmp`, or `MODULE=TARGET`."""
    module, equals, target = text.partition("=")
    return {"module": module, "target": target} if equals else text


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, _KEYS, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(COLUMNS)}"

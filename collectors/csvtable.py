"""Tables from a spreadsheet: CSV (RFC 4180) in UTF-8, or in GB18030 as a Chinese Excel saves it.

The first row names the columns, in English or Chinese and in any order. Commas, semicolons or tabs
part the cells.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from collectors.strictyaml import NO_WORKBOOK, WORKBOOK, DocumentError

Row = dict[str, Any]
BLANK: Final = " \t\r\n\u3000\u00a0\ufeff"


class Heads:
    """The columns of one kind of table: the key of each with its other names, and which must be."""

    def __init__(self, columns: Mapping[str, tuple[str, ...]], required: tuple[str, ...]) -> None:
        self.columns, self.required = columns, required
        self.keys = {word: key for key, words in columns.items() for word in (key, *words)}

    def nearest(self, name: str) -> str:
        import difflib

        near = difflib.get_close_matches(name, self.keys, 1)
        return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self.columns)}"


class Table(NamedTuple):
    """Rows by keys, the number of each one's first line, the heads as written."""

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


def looks_like(content: bytes, heads: Heads) -> bool:
    """Whether the first row is one of columns that we know."""
    return known_columns(content, heads).issuperset(heads.required)


def known_columns(content: bytes, heads: Heads) -> set[str]:
    """The keys of those columns of the first row that we know."""
    try:
        first = decoded(content[: 1 << 16], "").lstrip(BLANK).partition("\n")[0]
    except DocumentError:
        return set()
    cells = {cell.strip(BLANK + '"').lower() for cell in re.split("[,;\t]", first)}
    return {heads.keys[cell] for cell in cells if cell in heads.keys}


def parse(content: bytes, path: str, heads: Heads, row_of: Callable[[Row], Row]) -> Table:
    """The rows of a table; `row_of` makes one of the cells that are not empty, by their keys.

    Raises DocumentError where it is no table.
    """
    text = decoded(content, path)
    table = Table(path, [], [], {}, [])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text), strict=True)
    columns: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            cells = [cell.strip(BLANK) for cell in cells]
            if not any(cells):
                continue
            if columns is None:
                columns = _columns(cells, number, table, heads)
            else:
                given = _given(table, columns, cells, number)
                table.rows.append(row_of(given))
                table.numbers.append(number)
    except csv.Error as error:
        table.mistakes.append(DocumentError(path, begins, f"is not CSV: {error}; see the quotes"))
    if columns is None:
        raise DocumentError(path, None, "is empty; the first row names the columns")
    return table


def decoded(content: bytes, path: str) -> str:
    """The text, by its byte order mark, else UTF-8, else GB18030 (of which GBK is a part)."""
    if content.startswith(WORKBOOK):
        raise DocumentError(path, None, NO_WORKBOOK)
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


def listed(cell: str) -> list[str]:
    """The entries of one cell: spaces, `;`, `,` or `、` part them."""
    return re.split(r"[;；,，、\s]+", cell.strip(";；,，、"))


def delimiter(text: str) -> str:
    head = text.lstrip(BLANK).partition("\n")[0]
    return max(",;\t", key=head.count)


def _columns(cells: list[str], number: int, table: Table, heads: Heads) -> list[str]:
    """The key of each column, empty where it is unknown."""
    columns: list[str] = []
    for cell in cells:
        key = heads.keys.get(cell.lower(), "")
        if not cell:
            pass
        elif not key:
            problem = f"unknown column {cell!r:.60}; {heads.nearest(cell.lower())}"
            table.mistakes.append(DocumentError(table.path, number, problem))
        elif key in columns:
            problem = f"the column {cell!r} is {key}, which {table.heads[key]!r} is already"
            table.mistakes.append(DocumentError(table.path, number, problem))
            key = ""
        columns.append(key)
        table.heads.setdefault(key, cell)
    table.mistakes.extend(
        DocumentError(table.path, number, f"there is no column {key!r}")
        for key in heads.required
        if key not in columns
    )
    return columns


def _given(table: Table, columns: list[str], cells: list[str], number: int) -> Row:
    if any(cells[len(columns) :]):
        problem = f"has {len(cells)} cells, and there are {len(columns)} columns"
        table.mistakes.append(DocumentError(table.path, number, problem))
    return {key: cell for key, cell in zip(columns, cells, strict=False) if key and cell}

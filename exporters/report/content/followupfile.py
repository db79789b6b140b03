"""The file in which advice is followed up from month to month: CSV that a person edits in a spreadsheet in between.

It is read as spreadsheets save it, in UTF-8, UTF-16 or GB18030, and written in UTF-8 with a byte order mark, aside and
renamed, by one report at a time. Rows that nothing has changed and columns that people added stay as they are.
docs/report-files.md describes it.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from collectors import csvtable, strictyaml
from collectors.csvtable import BLANK
from collectors.rowsfile import RowErrors, nearest
from collectors.strictyaml import DocumentError
from exporters import locks
from exporters.aside import replacing
from exporters.report.content import followup
from exporters.report.content.followup import Facts
from exporters.report.content.followupcells import guarded
from exporters.report.content.followuprow import HEADS, OPTIONAL, Row, cells, row_of
from exporters.report.document import FollowUps

_KEYS: Final = {
    word.lower(): key for key, text in HEADS.items() for word in (key, text.zh, text.en)
}
_NEEDED: Final = tuple(key for key in HEADS if key not in OPTIONAL)
_LATER: Final = "make the report again when it is closed in the spreadsheet"


class FollowUpErrors(RowErrors):
    """Everything that is wrong with a follow-up file. It stays as it is."""


class Layout(NamedTuple):
    """Columns as they stand: the key of each, empty of those that people added, and its head."""

    keys: tuple[str, ...]
    heads: tuple[str, ...]
    language: str
    delimiter: str = ","

    @classmethod
    def new(cls, language: str) -> Layout:
        return cls(tuple(HEADS), tuple(text.of(language) for text in HEADS.values()), language)


class File(NamedTuple):
    """`raw` are the cells of each row by its id, as they stand."""

    layout: Layout
    rows: tuple[Row, ...] = ()
    raw: dict[str, tuple[Row, list[str]]] = {}  # noqa: RUF012


def carry(path: str, facts: Facts, language: str = "zh", write: bool = True) -> FollowUps:
    """Take the file on by a month and tell what became of the advice in it; with `write` it is written where that
    changes anything, by who is `holding` it. No file is an empty one. Raises FollowUpErrors, and DocumentError where
    it cannot be read or written."""
    content = _read(path)
    new, told = _carried(path, content, facts, language)
    if write and new is not None:
        _write(Path(path), new, content)
    return told


@contextmanager
def holding(path: str) -> Iterator[None]:
    """No other report uses the file meanwhile. Raises DocumentError."""
    at = Path(path)
    try:
        lock = locks.locked(at.with_name(f".{at.name}.lock"), "another report is using it")
    except FileNotFoundError as error:
        raise DocumentError(path, None, f"there is no folder {at.parent}; make it") from error
    except OSError as error:
        raise DocumentError(path, None, f"cannot be locked: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(lock)


def _carried(
    path: str, content: bytes | None, facts: Facts, language: str
) -> tuple[bytes | None, FollowUps]:
    """What is to be written, if anything."""
    file = File(Layout.new(language)) if content is None else parse(content, path, facts.today)
    rows, told = followup.carry(file.rows, facts, file.layout.language)
    return (dump(file, rows) if tuple(rows) != file.rows else None), told


def _read(path: str) -> bytes | None:
    return strictyaml.read(path) if os.path.lexists(path) else None


def _write(path: Path, content: bytes, before: bytes | None) -> None:
    try:
        with replacing(path, mode=0o660, new=before is None) as file:
            file.write(content)
            if _read(str(path)) != before:
                raise DocumentError(str(path), None, f"was saved by somebody meanwhile; {_LATER}")
    except OSError as error:
        raise DocumentError(str(path), None, f"cannot be written: {error.strerror}") from error


def parse(content: bytes, path: str, today: date | None = None) -> File:
    """Raises FollowUpErrors with all that is wrong, and DocumentError where it is no table. With `today` no day in
    it may be later."""
    text = csvtable.decoded(content, path)
    mark = csvtable.delimiter(text)
    lines = _lines(text, mark, path)
    if not lines:
        raise DocumentError(path, None, "is empty; take it away to begin a new one")
    (number, head), *rest = lines
    width = max(len(_trimmed(row)) for _, row in lines)
    layout, mistakes = _layout(head[:width], number, path, mark)
    if any(key not in layout.keys for key in _NEEDED):
        raise FollowUpErrors(path, mistakes)  # every row would lack them
    rows, raw, seen = [], {}, _Seen(path)
    for number, row in rest:
        if len(row := _trimmed(row)) > len(layout.keys):
            problem = f"has {len(row)} cells, and there are {len(layout.keys)} columns"
            mistakes.append(DocumentError(path, number, problem))
            continue
        row += [""] * (len(layout.keys) - len(row))
        given = {key: cell for key, cell in zip(layout.keys, row, strict=True) if key}
        one, problems = row_of(given, today)
        for key, problem in problems:
            told = layout.heads[layout.keys.index(key)] if key in layout.keys else key
            mistakes.append(DocumentError(path, number, f"{told}: {problem}"))
        if not problems:
            extra = (cell for key, cell in zip(layout.keys, row, strict=True) if not key)
            one = msgspec.structs.replace(one, extra=tuple(extra))
            mistakes += seen.twice(one, number)
            rows.append(one)
            raw[one.id] = one, row
    if mistakes:
        raise FollowUpErrors(path, mistakes)
    return File(layout, tuple(rows), raw)


def dump(file: File, rows: Iterable[Row]) -> bytes:
    """The file with these rows: those that it has already as they stand in it."""
    layout = _whole(file.layout)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=layout.delimiter)
    writer.writerow(map(_harmless, layout.heads))
    width = len(file.layout.keys)
    for row in rows:
        before, raw = file.raw.get(row.id, (None, []))
        if row == before and width == len(layout.keys):
            writer.writerow(map(_harmless, raw))
            continue
        made, extra = cells(row, layout.language), iter(row.extra)
        writer.writerow(made[key] if key else _harmless(next(extra, "")) for key in layout.keys)
    return out.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    """A cell as somebody wrote it, unless a spreadsheet would take it for a formula."""
    return cell if cell.startswith("'") else guarded(cell, numbers=True)


def _lines(text: str, mark: str, path: str) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, each with its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    found, begins = [], 1
    try:
        for row in reader:
            if any(cell.strip(BLANK) for cell in row):
                found.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        problem = f"is not CSV: {error}; see the quotes, or take back the last copy of it"
        raise DocumentError(path, begins, problem) from error
    return found


def _trimmed(row: Sequence[str]) -> list[str]:
    """Without the empty cells at its end."""
    end = len(row)
    while end and not row[end - 1].strip(BLANK):
        end -= 1
    return list(row[:end])


def _layout(
    head: Sequence[str], number: int, path: str, mark: str
) -> tuple[Layout, list[DocumentError]]:
    keys, mistakes = [], []
    for cell in head:
        key = _KEYS.get(cell.strip(BLANK).lower(), "")
        if key and key in keys:
            problem = f"the column {cell!r:.60} is there twice; name one of them otherwise"
            mistakes.append(DocumentError(path, number, problem))
            key = ""
        keys.append(key)
    for key in _NEEDED:
        if key not in keys:
            words = f"{HEADS[key].zh} / {HEADS[key].en}"
            near = nearest(HEADS[key].zh, dict.fromkeys(cell for cell in head if cell))
            problem = f"there is no column {words}; {near}"
            mistakes.append(DocumentError(path, number, problem))
    english = [cell for key, cell in zip(keys, head, strict=True) if key and cell.isascii()]
    language = "en" if 2 * len(english) > sum(map(bool, keys)) else "zh"
    return Layout(tuple(keys), tuple(head), language, mark), mistakes


def _whole(layout: Layout) -> Layout:
    """With the columns that somebody took out."""
    gone = [key for key in HEADS if key not in layout.keys]
    heads = (*layout.heads, *(HEADS[key].of(layout.language) for key in gone))
    return layout._replace(keys=(*layout.keys, *gone), heads=heads)


class _Seen:
    """An id is of one row, and one row of a resource is open at a time: else its savings would count twice."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.ids: dict[str, int] = {}
        self.open: dict[str, int] = {}

    def twice(self, row: Row, number: int) -> list[DocumentError]:
        wrong = []
        if (line := self.ids.setdefault(row.id, number)) != number:
            problem = f"{row.id!r:.60} is on line {line} already; give one of them another number"
            wrong.append(DocumentError(self.path, number, problem))
        if row.open and (line := self.open.setdefault(row.resource, number)) != number:
            problem = f"{row.resource!r:.60} is open on line {line} already; close or remove one"
            wrong.append(DocumentError(self.path, number, problem))
        return wrong

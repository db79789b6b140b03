"""The folder that `jianwei report` writes into, read by the names that it gives its files (exporters/report/rendering.py):
`report-2026-10.zh.html` is the whole report, `report-2026-10-市财政局.zh.html` an excerpt, which has nothing of others.
They are in the folder itself, or where it was delivered to, in a folder of their month: `2026-10/report-2026-10.zh.html`.

A name that is not of this form is not served, nor is anything that is no plain file of these folders: a link may lead
out of it. Whose excerpt a file is its name says exactly, as no two departments have one; what cannot be attributed is
for those who see every department.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import BinaryIO, Final, TypeVar

import msgspec

from exporters.report.rendering import named

_NAME: Final = re.compile(
    r"report-(\d{4}-(?:0[1-9]|1[0-2]))(?:-([\w-]{1,60}))?\.(zh|en)\."
    r"(html|pdf|xlsx|json|[a-z][a-z0-9_]{0,40}\.csv)",
)
_MONTH: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK: Final = 1 << 16
MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}

T = TypeVar("T")


class Name(msgspec.Struct, frozen=True):
    """What a file's name says. `excerpt` is the part for a department, empty for the whole report; `table` is that of
    a CSV file."""

    name: str
    month: str
    excerpt: str
    language: str
    format: str
    table: str = ""


class File(msgspec.Struct, frozen=True):
    name: Name
    size: int
    made: datetime


class Unreadable(Exception):
    """The folder cannot be read; `str()` says why."""


def parsed(name: str) -> Name | None:
    """None for what is no file of a report."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    table, _, format = found[4].rpartition(".")
    return Name(name, found[1], found[2] or "", found[3], format, table)


def sees(name: Name, departments: tuple[str, ...] | None) -> bool:
    """Whether it is for somebody who sees these departments (None: all): of some, their excerpts alone."""
    if departments is None:
        return True
    return bool(name.excerpt) and name.excerpt in {named(one) for one in departments}


def names(folder: str, departments: tuple[str, ...] | None) -> list[Name]:
    """Of all files that are for them, newest month first; raises Unreadable."""
    with _folder(folder) as top:
        found, months = _listed(top)
        for month in months:
            with _folder(month, top) as place:
                found |= {
                    name: one for name, one in _listed(place)[0].items() if one.month == month
                }
    shown = [one for one in found.values() if sees(one, departments)]
    shown.sort(key=lambda it: (it.excerpt, it.language, it.format, it.table))
    shown.sort(key=lambda it: it.month, reverse=True)
    return shown


def files(folder: str, chosen: list[Name]) -> list[File]:
    """Those of them that are plain files, with what the folder says of them; raises Unreadable."""
    found = []
    with _folder(folder) as top:
        for name in chosen:
            told = _first(top, name, _told)
            if told is not None:  # it was there a moment ago
                found.append(File(name, told.st_size, datetime.fromtimestamp(told.st_mtime, UTC)))
    return found


def opened(folder: str, name: Name) -> tuple[BinaryIO, int] | None:
    """The file and its size; None where there is no such plain file. Raises Unreadable."""
    with _folder(folder) as top:
        return _first(top, name, _open)


def content(file: BinaryIO, size: int) -> Iterator[bytes]:
    """As many bytes as were promised, in parts."""
    with file:
        while size > 0 and (part := file.read(min(_CHUNK, size))):
            size -= len(part)
            yield part


def _listed(place: int) -> tuple[dict[str, Name], list[str]]:
    """The files of reports in a folder, and its folders of months."""
    names, months = {}, []
    try:
        with os.scandir(place) as every:
            for one in every:
                if one.is_file(follow_symlinks=False) and (name := parsed(one.name)):
                    names[one.name] = name
                elif _MONTH.fullmatch(one.name) and one.is_dir(follow_symlinks=False):
                    months.append(one.name)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    return names, months


def _first(top: int, name: Name, ask: Callable[[int, str], T | None]) -> T | None:
    """What the folder itself gives, else that of the file's month."""
    found = ask(top, name.name)
    if found is None:
        with suppress(Unreadable), _folder(name.month, top) as place:  # none, or a link
            found = ask(place, name.name)
    return found


def _told(place: int, name: str) -> os.stat_result | None:
    try:
        told = os.stat(name, dir_fd=place, follow_symlinks=False)
    except OSError:
        return None
    return told if stat.S_ISREG(told.st_mode) else None


def _open(place: int, name: str) -> tuple[BinaryIO, int] | None:
    try:
        handle = os.open(name, _FILE, dir_fd=place)
    except OSError:
        return None
    told = os.fstat(handle)
    if not stat.S_ISREG(told.st_mode):
        os.close(handle)
        return None
    return os.fdopen(handle, "rb", buffering=0), told.st_size


@contextmanager
def _folder(path: str, within: int | None = None) -> Iterator[int]:
    """A folder; `within` another one it is no link."""
    try:
        flags = _FOLDER if within is None else _FOLDER | os.O_NOFOLLOW
        handle = os.open(path, flags, dir_fd=within)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    try:
        yield handle
    finally:
        os.close(handle)

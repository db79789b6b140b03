"""This machine as a source: files, globs, commands and system calls under a configurable root.

Formats: proc(5), sysfs, stat(2), statvfs(3), adjtimex(2), shadow(5).
Every child has a fixed argv, a deadline, an output cap and its own process group.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from collectors.model import (
    Answer,
    Command,
    File,
    FileKind,
    FileStat,
    Glob,
    Inventory,
    MountUsage,
    ParseError,
    Reading,
    Stat,
)
from collectors.sources import commands, inventories, mounts

_CHUNK = 1 << 16


class LocalSource:
    """Answers readings on this machine. `root` is where the host's `/` is seen."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._mounts = mounts.MountReader(self._root)

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        return {reading: self._one(reading) for reading in readings}

    def _one(self, reading: Reading) -> Answer:
        match reading:
            case File(path=path, limit=limit):
                return _read(self._root + path, limit)
            case Glob():
                return self._glob(reading)
            case Stat(pattern=pattern):
                return self._stat(pattern)
            case Command():
                return commands.run(reading)
            case MountUsage():
                return _attempt(lambda: self._mounts.rows(reading))
            case Inventory(kind=kind):
                table: dict[str, Callable[[], Iterable[msgspec.Struct]]] = inventories.LOCAL
                if kind == "shadow":
                    return _attempt(lambda: inventories.shadow(self._root + "/etc/shadow"))
                return _attempt(table[kind])

    def _glob(self, reading: Glob) -> Answer:
        children: list[tuple[str, Answer]] = []
        try:
            for match in _expand(self._root, reading.pattern):
                if not reading.names:
                    children.append((match, _read(self._root + match, reading.limit)))
                    continue
                for name in reading.names:
                    path = f"{match}/{name}"
                    answer = _read(self._root + path, reading.limit)
                    if answer.state != "absent":
                        children.append((path, answer))
        except OSError as error:
            return _from_error(error)
        return Answer("content", children=tuple(children))

    def _stat(self, pattern: str) -> Answer:
        def rows() -> Iterable[FileStat]:
            for path in _expand(self._root, pattern):
                status = os.lstat(self._root + path)
                yield FileStat(
                    path,
                    _kind(status.st_mode),
                    stat.S_IMODE(status.st_mode),
                    status.st_uid,
                    status.st_gid,
                    status.st_size,
                )

        return _attempt(rows)


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def _attempt(rows: Callable[[], Iterable[msgspec.Struct]]) -> Answer:
    try:
        return Answer("content", msgspec.json.encode(list(rows())))
    except OSError as error:
        return _from_error(error)
    except ParseError as error:
        return Answer("failed", reason=str(error))


def _from_error(error: OSError) -> Answer:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO):
        return Answer("absent", reason="no such file")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Answer("denied", reason="permission denied")
    return Answer("failed", reason=os.strerror(error.errno or 0))


def _read(path: str, limit: int) -> Answer:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            content = more = os.read(descriptor, _CHUNK)
            # procfs and sysfs give a short read before the end, so only an empty one ends a file
            while more and len(content) <= limit:
                more = os.read(descriptor, _CHUNK)
                content += more
            if len(content) > limit:
                return Answer("failed", reason=f"longer than {limit} bytes")
            return Answer("content", content)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _from_error(error)


def _expand(root: str, pattern: str) -> list[str]:
    """Paths that match, sorted, without the root; no match is an empty list."""
    found = [""]
    for part in pattern.strip("/").split("/"):
        if not any(character in part for character in "*?["):
            found = [f"{base}/{part}" for base in found]
            continue
        matches: list[str] = []
        for base in found:
            try:
                names = os.listdir(f"{root}{base}/")
            except (FileNotFoundError, NotADirectoryError):
                continue
            hidden = part.startswith(".")
            matches += (
                f"{base}/{name}"
                for name in sorted(names)
                if (hidden or not name.startswith(".")) and fnmatch.fnmatchcase(name, part)
            )
        found = matches
    return [path for path in found if os.path.lexists(root + path)]

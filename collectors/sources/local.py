"""This machine as a source: files, globs, commands and system calls under a configurable root.

Formats: proc(5), sysfs, stat(2), statvfs(3), adjtimex(2), shadow(5).
Every child has a fixed argv, a deadline, an output cap and its own process group.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from collectors.model import (
    Answer,
    Command,
    File,
    Glob,
    Handshakes,
    Inventory,
    MountUsage,
    ParseError,
    Reading,
    Stat,
    Walk,
)
from collectors.pemblocks import certificates_only
from collectors.rows import FileKind, FileStat
from collectors.secretwords import masked
from collectors.sources import authorizedkeys, bounds, commands, inventories, mounts, walks
from collectors.sources.globbing import expand

_CHUNK = 1 << 16
_PAGE = 4096
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
_ATTRIBUTES = ("/sys/", "/proc/sys/")
# Asked of the kernel by a call that sees the namespaces of this process, not those of the root.
_OF_THIS_PROCESS = ("sockets", "listeners", "processes")
_ABSENT = Answer("absent", reason="no such file")
_NOT_PLAIN = Answer("failed", reason="is not a regular file")
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.ESRCH)


class LocalSource:
    """Answers readings on this machine. `root` is where the host's `/` is seen: commands run in
    there, or not at all, since those of here would tell of another system."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._mounts = mounts.MountReader(self._root)

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        return {reading: self._one(reading) for reading in readings}

    def _one(self, reading: Reading) -> Answer:
        match reading:
            case File(path=path, limit=limit):
                if path.startswith(_ATTRIBUTES):
                    return _attribute(self._root + path, limit)
                answer = _read(self._root + path, limit, plain=not path.startswith("/proc/"))
                return without_secrets(answer) if reading.masked else answer
            case Glob():
                return self._glob(reading)
            case Stat(pattern=pattern):
                return _attempt(lambda: self._stat(pattern))
            case Command():
                return commands.run_in(self._root, reading) if self._root else commands.run(reading)
            case MountUsage():
                return _attempt(lambda: self._mounts.rows(reading))
            case Walk():
                return _attempt(lambda: [walks.walk(reading, self._root)])
            case Handshakes():
                return self._unseen() or _attempt(lambda: _handshakes(reading))
            case Inventory(kind=kind):
                table: dict[str, Callable[[], Iterable[msgspec.Struct]]] = inventories.LOCAL
                if kind == "shadow":
                    return _attempt(lambda: inventories.shadow(self._root + "/etc/shadow"))
                if kind == "authorized_keys":
                    return _attempt(lambda: authorizedkeys.local(self._root))
                unseen = self._unseen() if kind in _OF_THIS_PROCESS else None
                return unseen or _attempt(table[kind])

    def _unseen(self) -> Answer | None:
        """Why there is no answer to what is asked of this system, and not of a tree."""
        return (
            Answer("failed", reason=f"cannot be seen through {self._root}") if self._root else None
        )

    def _glob(self, reading: Glob) -> Answer:
        try:
            # what is named under a match shows by itself whether the match is there
            matches = expand(self._root, reading.pattern, sure=bool(reading.names))
            children = self._children(reading, matches)
            if reading.certificates:
                children = ((path, reduced(answer)) for path, answer in children)
            if reading.masked:
                children = ((path, without_secrets(answer)) for path, answer in children)
            return bounds.of_children(children)
        except OSError as error:
            return _from_error(error)
        except ParseError as error:
            return Answer("failed", reason=str(error))

    def _children(self, reading: Glob, matches: list[str]) -> Iterator[tuple[str, Answer]]:
        if reading.names:
            for match in matches:
                yield from _inside(self._root, match, reading.names, reading.limit)
            return
        for folder, paths in groupby(matches, lambda path: path.rpartition("/")[0]):
            names = [path[len(folder) + 1 :] for path in paths]
            # an fstat each, which the many files of `names` are spared: they are the kernel's
            yield from _inside(self._root, folder, names, reading.limit, plain=True)

    def _stat(self, pattern: str) -> Iterator[FileStat]:
        for path in expand(self._root, pattern):
            try:
                status = os.lstat(self._root + path)
            except FileNotFoundError:
                continue  # gone since the directory was listed
            yield FileStat(
                path,
                kind_of(status.st_mode),
                stat.S_IMODE(status.st_mode),
                status.st_uid,
                status.st_gid,
                status.st_size,
                status.st_mtime,
                self._target(path) if stat.S_ISLNK(status.st_mode) else "",
            )

    def _target(self, path: str) -> str:
        real = _real(self._root + path)
        return real.removeprefix(_real(self._root)) if self._root else real


def _handshakes(reading: Handshakes) -> Iterable[msgspec.Struct]:
    from collectors.sources import handshakes  # ssl and threads, which no other reading needs

    return handshakes.observe_own(reading)


def reduced(answer: Answer) -> Answer:
    """An answer of which only the certificates are left."""
    return msgspec.structs.replace(answer, content=certificates_only(answer.content))


def without_secrets(answer: Answer) -> Answer:
    """An answer in which what is secret by its name is masked."""
    return msgspec.structs.replace(answer, content=masked(answer.content))


def _real(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it leads nowhere
        return os.path.realpath(path)
    try:
        # the kernel has resolved the path already; realpath would look at each part again
        return os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def kind_of(mode: int) -> FileKind:
    """What the `st_mode` of a path says it is."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def _attempt(rows: Callable[[], Iterable[msgspec.Struct]]) -> Answer:
    try:
        return Answer("content", encode_rows(list(rows())))
    except OSError as error:
        return _from_error(error)
    except ParseError as error:
        return Answer("failed", reason=str(error))


def encode_rows(rows: Sequence[msgspec.Struct]) -> bytes:
    """Rows as the content of an answer."""
    try:
        return msgspec.json.encode(rows)
    except UnicodeEncodeError:  # anybody can give a file or a process a name that is not UTF-8
        return printable(json.dumps(msgspec.to_builtins(rows), ensure_ascii=False)).encode()


def printable(text: str) -> str:
    """Text with U+FFFD for bytes that are not UTF-8, which Python keeps as lone surrogates."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _from_error(error: OSError) -> Answer:
    if error.errno in _GONE:
        return _ABSENT
    if error.errno in (errno.EACCES, errno.EPERM):
        return Answer("denied", reason="permission denied")
    return Answer("failed", reason=os.strerror(error.errno or 0))


def _inside(
    root: str, folder: str, names: Sequence[str], limit: int, plain: bool = False
) -> Iterator[tuple[str, Answer]]:
    """Files of one directory that are there; `plain` as in `_read`."""
    directory = None
    base, shown = f"{root}{folder}/", printable(folder)
    if len(names) > 2:  # opened relative to their directory, each costs half as much
        try:
            directory = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            answer = _from_error(error)
            if answer is not _ABSENT:
                yield from ((f"{shown}/{printable(name)}", answer) for name in names)
            return
        base = ""
    other = functools.partial(_read, plain=True) if plain else _read
    read = _attribute if folder.startswith(_ATTRIBUTES) else other
    try:
        for name in names:
            answer = read(base + name, limit, directory)
            if answer is not _ABSENT:
                yield f"{shown}/{name if name.isascii() else printable(name)}", answer
    finally:
        if directory is not None:
            os.close(directory)


def _attribute(path: str, limit: int, directory: int | None = None) -> Answer:
    """An attribute of the kernel: read in one go if it is less than a page, as they are."""
    try:
        descriptor = os.open(path, _READ, dir_fd=directory)
        try:
            content = os.read(descriptor, _PAGE)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _from_error(error)
    if len(content) >= min(_PAGE, limit):
        return _read(path, limit, directory)
    return Answer("content", content)


def _read(path: str, limit: int, directory: int | None = None, plain: bool = False) -> Answer:
    """The whole of a file. `plain`: never waits, as for the writer of a FIFO, but fails there."""
    try:
        descriptor = os.open(path, _READ | os.O_NONBLOCK if plain else _READ, dir_fd=directory)
        try:
            if plain and kind_of(os.fstat(descriptor).st_mode) == "other":
                return _NOT_PLAIN
            content = more = os.read(descriptor, _CHUNK)
            # procfs gives a short read before the end, so only an empty one ends a file
            while more and len(content) <= limit:
                more = os.read(descriptor, _CHUNK)
                content += more
        finally:
            os.close(descriptor)
    except OSError as error:
        if plain and error.errno == errno.ENXIO:  # a socket
            return _NOT_PLAIN
        return _from_error(error)
    if len(content) > limit:
        return Answer("failed", reason=f"longer than {limit} bytes")
    return Answer("content", content)

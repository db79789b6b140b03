"""A file that is made aside and takes its name when it is whole: nobody reads half of one.

Meanwhile it is `.name.<random>.aside`, and its maker holds a lock on it, flock(2). Who comes next for the same
name removes those without: their makers were killed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_END: Final = ".aside"
_SIDES: Final = ("", "-wal", "-shm", "-journal")  # of SQLite, where it writes the file
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def replacing(path: Path, mode: int = 0o666, new: bool = False) -> Iterator[BinaryIO]:
    """An empty file, whose `name` is its path, that becomes `path` unless an exception is raised within.

    It keeps the mode of a file that it replaces; else it has `mode`, less the umask. With `new` there must be no such
    file, not even then. Raises OSError."""
    _remove_left(path)
    file = _made(path, mode)
    try:
        yield file
        file.flush()
        if not new:
            with suppress(FileNotFoundError):
                old = os.stat(path, follow_symlinks=False)
                if stat.S_ISREG(old.st_mode):
                    os.fchmod(file.fileno(), old.st_mode & 0o777)
        os.fsync(file.fileno())
        (os.link if new else os.replace)(file.name, path)
        _sync_folder(path.parent)
    finally:
        _remove(file.name)
        file.close()


def _made(path: Path, mode: int) -> BinaryIO:
    while True:
        name = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_END}")
        file = open(name, "wb", opener=lambda at, _: os.open(at, _FLAGS, mode))  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if name.exists() and os.path.samestat(os.fstat(file.fileno()), name.stat()):
                return file
        except BaseException:
            _remove(str(name))
            file.close()
            raise
        file.close()  # somebody took it for one that was left, before it was locked


def _remove_left(path: Path) -> None:
    """What those left that were killed."""
    start = f".{path.name}."
    for name in os.listdir(path.parent):
        if not (name.startswith(start) and name.endswith(_END)):
            continue
        with suppress(OSError):  # of another user, or in use
            handle = os.open(path.with_name(name), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(str(path.with_name(name)))
            finally:
                os.close(handle)


def _remove(name: str) -> None:
    for side in _SIDES:
        with suppress(FileNotFoundError):
            os.unlink(f"{name}{side}")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""A walk over local file systems: scandir(3) and lstat(2) of what is there, links not followed.

Directories are visited in the order of their paths, component by component: the path of the last
one is then all that it takes to go on later. Others may move things meanwhile: a directory is
opened without following a link, and left at once where it is on another file system. What is no
directory may be on any: overlay(5) shows files as those of the layers they are in.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import time
from collections.abc import Iterator
from urllib.parse import quote_from_bytes, unquote_to_bytes

from collectors.model import Walk
from collectors.rows import FileKind, Noted, Walked

MAX_NOTED = 20_000
MAX_UNREAD = 20  # directories that are named
ANYBODY = 0o002
SET_ID = 0o6000
SUBVOLUME = (
    256  # the inode number of the top of each btrfs subvolume, which has a device of its own
)
LONGEST = 4000  # bytes of a path that are given to the kernel at once: it takes 4095

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

Key = tuple[bytes, ...]


def walk(reading: Walk, root: str) -> Walked:
    """The walk on this machine, the host's `/` being at `root`; raises OSError if no root of it
    can be read at all."""
    return _Walk(reading, root).run()


def noteworthy(kind: FileKind, mode: int) -> bool:
    """Whether a file or a directory is noted for its mode."""
    if kind == "file":
        return bool(mode & (SET_ID | ANYBODY))
    return kind == "directory" and mode & (ANYBODY | stat.S_ISVTX) == ANYBODY


class _Walk:
    def __init__(self, reading: Walk, root: str) -> None:
        self._reading, self._root = reading, os.fsencode(root)
        self._users, self._groups = _Ids(root, "passwd"), _Ids(root, "group")
        self._excluded = {_key(os.fsencode(path)) for path in reading.exclude}
        self._deadline = time.monotonic() + reading.seconds
        self._noted: list[Noted] = []
        self._unread: list[str] = []
        self._roots = frozenset(_key(os.fsencode(path)) for path in reading.roots)
        self._entries = self._dropped = 0
        self._problem: OSError | None = None

    def run(self) -> Walked:
        words = [_key(unquote_to_bytes(word)) for word in self._reading.after.split(" ")]
        resumed, after = (words[0], words[1]) if len(words) == 2 else (None, None)
        begun = False
        for root in sorted(self._roots):
            if resumed is not None and root < resumed:
                continue
            for last in self._below(root, after if root == resumed else None):
                begun = True
                late = time.monotonic() > self._deadline
                if late or self._entries >= self._reading.entries:
                    return self._told(f"{_marked(root)} {_marked(last)}")
        if self._problem and not begun:
            raise self._problem
        return self._told("")

    def _told(self, after: str) -> Walked:
        return Walked(tuple(self._noted), after, self._entries, tuple(self._unread), self._dropped)

    def _below(self, root: Key, after: Key | None) -> Iterator[Key]:
        """Each directory of one file system once it has been looked through, those that come
        after `after`."""
        try:
            status = os.lstat(self._path(root))
        except OSError as error:
            self._failed(root, error)
            return
        if after is None:
            self._note(root, status)
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            done = after is not None and folder <= after
            if done and after and after[: len(folder)] != folder:
                continue  # all that is below it comes before `after` too
            try:
                below = self._look_through(folder, status, note=not done)
            except OSError as error:
                self._failed(folder, error)
                below = []
            waiting += sorted(below, reverse=True)
            if not done:
                yield folder

    def _look_through(self, folder: Key, top: os.stat_result, note: bool) -> list[Key]:
        """Notes what is in a directory; the directories in it that are to be visited. `top` is that of
        the file system."""
        below = []
        descriptor = _opened(self._path(folder))
        try:
            if os.fstat(descriptor).st_dev != top.st_dev:
                return []
            # entries of a descriptor have names that are text, those not UTF-8 as os.fsdecode has them
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # gone since it was listed
                    key = (*folder, os.fsencode(entry.name))
                    if key in self._excluded or key in self._roots:
                        continue
                    if note:
                        self._entries += 1
                        self._note(key, status)
                    if not stat.S_ISDIR(status.st_mode):
                        continue
                    if status.st_dev == top.st_dev:
                        below.append(key)
                    elif note and status.st_ino == top.st_ino == SUBVOLUME:
                        self._left_out(key)  # nothing is mounted there: no other walk comes by
        finally:
            os.close(descriptor)
        return below

    def _note(self, key: Key, status: os.stat_result) -> None:
        mode = status.st_mode
        kind: FileKind = "other"
        if stat.S_ISREG(mode):
            kind = "file"
        elif stat.S_ISDIR(mode):
            kind = "directory"
        unowned = status.st_uid not in self._users or status.st_gid not in self._groups
        if not unowned and not noteworthy(kind, mode):
            return
        if len(self._noted) >= MAX_NOTED:
            self._dropped += 1
            return
        path = os.fsdecode(b"/" + b"/".join(key))
        row = Noted(path, kind, stat.S_IMODE(mode), status.st_uid, status.st_gid, unowned)
        self._noted.append(row)

    def _failed(self, folder: Key, error: OSError) -> None:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and folder:
            return  # gone, or a file that something is mounted on
        self._problem = error
        self._left_out(folder)

    def _left_out(self, folder: Key) -> None:
        if len(self._unread) < MAX_UNREAD:
            self._unread.append(os.fsdecode(b"/" + b"/".join(folder)))

    def _path(self, key: Key) -> bytes:
        return self._root + b"/" + b"/".join(key)


def _opened(path: bytes) -> int:
    """A directory, however long its path is; of its last part no link is followed."""
    descriptor = None
    while len(path) > LONGEST:
        head = path[:LONGEST].rpartition(b"/")[0]
        path = path[len(head) + 1 :]
        try:
            below = os.open(head, _OPEN & ~os.O_NOFOLLOW | os.O_PATH, dir_fd=descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        descriptor = below
    try:
        return os.open(path, _OPEN, dir_fd=descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


class _Ids:
    """The ids that somebody has: of the file under `root`, and of the name service where that is
    this machine's own."""

    def __init__(self, root: str, table: str) -> None:
        self._known: dict[int, bool] = {}
        self._own = not root
        self._users = table == "passwd"
        with open(f"{root}/etc/{table}", "rb") as file:
            for line in file:
                fields = line.split(b":")
                if len(fields) > 3 and fields[2].isdigit() and len(fields[2]) < 11:
                    self._known[int(fields[2])] = True

    def __contains__(self, number: int) -> bool:
        found = self._known.get(number)
        if found is None:
            found = self._known[number] = self._own and self._asked(number)
        return found

    def _asked(self, number: int) -> bool:
        try:
            if self._users:
                pwd.getpwuid(number)
            else:
                grp.getgrgid(number)
        except (KeyError, OverflowError):
            return False
        return True


def _key(path: bytes) -> Key:
    return tuple(part for part in path.split(b"/") if part)


def _marked(key: Key) -> str:
    return quote_from_bytes(b"/" + b"/".join(key))

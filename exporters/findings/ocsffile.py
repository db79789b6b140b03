"""OCSF events in a file, one a line, that log rotation may rename: it is opened anew for each batch."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from typing import Final

from exporters.findings.delivery import SinkError

BATCH: Final = 1000


class FileSink:
    """A line is there whole, on disk, before it counts as taken; what a crash left of one stays apart."""

    batch = BATCH

    def __init__(self, path: str) -> None:
        self._path = path

    def send(self, bodies: Sequence[bytes]) -> None:
        try:
            self._append(b"".join(body + b"\n" for body in bodies))
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is open between batches."""

    def _append(self, content: bytes) -> None:
        # non-blocking, for a FIFO would be waited for without end
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o640)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(None, "is not a regular file")
            try:
                # whoever may read it may hold a lock on it for ever
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(error.errno, "another process holds a lock on it") from error
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                content = b"\n" + content  # a crash in the middle of a line
            try:
                _write(descriptor, content)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)  # nobody reads half a batch
                raise
        finally:
            os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]

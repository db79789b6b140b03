"""One process at a time: a lock file that the kernel gives back whatever ends its holder. flock(2)."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

LOCK_PATIENCE: Final = 5.0  # seconds for a holder before us to end


def locked(
    path: Path, whose: str = "another process uses it", patience: float | None = None
) -> int:
    """A descriptor that holds the lock; OSError where another process does, for `patience` seconds or
    LOCK_PATIENCE."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + (LOCK_PATIENCE if patience is None else patience)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise OSError(error.errno, whose, str(path)) from error
            time.sleep(0.05)
        except BaseException:
            os.close(descriptor)
            raise
        else:
            return descriptor

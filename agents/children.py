"""Heavy work in short-lived children that run our own command, so that its memory leaves with them.

A child is niced and has a deadline, which timeout(1) keeps even when the agent is killed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from collectors.sources.commands import Ended, finish

OUTPUT_LIMIT = 64 << 20  # bytes, of a line where lines are read
GRACE = 5  # seconds; the agent ends its child itself before timeout(1) does


def run(
    arguments: tuple[str, ...],
    seconds: float,
    errors: int | None = None,
    stop: threading.Event | None = None,
    given: int = subprocess.DEVNULL,
    lines: Callable[[bytes], None] | None = None,
) -> Ended:
    """Run `jianwei ARGUMENTS` for `seconds` at most, or until `stop` is set.

    `given` is a descriptor for its standard input, `lines` is given each line of its output as it comes.
    """
    nice = ("nice", "-n", "10") if _there("nice") else ()  # some busyboxes have none
    guard = ("timeout", "-s", "KILL", f"{seconds + GRACE:g}", *nice)
    argv = (*guard, sys.executable, "-P", "-m", "agents", *arguments)
    return finish(argv, seconds, OUTPUT_LIMIT, os.environ, errors, stop, given, lines=lines)


def _there(program: str) -> bool:
    """shutil.which(), whose module is not worth its memory here."""
    return any(os.access(os.path.join(one, program), os.X_OK) for one in os.get_exec_path())


@contextlib.contextmanager
def giving(content: bytes) -> Iterator[int]:
    """A descriptor for a child's standard input: a file in memory, since a pipe blocks where the
    child does not read."""
    given = os.memfd_create("given")
    try:
        with open(given, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(given, 0, os.SEEK_SET)
        yield given
    finally:
        os.close(given)

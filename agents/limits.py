"""What a rule pack may cost at most: the engine runs in native code, which no Python can interrupt."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MEMORY = 1 << 30  # bytes beyond what the process has when it begins to judge


@contextmanager
def limited(seconds: float, setting: str = "the limit") -> Iterator[None]:
    """The kernel ends the process (SIGALRM, or SIGABRT for memory) when the block takes too much.

    A line on standard error then says so and names the `setting`. Only in the main thread;
    elsewhere it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    line = f"judging was ended before it was done; it may take {seconds:g} s ({setting}) and 1 GiB"
    with _mourned(f"jianwei: {line}\n".encode()), bounded(seconds):
        yield


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """The same without that line, for a child whose parent tells."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _size() + MEMORY
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        if soft == resource.RLIM_INFINITY or soft > wanted:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _mourned(line: bytes) -> Iterator[None]:
    """A child writes the line if this process ends within the block: the dead cannot do it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(writer)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if not os.read(reader, 1):
                os.write(2, line)
        finally:
            os._exit(0)
    os.close(reader)
    try:
        yield
    finally:
        os.write(writer, b".")
        os.close(writer)
        os.waitpid(child, 0)


def _size() -> int:
    """Address space of this process in bytes."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

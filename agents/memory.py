"""Memory of a process that runs for months: mallopt(3) of the GNU C library."""

from __future__ import annotations

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h


def share_one_arena() -> None:
    """All threads allocate from one heap; to be called before they start. Each would get its own, mostly
    empty, for the sake of a concurrency that Python does not have."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # other C libraries have no such arenas
        libc.mallopt(_ARENA_MAX, 1)

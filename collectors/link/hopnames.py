"""The names of hops by reverse DNS: getnameinfo(3), many at once, for a bounded time.

Whoever runs the reverse zone decides what a name says: only letters, digits, `-`, `_` and `.` are
taken as they are. A look-up cannot be interrupted, so each thread is a daemon that is given up.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from collectors.link.path import Path

_THREADS = 16
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST = 253  # of a DNS name


def named(paths: Sequence[Path], timeout: float = 3.0) -> list[Path]:
    """The paths with the names of their hops, empty where there is none within `timeout` seconds."""
    names = look_up({a for path in paths for hop in path.hops for a in hop.addresses}, timeout)
    return [
        msgspec.structs.replace(
            path,
            hops=tuple(
                msgspec.structs.replace(hop, names=tuple(names.get(a, "") for a in hop.addresses))
                for hop in path.hops
            ),
        )
        for path in paths
    ]


def look_up(addresses: Iterable[str], timeout: float) -> dict[str, str]:
    """Names by address, of those that have one."""
    waiting = deque(sorted(addresses))
    found: dict[str, str] = {}
    lock = threading.Lock()

    def work() -> None:
        while True:
            try:
                address = waiting.popleft()
            except IndexError:
                return
            name = _name(address)
            with lock:
                found[address] = name

    threads = [
        threading.Thread(target=work, name="names", daemon=True)
        for _ in range(min(_THREADS, len(waiting)))
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    waiting.clear()
    with lock:
        return {address: name for address, name in found.items() if name}


def _name(address: str) -> str:
    try:
        name, _ = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)
    except (OSError, UnicodeError):
        return ""
    return harmless(name)


def harmless(name: str) -> str:
    """A name as it may be shown: `?` for what no name of a host has."""
    return _ODD.sub("?", name)[:_LONGEST]

"""What the system tells by a call: sockets, processes, shadow, uname, clock, adjtimex.

Formats: psutil, uname(2), adjtimex(2), shadow(5). Password hashes are reduced here to their
scheme, so that none leaves this function.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from collectors.model import malformed
from collectors.rows import Clock, Process, ShadowEntry, Socket, Timex, Uname
from collectors.sources.listeners import listeners

# struct timex of <sys/timex.h>, its padding by native alignment
_TIMEX = struct.Struct("@I4li8li5li44x")
_TIMEX_FIELDS = (
    *("modes", "offset", "freq", "maxerror", "esterror", "status"),
    *("constant", "precision", "tolerance", "sec", "usec", "tick", "ppsfreq", "jitter"),
    *("shift", "stabil", "jitcnt", "calcnt", "errcnt", "stbcnt", "tai"),
)


def sockets() -> Iterator[Socket]:
    """TCP and UDP sockets of both families with the process that owns them, where visible."""
    import psutil

    names: dict[int, str] = {}
    for entry in psutil.net_connections(kind="inet"):
        pid = entry.pid or 0
        if pid and pid not in names:
            try:
                names[pid] = psutil.Process(pid).name()
            except psutil.Error:
                names[pid] = ""
        yield Socket(
            "ipv6" if entry.family == socket.AF_INET6 else "ipv4",
            "tcp" if entry.type == socket.SOCK_STREAM else "udp",
            entry.status,
            entry.laddr.ip if entry.laddr else "",
            entry.laddr.port if entry.laddr else 0,
            pid,
            names.get(pid, ""),
        )


def processes() -> Iterator[Process]:
    """Every process, with the states of its threads (letters of /proc/PID/task/TID/stat)."""
    import psutil

    for process in psutil.process_iter():
        states = []
        try:
            for task in os.listdir(f"/proc/{process.pid}/task"):
                with open(f"/proc/{process.pid}/task/{task}/stat", "rb") as file:
                    # the name in parentheses may hold anything, so count from the last one
                    states.append(chr(file.read().rpartition(b") ")[2][0]))
            with open(f"/proc/{process.pid}/stat", "rb") as file:
                state = chr(file.read().rpartition(b") ")[2][0])
            yield Process(process.pid, process.name(), state, len(states), "".join(sorted(states)))
        except (psutil.Error, OSError, IndexError):
            continue  # it ended while it was looked at


def uname() -> Iterator[Uname]:
    it = os.uname()
    try:
        with open("/proc/sys/kernel/domainname", "rb", buffering=0) as file:
            domain = file.read().decode("utf-8", "replace").strip()
    except OSError:
        domain = "(none)"
    yield Uname(it.sysname, it.nodename, it.release, it.version, it.machine, domain)


def clock() -> Iterator[Clock]:
    now = time.time()
    local = time.localtime(now)
    yield Clock(now, local.tm_zone, local.tm_gmtoff)


def timex() -> Iterator[Timex]:
    """adjtimex(2) with modes 0, which needs no privilege."""
    state, kernel = _adjtimex()()
    values = dict(zip(_TIMEX_FIELDS, _TIMEX.unpack(kernel), strict=True))
    yield Timex(state, **{field: values[field] for field in Timex.__struct_fields__[1:]})


@functools.cache
def _adjtimex() -> Callable[[], tuple[int, bytes]]:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)

    def call() -> tuple[int, bytes]:
        kernel = ctypes.create_string_buffer(_TIMEX.size)
        state = library.adjtimex(kernel)
        if state < 0:
            raise OSError(ctypes.get_errno(), "adjtimex")
        return state, kernel.raw

    return call


def shadow(path: str) -> list[ShadowEntry]:
    """/etc/shadow with every hash reduced to its scheme."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return parse_shadow(file.read())


def parse_shadow(text: str) -> list[ShadowEntry]:
    """shadow(5); `password` becomes empty, locked, disabled or `$id$` (`des` for the old one)."""

    def days(field: str) -> int | None:
        return int(field) if field else None

    entries = []
    with malformed("shadow"):
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            name, password, *rest = line.split(":")
            rest += [""] * (6 - len(rest))
            changed, least, most, warn, inactive, expires = map(days, rest[:6])
            entries.append(
                ShadowEntry(
                    name, _scheme(password), changed, least, most, warn, inactive, expires, number
                )
            )
    return entries


def _scheme(password: str) -> str:
    if password == "":
        return "empty"
    if password.startswith("!"):
        return "locked"
    if password.startswith("*"):
        return "disabled"
    # an identifier is short: what only begins like one might be somebody's password
    if scheme := re.match(r"\$[A-Za-z0-9-]{1,16}(?=[$,])", password):
        return f"{scheme[0]}$"
    return "des" if len(password) == 13 else "other"


LOCAL: dict[str, Callable[[], Iterable[msgspec.Struct]]] = {
    "sockets": sockets,
    "listeners": listeners,
    "processes": processes,
    "uname": uname,
    "clock": clock,
    "timex": timex,
}

"""Inventories of a host from what its own tools told; pure. The rows are as psutil has them.

Formats: /proc/net/tcp and udp, /proc/PID/stat and cmdline (proc(5)), uname(1), date(1).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from collectors.model import Command, malformed
from collectors.rows import Clock, Process, Socket, Timex, Uname

_TIMEX = (
    "import ctypes as c,struct,sys\n"
    "b=c.create_string_buffer(512)\n"
    "r=c.CDLL(None).adjtimex(b)\n"
    "r<0 and sys.exit(1)\n"
    "print(r,*struct.unpack_from('@i4li8li5li',b))\n"
)

COMMANDS = {
    "uname": Command(("uname", "-snrvm")),  # the script adds the domain name
    "clock": Command(("date", "+%s.%N %z %Z")),
    "timex": Command(("python3", "-c", _TIMEX)),
}

_STATES: Final = {
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECV",
    "04": "FIN_WAIT1",
    "05": "FIN_WAIT2",
    "06": "TIME_WAIT",
    "07": "CLOSE",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
}
_TABLES: Final[tuple[tuple[str, Literal["tcp", "udp"], Literal["ipv4", "ipv6"], str], ...]] = (
    ("tcp", "tcp", "ipv4", "0A"),
    ("tcp6", "tcp", "ipv6", "0A"),
    ("udp", "udp", "ipv4", "07"),
    ("udp6", "udp", "ipv6", "07"),
)


def sockets(told: Mapping[str, bytes]) -> list[Socket]:
    """`told`: the tables of /proc/net; fd: a process's number, then `s` and each of its sockets;
    stat and the command lines as for `processes`."""
    owners: dict[str, int] = {}
    found: dict[tuple[object, ...], Socket] = {}
    with malformed("sockets"):
        pid = 0
        for line in told.get("fd", b"").decode("ascii", "replace").splitlines():
            if line.startswith("s "):
                owners[line[2:]] = max(pid, owners.get(line[2:], 0))
            else:
                pid = int(line)
        names = {pid: name for pid, _, name, _ in _stats(told.get("stat", b""), _lines(told))}
        for row, peer, _, inode in _table(told):
            pid = owners.get(inode, 0)
            # sockets that nobody owns are told apart by their peers only
            key = row, peer, inode if pid else ""
            found[key] = msgspec.structs.replace(row, pid=pid, process=names.get(pid, ""))
    return list(found.values())


def listeners(told: Mapping[str, bytes]) -> list[Socket]:
    """Listening TCP and unconnected UDP sockets from the tables of /proc/net."""
    with malformed("listeners"):
        return [row for row, _, listening, _ in _table(told) if listening]


def _table(told: Mapping[str, bytes]) -> Iterator[tuple[Socket, str, bool, str]]:
    """Socket, peer, whether anybody may talk to it, inode."""
    for name, protocol, family, open_state in _TABLES:
        for line in told.get(name, b"").decode("ascii").splitlines()[1:]:
            fields = line.split()
            address, port = _address(fields[1])
            state = _STATES[fields[3]] if protocol == "tcp" else "NONE"
            row = Socket(family, protocol, state, address, port)
            yield row, fields[2], fields[3] == open_state, fields[9]


def _address(text: str) -> tuple[str, int]:
    """`0100007F:0016`: words of 32 bits in the byte order of the host, which is little-endian."""
    words, _, port = text.partition(":")
    if not int(port, 16):
        return "", 0
    raw = b"".join(bytes.fromhex(words[i : i + 8])[::-1] for i in range(0, len(words), 8))
    return str(ipaddress.ip_address(raw)), int(port, 16)


def processes(told: Mapping[str, bytes]) -> list[Process]:
    """`told`: "": lines `/proc/PID/task/TID/stat:…`; names: as `_lines` has it."""
    threads: dict[int, list[str]] = {}
    own: dict[int, tuple[str, str]] = {}
    with malformed("processes"):
        for pid, tid, name, state in _stats(told.get("", b""), _lines(told)):
            threads.setdefault(pid, []).append(state)
            if tid == pid:
                own[pid] = name, state
    return [
        Process(pid, name, state, len(threads[pid]), "".join(sorted(threads[pid])))
        for pid, (name, state) in sorted(own.items())
    ]


def _lines(told: Mapping[str, bytes]) -> dict[int, bytes]:
    """The beginnings of command lines by process, where they are needed: out of
    `/proc/PID/cmdline:PROGRAM`, each ended by NUL."""
    records = told.get("names", b"").split(b"\0")
    found = (re.match(rb"/proc/(\d{1,9})/cmdline:(.*)", record, re.DOTALL) for record in records)
    return {int(match[1]): match[2] + b"\0" for match in found if match}


def _stats(content: bytes, lines: Mapping[int, bytes]) -> Iterator[tuple[int, int, str, str]]:
    """Process, thread, name and state from lines of `grep -H`.

    A name may hold anything, even a newline; then its lines carry the same path each.
    """
    by_path: dict[tuple[int, int], str] = {}
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        if match := re.match(r"/proc/(\d+)(?:/task/(\d+))?/stat:(.*)", line, re.DOTALL):
            key = int(match[1]), int(match[2] or match[1])
            by_path[key] = f"{by_path[key]}\n{match[3]}" if key in by_path else match[3]
    for (pid, tid), text in by_path.items():
        name, _, rest = text.partition("(")[2].rpartition(") ")
        if rest:
            yield pid, tid, _full_name(name, lines.get(pid, b"")), rest[0]


def _full_name(name: str, cmdline: bytes) -> str:
    """The kernel keeps 15 bytes of a name; the command line has the rest, if it begins alike."""
    if len(name) < 15 or not cmdline:
        return name
    line = cmdline.decode("utf-8", "surrogateescape")
    first = line.split("\0" if "\0" in line else " ")[0]
    if line.strip("\0") == first:
        first = first.split(" ")[0]
    base = first.rpartition("/")[2]
    return base if base.startswith(name) else name


def _uname(text: str) -> Uname:
    """`uname -snrvm`, of which only the version has blanks, then the domain name."""
    line, _, domain = text.partition("\n")
    sysname, nodename, release, rest = line.split(" ", 3)
    version, _, machine = rest.rpartition(" ")
    return Uname(sysname, nodename, release, version, machine, domain.strip() or "(none)")


def _clock(text: str) -> Clock:
    """`date '+%s.%N %z %Z'`; busybox leaves out the fraction."""
    seconds, offset, zone = text.split()
    match = re.fullmatch(r"(\d+)(\.\d+)?.*", seconds)
    sign = -1 if offset.startswith("-") else 1
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    return Clock(
        float("".join(filter(None, match.groups()))) if match else 0, zone, sign * minutes * 60
    )


def _timex(text: str) -> Timex:
    state, *raw = map(int, text.split())
    modes_to_status = ("", "offset", "freq", "maxerror", "esterror", "status")
    rest = ("constant", "", "", "", "", "tick", "ppsfreq", "jitter", "shift", "stabil", "jitcnt")
    names = (*modes_to_status, *rest, "calcnt", "errcnt", "stbcnt", "tai")
    return Timex(state=state, **{n: v for n, v in zip(names, raw, strict=True) if n})


def _checked(parse: Callable[[str], msgspec.Struct], what: str) -> Callable[[str], msgspec.Struct]:
    def checked(text: str) -> msgspec.Struct:
        with malformed(what):
            return parse(text)

    return checked


SINGLE = {
    "uname": _checked(_uname, "uname"),
    "clock": _checked(_clock, "clock"),
    "timex": _checked(_timex, "timex"),
}

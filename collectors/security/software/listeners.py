"""Sockets that wait for whoever comes: TCP in LISTEN, UDP that is not connected, with processes.

Which program a process runs is in /proc/PID/exe, which root alone may follow, and which unit of systemd it is
of in /proc/PID/cgroup, proc(5), cgroups(7); both are asked for of processes that listen, and of no others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Inventory,
    NeedMore,
    Reading,
    Stat,
    malformed,
)
from collectors.rows import FileStat, Socket

SOCKETS = Inventory("sockets")

MAX_PROCESSES = 100

_LISTENING = {"tcp": "LISTEN", "udp": "NONE"}
_UNIT = re.compile(r"/([^/\n]+\.(?:service|scope))(?=/|$)", re.MULTILINE)


class ListeningCollector(Collector, frozen=True):
    """`listeners`: endpoint (`tcp/[::]:22`), family, protocol, address, port, process, exe (its program),
    unit (of systemd, as in `services`), wildcard (every address of the host), loopback (this host
    only). What could not be seen of a process is empty."""

    name: ClassVar[str] = "listening"
    facts: ClassVar[tuple[str, ...]] = ("listeners",)

    def readings(self) -> tuple[Inventory, ...]:
        return (SOCKETS,)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        with malformed("sockets"):
            found = [
                socket
                for socket in answers.rows(SOCKETS, Socket)
                if socket.port and socket.state == _LISTENING[socket.protocol]
            ]
            pids = sorted({socket.pid for socket in found if socket.pid > 0})[:MAX_PROCESSES]
            wanted = [reading for pid in pids for reading in _readings(pid)]
            if more := [reading for reading in wanted if not answers.asked(reading)]:
                raise NeedMore(*more)
            seen = {pid: _seen(answers, pid) for pid in pids}
            for socket in found:
                row = _row(socket, *seen.get(socket.pid, ("", "")))
                rows.setdefault((row["endpoint"], row["process"]), row)
        yield Fact("listeners", [rows[key] for key in sorted(rows)], {"": "sockets"})


def _readings(pid: int) -> tuple[Reading, Reading]:
    return Stat(f"/proc/{pid}/exe"), File(f"/proc/{pid}/cgroup", 1 << 16)


def _seen(answers: Answers, pid: int) -> tuple[str, str]:
    """Program and unit of a process, empty where they are denied or it has ended meanwhile."""
    exe, unit = "", ""
    link, groups = _readings(pid)
    if answers.answer(link).state == "content":
        targets = [row.target for row in answers.rows(link, FileStat)]
        # a link that may not be followed leads to itself
        exe = next((one for one in targets if one != f"/proc/{pid}/exe"), "")
    if answers.answer(groups).state == "content":
        units = _UNIT.findall(answers.text(groups))
        unit = units[-1] if units else ""
    return exe, unit


def _row(socket: Socket, exe: str, unit: str) -> dict[str, Any]:
    address = ipaddress.ip_address(socket.address.partition("%")[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    shown = f"[{socket.address}]" if socket.family == "ipv6" else socket.address
    return {
        "endpoint": f"{socket.protocol}/{shown}:{socket.port}",
        "family": socket.family,
        "protocol": socket.protocol,
        "address": socket.address,
        "port": socket.port,
        "process": socket.process,
        "exe": exe,
        "unit": unit,
        "wildcard": plain.is_unspecified,
        "loopback": plain.is_loopback,
        "source": f"{socket.process or 'unknown process'} on {socket.protocol}/{socket.port}",
    }

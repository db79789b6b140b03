"""Sockets by protocol: /proc/net/sockstat and sockstat6, proc(5).

`mem` there counts pages. Their size comes from the auxiliary vector (getauxval(3)) of the process
that reads, since it is 4 KiB on x86 but often 64 KiB on arm64, and the source may be another machine.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Family,
    File,
    ParseError,
    gauge,
    malformed,
    sample,
)

V4 = File("/proc/net/sockstat")
V6 = File("/proc/net/sockstat6")
AUXV = File("/proc/self/auxv")

AT_PAGESZ = 6
HELP = {
    "used": "Sockets of every kind in use.",
    "inuse": "{} sockets in use.",
    "orphan": "{} connections that no process holds any more.",
    "tw": "{} connections in state TIME_WAIT.",
    "alloc": "{} sockets allocated in any state.",
    "mem": "Pages of memory that {} buffers take.",
    "memory": "Bytes of memory that {} reassembly takes.",
}


class SockstatCollector(Collector, frozen=True):
    """Sockets in use and their memory, for IPv4 and IPv6."""

    name: ClassVar[str] = "sockstat"

    def readings(self) -> tuple[File, ...]:
        return (V4, V6, AUXV)

    def parse(self, answers: Answers) -> Iterable[Family]:
        v4 = answers.text(V4)
        v6 = answers.maybe(V6) or ""  # absent where IPv6 is off
        if "sockets:" not in v4:
            raise ParseError("/proc/net/sockstat: no line `sockets:`")
        page = _page_size(answers.answer(AUXV))
        with malformed("/proc/net/sockstat"):
            for line in (*v4.splitlines(), *v6.splitlines()):
                label, *fields = line.split()
                protocol = label[:-1]
                for key, number in zip(fields[::2], fields[1::2], strict=True):
                    value = float(number)
                    help = HELP.get(key, f"{key} of {{}} sockets.").format(protocol)
                    yield gauge(f"node_sockstat_{protocol}_{key}", help, sample(value))
                    if key == "mem":
                        yield gauge(
                            f"node_sockstat_{protocol}_mem_bytes",
                            f"Bytes of memory that {protocol} buffers take.",
                            sample(value * page),
                        )


def _page_size(auxv: Answer) -> int:
    """4096 where the vector is not that of a 64-bit little-endian machine."""
    content = auxv.content[: len(auxv.content) // 16 * 16]
    return next(
        (size for key, size in struct.iter_unpack("<QQ", content) if key == AT_PAGESZ), 4096
    )

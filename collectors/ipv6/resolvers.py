"""The resolvers this host asks: resolv.conf(5), and behind the stub of systemd-resolved its own list.

The C library asks the first three. systemd-resolved(8) listens at 127.0.0.53 and writes whom it
asks itself to /run/systemd/resolve/resolv.conf.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from collectors.model import Answers, Collector, Fact, File

RESOLV_CONF = File("/etc/resolv.conf")
UPSTREAM = File("/run/systemd/resolve/resolv.conf")
STUBS: Final = frozenset({"127.0.0.53", "127.0.0.54"})
_ASKED = 3  # MAXNS of resolv.h


class Ipv6ResolversCollector(Collector, frozen=True):
    """Rows: address, family, stub (it asks those of the other rows), source."""

    name: ClassVar[str] = "ipv6_resolvers"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_resolvers",)

    def readings(self) -> tuple[File, ...]:
        return (RESOLV_CONF, UPSTREAM)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = parse_resolv_conf(answers.text(RESOLV_CONF), RESOLV_CONF.path)[:_ASKED]
        for row in rows:
            row["stub"] = row["address"] in STUBS
        if any(row["stub"] for row in rows):
            upstream = parse_resolv_conf(answers.maybe(UPSTREAM) or "", UPSTREAM.path)
            rows += [{**row, "stub": False} for row in upstream]
        yield Fact("ipv6_resolvers", rows)


def parse_resolv_conf(text: str, path: str) -> list[dict[str, Any]]:
    """Rows of address, family, source; what the C library would pass over is not there."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        keyword, *rest = line.split()[:2] or [""]
        if keyword != "nameserver" or not rest:
            continue
        try:
            address = ipaddress.ip_address(rest[0])
        except ValueError:
            continue
        rows.append(
            {
                "address": str(address),
                "family": f"ipv{address.version}",
                "source": f"{path}:{number}",
            }
        )
    return rows

"""Who else is on the link: the neighbour cache (RFC 4861) as `ip -6 neigh show` of iproute2 tells it.

Words, not JSON: `ip -json` came to this command in 2018 only and busybox has none, while the words
have stayed the same: an address, then pairs as `dev eth0` and `lladdr …`, single words as `router`,
and the state in capitals at the end. Entries without need of a neighbour (NOARP) are not listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from collectors.ipv6.routes import IPV6_ROUTE, parse_default_routes
from collectors.model import Answers, Collector, Command, Fact, ParseError, Reading, malformed

NEIGHBOURS = Command(("ip", "-6", "neigh", "show"), timeout=5.0)

# NUD_* of linux/neighbour.h
STATES: Final = frozenset(
    ("permanent", "noarp", "reachable", "stale", "delay", "probe", "failed", "incomplete", "none")
)


class Ipv6NeighboursCollector(Collector, frozen=True):
    """Neighbours with their state; whether each is a router, and one of a default route here."""

    name: ClassVar[str] = "ipv6_neighbours"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_neighbours",)

    def readings(self) -> tuple[Reading, ...]:
        return (NEIGHBOURS, IPV6_ROUTE)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        routes = parse_default_routes(answers.maybe(IPV6_ROUTE) or "")
        routers = {(route.gateway, route.device) for route in routes}
        rows = parse_neighbours(answers.text(NEIGHBOURS))
        for row in rows:
            row["is_default_router"] = (row["address"], row["device"]) in routers
        yield Fact("ipv6_neighbours", rows)


def parse_neighbours(text: str) -> list[dict[str, Any]]:
    """Rows of address, device, lladdr, state, router, source; raises ParseError."""
    rows = []
    with malformed("ip -6 neigh"):
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            address, *words = line.split()
            if words[:1] != ["dev"]:
                raise ParseError(f"ip -6 neigh: line {number} has no device")
            # a device may be named as one of the words that tell something
            device, rest = words[1], words[2:]
            state = rest[-1].lower() if rest and rest[-1].isupper() else "none"
            if state not in STATES:
                raise ParseError(f"ip -6 neigh: line {number}: state {state[:20]!r}")
            rows.append(
                {
                    "address": str(ipaddress.IPv6Address(address)),
                    "device": device,
                    "lladdr": rest[rest.index("lladdr") + 1] if "lladdr" in rest else "",
                    "state": state,
                    "router": "router" in rest,
                    "source": f"ip -6 neigh:{number}",
                }
            )
    return rows

"""IPv6 default routes and their routers: /proc/net/ipv6_route.

Columns, all in hex: destination and its prefix length, source and its prefix length, next hop,
metric, references, uses, flags, then the device. Flags: linux/ipv6_route.h and linux/route.h.
A route that the kernel learned from a router advertisement is told from others; where
NetworkManager or systemd-networkd takes the advertisements, its routes look configured.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NamedTuple

from collectors.model import Answers, Collector, Fact, Family, File, gauge, malformed, sample

IPV6_ROUTE = File("/proc/net/ipv6_route")

UP, GATEWAY, REJECT = 0x1, 0x2, 0x200
ADDRCONF = 0x40000
_PREFERENCES: Final = ("medium", "high", "reserved", "low")  # RFC 4191, at bit 27


class DefaultRoute(NamedTuple):
    """One next hop of a default route. `gateway` is empty where the link itself is the next hop."""

    gateway: str
    device: str
    metric: int
    learned: str
    preference: str
    line: int


class Ipv6RoutesCollector(Collector, frozen=True):
    """Default routes, from where they were learned, and how many routers there are."""

    name: ClassVar[str] = "ipv6_routes"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_routes",)

    def readings(self) -> tuple[File, ...]:
        return (IPV6_ROUTE,)

    def parse(self, answers: Answers) -> Iterable[Family | Fact]:
        routes = parse_default_routes(answers.maybe(IPV6_ROUTE) or "")
        counts = Counter((route.device, route.learned) for route in routes)
        yield gauge(
            "jianwei_ipv6_default_routes",
            "IPv6 default routes by device; learned from router advertisements (ra) or configured.",
            *(
                sample(float(count), device=device, learned=learned)
                for (device, learned), count in counts.items()
            ),
        )
        routers = {(route.gateway, route.device) for route in routes if route.gateway}
        yield gauge(
            "jianwei_ipv6_routers",
            "Different routers among the IPv6 default routes; more than expected may be a rogue.",
            sample(float(len(routers))),
        )
        yield Fact("ipv6_routes", [{**_row(route), "routers": len(routers)} for route in routes])


def parse_default_routes(text: str) -> list[DefaultRoute]:
    """Usable default routes in the kernel's order; raises ParseError."""
    routes = []
    default = "0" * 32 + " 00 "
    with malformed(IPV6_ROUTE.path):
        for number, line in enumerate(text.splitlines(), 1):
            if not line.startswith(default):  # a router has a hundred thousand others
                continue
            hop, metric, _, _, flag_text, device = line.split()[4:]
            flags = int(flag_text, 16)
            if flags & REJECT or not flags & UP:
                continue
            gateway = str(ipaddress.IPv6Address(bytes.fromhex(hop))) if flags & GATEWAY else ""
            routes.append(
                DefaultRoute(
                    gateway,
                    device,
                    int(metric, 16),
                    "ra" if flags & ADDRCONF else "configured",
                    _PREFERENCES[flags >> 27 & 3],
                    number,
                )
            )
    return routes


def _row(route: DefaultRoute) -> dict[str, Any]:
    row = route._asdict()
    row["source"] = f"{IPV6_ROUTE.path}:{row.pop('line')}"
    return row

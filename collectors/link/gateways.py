"""The default gateways of both families as targets: /proc/net/route and /proc/net/ipv6_route.

Of /proc/net/route (proc(5)) the columns are: device, destination, gateway, flags, …, mask; addresses
are in hex in the byte order of the machine.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator

from collectors.ipv6.routes import GATEWAY, IPV6_ROUTE, REJECT, UP, parse_default_routes
from collectors.link.settings import GATEWAY as NAMED
from collectors.model import AddressFamily, Answers, File, Target, malformed

ROUTE = File("/proc/net/route")
READINGS = (ROUTE, IPV6_ROUTE)


def default_gateways(answers: Answers) -> list[Target]:
    """The gateways named `gateway-DEVICE`, further ones of a device with their address behind.

    Raises ParseError and Unavailable.
    """
    targets: list[Target] = []
    taken: set[tuple[str, AddressFamily]] = set()
    found: list[tuple[AddressFamily, str, str]] = [
        *(("ipv4", *one) for one in _ipv4(answers.maybe(ROUTE) or "")),
        *(("ipv6", *one) for one in _ipv6(answers.maybe(IPV6_ROUTE) or "")),
    ]
    for family, device, address in dict.fromkeys(found):
        name = f"{NAMED}{device}"
        if (name, family) in taken:
            name += f"-{address.partition('%')[0]}"
        taken.add((name, family))
        targets.append(Target(name, address, family))
    return targets


def _ipv4(text: str) -> Iterator[tuple[str, str]]:
    with malformed(ROUTE.path):
        for line in text.splitlines()[1:]:
            device, destination, gateway, flag_text, *_, mask, _, _, _ = line.split()
            flags = int(flag_text, 16)
            if int(destination, 16) or int(mask, 16) or flags & REJECT:
                continue
            if flags & UP and flags & GATEWAY:
                packed = int(gateway, 16).to_bytes(4, sys.byteorder)
                yield device, str(ipaddress.IPv4Address(packed))


def _ipv6(text: str) -> Iterator[tuple[str, str]]:
    for route in parse_default_routes(text):
        if route.gateway:
            local = ipaddress.ip_address(route.gateway).is_link_local
            yield route.device, f"{route.gateway}%{route.device}" if local else route.gateway

"""Where packets come from and go to, as ranges of addresses, and a rule's range beside them; pure.

Neighbour discovery and listener discovery have addresses of their own: RFC 4861, 4862, 3810, 2710.
"""

from __future__ import annotations

import ipaddress
from typing import Final, Literal, NamedTuple

Family = Literal["ipv4", "ipv6"]
Range = tuple[int, int]


class Place(NamedTuple):
    """Addresses of all of which packets may be. Those `also` hold further ones, of some packets."""

    first: int
    last: int
    text: str = ""
    also: tuple[Range, ...] = ()

    @property
    def is_group(self) -> bool:
        return self.first >= _GROUPS

    @property
    def is_unspecified(self) -> bool:
        return self.last == 0


class Addresses(NamedTuple):
    """What a rule names."""

    family: Family
    first: int
    last: int


def parse_addresses(text: str) -> Addresses | None:
    """An address, a network or a range of addresses, as rules write them; None of anything else."""
    first, dash, last = text.partition("-")
    try:
        network = ipaddress.ip_network(first, strict=False)
        end = ipaddress.ip_address(last) if dash else network.broadcast_address
    except ValueError:
        return None
    if end.version != network.version:
        return None
    family: Family = "ipv6" if network.version == 6 else "ipv4"
    return Addresses(family, int(network.network_address), int(end))


def _range(text: str) -> Range:
    network = ipaddress.ip_network(text)
    return int(network.network_address), int(network.broadcast_address)


def _place(text: str, *also: Range) -> Place:
    return Place(*_range(text), text, also)


_GROUPS: Final = _range("ff00::/8")[0]
_V4 = ipaddress.IPv4Address

# From anywhere, and to an address of ours: a rule about one prefix is about some of them.
ANYWHERE: Final[dict[Family, Place]] = {
    "ipv4": Place(
        int(_V4("1.0.0.0")),
        int(_V4("223.255.255.255")),
        "anywhere",
    ),
    # of ::, ::1 and groups nothing comes from anywhere
    "ipv6": Place(*_range("2000::/3"), "anywhere", ((2, _GROUPS - 1),)),
}
# Neighbours with a global address, which may be a local one of RFC 4193 instead.
GLOBAL: Final = _place("2000::/3", _range("fc00::/7"))
LINK: Final = _place("fe80::/64")  # the 54 bits behind fe80::/10 are zero (RFC 4291, 2.5.6)
UNSPECIFIED: Final = _place("::/128")
ALL_NODES: Final = _place("ff02::1/128")
ALL_ROUTERS: Final = _place("ff02::2/128")
LISTENERS: Final = _place("ff02::16/128")
SOLICITED: Final = _place("ff02::1:ff00:0/104")

_NEAR: Final = tuple(_range(text) for text in ("169.254.0.0/16", "fe80::/10"))


def is_near(rule: Addresses) -> bool:
    """Link-local addresses alone."""
    first, last = _NEAR[rule.family == "ipv6"]
    return first <= rule.first and rule.last <= last


How = Literal["all", "some", "none"]


def how_many(rule: Addresses, place: Place) -> How:
    """How many packets of a place a rule's addresses are those of."""
    if rule.first <= place.first and rule.last >= place.last:
        return "all"
    if _meet(rule, (place.first, place.last)):
        if rule.family == "ipv4" and rule.first >> 24 == 127 == rule.last >> 24:
            return "none"  # the loopback
        return "some"
    return "some" if any(_meet(rule, one) for one in place.also) else "none"


def _meet(rule: Addresses, one: Range) -> bool:
    return rule.first <= one[1] and rule.last >= one[0]

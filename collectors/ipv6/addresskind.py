"""What kind an address is, pure: whether anybody else's site can be there.

By IANA's registries: IPv6 and IPv4 special-purpose addresses (RFC 6890 and its updates), IPv6 address
space (RFC 4291: global unicast is 2000::/3, what is outside is not given out).
"""

from __future__ import annotations

import functools
import ipaddress
from typing import Final

from collectors.ipv6.model import AddressKind

LOCAL_NAT64: Final = "64:ff9b:1::/48"  # RFC 8215

# The first that holds the address tells; what none holds is global.
_IPV6: Final[tuple[tuple[str, AddressKind], ...]] = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "mapped"),
    ("64:ff9b::/96", "nat64"),  # RFC 6052
    (LOCAL_NAT64, "nat64"),
    ("2001::/32", "teredo"),
    ("2001:1::1/128", "global"),  # RFC 7723
    ("2001:1::2/128", "global"),  # RFC 8155
    ("2001:1::3/128", "global"),  # RFC 9665
    ("2001:3::/32", "global"),  # AMT, RFC 7450
    ("2001:4:112::/48", "global"),  # AS112, RFC 7535
    ("2001:30::/28", "global"),  # DRIP, RFC 9374
    ("2001::/23", "reserved"),  # protocol assignments: benchmarking, ORCHID and what is to come
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),  # RFC 9637
    ("2002::/16", "sixtofour"),
    ("2000::/3", "global"),
    ("fc00::/7", "unique_local"),
    ("fe80::/10", "link_local"),
    ("ff00::/8", "multicast"),
    ("::/0", "reserved"),  # with fec0::/10 (RFC 3879), 100::/64 (RFC 6666), ::/96 (RFC 4291)
)
_IPV4: Final[tuple[tuple[str, AddressKind], ...]] = (
    ("0.0.0.0/32", "unspecified"),
    ("0.0.0.0/8", "reserved"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "private"),  # shared by providers, RFC 6598
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link_local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.9/32", "global"),  # RFC 7723
    ("192.0.0.10/32", "global"),  # RFC 8155
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "reserved"),  # was of 6to4 relays, RFC 7526
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "reserved"),  # benchmarking, RFC 2544
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("0.0.0.0/0", "global"),
)


def kind(address: str) -> AddressKind:
    """The kind of a literal address, perhaps with its %device; ValueError where it is none."""
    parsed = ipaddress.ip_address(address)
    # without the device: fe80::1%eth0 is in fe80::/10
    number, version = int(parsed), parsed.version
    for low, high, found in _ranges(version):
        if low <= number <= high:
            return found
    raise AssertionError("the last range holds every address")


def embedded(address: str) -> tuple[str, ...]:
    """The IPv4 addresses that what is sent to an IPv6 address comes to: of NAT64 (RFC 6052), 6to4
    (RFC 3056), and Teredo (RFC 4380: the client and its server). ValueError where it is none.

    In 64:ff9b:1::/48 the length of the prefix is a local matter: only that of 96 bits is seen here.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return ()
    if parsed.teredo:
        server, client = parsed.teredo
        return str(client), str(server)
    if parsed.sixtofour:
        return (str(parsed.sixtofour),)
    last = parsed.packed[-4:]
    wide = address_in(address, LOCAL_NAT64) and any(last[1:])  # else the end of a shorter prefix
    if wide or address_in(address, "64:ff9b::/96"):
        return (str(ipaddress.IPv4Address(last)),)
    return ()


def address_in(address: str, network: str) -> bool:
    """Whether a literal address, perhaps with its %device, is in a network."""
    low, high, version = _bounds(network)
    parsed = ipaddress.ip_address(address)
    return parsed.version == version and low <= int(parsed) <= high


@functools.cache
def _bounds(network: str) -> tuple[int, int, int]:
    parsed = ipaddress.ip_network(network)
    return int(parsed.network_address), int(parsed.broadcast_address), parsed.version


@functools.cache
def _ranges(version: int) -> tuple[tuple[int, int, AddressKind], ...]:
    table = _IPV4 if version == 4 else _IPV6
    return tuple((*_bounds(text)[:2], found) for text, found in table)

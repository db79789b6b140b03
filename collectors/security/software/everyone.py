"""Whether a list of clients is anybody, as hosts_access(5), smb.conf(5) and exports(5) write them; pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

_NAMES: Final = frozenset({"", "all", "known", "0", "0/0", "*"})
_WILD: Final = re.compile(r"[*?.:]*\*[*?.:]*")
# What is a restriction to nobody: as many of the addresses that hosts have.
_SHARE: Final = 8
_PLACES: Final = (
    ipaddress.ip_network("0.0.0.0/0"),
    ipaddress.ip_network("2000::/3"),
)


def is_everybody(clients: Iterable[str]) -> bool:
    """By a name or a pattern, or by networks that together are an eighth of all addresses or more."""
    found: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for client in clients:
        name = client.strip().lower()
        if name in _NAMES or _WILD.fullmatch(name):
            return True
        if name[0] not in "0123456789abcdef:[":
            continue
        try:
            network = ipaddress.ip_network(name.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue
        ends = int(network.network_address), int(network.broadcast_address)
        if ends == (0, 0):
            return True  # 0.0.0.0 and ::, which programs take as all
        found[network.version].append(ends)
    return any(_share(found[place.version], place) for place in _PLACES)


def _share(
    ranges: list[tuple[int, int]], place: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    start, end = int(place.network_address), int(place.broadcast_address)
    number, after = 0, start
    for first, last in sorted(ranges):
        first, last = max(first, after), min(last, end)
        if first <= last:
            number, after = number + last - first + 1, last + 1
    return number * _SHARE >= end - start + 1

"""Tunnels that carry IPv6 over IPv4 or the reverse: RFC 4213 (6in4), 5969 (6rd), 3056 (6to4), 5214
(ISATAP), 4380 (Teredo), 2473, 2784 (GRE).

`ip -details link` of iproute2 tells the kind of a device and its ends. Without it /sys/class/net has
the ARPHRD number of linux/if_arp.h. A Teredo client is a plain tun device: it, and an ISATAP or 6to4
device, is known by its address. What encrypts or bridges (WireGuard, VXLAN) is no such tunnel.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from collectors.ipv6.addresses import IF_INET6, Address, parse_addresses
from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    Glob,
    ParseError,
    Reading,
    malformed,
)

LINKS = Command(("ip", "-json", "-details", "link", "show"), timeout=5.0)
TYPES = Glob("/sys/class/net/*", names=("type", "flags"))

# ARPHRD_*, the kind of iproute2, our kind
_ARPHRD: Final = {"768": "ipip", "769": "ip6tnl", "776": "sit", "778": "gre", "823": "ip6gre"}
_KINDS: Final = {
    "sit": "6in4",
    "ipip": "ipip",
    "ip6tnl": "ip6tnl",
    "gre": "gre",
    "gretap": "gre",
    "ip6gre": "gre6",
    "ip6gretap": "gre6",
    "vti": "vti",
    "vti6": "vti6",
}
# Meant for the time without IPv6; where there is IPv6 they hide that it is not native.
TRANSITION: Final = frozenset({"6in4", "6rd", "6to4", "isatap", "teredo"})
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
_SIXTOFOUR: Final = ipaddress.IPv6Network("2002::/16")
_UP: Final = 1  # IFF_UP


class Ipv6TunnelsCollector(Collector, frozen=True):
    """Rows: device, kind, transition (6in4, 6rd, 6to4, isatap, teredo), up, detail, source."""

    name: ClassVar[str] = "ipv6_tunnels"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_tunnels",)

    def readings(self) -> tuple[Reading, ...]:
        return (LINKS, TYPES, IF_INET6)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        by_kernel = types(answers.texts(TYPES))
        links = answers.answer(LINKS)
        # old and small versions of ip cannot: the kernel's own numbers tell nearly as much
        by_program = parse_links(links.content) if links.state == "content" else {}
        rows = {**by_kernel, **by_program}
        for address in parse_addresses(answers.maybe(IF_INET6) or ""):
            _by_address(rows, address)
        yield Fact("ipv6_tunnels", [rows[device] for device in sorted(rows)])


def _row(device: str, kind: str, up: bool | None, detail: str, source: str) -> dict[str, Any]:
    return {
        "device": device,
        "kind": kind,
        "transition": kind in TRANSITION,
        "up": up,
        "detail": detail,
        "source": source,
    }


def types(told: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Tunnels by device from the files of /sys/class/net."""
    rows = {}
    for path, text in told.items():
        folder, _, name = path.rpartition("/")
        if name == "type" and text in _ARPHRD:
            device = folder.rpartition("/")[2]
            kind = _KINDS[_ARPHRD[text]]
            with malformed(folder):
                flags = told.get(f"{folder}/flags")
                up = None if flags is None else bool(int(flags, 16) & _UP)
            rows[device] = _row(device, kind, up, f"type {text}", path)
    return rows


def parse_links(content: bytes) -> dict[str, dict[str, Any]]:
    """Tunnels by device from the JSON of `ip -details link`; raises ParseError."""
    rows = {}
    with malformed("ip link"):
        try:
            links = json.loads(content)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        for link in _dicts(links):
            info = link.get("linkinfo")
            kind = _KINDS.get(str(info.get("info_kind"))) if isinstance(info, dict) else None
            device = link.get("ifname")
            if not kind or not isinstance(device, str) or not isinstance(info, dict):
                continue
            data = info.get("info_data")
            data = data if isinstance(data, dict) else {}
            if kind == "6in4":
                kind = _sort_of_sit(data)
            flags = link.get("flags")
            up = "UP" in flags if isinstance(flags, list) else None
            shown = {key: data[key] for key in ("local", "remote", "prefix") if key in data}
            detail = ", ".join(f"{key} {str(value)[:50]}" for key, value in shown.items())
            rows[device] = _row(device, kind, up, detail, f"ip link: {device}")
    return rows


def _sort_of_sit(data: Mapping[str, Any]) -> str:
    if "isatap" in data:  # `true` or, of some releases, null
        return "isatap"
    prefix = data.get("prefix")
    # without a 6rd prefix of its own a device without a fixed end has that of 6to4
    if data.get("remote") not in (None, "any"):
        return "6in4"
    if prefix is None:
        return "6in4"
    return "6to4" if str(prefix) == "2002::" else "6rd"


def _by_address(rows: dict[str, dict[str, Any]], address: Address) -> None:
    """What an address says of the device that has it."""
    packed = ipaddress.IPv6Address(address.address)
    interface_id = packed.packed[8:12]
    known = rows.get(address.device)
    if packed in _TEREDO:
        kind = "teredo"
    elif packed in _SIXTOFOUR:
        kind = "6to4"
    elif interface_id in (b"\0\0\x5e\xfe", b"\2\0\x5e\xfe"):
        kind = "isatap"
    else:
        return
    if known is None or known["kind"] == "6in4":
        up = known["up"] if known else None
        detail = f"address {address.address}"
        rows[address.device] = _row(address.device, kind, up, detail, IF_INET6.path)


def _dicts(them: object) -> list[dict[str, Any]]:
    if not isinstance(them, list):
        raise ParseError("ip link: not a list")
    return [it for it in them if isinstance(it, dict)]

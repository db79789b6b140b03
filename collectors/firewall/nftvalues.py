"""One value of a condition of nft, as a condition of an unsolicited packet: libnftables-json(5); pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from collectors.firewall import ends
from collectors.firewall import packetmatch as match
from collectors.firewall.packetmatch import (
    ALWAYS,
    NEVER,
    UNKNOWN,
    Test,
    fixed,
    negated,
)
from collectors.firewall.places import Family

One = Callable[[Any], Test]
FAMILIES: Final[dict[str, Family]] = {"ip": "ipv4", "ip6": "ipv6", "ipv4": "ipv4", "ipv6": "ipv6"}
_VERSION: Final[dict[str, Family]] = {
    "2048": "ipv4",
    "34525": "ipv6",
    "2": "ipv4",
    "10": "ipv6",
    **FAMILIES,
}


def first_segment(value: Any, left: set[str]) -> Test:
    names = flag_names([value])
    return fixed(UNKNOWN if names is None else ALWAYS if names == left else NEVER)


def flag_names(them: Iterable[Any]) -> set[str] | None:
    """Flags by name, joined by `|` or as a list; 0 is none; None where they are numbers."""
    found: set[str] = set()
    for one in them:
        if isinstance(one, str):
            found.add(one)
        elif one != 0 or isinstance(one, bool):
            inner = one.get("|") if isinstance(one, Mapping) else one
            names = flag_names(inner) if isinstance(inner, list) else None
            if names is None:
                return None
            found |= names
    return found


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def numbers(
    value: Any,
    make: Callable[[list[tuple[int, int]]], Test],
    names: Mapping[str, int] = {},
) -> Test:
    """For a number, a name of one or a range of them."""
    bounds = value.get("range") if isinstance(value, Mapping) else [value, value]
    if not isinstance(bounds, list) or len(bounds) != 2:
        return fixed(UNKNOWN)
    first, last = (names.get(end) if isinstance(end, str) else end for end in bounds)
    if first is None or last is None or not (is_whole(first) and is_whole(last)):
        return fixed(UNKNOWN)
    return make([(first, last)])


def _types(value: Any) -> Test:
    return numbers(value, lambda p: match.icmpv6(match.numbers_of_types(p)), match.TYPES)


def _codes(value: Any) -> Test:
    return numbers(value, match.icmpv6_code, match.CODES)


def _protocol(value: Any) -> Test:
    if is_whole(value):
        return match.protocol_is(value)
    # one by another name is none that is followed
    return match.protocol_is(match.NUMBERS.get(value, -1)) if isinstance(value, str) else _unclear()


def _unclear() -> Test:
    return fixed(UNKNOWN)


def _address(make: Callable[[str], Test]) -> One:
    def one(value: Any) -> Test:
        text = address_text(value)
        return make(text) if text else _unclear()

    return one


def address_text(value: Any) -> str:
    """An address, a prefix or a range of them as people write it; empty for anything else."""
    if isinstance(value, Mapping):
        prefix, bounds = value.get("prefix"), value.get("range")
        if isinstance(prefix, Mapping):
            return f"{prefix.get('addr')}/{prefix.get('len')}"
        if isinstance(bounds, list) and len(bounds) == 2:
            return f"{bounds[0]}-{bounds[1]}"
    return value if isinstance(value, str) else ""


def version(value: Any) -> Test:
    family = _VERSION.get(str(value))
    return match.family_is(family) if family else fixed(NEVER)


def _next_header(value: Any) -> Test:
    number = value if is_whole(value) else _NEXT.get(value, -1) if isinstance(value, str) else None
    return _unclear() if number is None else match.next_header_is(number)


_NEXT: Final = {**match.NUMBERS, "hopopt": 0, "ip": 0}


def _device(value: Any) -> Test:
    return ends.comes_by(value, "*") if isinstance(value, str) else _unclear()


def _device_out(value: Any) -> Test:
    return ends.comes_by(value, "*", leaves=True) if isinstance(value, str) else _unclear()


def _hop_limit(value: Any) -> Test:
    return match.hop_limit_is(value if is_whole(value) else -1)


def _yes_no(value: Any) -> Test:
    """`fib saddr . iif oif missing`: there is a way back to a packet from anywhere."""
    return fixed(NEVER if value is False else ALWAYS if value is True else UNKNOWN)


def type_of_target(value: Any) -> Test:
    """`fib daddr type local`."""
    return ends.sent_to_a([str(value)])


def hop_by_hop(value: Any) -> Test:
    """`exthdr hbh exists`, or what is in such a header."""
    if value is False:
        return negated(match.has_hop_by_hop)
    if value is True:
        return match.has_hop_by_hop
    return lambda kind: match.all_of((match.has_hop_by_hop, fixed(UNKNOWN)), kind)


IP: Final[dict[str, One]] = {
    "saddr": _address(ends.sent_from),
    "daddr": _address(ends.sent_to),
    "protocol": _protocol,
    "nexthdr": _next_header,
    "hoplimit": _hop_limit,
    "ttl": _hop_limit,
    **dict.fromkeys(("length", "dscp", "ecn", "id", "flowlabel"), lambda _: match.of_the_sender),
    "version": lambda _: fixed(ALWAYS),
}
ICMPV6: Final[dict[str, One]] = {"type": _types, "code": _codes}
META: Final[dict[str, One]] = {
    "l4proto": _protocol,
    "nfproto": version,
    "protocol": version,
    "iif": _device,
    "iifname": _device,
    "oif": _device_out,
    "oifname": _device_out,
    "length": lambda _: match.of_the_sender,
    "pkttype": lambda value: ends.comes_as([str(value)]),
    "iiftype": lambda value: fixed(NEVER if value == "loopback" else UNKNOWN),
}
CT: Final[dict[str, One]] = {
    "state": lambda value: match.tracked_as([value]) if isinstance(value, str) else _unclear(),
    # translated, confirmed, expected: none of them is a packet that nobody asked for
    "status": lambda value: fixed(NEVER),
    "direction": lambda value: (
        negated(match.is_reply) if value in ("original", 0) else match.is_reply
    ),
}
FIB: Final[dict[str, One]] = {
    "type": lambda value: ends.sent_from_a([str(value)]),
    "oif": _yes_no,
    "oifname": _yes_no,
}

"""What the conditions of nft rules say of an unsolicited packet: libnftables-json(5); pure.

A condition that is not known here is one that is not understood, never one that matches or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from collectors.ipv6 import packetmatch as match
from collectors.ipv6.packetmatch import (
    ALWAYS,
    NEVER,
    SOME,
    UNKNOWN,
    Family,
    Matched,
    Protocol,
    Test,
    fixed,
    negated,
)

Sets = Mapping[str, list[Any]]

_MOST = 4096  # elements of a set of pairs that are taken one by one
_PORTS: Final[dict[str, Protocol]] = {"tcp": "tcp", "udp": "udp"}
_FAMILIES: Final[dict[str, Family]] = {"ip": "ipv4", "ip6": "ipv6", "ipv4": "ipv4", "ipv6": "ipv6"}
_VERSION: Final[dict[str, Family]] = {
    "2048": "ipv4",
    "34525": "ipv6",
    "2": "ipv4",
    "10": "ipv6",
    **_FAMILIES,
}


def test_of(left: Any, op: str, right: Any, sets: Sets) -> Test:
    """A condition `left op right`."""
    dependency, one = _left(left)
    if one is None:
        return fixed(UNKNOWN)
    if op not in ("==", "!=", "in"):
        test = _compared(left, op, right)
    else:
        # of a long list of addresses those of packets from anywhere are none
        rest = SOME if _is_address(left) else UNKNOWN
        test = _any(one, elements(right, sets), rest)
        if op == "!=":
            test = negated(test)
    # `tcp dport != 22` is of TCP all the same
    return lambda kind: match.all_of((*dependency, test), kind)


def elements(right: Any, sets: Sets) -> list[Any] | None:
    """What a right side stands for, one by one; None where a set is not known."""
    if isinstance(right, str) and right.startswith("@"):
        right = sets.get(right[1:])
        if right is None:
            return None
    if isinstance(right, Mapping) and "set" in right:
        right = right["set"]
    listed = right if isinstance(right, list) else [right]
    return [_plain(one) for one in listed]


def _plain(one: Any) -> Any:
    """An element without its time-out, counter or comment."""
    while isinstance(one, Mapping) and isinstance(one.get("elem"), Mapping):
        one = one["elem"].get("val")
    return one


_One = Callable[[Any], Test]


def _any(one: _One, them: list[Any] | None, rest: Matched) -> Test:
    if them is None:
        return fixed(rest)
    return match.any_of([one(it) for it in them[:_MOST]] + [fixed(rest)] * (len(them) > _MOST))


def _is_address(left: Any) -> bool:
    about = left.get("payload") if isinstance(left, Mapping) else None
    return isinstance(about, Mapping) and about.get("field") in ("saddr", "daddr")


def _left(left: Any) -> tuple[tuple[Test, ...], _One | None]:
    """What a left side itself demands of a packet, and the condition for one value of it."""
    if not isinstance(left, Mapping) or len(left) != 1:
        return (), None
    ((name, about),) = left.items()
    if name == "concat" and isinstance(about, list):
        return _joined(about)
    if name == "&":
        return _flags(about)
    if not isinstance(about, Mapping):
        return (), None
    if name == "payload":
        return _payload(str(about.get("protocol")), str(about.get("field")))
    if name == "meta":
        return (), _META.get(str(about.get("key")))
    if name == "ct":
        return (), _CT.get(str(about.get("key")))
    if name == "fib":
        own = "saddr" not in str(about.get("flags")) and about.get("result") == "type"
        return (), _of_ours if own else _FIB.get(str(about.get("result")))
    # headers that a plain packet has not
    if name in ("exthdr", "ip option"):
        return (), lambda value: fixed(ALWAYS if value is False else NEVER)
    return (), None


def _payload(protocol: str, field: str) -> tuple[tuple[Test, ...], _One | None]:
    if field == "dport":
        if protocol == "th":
            return (), lambda value: _numbers(value, match.ports)
        if protocol in _PORTS:
            own = _PORTS[protocol]
            number = match.NUMBERS[protocol]
            return (match.protocol_is(number),), lambda v: _numbers(
                v, lambda pairs: match.ports(pairs, own)
            )
    if protocol in _FAMILIES:
        return (match.family_is(_FAMILIES[protocol]),), _IP.get(field)
    if protocol == "icmpv6":
        return (match.protocol_is(58),), _ICMPV6.get(field)
    if protocol == "tcp" and field == "flags":
        return (match.protocol_is(6),), lambda value: _syn(value, {"syn"})
    if protocol in match.NUMBERS:
        # a source port, a checksum: some packets have it
        return (match.protocol_is(match.NUMBERS[protocol]),), lambda _: fixed(SOME)
    if protocol == "ether" and field == "type":
        return (), _version
    if protocol == "ether":
        return (), lambda _: fixed(SOME)
    if protocol == "th" and field == "sport":
        return (), lambda _: fixed(SOME)
    # of another protocol than those that are followed
    if protocol in ("sctp", "dccp", "udplite", "esp", "ah", "comp", "arp", "igmp", "vlan"):
        return (match.protocol_is(-1),), lambda _: fixed(UNKNOWN)
    return (), None


def _joined(parts: list[Any]) -> tuple[tuple[Test, ...], _One | None]:
    """`meta l4proto . th dport`: a value has as many parts."""
    sides = [_left(part) for part in parts]
    if any(one is None for _, one in sides):
        return (), None

    def each(value: Any) -> Test:
        values = value.get("concat") if isinstance(value, Mapping) else None
        if not isinstance(values, list) or len(values) != len(sides):
            return fixed(UNKNOWN)
        tests = [one(it) for (_, one), it in zip(sides, values, strict=True) if one]
        return lambda kind: match.all_of(tests, kind)

    return tuple(test for dependency, _ in sides for test in dependency), each


def _flags(about: Any) -> tuple[tuple[Test, ...], _One | None]:
    """`tcp flags & (fin | syn | rst | ack)`: a first segment has SYN alone."""
    if not isinstance(about, list) or len(about) < 2:
        return (), None
    flags = {"payload": {"protocol": "tcp", "field": "flags"}}
    mask = _names(about[1:])
    if about[0] != flags or mask is None:
        return (), None
    left = {"syn"} & mask
    return (match.protocol_is(6),), lambda value: _syn(value, left)


def _syn(value: Any, left: set[str]) -> Test:
    names = _names([value])
    return fixed(UNKNOWN if names is None else ALWAYS if names == left else NEVER)


def _names(them: Iterable[Any]) -> set[str] | None:
    """Flags by name, joined by `|` or as a list; 0 is none; None where they are numbers."""
    found: set[str] = set()
    for one in them:
        if isinstance(one, str):
            found.add(one)
        elif one != 0 or isinstance(one, bool):
            inner = one.get("|") if isinstance(one, Mapping) else one
            names = _names(inner) if isinstance(inner, list) else None
            if names is None:
                return None
            found |= names
    return found


def _compared(left: Any, op: str, right: Any) -> Test:
    """`<`, `>`, `<=`, `>=` of a port; else not understood."""
    field = left.get("payload", {}) if isinstance(left, Mapping) else {}
    if not isinstance(field, Mapping) or field.get("field") != "dport" or not _whole(right):
        return fixed(UNKNOWN)
    pairs = {
        "<": (0, right - 1),
        "<=": (0, right),
        ">": (right + 1, 0xFFFF),
        ">=": (right, 0xFFFF),
    }
    return match.ports([pairs[op]]) if op in pairs else fixed(UNKNOWN)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _numbers(
    value: Any,
    make: Callable[[list[tuple[int, int]]], Test],
    names: Mapping[str, int] = {},
) -> Test:
    """For a number, a name of one or a range of them."""
    ends = value.get("range") if isinstance(value, Mapping) else [value, value]
    if not isinstance(ends, list) or len(ends) != 2:
        return fixed(UNKNOWN)
    first, last = (names.get(end) if isinstance(end, str) else end for end in ends)
    if first is None or last is None or not (_whole(first) and _whole(last)):
        return fixed(UNKNOWN)
    return make([(first, last)])


def _types(value: Any) -> Test:
    return _numbers(value, lambda p: match.icmpv6(match.numbers_of_types(p)), match.TYPES)


def _codes(value: Any) -> Test:
    return _numbers(value, match.icmpv6_code, match.CODES)


def _protocol(value: Any) -> Test:
    if _whole(value):
        return match.protocol_is(value)
    # one by another name is none that is followed
    return match.protocol_is(match.NUMBERS.get(value, -1)) if isinstance(value, str) else _unclear()


def _unclear() -> Test:
    return fixed(UNKNOWN)


def _address(make: Callable[[str], Test]) -> _One:
    def one(value: Any) -> Test:
        if isinstance(value, Mapping):
            prefix, ends = value.get("prefix"), value.get("range")
            if isinstance(prefix, Mapping):
                return make(f"{prefix.get('addr')}/{prefix.get('len')}")
            if isinstance(ends, list) and len(ends) == 2:
                return make(f"{ends[0]}-{ends[1]}")
        return make(value) if isinstance(value, str) else _unclear()

    return one


def _version(value: Any) -> Test:
    family = _VERSION.get(str(value))
    return match.family_is(family) if family else fixed(NEVER)


def _device(value: Any) -> Test:
    return match.comes_by(value, "*") if isinstance(value, str) else _unclear()


def _hop_limit(value: Any) -> Test:
    return match.hop_limit_is(value) if _whole(value) else fixed(SOME)


def _yes_no(value: Any) -> Test:
    """`fib saddr . iif oif missing`: there is a way back to a packet from anywhere."""
    return fixed(NEVER if value is False else ALWAYS if value is True else UNKNOWN)


def _of_ours(value: Any) -> Test:
    """`fib daddr type local`."""
    return fixed(ALWAYS if value == "local" else NEVER)


_IP: Final[dict[str, _One]] = {
    "saddr": _address(match.sent_from),
    "daddr": _address(match.sent_to),
    "protocol": _protocol,
    "nexthdr": _protocol,
    "hoplimit": _hop_limit,
    "ttl": lambda _: fixed(SOME),
    "version": lambda _: fixed(ALWAYS),
}
_ICMPV6: Final[dict[str, _One]] = {"type": _types, "code": _codes}
_META: Final[dict[str, _One]] = {
    "l4proto": _protocol,
    "nfproto": _version,
    "protocol": _version,
    "iif": _device,
    "iifname": _device,
    "pkttype": lambda value: fixed(ALWAYS if value in ("host", "unicast") else NEVER),
    "iiftype": lambda value: fixed(NEVER if value == "loopback" else UNKNOWN),
}
_CT: Final[dict[str, _One]] = {
    "state": lambda value: match.tracked_as([value]) if isinstance(value, str) else _unclear(),
    # translated, confirmed, expected: none of them is a packet that nobody asked for
    "status": lambda value: fixed(NEVER),
    "direction": lambda value: fixed(ALWAYS if value in ("original", 0) else NEVER),
}
_FIB: Final[dict[str, _One]] = {
    "type": lambda value: fixed(ALWAYS if value == "unicast" else NEVER),
    "oif": _yes_no,
    "oifname": _yes_no,
}


def listed(them: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs of the elements of a verdict map."""
    for one in them:
        one = _plain(one)
        if isinstance(one, list) and len(one) == 2:
            yield _plain(one[0]), one[1]

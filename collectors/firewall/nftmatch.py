"""What the conditions of nft rules say of an unsolicited packet: libnftables-json(5); pure.

A condition that is not known here is one that is not understood, never one that matches or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from collectors.firewall import ends
from collectors.firewall import packetmatch as match
from collectors.firewall.nftvalues import (
    CT,
    FAMILIES,
    FIB,
    ICMPV6,
    IP,
    META,
    One,
    address_text,
    first_segment,
    flag_names,
    hop_by_hop,
    is_whole,
    numbers,
    type_of_target,
    version,
)
from collectors.firewall.packetmatch import (
    ALWAYS,
    SOME,
    UNKNOWN,
    Matched,
    Protocol,
    Test,
    fixed,
    negated,
)
from collectors.firewall.places import Family

Sets = Mapping[str, list[Any]]

_MOST = 4096  # elements of a set of pairs that are taken one by one
_PORTS: Final[dict[str, Protocol]] = {"tcp": "tcp", "udp": "udp"}


def test_of(left: Any, op: str, right: Any, sets: Sets) -> Test:
    """A condition `left op right`."""
    if _is_owner(left):  # where there is none, a rule ends, whatever it compares with
        return ends.of_a_process
    dependency, one = _left(left)
    if one is None:
        return fixed(UNKNOWN)
    if op not in ("==", "!=", "in"):
        test = _compared(left, op, right)
    else:
        # of a long list of addresses those of packets from anywhere are none
        rest = SOME if _is_address(left) else UNKNOWN
        listed = elements(right, sets)
        test = _any(one, listed, rest)
        if _is_address(left, "saddr") and listed and len(listed) > 1:
            test = match.any_of((test, ends.sent_from_most(map(address_text, listed[:_MOST]))))
        if op == "!=":
            test = negated(test)
    # `tcp dport != 22` is of TCP all the same
    return lambda kind: match.all_of((*dependency, test), kind)


def demands(key: Any) -> Test:
    """What it demands of a packet that it has this: `ip saddr` is of IPv4."""
    dependency, _ = _left(_plain(key))
    return lambda kind: match.all_of(dependency, kind)


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


def _any(one: One, them: list[Any] | None, rest: Matched) -> Test:
    if them is None:
        return fixed(rest)
    return match.any_of([one(it) for it in them[:_MOST]] + [fixed(rest)] * (len(them) > _MOST))


def _is_address(left: Any, *fields: str) -> bool:
    about = left.get("payload") if isinstance(left, Mapping) else None
    return isinstance(about, Mapping) and about.get("field") in (fields or ("saddr", "daddr"))


def _is_owner(left: Any) -> bool:
    about = left.get("meta") if isinstance(left, Mapping) else None
    return isinstance(about, Mapping) and about.get("key") in ("skuid", "skgid")


def _left(left: Any) -> tuple[tuple[Test, ...], One | None]:
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
        return (), META.get(str(about.get("key")))
    if name == "ct":
        return (), CT.get(str(about.get("key")))
    if name == "fib":
        own = "saddr" not in str(about.get("flags")) and about.get("result") == "type"
        return (), type_of_target if own else FIB.get(str(about.get("result")))
    # headers that a plain packet has not
    if name == "exthdr" and about.get("name") == "hbh":
        return (), hop_by_hop
    if name in ("exthdr", "ip option"):
        family: Family = "ipv6" if name == "exthdr" else "ipv4"
        return (match.family_is(family),), _plainly
    return (), None


def _plainly(value: Any) -> Test:
    """Without a header that a plain packet has not; else with it, or with something in it."""
    return fixed(ALWAYS) if value is False else match.not_plain


def _payload(protocol: str, field: str) -> tuple[tuple[Test, ...], One | None]:
    if field == "dport":
        if protocol == "th":
            return (), lambda value: numbers(value, match.ports)
        if protocol in _PORTS:
            own = _PORTS[protocol]
            number = match.NUMBERS[protocol]
            return (match.protocol_is(number),), lambda v: numbers(
                v, lambda pairs: match.ports(pairs, own)
            )
    if protocol in FAMILIES:
        return (match.family_is(FAMILIES[protocol]),), IP.get(field)
    if protocol == "icmpv6":
        return (match.protocol_is(58),), ICMPV6.get(field)
    if protocol == "tcp" and field == "flags":
        return (match.protocol_is(6),), lambda value: first_segment(value, {"syn"})
    if protocol in match.NUMBERS:
        # a source port, a checksum: some packets have it
        return (match.protocol_is(match.NUMBERS[protocol]),), lambda _: match.of_the_sender
    if protocol == "ether" and field == "type":
        return (), version
    if protocol == "ether":
        return (), lambda _: fixed(SOME)
    if protocol == "th" and field == "sport":
        return (), lambda _: match.of_the_sender
    # of another protocol than those that are followed
    if protocol in ("sctp", "dccp", "udplite", "esp", "ah", "comp", "arp", "igmp", "vlan"):
        return (match.protocol_is(-1),), lambda _: fixed(UNKNOWN)
    return (), None


def _joined(parts: list[Any]) -> tuple[tuple[Test, ...], One | None]:
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


def _flags(about: Any) -> tuple[tuple[Test, ...], One | None]:
    """`tcp flags & (fin | syn | rst | ack)`: a first segment has SYN alone."""
    if not isinstance(about, list) or len(about) < 2:
        return (), None
    flags = {"payload": {"protocol": "tcp", "field": "flags"}}
    mask = flag_names(about[1:])
    if about[0] != flags or mask is None:
        return (), None
    left = {"syn"} & mask
    return (match.protocol_is(6),), lambda value: first_segment(value, left)


def _compared(left: Any, op: str, right: Any) -> Test:
    """`<`, `>`, `<=`, `>=` of a port, or of what the sender chooses; else not understood."""
    _, one = _left(left)
    if one is not None and one(right) is match.of_the_sender:
        return match.of_the_sender
    field = left.get("payload", {}) if isinstance(left, Mapping) else {}
    name = field.get("field") if isinstance(field, Mapping) else None
    if name in ("ttl", "hoplimit") and is_whole(right) and not (op[0] == ">" and right >= 254):
        return lambda kind: match.CHOSEN if kind.hostile else UNKNOWN
    if name != "dport" or not is_whole(right):
        return fixed(UNKNOWN)
    pairs = {
        "<": (0, right - 1),
        "<=": (0, right),
        ">": (right + 1, 0xFFFF),
        ">=": (right, 0xFFFF),
    }
    return match.ports([pairs[op]]) if op in pairs else fixed(UNKNOWN)


def listed(them: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs of the elements of a verdict map."""
    for one in them:
        one = _plain(one)
        if isinstance(one, list) and len(one) == 2:
            yield _plain(one[0]), one[1]

"""Which unsolicited packets a condition of a packet filter is true for; pure, for nft and iptables.

The packet is a new one from anywhere, that comes in by the device of the default route to an address
of this host, or has other ends, or goes out there. A `Kind` of packet is its family, protocol and
ends; what differs within a kind are the numbers of a set: the port it goes to, or of ICMPv6
type · 256 + code. Conntrack sees ICMPv6 errors as related, neighbour and listener discovery as
untracked and echo replies as established (RFC 4890, 4861).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

from collectors.firewall.intervals import (
    EVERYTHING,
    NOTHING,
    Intervals,
    both,
    either,
    intervals,
    without,
)
from collectors.firewall.places import Family, Place

Protocol = Literal["tcp", "udp", "icmpv6", "other"]


class Kind(NamedTuple):
    """`device`: by which packets from anywhere come in; empty where there is no default route.
    `leaves`: they are ours, and go out by it. `hostile`: whoever sends them chooses what he can, so
    as to be let in."""

    family: Family
    protocol: Protocol
    device: str
    sender: Place | None = None  # anywhere
    target: Place | None = None  # one of our addresses, or anywhere
    leaves: bool = False
    hostile: bool = False

    @property
    def to_group(self) -> bool:
        return self.target is not None and self.target.is_group


class Matched(NamedTuple):
    """The numbers for which a condition holds: for a packet from anywhere, for `some` only (certain
    senders, addresses, devices), or `maybe`, where it is not understood, or as a hostile sender has
    `chosen`. For all others it does not."""

    sure: Intervals = NOTHING
    some: Intervals = NOTHING
    maybe: Intervals = NOTHING
    chosen: Intervals = NOTHING


ALWAYS: Final = Matched(EVERYTHING)
NEVER: Final = Matched()
SOME: Final = Matched(some=EVERYTHING)
UNKNOWN: Final = Matched(maybe=EVERYTHING)
CHOSEN: Final = Matched(chosen=EVERYTHING)

Test = Callable[[Kind], Matched]

NUMBERS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "ipv6-icmp": 58}
# 253 is for experiments (RFC 3692): no rule names it, so it meets what is left
_OURS: Final[dict[Protocol, int]] = {"tcp": 6, "udp": 17, "icmpv6": 58, "other": 253}
TYPES: Final = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "router-renumbering": 138,
    "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142,
    "mld2-listener-report": 143,
}
CODES: Final = {
    "no-route": 0,
    "admin-prohibited": 1,
    "addr-unreachable": 3,
    "port-unreachable": 4,
    "policy-fail": 5,
    "reject-route": 6,
}


def numbers_of_types(pairs: Iterable[tuple[int, int]]) -> Intervals:
    """ICMPv6 types from and to, with every code."""
    return intervals((first << 8, last << 8 | 0xFF) for first, last in pairs)


_DISCOVERY = numbers_of_types([(133, 137)])
_LISTENERS = numbers_of_types([(130, 132), (143, 143)])  # with a hop-by-hop header (RFC 3810, 5)
_ECHO_REPLY = numbers_of_types([(129, 129)])
_ERRORS = numbers_of_types([(1, 4)])
_TRACKED: Final = {
    "related": numbers_of_types([(1, 4), (137, 137)]),
    "established": numbers_of_types([(129, 129)]),
    "untracked": numbers_of_types([(130, 136), (143, 143)]),
}


def all_of(tests: Iterable[Test], kind: Kind) -> Matched:
    """Where every condition holds. What only some packets meet is not met from anywhere, whatever
    else is not understood or chosen."""
    sure, some, maybe, chosen = ALWAYS
    for test in tests:
        next_sure, next_some, next_maybe, next_chosen = test(kind)
        if next_sure is EVERYTHING:
            continue
        free, next_free = either(sure, chosen), either(next_sure, next_chosen)
        known, next_known = either(free, maybe), either(next_free, next_maybe)
        possible, next_possible = either(known, some), either(next_known, next_some)
        some = either(both(some, next_possible), both(next_some, possible))
        maybe = either(both(maybe, next_known), both(next_maybe, free))
        chosen = either(both(chosen, next_free), both(next_chosen, sure))
        sure = both(sure, next_sure)
        if not (sure or some or maybe or chosen):
            return NEVER
    return Matched(sure, some, maybe, chosen)


def negated(test: Test) -> Test:
    """Where it does not hold. A packet from anywhere is none of `some`."""

    def other(kind: Kind) -> Matched:
        sure, some, maybe, chosen = test(kind)
        met = without(EVERYTHING, either(either(sure, maybe), chosen))
        return Matched(met, NOTHING, without(maybe, some), chosen)

    return other


def fixed(matched: Matched) -> Test:
    return lambda _: matched


def of_the_sender(kind: Kind) -> Matched:
    """A source port, a length, an option: some packets have it, and all those of who wants to."""
    return CHOSEN if kind.hostile else SOME


def not_plain(kind: Kind) -> Matched:
    """A header that a plain packet has not."""
    return CHOSEN if kind.hostile else NEVER


def family_is(family: Family) -> Test:
    return lambda kind: ALWAYS if kind.family == family else NEVER


def protocol_is(number: int) -> Test:
    return lambda kind: ALWAYS if _OURS[kind.protocol] == number else NEVER


def ports(pairs: Iterable[tuple[int, int]], protocol: Protocol | None = None) -> Test:
    """To one of these ports, of TCP and UDP or of one of them."""
    matched = Matched(intervals(pairs))

    def test(kind: Kind) -> Matched:
        fits = kind.protocol == protocol if protocol else kind.protocol in ("tcp", "udp")
        return matched if fits else NEVER

    return test


def icmpv6(numbers: Intervals) -> Test:
    matched = Matched(numbers)
    return lambda kind: matched if kind.protocol == "icmpv6" else NEVER


def icmpv6_code(pairs: Iterable[tuple[int, int]]) -> Test:
    """A code whatever the type."""
    pairs = list(pairs)
    numbers = intervals(
        (type << 8 | max(first, 0), type << 8 | min(last, 0xFF))
        for type in range(256)
        for first, last in pairs
        if first <= last
    )
    return icmpv6(numbers)


def tracked_as(states: Iterable[str]) -> Test:
    """The connection is in one of these states: new for what nobody asked for."""
    wanted = {state.lower() for state in states}
    found = intervals(pair for state in wanted for pair in _TRACKED.get(state, ()))
    if "new" in wanted:
        tracked = intervals(pair for numbers in _TRACKED.values() for pair in numbers)
        found = either(found, without(EVERYTHING, tracked))
    icmp = Matched(found)
    plain = ALWAYS if "new" in wanted else NEVER
    return lambda kind: icmp if kind.protocol == "icmpv6" else plain


def next_header_is(number: int) -> Test:
    """What is behind the header of IPv6 itself, which is not always the protocol."""
    icmp = {0: Matched(_LISTENERS), 58: Matched(without(EVERYTHING, _LISTENERS))}

    def test(kind: Kind) -> Matched:
        if kind.protocol == "icmpv6":
            return icmp.get(number, NEVER)
        return ALWAYS if _OURS[kind.protocol] == number else NEVER

    return test


def has_hop_by_hop(kind: Kind) -> Matched:
    return Matched(_LISTENERS) if kind.protocol == "icmpv6" else NEVER


def is_reply(kind: Kind) -> Matched:
    """In the other direction than the first packet of a connection; an error may be in either."""
    return Matched(_ECHO_REPLY, maybe=_ERRORS) if kind.protocol == "icmpv6" else NEVER


def hop_limit_is(number: int) -> Test:
    """Neighbour discovery always has 255 (RFC 4861), listener discovery 1 (RFC 3810); of others it
    depends on the way."""
    always = {255: _DISCOVERY, 1: _LISTENERS}.get(number, NOTHING)
    icmp = Matched(always, without(EVERYTHING, either(_DISCOVERY, _LISTENERS)))
    # only neighbours' packets still have 255 (RFC 5082)
    plain = fixed(SOME) if number == 255 else of_the_sender
    return lambda kind: icmp if kind.protocol == "icmpv6" else plain(kind)


def any_of(tests: Iterable[Test]) -> Test:
    """Where one of the conditions holds."""
    tests = list(tests)
    if len(tests) == 1:
        return tests[0]
    known: dict[Kind, Matched] = {}

    def test(kind: Kind) -> Matched:
        if kind not in known:
            found = [one(kind) for one in tests]
            sure, some, maybe, chosen = (
                intervals(pair for it in found for pair in it[place]) for place in range(4)
            )
            met = without(chosen, sure)
            some = without(some, either(sure, met))
            known[kind] = Matched(sure, some, without(maybe, sure), met)
        return known[kind]

    return test

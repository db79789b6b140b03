"""Whether ICMPv6 that must pass does so, on the way in and out: RFC 4890, 4.3.1 and 4.4.1; pure.

Each type is followed as the packets it really comes as: router advertisements from a router's
link-local address to all nodes, neighbour solicitations from a link-local, a global or no address to
the group of the address looked for, or to that itself. A type passes if all of them do. A redirect
(137) is left to policy by the RFC, and hosts are told not to take any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from collectors.firewall.packetmatch import Kind
from collectors.firewall.places import (
    ALL_NODES,
    ALL_ROUTERS,
    ANYWHERE,
    GLOBAL,
    LINK,
    LISTENERS,
    SOLICITED,
    UNSPECIFIED,
    Place,
)
from collectors.firewall.walk import ORDER, Base, Outcome, State, outcomes_of

PASSES: Final[dict[State, bool | None]] = {
    "open": True,
    "closed": False,
    "restricted": None,
    "unknown": None,
}


class Way(NamedTuple):
    """Packets with the same ends."""

    leaves: bool
    sender: Place
    target: Place

    @property
    def text(self) -> str:
        return f"{'out' if self.leaves else 'in'}, {self.sender.text} to {self.target.text}"


class Packets(NamedTuple):
    """What comes on some ways; `numbers` are of type · 256 + code."""

    numbers: tuple[int, ...]
    ways: tuple[Way, ...]


def _ways(leaves: bool, *ends: tuple[Place, Place]) -> tuple[Way, ...]:
    return tuple(Way(leaves, *pair) for pair in ends)


def _numbers(type_: int, *codes: int) -> tuple[int, ...]:
    return tuple(type_ << 8 | code for code in codes)


_ANY: Final = ANYWHERE["ipv6"], ANYWHERE["ipv6"]
_IN, _OUT = _ways(False, _ANY), _ways(True, _ANY)
_NEAR: Final = ((LINK, LINK), (GLOBAL, GLOBAL))
_SOLICIT: Final = (*((it, SOLICITED) for it in (LINK, GLOBAL, UNSPECIFIED)), *_NEAR)
_ADVERTISE: Final = ((LINK, ALL_NODES), (GLOBAL, ALL_NODES), *_NEAR)
_FROM_ROUTER: Final = _ways(False, (LINK, ALL_NODES))


class Type(NamedTuple):
    """`code` is the one told. What only a host that forwards receives or sends is in `routed`."""

    type: int
    code: int
    name: str
    packets: tuple[Packets, ...]
    routed: tuple[Packets, ...] = ()


def _type(number: int, code: int, name: str, *ways: Way, routed: tuple[Packets, ...] = ()) -> Type:
    return Type(number, code, name, (Packets(_numbers(number, code), ways),), routed)


TYPES: Final = (
    Type(
        *(1, 0, "destination-unreachable"),
        # a host itself says only that a port is closed
        (Packets(_numbers(1, *range(7)), _IN), Packets(_numbers(1, 4), _OUT)),
        (Packets(_numbers(1, 0, 3), _OUT),),
    ),
    _type(2, 0, "packet-too-big", *_IN, routed=(Packets(_numbers(2, 0), _OUT),)),
    Type(
        *(3, 0, "time-exceeded"),
        # a host itself says only that fragments are missing
        (Packets(_numbers(3, 0), _IN), Packets(_numbers(3, 1), _OUT)),
        (Packets(_numbers(3, 0), _OUT),),
    ),
    _type(4, 1, "parameter-problem: next header", *_IN, *_OUT),
    _type(4, 2, "parameter-problem: option", *_IN, *_OUT),
    _type(128, 0, "echo-request", *_IN),
    _type(129, 0, "echo-reply", *_IN, *_OUT),
    _type(130, 0, "listener-query", *_FROM_ROUTER),
    _type(131, 0, "listener-report", *_ways(True, (LINK, SOLICITED))),
    _type(132, 0, "listener-done", *_ways(True, (LINK, ALL_ROUTERS))),
    _type(
        *(133, 0, "router-solicitation"),
        *_ways(True, (LINK, ALL_ROUTERS)),
        routed=(Packets(_numbers(133, 0), _ways(False, (LINK, ALL_ROUTERS))),),
    ),
    _type(134, 0, "router-advertisement", *_FROM_ROUTER),
    _type(*(135, 0, "neighbour-solicitation"), *_ways(False, *_SOLICIT), *_ways(True, *_SOLICIT)),
    _type(
        *(136, 0, "neighbour-advertisement"), *_ways(False, *_ADVERTISE), *_ways(True, *_ADVERTISE)
    ),
    _type(143, 0, "listener-report-2", *_ways(True, (LINK, LISTENERS))),
)


def rows(bases: Sequence[Base], device: str, forwards: bool) -> Iterator[dict[str, Any]]:
    """Rows of `icmpv6`; raises ParseError for more rules than can be followed."""
    packets = {type_: (*type_.packets, *(type_.routed if forwards else ())) for type_ in TYPES}
    numbers: dict[Way, set[int]] = {}
    for one in (one for of_type in packets.values() for one in of_type):
        for way in one.ways:
            numbers.setdefault(way, set()).update(one.numbers)
    met = {
        way: outcomes_of(bases, Kind("ipv6", "icmpv6", device, *way[1:], way[0]), sorted(asked))
        for way, asked in numbers.items()
    }
    for type_, of_type in packets.items():
        found = [(way, met[way][n]) for one in of_type for way in one.ways for n in one.numbers]
        yield _row(type_, found)


def _row(type_: Type, found: Sequence[tuple[Way, Outcome]]) -> dict[str, Any]:
    state = min((outcome.state for _, outcome in found), key=ORDER.index)
    decide = [(way, outcome) for way, outcome in found if outcome.state == state]
    directions = {way.leaves for way, _ in decide}
    way, outcome = decide[0]
    return {
        "type": type_.type,
        "code": type_.code,
        "name": type_.name,
        "passes": PASSES[state],
        "direction": "both" if len(directions) == 2 else "out" if way.leaves else "in",
        "detail": "" if state == "open" else way.text,
        "state": state,
        "source": outcome.source,
    }

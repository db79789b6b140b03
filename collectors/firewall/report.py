"""What packet filters let in over each family, side by side, as a fact; pure.

active      whether there is any rule or policy that filters; tools: who made them
device      by which packets from anywhere come, by family
policy      by family, what a TCP connection meets to a port that no rule names: accept, drop,
            unknown, or none where nothing filters
defaults    by protocol and family, the state of ports that no rule names, as in ports
ports       rows of what is not as by default: key (tcp/443, udp/5000-5010), protocol, first, last,
            ipv4 and ipv6 (open to anybody; null: not understood), ipv4_state and ipv6_state (open,
            closed, restricted: to some senders, addresses or devices only; unknown), sources
parity      rows of what is open to anybody on one family only: key (tcp/443, udp/default), open_on,
            detail, source
icmpv6      rows of types that must pass (RFC 4890), on the way in where a host receives them and out
            where it sends them: type, code, name, passes (null: not understood, or of certain
            senders only), state, and what decides: direction (in, out, both), detail (the packets
            that do not pass: `in, fe80::/64 to ff02::1/128`), source
understood  false where a rule that counts for what comes in is not known; not_understood: rows of
            key, family, source
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from collectors.firewall.icmpv6 import PASSES, rows
from collectors.firewall.packetmatch import Kind
from collectors.firewall.places import Family
from collectors.firewall.walk import Base, Outcome, Segment, State, segments
from collectors.model import ParseError

_FAMILIES: Final[tuple[Family, Family]] = ("ipv4", "ipv6")
_MOST = 4000  # rows; more is no rule set that somebody can compare

_POLICIES: Final[dict[State, str]] = {
    "open": "accept",
    "closed": "drop",
    "restricted": "drop",
    "unknown": "unknown",
}
_OPEN: Final[dict[State, bool | None]] = {**PASSES, "restricted": False}


def report(
    bases: Sequence[Base],
    tools: Sequence[str],
    devices: Mapping[Family, str],
    forwards: bool = False,
    hostile: bool = False,
) -> Any:
    """The value of `ipv6_firewall`; raises ParseError for more than can be followed. `hostile`: ports
    are asked for by somebody who sends what the rules like to see."""
    ports: list[dict[str, Any]] = []
    parity: list[dict[str, Any]] = []
    unclear: list[dict[str, Any]] = []
    policy: dict[str, str] = {}
    defaults: dict[str, dict[Family, State]] = {}
    for protocol in ("tcp", "udp"):
        kinds = [Kind(family, protocol, devices[family], hostile=hostile) for family in _FAMILIES]
        made = segments(bases, kinds)
        default = _default(bases, made, [kind._replace(protocol="other") for kind in kinds])
        if protocol == "tcp":
            policy = dict(zip(_FAMILIES, _policies(bases, default), strict=True))
        defaults[protocol] = dict(zip(_FAMILIES, _states(default), strict=True))
        seen = [(f"{protocol}/default", default.outcomes)]
        for one in made:
            if one.last and _states(one) != _states(default):
                row = _port(protocol, one)
                ports.append(row)
                seen.append((row["key"], one.outcomes))
        if len(ports) > _MOST:
            raise ParseError(f"more than {_MOST} ports that differ")
        for key, outcomes in seen:
            parity += _parity(key, outcomes)
            unclear += _unclear(key, zip(_FAMILIES, outcomes, strict=True))
    icmpv6 = list(rows(bases, devices["ipv6"], forwards))
    for row in icmpv6:
        # a rule for what this host sends says nothing of what is open
        if row["state"] == "unknown" and row["direction"] != "out":
            key = f"icmpv6/{row['type']}/{row['code']}"
            unclear.append({"key": key, "family": "ipv6", "source": row["source"]})
    return {
        "active": any(base.does_something for base in bases),
        "tools": list(tools),
        "device": dict(devices),
        "policy": policy,
        "defaults": defaults,
        "ports": ports,
        "parity": parity,
        "icmpv6": icmpv6,
        "understood": not unclear,
        "not_understood": unclear,
    }


def _states(segment: Segment) -> tuple[State, ...]:
    return tuple(outcome.state for outcome in segment.outcomes)


def _default(bases: Sequence[Base], made: Sequence[Segment], kinds: Sequence[Kind]) -> Segment:
    """What ports fare that no rule names: as a protocol that none names does, if any port does so,
    else as most ports do."""
    (*_, other) = segments(bases, kinds)
    widths: dict[tuple[State, ...], int] = {}
    for one in made:
        widths[_states(one)] = widths.get(_states(one), 0) + one.last - one.first + 1
    states = _states(other)
    if states not in widths:
        states = max(widths, key=lambda them: widths[them])
    alike = [one for one in made if _states(one) == states]
    return max(alike, key=lambda one: one.last - one.first)


def _policies(bases: Sequence[Base], default: Segment) -> Iterator[str]:
    for family, outcome in zip(_FAMILIES, default.outcomes, strict=True):
        filtered = any(
            base.does_something and not base.leaves for base in bases if family in base.families
        )
        yield _POLICIES[outcome.state] if filtered else "none"


def _port(protocol: str, segment: Segment) -> dict[str, Any]:
    first = max(segment.first, 1)  # there is no port 0
    numbers = str(first) if first == segment.last else f"{first}-{segment.last}"
    row: dict[str, Any] = {
        "key": f"{protocol}/{numbers}",
        "protocol": protocol,
        "first": first,
        "last": segment.last,
    }
    for family, outcome in zip(_FAMILIES, segment.outcomes, strict=True):
        row[family] = _OPEN[outcome.state]
        row[f"{family}_state"] = outcome.state
        row[f"{family}_source"] = outcome.source
    return row


def _parity(key: str, outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    states = [outcome.state for outcome in outcomes]
    if states.count("open") != 1 or "unknown" in states:
        return
    place = states.index("open")
    is_open, other = outcomes[place], outcomes[1 - place]
    open_on, other_name = _FAMILIES[place], _FAMILIES[1 - place]
    yield {
        "key": key,
        "open_on": open_on,
        "detail": f"{open_on}: open, by {is_open.source or 'no rule'};"
        f" {other_name}: {other.state}, by {other.source}",
        "source": f"{is_open.source or 'no rule'} | {other.source}",
    }


def _unclear(key: str, outcomes: Iterable[tuple[Family, Outcome]]) -> Iterator[dict[str, Any]]:
    for family, outcome in outcomes:
        if outcome.state == "unknown":
            yield {"key": key, "family": family, "source": outcome.source}

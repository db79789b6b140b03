"""Listening sockets side by side: what is reachable over IPv4 and not over IPv6.

At a scrape the kernel's listeners are counted; in an audit the processes behind them are named,
which costs a walk over every process. A socket on `::` also takes IPv4 unless it is IPv6-only,
which ss(8) of iproute2 alone tells (`v6only:1`; RFC 3493).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    Family,
    File,
    Inventory,
    Reading,
    Unavailable,
    gauge,
    malformed,
    sample,
)
from collectors.rows import Socket

LISTENERS = Inventory("listeners")
SOCKETS = Inventory("sockets")
SS = Command(("ss", "-6lntue"), timeout=5.0)
PORT_RANGE = File("/proc/sys/net/ipv4/ip_local_port_range")

_WILDCARD = {"ipv4": "0.0.0.0", "ipv6": "::"}  # noqa: S104 - compared, never bound
_LISTENING = {"tcp": "LISTEN", "udp": "NONE"}


class ListenersCollector(Collector, frozen=True):
    """How many addresses and ports are listened on, by family and protocol."""

    name: ClassVar[str] = "listeners"

    def readings(self) -> tuple[Inventory, ...]:
        return (LISTENERS,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        sockets = answers.rows(LISTENERS, Socket)
        found = {(s.family, s.protocol, s.address, s.port) for s in sockets}
        yield gauge(
            "jianwei_listeners",
            "Addresses with port on which TCP listens or unconnected UDP waits.",
            *(
                sample(
                    float(sum(key[:2] == (family, protocol) for key in found)),
                    family=family,
                    protocol=protocol,
                )
                for family in ("ipv4", "ipv6")
                for protocol in ("tcp", "udp")
            ),
        )
        lonely = {(s.protocol, s.port) for s in ipv4_only(sockets)}
        yield gauge(
            "jianwei_listeners_ipv4_only",
            "Ports that listen on every IPv4 address and on no IPv6 wildcard.",
            *(
                sample(float(sum(key[0] == protocol for key in lonely)), protocol=protocol)
                for protocol in ("tcp", "udp")
            ),
        )


class Ipv6ListenersCollector(Collector, frozen=True):
    """The listening sockets of each family with their processes, as a fact.

    `ipv6` has v6only for each, null where it is not known; `ipv6_only` are wildcard services that
    take no IPv4 and have no IPv4 twin; `ephemeral` in `ipv4_only` are UDP sockets on a port of those
    that the kernel gives to clients; `v6only_unknown` says why nothing is known of it.
    """

    name: ClassVar[str] = "ipv6_listeners"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_listeners",)

    def readings(self) -> tuple[Reading, ...]:
        return (SOCKETS, SS, PORT_RANGE)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        ephemeral = parse_port_range(answers.maybe(PORT_RANGE) or "")
        sockets = [s for s in answers.rows(SOCKETS, Socket) if s.state == _LISTENING[s.protocol]]
        only: dict[Place, bool] = {}
        unknown = ""
        try:
            only = parse_v6only(answers.text(SS))
        except Unavailable as error:  # the sockets themselves are known without
            unknown = str(error)
        ipv4, ipv6 = (_rows(s for s in sockets if s.family == f) for f in ("ipv4", "ipv6"))
        for row in ipv6:
            row["v6only"] = only.get(
                (row["protocol"], row["address"].partition("%")[0], row["port"])
            )
        taken = {(s.protocol, s.port) for s in sockets if s.address == _WILDCARD["ipv4"]}
        yield Fact(
            "ipv6_listeners",
            {
                "ipv4": ipv4,
                "ipv6": ipv6,
                "ipv4_only": [
                    {**row, "ephemeral": row["protocol"] == "udp" and row["port"] in ephemeral}
                    for row in _rows(ipv4_only(sockets))
                ],
                "ipv6_only": [
                    row
                    for row in ipv6
                    if row["address"] == _WILDCARD["ipv6"]
                    and row["v6only"]
                    and (row["protocol"], row["port"]) not in taken
                ],
                "v6only_unknown": unknown,
            },
        )


def parse_port_range(text: str) -> range:
    """First and last port; none where the text is empty. Raises ParseError."""
    with malformed(PORT_RANGE.path):
        first, last = (int(word) for word in text.split() or ("0", "-1"))
        return range(first, last + 1)


Place = tuple[str, str, int]  # protocol, address, port


def parse_v6only(text: str) -> dict[Place, bool]:
    """Whether a socket takes IPv6 only, from lines of `ss -6lntue`; of sockets that share a place
    and differ nothing is known.

    Columns: protocol, state, two queues, local address and port, the peer's, then words. Older
    releases leave `v6only` out, and show `*` for a `::` that takes both.
    """
    found: dict[Place, bool] = {}
    differing = set()
    for line in text.splitlines():
        words = line.split()
        flag = next((word for word in words[6:] if word.startswith("v6only:")), "")
        address, _, port = words[4].rpartition(":") if len(words) > 5 else ("", "", "")
        if not (flag and port.isascii() and port.isdigit() and len(port) < 6):
            continue
        address = address.partition("%")[0].strip("[]")
        place = words[0], "::" if address == "*" else address, int(port)
        value = flag == "v6only:1"
        if found.setdefault(place, value) != value:
            differing.add(place)
    return {place: value for place, value in found.items() if place not in differing}


def ipv4_only(sockets: Iterable[Socket]) -> list[Socket]:
    """The sockets on every IPv4 address whose port has no IPv6 wildcard socket."""
    sockets = list(sockets)
    twins = {
        (s.protocol, s.port)
        for s in sockets
        if s.family == "ipv6" and s.address == _WILDCARD["ipv6"]
    }
    return [
        s
        for s in sockets
        if s.family == "ipv4"
        and s.address == _WILDCARD["ipv4"]
        and (s.protocol, s.port) not in twins
    ]


def _rows(sockets: Iterable[Socket]) -> list[dict[str, Any]]:
    """Each once: a server may hold several sockets of one port."""
    rows = {
        (s.protocol, s.address, s.port, s.process): {
            "endpoint": f"{s.protocol}/{s.port}",
            "protocol": s.protocol,
            "address": s.address,
            "port": s.port,
            "process": s.process,
            "source": "sockets",
        }
        for s in sockets
    }
    return [rows[key] for key in sorted(rows)]

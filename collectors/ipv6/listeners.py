"""Listening sockets side by side: what is reachable over IPv4 and not over IPv6.

At a scrape the kernel's listeners are counted; in an audit the processes behind them are named,
which costs a walk over every process. A socket on `::` also takes IPv4 unless it is IPv6-only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, Family, Inventory, gauge, sample
from collectors.rows import Socket

LISTENERS = Inventory("listeners")
SOCKETS = Inventory("sockets")

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
    """The listening sockets of each family with their processes, as a fact."""

    name: ClassVar[str] = "ipv6_listeners"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_listeners",)

    def readings(self) -> tuple[Inventory, ...]:
        return (SOCKETS,)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        sockets = [s for s in answers.rows(SOCKETS, Socket) if s.state == _LISTENING[s.protocol]]
        yield Fact(
            "ipv6_listeners",
            {
                **{f: _rows(s for s in sockets if s.family == f) for f in ("ipv4", "ipv6")},
                "ipv4_only": _rows(ipv4_only(sockets)),
            },
        )


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
            "protocol": s.protocol,
            "address": s.address,
            "port": s.port,
            "process": s.process,
            "source": "sockets",
        }
        for s in sockets
    }
    return [rows[key] for key in sorted(rows)]

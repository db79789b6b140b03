"""Sockets that wait for whoever comes: TCP in LISTEN, UDP that is not connected, with processes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, Inventory, malformed
from collectors.rows import Socket

SOCKETS = Inventory("sockets")

_LISTENING = {"tcp": "LISTEN", "udp": "NONE"}


class ListeningCollector(Collector, frozen=True):
    """`listeners`: endpoint (`tcp/[::]:22`), family, protocol, address, port, process, wildcard
    (every address of the host), loopback (this host only)."""

    name: ClassVar[str] = "listening"
    facts: ClassVar[tuple[str, ...]] = ("listeners",)

    def readings(self) -> tuple[Inventory, ...]:
        return (SOCKETS,)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        with malformed("sockets"):
            for socket in answers.rows(SOCKETS, Socket):
                if socket.port and socket.state == _LISTENING[socket.protocol]:
                    row = _row(socket)
                    rows.setdefault((row["endpoint"], row["process"]), row)
        yield Fact("listeners", [rows[key] for key in sorted(rows)], {"": "sockets"})


def _row(socket: Socket) -> dict[str, Any]:
    address = ipaddress.ip_address(socket.address.partition("%")[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    shown = f"[{socket.address}]" if socket.family == "ipv6" else socket.address
    return {
        "endpoint": f"{socket.protocol}/{shown}:{socket.port}",
        "family": socket.family,
        "protocol": socket.protocol,
        "address": socket.address,
        "port": socket.port,
        "process": socket.process,
        "wildcard": plain.is_unspecified,
        "loopback": plain.is_loopback,
        "source": f"{socket.process or 'unknown process'} on {socket.protocol}/{socket.port}",
    }

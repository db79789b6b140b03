"""A host behind a packet filter, and a client: what the filter lets in, by the kernel and by the fact.

with Lab() as lab, World(lab) as world:
    world.load(RULES)
    world.fact()       what the collector makes of what nft and iptables-save tell in there
    world.reached()    what a client really reaches
"""

from __future__ import annotations

import itertools
import select
import shutil
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from collectors.firewall.parity import NFT, SAVES, Ipv6FirewallCollector
from collectors.model import Answer, Answers, Fact, Glob, Reading
from tests.netlab import Lab

HOST = {"ipv4": "203.0.113.1", "ipv6": "2400:da00:f::1"}
CLIENT = {"ipv4": "203.0.113.2", "ipv6": "2400:da00:f::2"}
PORTS = (22, 25, 53, 80, 443, 8080, 8443, 9000)
PATIENCE = 0.15  # seconds for an answer over a cable that has none of its own
FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
ROUTES = {
    "/proc/net/route": "Iface\tDestination\n"
    "to-client\t00000000\t027100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
}
SOURCES = itertools.count(20_000)
Seen = dict[tuple[str, str, int], bool]


class World:
    """A host that answers at every port, and a client."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._end = threading.Event()
        for name in ("host", "client"):
            lab.namespace(name)
        lab.link("host", "client", [(f"{HOST[f]}/{n}", f"{CLIENT[f]}/{n}") for f, n in SIZES])
        self._server = lab.begin("host", self._serve)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._server.end()

    def load(self, rules: str) -> None:
        """Rules of nft, or lines of commands of iptables and ip6tables."""
        self._lab.run("host", "nft", "flush", "ruleset")
        if rules.lstrip().startswith(("iptables", "ip6tables")):
            for line in rules.strip().splitlines():
                self._lab.run("host", *line.split())
        elif rules.strip():
            self._lab.nft("host", rules)

    def fact(self) -> Any:
        """What the collector makes of what the programs tell in the host's namespace."""
        collector = Ipv6FirewallCollector()
        answers: dict[Reading, Answer] = {}
        for reading in collector.readings():
            assert not isinstance(reading, Glob)
            answers[reading] = Answer("absent", reason="no such file")
            if text := ROUTES.get(getattr(reading, "path", "")):
                answers[reading] = Answer("content", text.encode())
        for command in (NFT, *SAVES.values()):
            if shutil.which(command.argv[0]):
                told = self._lab.run("host", *command.argv)
                answers[command] = Answer("content", told.encode())
        (fact,) = collector.parse(Answers(answers))
        assert isinstance(fact, Fact)
        return fact.value

    def reached(self) -> Seen:
        """Whether each port answers the client."""
        return self._lab.inside("client", _ask)

    def pings(self) -> bool:
        """Whether the host answers an echo over IPv6."""
        return "1 received" in self._lab.run(
            "client", "sh", "-c", f"ping -6 -n -c 1 -W 0.3 {HOST['ipv6']} || true"
        )

    def provoke(self) -> None:
        """Let the client answer the host: an echo, a closed port, and as neighbours."""
        for name, other in (("client", "host"), ("host", "client")):
            # who asks first is known to the other from then on
            for end, device in (("host", "to-client"), ("client", "to-host")):
                self._lab.run(end, "ip", "-6", "neigh", "flush", "dev", device)
            address = {"host": HOST, "client": CLIENT}[other]["ipv6"]
            self._lab.run(name, "ping", "-6", "-n", "-c", "1", "-W", "2", address)
        self._lab.inside("host", _to_a_closed_port)

    def nft(self, *words: str) -> str:
        return self._lab.run("host", "nft", *words)

    def run(self, *words: str, before: Sequence[str] = ()) -> str:
        """What the agent says in the host's namespace, run by a command if need be."""
        return self._lab.run("host", *before, sys.executable, "-m", "agents", *words)

    def _serve(self) -> None:
        with ExitStack() as stack:
            sockets = []
            for family in FAMILIES.values():
                for port in PORTS:
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        one = stack.enter_context(socket.socket(family, kind))
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        if family == socket.AF_INET6:
                            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        one.bind(("", port))
                        if kind == socket.SOCK_STREAM:
                            one.listen(64)
                        sockets.append(one)
            while not self._end.is_set():
                for one in select.select(sockets, [], [], 0.1)[0]:
                    if one.type == socket.SOCK_STREAM:
                        one.accept()[0].close()
                    else:
                        one.sendto(b"!", one.recvfrom(16)[1])


def _to_a_closed_port() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
        one.settimeout(2)
        one.connect((CLIENT["ipv6"], 9))
        one.send(b"?")
        try:
            one.recv(1)
        except ConnectionRefusedError:
            return
    raise AssertionError("the client does not say that the port is closed")


SIZES = (("ipv4", 24), ("ipv6", 64))


def _ask() -> Seen:
    seen: Seen = {}
    with ExitStack() as stack:
        streams: dict[socket.socket, tuple[str, str, int]] = {}
        datagrams: dict[socket.socket, tuple[str, str, int]] = {}
        for family, number in FAMILIES.items():
            for port in PORTS:
                for table, kind, protocol in (
                    (streams, socket.SOCK_STREAM, "tcp"),
                    (datagrams, socket.SOCK_DGRAM, "udp"),
                ):
                    one = stack.enter_context(socket.socket(number, kind))
                    one.setblocking(False)
                    # never one of before, whose connection the filter may still know
                    one.bind(("", next(SOURCES)))
                    one.connect_ex((HOST[family], port))
                    if protocol == "udp":
                        one.send(b"?")
                    table[one] = (family, protocol, port)
                    seen[family, protocol, port] = False
        for _ in range(2):  # what has come by then
            threading.Event().wait(PATIENCE / 2)
            for one in select.select([], list(streams), [], 0)[1]:
                if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    seen[streams.pop(one)] = True
                else:
                    streams.pop(one)
            for one in select.select(list(datagrams), [], [], 0)[0]:
                try:
                    seen[datagrams[one]] = one.recv(16) == b"!"
                except OSError:
                    continue
    return seen


def told(fact: Mapping[str, Any]) -> dict[tuple[str, str, int], str]:
    """The state of each port by family, from the rows and what holds for all others."""
    found = {}
    for protocol, default in fact["defaults"].items():
        for port in PORTS:
            rows = [
                row
                for row in fact["ports"]
                if row["protocol"] == protocol and row["first"] <= port <= row["last"]
            ]
            assert len(rows) < 2
            for family in FAMILIES:
                state = rows[0][f"{family}_state"] if rows else default[family]
                found[family, protocol, port] = state
    return found

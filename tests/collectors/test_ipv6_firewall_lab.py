"""What the kernel really lets in, and what is said of it: real nft and ip6tables in namespaces.

A client connects to every port of a host over both families, and what came through is held against
the fact made of the rules. The rules are some people's usual ones, and some drawn by lot.
"""

from __future__ import annotations

import itertools
import random
import select
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from collectors.ipv6.firewall import NFT, SAVES, Ipv6FirewallCollector
from collectors.model import Answer, Answers, Fact, Glob, Reading
from tests import netlab
from tests.netlab import Lab

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

HOST = {"ipv4": "203.0.113.1", "ipv6": "2400:da00:f::1"}
CLIENT = {"ipv4": "203.0.113.2", "ipv6": "2400:da00:f::2"}
PORTS = (22, 25, 53, 80, 443, 8080, 8443, 9000)
PATIENCE = 0.2  # seconds for an answer over a cable that has none of its own
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

    def close(self) -> None:
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


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Lab() as lab:
        made = World(lab)
        try:
            yield made
        finally:
            made.close()


def check(world: World) -> Any:
    """The fact, of which no word is contradicted by what really came through."""
    fact = world.fact()
    said, seen = told(fact), world.reached()
    wrong = {
        key: (state, seen[key])
        for key, state in said.items()
        if state != "unknown" and seen[key] != (state == "open")
    }
    assert not wrong
    for row in fact["parity"]:
        if row["key"].split("/")[1].isdigit():
            protocol, port = row["key"].split("/")
            other = "ipv4" if row["open_on"] == "ipv6" else "ipv6"
            if int(port) in PORTS:
                assert seen[row["open_on"], protocol, int(port)]
                assert not seen[other, protocol, int(port)]
    (echo,) = [row for row in fact["icmpv6"] if row["type"] == 128]
    if echo["passes"] is not None:
        assert world.pings() == echo["passes"]
    return fact


STATEFUL = """
  iif lo accept
  ct state established,related accept
  ct state invalid drop
  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
"""


def inet(rules: str, policy: str = "drop", more: str = "") -> str:
    rules = rules.replace(";", "\n")
    return (
        f"table inet f {{\n{more}\nchain in {{\n"
        f"type filter hook input priority 0; policy {policy};\n{STATEFUL}\n{rules}\n}}\n}}\n"
    )


ND = "ip6tables -A INPUT -p ipv6-icmp --icmpv6-type {} -j ACCEPT\n"
# name → rules, keys of parity with the family that is open
USUAL: dict[str, tuple[str, dict[str, str]]] = {
    "nothing": ("", {}),
    "both alike": (inet("tcp dport { 22, 443 } accept"), {}),
    "a port on IPv4 only": (
        inet("tcp dport 22 accept; ip version 4 tcp dport 443 accept"),
        {"tcp/443": "ipv4"},
    ),
    "a port on IPv6 only": (
        inet("tcp dport 22 accept; meta nfproto ipv6 tcp dport { 80, 443 } accept"),
        {"tcp/80": "ipv6", "tcp/443": "ipv6"},
    ),
    "no filter for IPv6": (
        "table ip f {\nchain in {\ntype filter hook input priority 0; policy drop;\n"
        "tcp dport 22 accept\n}\n}\n",
        {"tcp/default": "ipv6", "udp/default": "ipv6"},
    ),
    "no filter for IPv4": (
        "table ip6 f {\nchain in {\ntype filter hook input priority 0; policy drop;\n"
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        "tcp dport 22 accept\n}\n}\n",
        {"tcp/default": "ipv4", "udp/default": "ipv4"},
    ),
    "an early drop of one family": (
        inet("tcp dport { 22, 443 } accept")
        + "table ip6 early {\nchain pre {\ntype filter hook prerouting priority -300;\n"
        "tcp dport 443 drop\n}\n}\n",
        {"tcp/443": "ipv4"},
    ),
    "a list and a map": (
        inet(
            "tcp dport @web accept; udp dport vmap @names; ip6 nexthdr vmap { tcp : jump six }",
            more="set web { type inet_service; flags interval; elements = { 80, 8000-8100 }\n}\n"
            "map names { type inet_service : verdict; elements = { 53 : accept, 443 : drop }\n}\n"
            "chain six {\ntcp dport 9000 accept\nreturn\n}\n",
        ),
        {"tcp/9000": "ipv6"},
    ),
    "jump and goto": (
        inet(
            "meta nfproto ipv4 goto four; tcp dport 25 jump back; tcp dport 25 accept",
            more="chain four {\ntcp dport 80 accept\n}\nchain back {\ntcp dport 25 return\n}\n",
        ),
        {"tcp/25": "ipv6", "tcp/80": "ipv4"},
    ),
    "a goto that comes back to an accept": (
        inet("tcp dport 80 goto none; tcp dport 80 drop", "accept", "chain none {\n}\n"),
        {},
    ),
    "of certain senders": (
        inet("ip saddr 192.0.2.0/24 tcp dport 22 accept; ip6 saddr 2400:da00:e::/48 accept"),
        {},
    ),
    "against certain senders": (
        inet("ip saddr { 192.0.2.0/24, 198.51.100.7 } drop; tcp dport 22 accept"),
        {},
    ),
    "by a device": (
        inet('iifname "to-client" tcp dport 22 accept; iifname "wg*" accept; iifname "eth9" drop'),
        {},
    ),
    "rejected": (
        inet("tcp dport 22 accept; tcp dport != 443 reject with tcp reset; accept", "accept"),
        {},
    ),
    "below a limit": (
        inet(
            "tcp dport 22 limit rate 10/minute burst 50 packets accept; icmpv6 type echo-request accept"
        ),
        {},
    ),
    "two lists side by side": (
        inet("meta l4proto . th dport { tcp . 80, udp . 53 } accept; th dport 443 accept"),
        {},
    ),
    "only what begins": (
        inet("tcp flags & (fin|syn|rst|ack) == syn tcp dport 22 accept; tcp flags != syn drop"),
        {},
    ),
    "iptables and ip6tables alike": (
        "iptables -P INPUT DROP\niptables -A INPUT -p tcp -m multiport --dports 22,80:443 -j ACCEPT\n"
        "ip6tables -P INPUT DROP\nip6tables -A INPUT -p tcp -m multiport --dports 22,80:443 -j ACCEPT\n"
        + ND.format("neighbour-solicitation")
        + ND.format(136),
        {},
    ),
    "ip6tables lacks a port": (
        "iptables -N web\niptables -A web -p tcp --dport 443 -j ACCEPT\niptables -A INPUT -j web\n"
        "iptables -A INPUT -p tcp --dport 22 -j ACCEPT\niptables -A INPUT -j REJECT\n"
        "ip6tables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT\n"
        + ND.format(135)
        + ND.format("neighbour-advertisement")
        + "ip6tables -A INPUT ! -i lo -j DROP\n",
        {"tcp/443": "ipv4"},
    ),
    "only iptables": (
        "iptables -P INPUT DROP\niptables -A INPUT -p udp --dport 53 -j ACCEPT\n",
        {"tcp/default": "ipv6", "udp/default": "ipv6"},
    ),
}


@pytest.mark.parametrize("name", USUAL)
def test_what_usual_rules_let_in(name: str, world: World) -> None:
    rules, parity = USUAL[name]
    if "iptables" in rules and not shutil.which("ip6tables"):
        pytest.skip("needs iptables")
    world.load(rules)
    fact = check(world)
    assert {row["key"]: row["open_on"] for row in fact["parity"]} == parity
    assert fact["understood"], fact["not_understood"]
    assert fact["active"] == bool(rules)


CONDITIONS = (
    *("", "meta nfproto ipv4 ", "meta nfproto ipv6 ", "ip saddr 192.0.2.0/24 ", "ct state new "),
    *(
        "ip saddr != 192.0.2.1 ",
        "ip6 saddr 2400:dead::/32 ",
        "ct state established ",
        "meta mark 7 ",
    ),
    *(
        'iifname "to-client" ',
        'iifname != "to-client" ',
        "limit rate over 900/second burst 900 packets ",
        "iif lo ",
    ),
    *(
        "meta l4proto udp ",
        "meta l4proto != tcp ",
        "fib daddr type local ",
        "meta pkttype multicast ",
    ),
)
VERDICTS = ("accept", "accept", "drop", "return", "jump a", "jump b", "goto a", "goto b", "counter")


def drawn(seed: int) -> str:
    """A filter of two to four chains in one or two tables."""
    lot = random.Random(seed)  # noqa: S311 - no secret

    def rule(verdicts: tuple[str, ...]) -> str:
        ports = sorted(lot.sample(PORTS, lot.randint(1, 4)))
        if lot.random() < 0.3:
            ports_text = f"{ports[0]}-{ports[-1]}" if len(ports) > 1 else str(ports[0])
        else:
            ports_text = "{ " + ", ".join(map(str, ports)) + " }"
        sign = "!= " if lot.random() < 0.15 else ""
        condition = lot.choice(CONDITIONS)
        # nft refuses to ask for two protocols at once
        where = lot.choice(("th", "") if "l4proto" in condition else ("tcp", "udp", "th", ""))
        matched = f"{where} dport {sign}{ports_text} " if where else ""
        if where == "th":
            matched = "meta l4proto { tcp, udp } " + matched
        return condition + matched + lot.choice(verdicts)

    def chain(name: str, verdicts: tuple[str, ...], head: str = "") -> str:
        rules = "\n".join(rule(verdicts) for _ in range(lot.randint(1, 5)))
        return f"chain {name} {{\n{head}{rules}\n}}\n"

    plain = tuple(v for v in VERDICTS if " " not in v)
    tables = ""
    for number in range(lot.randint(1, 2)):
        head = (
            f"type filter hook input priority {number}; policy {lot.choice(('drop', 'accept'))};\n"
        )
        discovery = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
        tables += (
            f"table inet t{number} {{\n{chain('b', plain)}"
            f"{chain('a', (*plain, 'jump b', 'goto b'))}"
            f"{chain('in', VERDICTS, head + 'ct state established accept' + chr(10) + discovery)}}}\n"
        )
    return tables


@pytest.mark.parametrize("seed", range(16))
def test_what_rules_by_lot_let_in(seed: int, world: World) -> None:
    rules = drawn(seed)
    world.load(rules)
    try:
        check(world)
    except AssertionError as error:
        pytest.fail(f"{error}\n{rules}")

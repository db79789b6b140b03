"""What the kernel really lets in, and what is said of it: real nft and ip6tables in namespaces.

A client connects to every port of a host over both families, and what came through is held against
the fact made of the rules. The rules are some people's usual ones, and some drawn by lot.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import netlab
from tests.firewalllab import PORTS, World, told
from tests.netlab import Lab

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Lab() as lab, World(lab) as made:
        yield made


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
    "limits for each sender": (
        inet(
            "tcp dport 22 add @seen { ip saddr limit rate over 900/second burst 900 packets } drop;"
            " tcp dport 22 accept; tcp dport 80 meter m { ip saddr limit rate 900/second } accept",
            more="set seen { type ipv4_addr; flags dynamic; timeout 1m\n}\n",
        ),
        {"tcp/80": "ipv4"},
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


@pytest.mark.skipif(not shutil.which("ip6tables"), reason="needs iptables")
def test_the_agent_itself_on_such_a_host(world: World, tmp_path: Path) -> None:
    """The programs are run by the agent in the namespace, and a recording says the same."""
    world.load(inet("tcp dport 22 accept; meta nfproto ipv4 tcp dport { 80, 443 } accept"))
    words = ("--format", "json", "--collect", "ipv6_firewall")
    live = json.loads(world.run("once", *words))
    world.run("record", str(tmp_path / "recorded"))
    again = json.loads(world.run("once", *words, "--recorded", str(tmp_path / "recorded")))
    assert live[0]["facts"] == again[0]["facts"]
    value = live[0]["facts"][0]["value"]
    assert [(row["key"], row["open_on"]) for row in value["parity"]] == [
        ("tcp/80", "ipv4"),
        ("tcp/443", "ipv4"),
    ]
    assert "tcp dport { 80, 443 } accept" in value["parity"][0]["source"]
    assert value["device"] == {"ipv4": "", "ipv6": ""}, "there is no default route"


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_the_agent_says_when_it_may_not_look(world: World) -> None:
    world.load(inet("tcp dport 22 accept"))
    less = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    told = world.run("once", "--format", "json", "--collect", "ipv6_firewall", before=less)
    (fact,) = json.loads(told)[0]["facts"]
    assert fact["unavailable"].startswith("permission: nft -j list ruleset"), fact["unavailable"]
    assert "CAP_NET_ADMIN" in fact["unavailable"]


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


@pytest.mark.parametrize("seed", range(8))
def test_what_rules_by_lot_let_in(seed: int, world: World) -> None:
    rules = drawn(seed)
    world.load(rules)
    try:
        check(world)
    except AssertionError as error:
        pytest.fail(f"{error}\n{rules}")

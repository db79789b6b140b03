"""Rules of iptables and ip6tables by lot, and what the kernel really lets in by them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator

import pytest

from tests import netlab
from tests.firewalllab import PORTS, World, told
from tests.netlab import Lab

pytestmark = [
    pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable()),
    pytest.mark.skipif(not shutil.which("ip6tables"), reason="needs iptables"),
]

CONDITIONS = (
    *("", "-s {0}", "! -s {0}", "-d {0}", "-i to-client", "! -i to-client", "-i lo"),
    *("-m conntrack --ctstate NEW", "-m conntrack ! --ctstate NEW", "-m state --state RELATED"),
    *("-m addrtype --dst-type LOCAL", "-m pkttype --pkt-type multicast", "-m mark --mark 7"),
    *("-m limit --limit 900/second --limit-burst 900", "-m connlimit --connlimit-above 900"),
    *("-m recent --rcheck --seconds 9 --name n", "-m comment --comment -j"),
)
STRANGER = {"iptables": "192.0.2.1", "ip6tables": "2400:da00:e::1"}
DISCOVERY = "ip6tables -A INPUT -p ipv6-icmp --icmpv6-type {} -j ACCEPT"


def drawn(lot: random.Random, tool: str) -> list[str]:
    """Commands for a filter of three chains."""
    lines = [f"{tool} -N a", f"{tool} -N b"]
    lines += [DISCOVERY.format(type_) for type_ in (135, 136) if tool == "ip6tables"]
    lines.append(f"{tool} -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")
    lines.append(f"{tool} -P INPUT {lot.choice(('ACCEPT', 'DROP'))}")
    below = {"INPUT": ("-j a", "-g a", "-j b", "-g b"), "a": ("-j b", "-g b"), "b": ()}
    for chain, further in below.items():
        for _ in range(lot.randint(1, 5)):
            condition = lot.choice(CONDITIONS).format(STRANGER[tool])
            verdict = lot.choice(("-j ACCEPT", "-j DROP", "-j REJECT", "-j RETURN", *further))
            lines.append(f"{tool} -A {chain} {ports(lot)} {condition} {verdict}")
    return lines


def ports(lot: random.Random) -> str:
    protocol = lot.choice(("tcp", "udp", ""))
    first, *_, last = sorted(lot.sample(PORTS, 3))
    if not protocol:
        return ""
    more = [
        f"-m {protocol} --dport {first}:{last}",
        f"-m {protocol} ! --dport {first}",
        f"-m multiport --dports {first},{last}",
    ]
    if protocol == "tcp":
        more += ["--syn", "! --syn", "--tcp-flags FIN,SYN,RST,ACK SYN", "--tcp-flags ALL NONE"]
    return f"-p {protocol} {lot.choice(more)}"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Lab() as lab, World(lab) as made:
        yield made


@pytest.mark.parametrize("seed", range(6))
def test_what_rules_by_lot_let_in(seed: int, world: World) -> None:
    lot = random.Random(seed)  # noqa: S311 - no secret
    rules = "\n".join(line for tool in STRANGER for line in drawn(lot, tool))
    world.load(rules)
    said, seen = told(world.fact()), world.reached()
    wrong = {
        key: (state, seen[key])
        for key, state in said.items()
        if state != "unknown" and seen[key] != (state == "open")
    }
    assert not wrong, rules

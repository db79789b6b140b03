"""The packet filters as the security baseline judges them; rules are loaded into a real kernel where there is a lab."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.firewall.baseline import FirewallCollector
from collectors.firewall.deadrules import dead_rules
from collectors.firewall.iptables import parse_save
from collectors.firewall.kernelfamilies import OFF
from collectors.firewall.nftables import parse_ruleset
from collectors.firewall.parity import FORWARDINGS, NFT, ROUTE, SAVES, STATUS
from collectors.ipv6.addresses import IF_INET6
from collectors.ipv6.routes import IPV6_ROUTE
from collectors.model import Answer, Answers, Fact, Reading
from collectors.observe import observe
from tests import netlab
from tests.collectors.filterfacts import DEFAULT_ROUTE, EMPTY, save
from tests.netlab import Lab

needs_lab = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable() or "lab")


def fact(said: dict[Any, str]) -> Any:
    answers: dict[Reading, Answer] = dict.fromkeys(
        FirewallCollector().readings(), Answer("absent", reason="no such file")
    )
    for reading, it in {ROUTE: DEFAULT_ROUTE, IPV6_ROUTE: "", **said}.items():
        answers[reading] = Answer("content", it.encode())
    (made,) = FirewallCollector().parse(Answers(answers))
    assert isinstance(made, Fact)
    return made.value


V4_ONLY = save("-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({}, ["ipv4"]),  # ipv6.disable=1, or no IPv6 in the kernel
        ({IPV6_ROUTE: ""}, ["ipv4", "ipv6"]),
        ({OFF[0]: "1\n", OFF[1]: "1\n", IPV6_ROUTE: "", IF_INET6: ""}, ["ipv4"]),
        (
            {
                OFF[0]: "1\n",
                OFF[1]: "1\n",
                IPV6_ROUTE: "",
                IF_INET6: f"{'0' * 31}1 01 80 10 80 lo\n",
            },
            ["ipv4"],
        ),
        ({OFF[0]: "1\n", OFF[1]: "0\n", IF_INET6: ""}, ["ipv4", "ipv6"]),
        ({OFF[0]: "0\n", OFF[1]: "1\n", IF_INET6: ""}, ["ipv4", "ipv6"]),
        # switched on again for one of them
        (
            {OFF[0]: "1\n", OFF[1]: "1\n", IF_INET6: f"fe80{'0' * 27}1 02 40 20 80 eth0\n"},
            ["ipv4", "ipv6"],
        ),
    ],
)
def test_a_family_that_the_kernel_does_not_speak_is_not_asked_for(
    said: dict[Any, str], names: list[str]
) -> None:
    answers: dict[Reading, Answer] = dict.fromkeys(
        (*FirewallCollector().readings(), *OFF), Answer("absent", reason="no such file")
    )
    for reading, it in {ROUTE: DEFAULT_ROUTE, SAVES["ipv4"]: V4_ONLY, **said}.items():
        answers[reading] = Answer("content", it.encode())
    (made,) = FirewallCollector().parse(Answers(answers))
    assert isinstance(made, Fact)
    assert [row["name"] for row in made.value["families"]] == names
    assert [row["policy"] for row in made.value["families"]] == ["drop", "none"][: len(names)]
    assert made.value["open"] == []


def of_family(value: Any, name: str) -> Any:
    return next(row for row in value["families"] if row["name"] == name)


def dead(*rules: str) -> dict[str, str]:
    """What is dead, and by what, by the words behind the chain."""
    text = save(*(f"-A INPUT {rule}" for rule in rules))
    rows, known = dead_rules(parse_save(text, "ipv4", "iptables"))
    assert known
    return {row["rule"].partition("INPUT ")[2]: row["by"].partition("INPUT ")[2] for row in rows}


SSH = "-p tcp -m tcp --dport 22"


@pytest.mark.parametrize(
    ("rules", "lines"),
    [
        (["-j ACCEPT", f"{SSH} -j DROP"], {1: 0}),
        ([f"{SSH} -j ACCEPT", f"{SSH} -j DROP"], {1: 0}),
        ([f"{SSH} -j ACCEPT", f"-s 10.0.0.0/8 {SSH} -j DROP"], {1: 0}),
        # the narrower first is the usual way
        ([f"-s 10.0.0.0/8 {SSH} -j ACCEPT", f"{SSH} -j DROP"], {}),
        (["-s 10.0.0.0/8 -j ACCEPT", f"-s 10.1.2.0/24 {SSH} -j DROP"], {1: 0}),
        (["-s 10.1.2.0/24 -j ACCEPT", "-s 10.0.0.0/8 -j DROP"], {}),
        (["-p tcp -m tcp --dport 20:30 -j ACCEPT", f"{SSH} -j DROP"], {1: 0}),
        (["-p tcp -m tcp --dport 23:30 -j ACCEPT", f"{SSH} -j DROP"], {}),
        (["-p udp -m udp --dport 22 -j ACCEPT", f"{SSH} -j DROP"], {}),
        # what does not end the way takes nothing
        (["-j LOG", f"{SSH} -j DROP"], {}),
        (["-j a", f"{SSH} -j DROP"], {}),
        # now and then, or of a count
        (["-m limit --limit 5/sec -j ACCEPT", f"{SSH} -j DROP"], {}),
        ([f"{SSH} -m recent --update --name x -j DROP", f"{SSH} -j ACCEPT"], {}),
        (["! -s 10.0.0.0/8 -j DROP", "! -s 10.1.0.0/16 -j ACCEPT"], {}),
        (["! -s 10.0.0.0/8 -j DROP", "! -s 10.0.0.0/8 -p tcp -j ACCEPT"], {1: 0}),
        (["-i lo -j ACCEPT", "-j DROP"], {}),
        ([f"{SSH} -m comment --comment one -j ACCEPT", f"{SSH} -j ACCEPT"], {1: 0}),
        (["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", f"{SSH} -j DROP"], {}),
        # a condition that is not known is one all the same
        (["-m weird --weird 7 -j ACCEPT", f"{SSH} -j DROP"], {}),
        (["-m set --match-set bad src -j DROP", f"{SSH} -j ACCEPT"], {}),
    ],
)
def test_rules_that_no_packet_reaches(rules: list[str], lines: dict[int, int]) -> None:
    assert dead(*rules) == {rules[late]: rules[early] for late, early in lines.items()}


def test_too_many_rules_are_not_laid_beside_one_another() -> None:
    rules = [f"-A INPUT -s 10.0.{n // 256}.{n % 256} -j ACCEPT" for n in range(2000)]
    rows, known = dead_rules(parse_save(save(*rules), "ipv4", "iptables"))
    assert (rows, known) == ([], False)
    # but behind one that takes all, there is nothing to compare
    rows, known = dead_rules(parse_save(save("-A INPUT -j DROP", *rules), "ipv4", "iptables"))
    assert (len(rows), known) == (2000, True)


NFT_RULES = """
table inet t {
 set blocked { type ipv4_addr; elements = { 10.9.9.9 } }
 chain input { type filter hook input priority filter; policy drop;
  ct state established,related accept
  tcp dport 20-30 accept
  tcp dport 22 drop comment "dead"
  ip saddr 10.0.0.0/8 udp dport 53 accept
  ip saddr 10.1.0.0/16 udp dport 53 accept comment "dead"
  tcp dport { 80, 443 } accept
  tcp dport 443 accept comment "dead"
  tcp dport { 443, 8443 } accept
  ip saddr @blocked drop
  udp dport 123 limit rate 5/second accept
  udp dport 123 drop
  jump more
 }
 chain more {
  meta l4proto udp return
  udp dport 514 accept
  accept
  tcp dport 9 drop comment "dead"
 }
 chain forward { type filter hook forward priority filter; policy accept;
  iifname "a" drop
 }
}
"""


@needs_lab
def test_rules_as_the_kernel_tells_them() -> None:
    with Lab() as lab:
        lab.namespace("host")
        lab.nft("host", NFT_RULES)
        told = lab.run("host", "nft", "-j", "list", "ruleset")
    rows, known = dead_rules(
        base for of_table in parse_ruleset(told.encode()).bases.values() for base in of_table
    )
    assert known
    assert all(row["rule"].endswith("# dead") for row in rows)
    assert len(rows) == NFT_RULES.count('"dead"')
    value = fact({NFT: told, FORWARDINGS["ipv4"]: "1\n"})
    assert of_family(value, "ipv4") == {
        "name": "ipv4",
        "policy": "accept",  # by the chain `more`
        "stateful": True,
        "forwards": True,
        "forward": "open",
        "source": "firewall ipv4",
    }


def policies(value: Any) -> dict[str, str]:
    return {row["name"]: row["policy"] for row in value["families"]}


def test_each_family_for_itself() -> None:
    ssh = f"-A INPUT {SSH} -j ACCEPT"
    state = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    value = fact({SAVES["ipv4"]: save(state, ssh), SAVES["ipv6"]: save(policy="ACCEPT")})
    assert policies(value) == {"ipv4": "drop", "ipv6": "none"}
    assert [row["key"] for row in value["open"]] == ["ipv4/tcp/22"]
    assert of_family(value, "ipv4")["stateful"]
    assert not of_family(value, "ipv6")["stateful"]


def test_udp_is_to_be_refused_too() -> None:
    rules = ("-A INPUT -p udp -j ACCEPT", f"-A INPUT {SSH} -j ACCEPT")
    value = fact({SAVES["ipv4"]: save(*rules), SAVES["ipv6"]: save()})
    assert policies(value) == {"ipv4": "accept", "ipv6": "drop"}


def test_a_comment_is_no_state() -> None:
    rule = '-A INPUT -p tcp -m comment --comment "--ctstate ESTABLISHED" -j DROP'
    assert not of_family(fact({SAVES["ipv4"]: save(rule)}), "ipv4")["stateful"]


def test_nothing_filters() -> None:
    value = fact({NFT: EMPTY})
    assert policies(value) == {"ipv4": "none", "ipv6": "none"}
    assert (value["active"], value["open"], value["dead"]) == (False, [], [])


def test_wide_and_unclear_ports() -> None:
    rules = (
        "-A INPUT -p tcp --dport 1024:65535 -j ACCEPT",
        "-A INPUT -p udp -m odd --odd -j ACCEPT",
    )
    value = fact({SAVES["ipv4"]: save(), SAVES["ipv6"]: save(*rules)})
    assert [(row["key"], row["wide"]) for row in value["open"]] == [("ipv6/tcp/1024-65535", True)]
    assert [row["key"] for row in value["unclear"]] == ["ipv6/udp/default"]


@pytest.mark.parametrize(
    ("rules", "policy", "forward"),
    [
        ([], "ACCEPT", "open"),
        ([], "DROP", "closed"),
        (["-A FORWARD -j DROP"], "ACCEPT", "closed"),
        (["-A FORWARD -s 2400:da00::/32 -j ACCEPT"], "DROP", "restricted"),
        (["-A FORWARD -m odd --odd -j ACCEPT"], "DROP", "unknown"),
    ],
)
def test_what_passes_through(rules: list[str], policy: str, forward: str) -> None:
    text = "\n".join(
        ["*filter", ":INPUT DROP [0:0]", f":FORWARD {policy} [0:0]", *rules, "COMMIT\n"]
    )
    value = fact({SAVES["ipv6"]: text, FORWARDINGS["ipv6"]: "1\n"})
    row = of_family(value, "ipv6")
    assert (row["forwards"], row["forward"]) == (True, forward)
    assert not of_family(value, "ipv4")["forwards"]


def test_without_the_right_to_look_it_is_unknown() -> None:
    class Refusing:
        def answer(self, readings: Any) -> dict[Reading, Answer]:
            said = {
                NFT: Answer("failed", reason="exit status 1"),
                STATUS: Answer("content", b"CapEff: 0\n"),
            }
            return {it: said.get(it, Answer("absent")) for it in readings}

    (one,) = observe(Refusing(), [FirewallCollector()])
    assert one.facts[0].value is None
    assert one.facts[0].unavailable.startswith("permission:")

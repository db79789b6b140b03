"""What a sender chooses himself restricts nobody; rules are loaded into a real kernel where there is a lab."""

from __future__ import annotations

import pytest

from collectors.firewall.iptables import parse_save
from collectors.firewall.parity import NFT, SAVES
from collectors.firewall.report import report
from tests.collectors.filterfacts import save, state_of
from tests.collectors.test_firewall_baseline import SSH, fact, needs_lab, of_family, policies
from tests.netlab import Lab

OURS = "10.20.1.5/32"


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        # what whoever sends a packet puts into it himself
        (f"{SSH} --sport 1024:65535 -j ACCEPT", "open"),
        (f"{SSH} -m ttl --ttl-gt 10 -j ACCEPT", "open"),
        (f"{SSH} -m ttl --ttl-eq 64 -j ACCEPT", "open"),
        (f"{SSH} -m length --length 40:60 -j ACCEPT", "open"),
        (f"{SSH} ! --sport 5 -j ACCEPT", "open"),
        (f"-d {OURS} {SSH} -j ACCEPT", "open"),
        (f"! -d {OURS} {SSH} -j ACCEPT", "open"),
        (f"{SSH} --sport 53 -j a", "closed"),
        # anybody is in one of these
        (f"-s 0.0.0.0/1 {SSH} -j ACCEPT", "open"),
        (f"-s 64.0.0.0/3 {SSH} -j ACCEPT", "open"),
        # a restriction all the same
        (f"-s 10.0.0.0/8 {SSH} --sport 1024:65535 -j ACCEPT", "restricted"),
        (f"-s 10.0.0.0/8 -d {OURS} {SSH} -j ACCEPT", "restricted"),
        (f"{SSH} -m ttl --ttl-eq 255 -j ACCEPT", "restricted"),
        (f"-d 169.254.1.1/32 {SSH} -j ACCEPT", "restricted"),
        # nobody chooses to be dropped, and what is not understood stays so
        (f"{SSH} --sport 0:1023 -j DROP", "closed"),
        (f"{SSH} --sport 53 -m odd --odd -j ACCEPT", "unknown"),
        (f"{SSH} --sport 53 -j RETURN", "unknown"),
    ],
)
def test_what_the_sender_chooses_is_no_restriction(rule: str, state: str) -> None:
    row = report(
        parse_save(save(f"-A INPUT {rule}"), "ipv4", "iptables"),
        ["iptables"],
        {"ipv4": "wan", "ipv6": "wan"},
        hostile=True,
    )
    assert state_of(row, "tcp/22", "ipv4") == state


def test_a_rule_that_all_may_meet_opens_what_is_behind_it() -> None:
    value = fact({SAVES["ipv4"]: save("-A INPUT -p tcp --sport 53 -j a", f"-A a {SSH} -j ACCEPT")})
    assert [row["key"] for row in value["open"]] == ["ipv4/tcp/22"]
    value = fact({SAVES["ipv4"]: save("-A INPUT -p tcp --sport 53 -j ACCEPT")})
    assert policies(value)["ipv4"] == "accept"
    value = fact({SAVES["ipv4"]: save(f"-A INPUT -d {OURS} -j ACCEPT")})
    assert policies(value)["ipv4"] == "accept"
    # a drop that all evade closes nothing
    value = fact({SAVES["ipv4"]: save("-A INPUT -p tcp --sport 0:1023 -j DROP", policy="ACCEPT")})
    assert policies(value)["ipv4"] == "accept"


HOSTILE_NFT = """
table inet t {
 set halves { type ipv4_addr; flags interval; elements = { 0.0.0.0/1, 128.0.0.0/1 } }
 set offices { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.9.0.0/16 } }
 chain input { type filter hook input priority filter; policy drop;
  ct state established accept
  tcp sport 1024-65535 tcp dport 22 accept
  ip ttl > 3 tcp dport 24 accept
  meta length 40-60 tcp dport 25 accept
  ip daddr 10.20.1.5 tcp dport 26 accept
  ip daddr { 10.20.1.5, 10.20.1.6 } tcp dport 27 accept
  ip saddr @halves tcp dport 28 accept
  ip saddr { 0.0.0.0/2, 128.0.0.0/2 } tcp dport 29 accept
  ip6 hoplimit 64 tcp dport 30 accept
  exthdr frag exists tcp dport 31 accept
  ip saddr @offices tcp dport 40 accept
  ip saddr 10.0.0.0/8 tcp sport 9 tcp dport 41 accept
  ip6 daddr fe80::/64 tcp dport 42 accept
  tcp sport 1-65535 drop
 }
 chain forward { type filter hook forward priority filter; policy drop;
  ip daddr 10.0.0.0/8 accept
 }
}
"""


@needs_lab
def test_what_the_sender_chooses_as_the_kernel_tells_it() -> None:
    with Lab() as lab:
        lab.namespace("host")
        lab.nft("host", HOSTILE_NFT)
        told = lab.run("host", "nft", "-j", "list", "ruleset")
    value = fact({NFT: told})
    found = {row["key"] for row in value["open"]}
    assert found == {
        *(f"ipv4/tcp/{port}" for port in (22, 24, 25, 26, 27, 28, 29)),
        *(f"ipv6/tcp/{port}" for port in (22, 25, 30, 31)),
    }
    assert value["unclear"] == []
    assert of_family(value, "ipv4")["forward"] == "open"
    assert of_family(value, "ipv6")["forward"] == "closed"

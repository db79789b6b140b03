"""Which programs tell of packet filters, and what is made of rules of nft."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from collectors.firewall.parity import (
    FORWARDING,
    NFT,
    OLD_SAVES,
    OLD_TABLES,
    ROUTE,
    SAVES,
    STATUS,
    Ipv6FirewallCollector,
)
from collectors.ipv6.routes import IPV6_ROUTE
from collectors.model import (
    Answer,
    ParseError,
    Reading,
    Source,
    Unavailable,
)
from collectors.observe import observe
from tests.collectors.filterfacts import (
    ABSENT,
    ACCEPT,
    EMPTY,
    Said,
    fact,
    icmp,
    nft,
    port,
    save,
    state_of,
)

TCP = "-A INPUT -p tcp -m tcp --dport 443"


def test_no_filter_at_all() -> None:
    value = fact({NFT: EMPTY})
    assert (value["active"], value["tools"], value["ports"], value["parity"]) == (False, [], [], [])
    assert value["policy"] == {"ipv4": "none", "ipv6": "none"}
    assert all(row["passes"] for row in value["icmpv6"])


def test_rules_of_iptables_in_nftables_count_once() -> None:
    shown = nft(
        [{"xt": {"type": "match", "name": "multiport"}}, ACCEPT], family="ip6", table="filter"
    )
    said = {
        NFT: shown,
        SAVES["ipv4"]: save(nft=True),
        SAVES["ipv6"]: save(f"{TCP} -j ACCEPT", nft=True),
    }
    value = fact(said)
    assert value["understood"]
    assert value["tools"] == ["ip6tables", "iptables"]
    assert [row["key"] for row in value["parity"]] == ["tcp/443"]
    alone = fact({NFT: shown})
    assert not alone["understood"], "what an extension does is told by iptables-save only"
    assert not alone["parity"]


def test_a_table_with_what_iptables_has_no_words_for_is_taken_from_nft() -> None:
    shown = nft([port({"set": [443, 444]}), ACCEPT], family="ip6", table="filter", chain="INPUT")
    said = {NFT: shown, SAVES["ipv4"]: save(nft=True), SAVES["ipv6"]: save(nft=True)}
    assert state_of(fact(said), "tcp/444") == "open"


def test_a_table_of_nft_that_has_a_name_of_iptables_is_taken_from_nft() -> None:
    rules = nft([port(22), ACCEPT], family="ip6", table="filter", chain="input")
    for words in ("is incompatible, use 'nft' tool.", "contains incompatible base-chains, use …"):
        text = f"# Table `filter' {words}\n" + save(policy="ACCEPT", nft=True)
        value = fact({NFT: rules, SAVES["ipv4"]: save(nft=True), SAVES["ipv6"]: text})
        assert (state_of(value, "tcp/22"), state_of(value, "tcp/23")) == ("open", "closed")


def test_rules_of_before_nftables_count_too() -> None:
    said: dict[Reading, Answer | str] = {
        NFT: EMPTY,
        SAVES["ipv4"]: save(policy="ACCEPT", nft=True),
        SAVES["ipv6"]: save(policy="ACCEPT", nft=True),
        OLD_TABLES["ipv6"]: "filter\n",
    }
    with pytest.raises(Unavailable, match="ip6tables-legacy-save"):
        fact(said)
    said[OLD_SAVES["ipv6"]] = save()
    assert {row["open_on"] for row in fact(said)["parity"]} == {"ipv4"}


REFUSED = Answer("failed", reason="exit status 1")
NOBODY, ROOT = "Name:\tx\nCapEff:\t0000000000000000\n", "Name:\tx\nCapEff:\t000001ffffffffff\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "no_program: .*neither nft nor iptables-save"),
        ({NFT: Answer("denied", reason="may not run nft")}, "permission: .*may not run"),
        ({NFT: REFUSED, STATUS: NOBODY}, r"permission: nft.*CAP_NET_ADMIN \(root\)"),
        ({NFT: REFUSED, STATUS: ROOT}, "error: nft.*exit status 1$"),
        ({NFT: REFUSED, STATUS: "CapEff: ?"}, "error: /proc/self/status"),
        ({NFT: REFUSED}, "error: nft.*exit status 1$"),
        ({SAVES["ipv6"]: REFUSED, STATUS: NOBODY}, "permission: ip6tables-save.*CAP_NET_ADMIN"),
        ({NFT: Answer("failed", reason="no end within 5 s"), STATUS: NOBODY}, "error: nft.*no end"),
        ({NFT: EMPTY, SAVES["ipv6"]: REFUSED, STATUS: ROOT}, "error: ip6tables-save.*status 1"),
        ({SAVES["ipv4"]: save(), OLD_TABLES["ipv6"]: Answer("denied")}, "permission: .*denied"),
        ({NFT: EMPTY, OLD_TABLES["ipv4"]: "filter\n"}, "no_program: .*names tables"),
        ({NFT: "?"}, "error: nft: "),
    ],
)
def test_what_could_not_be_looked_at_is_unavailable(said: Said, why: str) -> None:
    (one,) = observe(Told(said), [Ipv6FirewallCollector()])
    (made,) = one.facts
    assert made.value is None
    assert re.match(why, made.unavailable), made.unavailable


class Told(Source):
    """Answers as they are given; what nobody names is not there."""

    def __init__(self, said: Said) -> None:
        self._said = said

    def answer(self, readings: Sequence[Reading]) -> dict[Reading, Answer]:
        given = {reading: self._said.get(reading, ABSENT) for reading in readings}
        return {
            reading: it if isinstance(it, Answer) else Answer("content", it.encode())
            for reading, it in given.items()
        }


@pytest.mark.parametrize(
    ("forwarding", "passes"),
    [
        ("0\n", {1: False, 2: True, 3: True, 133: True}),
        (ABSENT, {1: False, 2: True, 3: True, 133: True}),
        ("1\n", {1: False, 2: False, 3: False, 133: False}),
    ],
)
def test_what_a_host_that_forwards_sends_too(
    forwarding: Answer | str, passes: dict[int, bool]
) -> None:
    out = [type_ for type_ in range(256) if type_ not in (1, 2, 3)]
    rules = [f"-A OUTPUT -p ipv6-icmp --icmpv6-type {it} -j ACCEPT" for it in (*out, "3/1")]
    text = "\n".join(
        (
            *("*filter", ":INPUT ACCEPT", ":OUTPUT DROP", *rules),
            "-A INPUT -p ipv6-icmp --icmpv6-type 133 -j DROP",
            "COMMIT\n",
        )
    )
    value = fact({SAVES["ipv6"]: text, FORWARDING: forwarding})
    assert {type_: icmp(value, type_) for type_ in passes} == passes
    assert not value["parity"], "what goes out opens nothing"


def test_rows_of_icmpv6_say_which_way_and_which_packets() -> None:
    solicit = {"payload": {"protocol": "icmpv6", "field": "type"}}
    rule = [{"match": {"op": "!=", "left": solicit, "right": "nd-neighbor-solicit"}}, ACCEPT]
    value = fact({NFT: nft(rule, family="ip6", hook="output")})
    by_name = {row["name"]: row for row in value["icmpv6"]}
    assert len(by_name) == len(value["icmpv6"])
    assert 137 not in {row["type"] for row in value["icmpv6"]}, "a redirect is left to policy"
    row = by_name["neighbour-solicitation"]
    assert (row["passes"], row["direction"]) == (False, "out")
    assert row["detail"] == "out, fe80::/64 to ff02::1:ff00:0/104"
    assert row["source"] == "nft ip6 f in policy drop"
    assert by_name["router-advertisement"]["direction"] == "in"
    assert by_name["neighbour-advertisement"]["direction"] == "both"
    assert value["active"]
    assert value["policy"]["ipv6"] == "none"


def test_a_rule_for_what_goes_out_does_not_hide_what_is_open() -> None:
    value = fact({NFT: nft([{"something new": None}], hook="output")})
    assert [row["name"] for row in value["icmpv6"] if row["passes"] is None]
    assert value["understood"]
    assert not value["not_understood"]


def test_by_which_device_packets_come() -> None:
    rules = ["-A INPUT -i wan -j ACCEPT", "-A INPUT -i six -j ACCEPT"]
    said: dict[Reading, Answer | str] = {SAVES["ipv4"]: save(), SAVES["ipv6"]: save(*rules[:1])}
    assert fact(said)["device"] == {"ipv4": "wan", "ipv6": "wan"}
    zeros = "0" * 32
    said[IPV6_ROUTE] = f"{zeros} 00 {zeros} 00 {zeros} 00000400 0 0 00000001 six\n"
    value = fact(said)
    assert value["device"] == {"ipv4": "wan", "ipv6": "six"}
    assert state_of(value, "tcp/443") == "closed"
    said |= {ROUTE: ABSENT, IPV6_ROUTE: ABSENT}
    assert state_of(fact(said), "tcp/443") == "unknown", "any device may be the one to the world"


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ([port(443), ACCEPT], "open"),
        ([port({"range": [1, 500]}), ACCEPT], "open"),
        ([port("https"), ACCEPT], "unknown"),
        ([port("@gone"), ACCEPT], "unknown"),
        ([port({"prefix": {}}), ACCEPT], "unknown"),
        (
            [{"match": {"op": "==", "left": {"socket": {"key": "mark"}}, "right": 1}}, ACCEPT],
            "unknown",
        ),
        (
            [{"match": {"op": "==", "left": {"osf": {"key": "name"}}, "right": "x"}}, ACCEPT],
            "unknown",
        ),
        ([port(443), {"queue": {"num": 1}}], "unknown"),
        ([port(443), {"tproxy": {"port": 1}}], "unknown"),
        ([port(443), {"something new": None}], "unknown"),
        ([port(443), {"xt": {"type": "target", "name": "TCPMSS"}}], "unknown"),
        ([{"xt": {"type": "match", "name": "comment"}}, port(443), ACCEPT], "open"),
        ([port(443), {"counter": None}, {"log": None}], "closed"),
        ([{"vmap": {"key": 1, "data": "@gone"}}], "unknown"),
        ([port(443), {"limit": "by name"}, ACCEPT], "unknown"),
        ([port(443), {"limit": {"rate": 1, "per": "second"}}, ACCEPT], "open"),
        ([port(443), {"quota": {"val": 1, "val_unit": "bytes"}}, ACCEPT], "unknown"),
        ([port(443), {"set": {"op": "add", "stmt": [{"x": 1}]}}, ACCEPT], "unknown"),
        ([port(443), {"meter": 1}, ACCEPT], "unknown"),
        (["text"], "unknown"),
        (None, "unknown"),
    ],
)
def test_a_rule_of_nft(rule: Any, state: str) -> None:
    value = fact({NFT: nft(rule)})
    assert state_of(value, "tcp/443") == state
    assert not value["parity"], "of both families alike"


def test_zones_of_firewalld() -> None:
    def match(key: str, right: Any) -> Any:
        return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}}

    base = {"family": "inet", "table": "firewalld"}
    chains = [
        {"chain": {**base, "name": "filter_INPUT", "type": "filter", "hook": "input", "prio": 10,
                   "policy": "accept"}},
        *({"chain": {**base, "name": name}} for name in ("zones", "public", "trusted")),
    ]  # fmt: skip
    rules = [
        ("filter_INPUT", [{"match": {"op": "in", "left": {"ct": {"key": "state"}},
                                     "right": ["established", "related"]}}, ACCEPT]),
        ("filter_INPUT", [{"match": {"op": "in", "left": {"ct": {"key": "status"}},
                                     "right": "dnat"}}, ACCEPT]),
        ("filter_INPUT", [match("iifname", "lo"), ACCEPT]),
        ("filter_INPUT", [{"jump": {"target": "zones"}}]),
        ("filter_INPUT", [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]),
        ("zones", [match("iifname", "wan"), {"goto": {"target": "public"}}]),
        ("zones", [{"goto": {"target": "trusted"}}]),
        ("public", [port(22), ACCEPT]),
        ("public", [match("nfproto", "ipv4"), port(443), ACCEPT]),
        ("trusted", [ACCEPT]),
    ]  # fmt: skip
    told = [{"rule": {**base, "chain": c, "handle": 1, "expr": e}} for c, e in rules]
    value = fact({NFT: json.dumps({"nftables": [*chains, *told]})})
    assert value["tools"] == ["firewalld"]
    assert value["policy"] == {"ipv4": "drop", "ipv6": "drop"}
    assert [(row["key"], row["open_on"]) for row in value["parity"]] == [("tcp/443", "ipv4")]
    assert icmp(value, 2)


def test_more_rules_than_can_be_followed_are_said() -> None:
    rules = [f"-A INPUT -p tcp --dport {2 * i + 1} -j ACCEPT" for i in range(20_000)]
    with pytest.raises(ParseError, match="too many"):
        fact({SAVES["ipv6"]: save(*rules)})


def test_a_thousand_rules_and_a_long_list_of_senders() -> None:
    rules = [f"-A INPUT -p tcp --dport {2 * i + 1} -j ACCEPT" for i in range(1000)]
    value = fact({SAVES["ipv4"]: save(), SAVES["ipv6"]: save(*rules)})
    assert len(value["parity"]) == 1000
    left = {"payload": {"protocol": "ip6", "field": "saddr"}}
    many = {"set": [f"2400:da00::{i:x}" for i in range(10_000)]}
    listed = [{"match": {"op": "==", "left": left, "right": many}}, {"drop": None}]
    assert state_of(fact({NFT: nft(listed, [port(443), ACCEPT])}), "tcp/443") == "open"

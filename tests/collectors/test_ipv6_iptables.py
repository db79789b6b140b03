"""What is made of rules of iptables and ip6tables, by what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from collectors.firewall.parity import (
    SAVES,
)
from tests.collectors.filterfacts import (
    fact,
    icmp,
    save,
    state_of,
)

TCP = "-A INPUT -p tcp -m tcp --dport 443"
# rules of ip6tables with policy DROP → what becomes of tcp/443
IP6TABLES: dict[str, tuple[Sequence[str], str]] = {
    "accept": ([f"{TCP} -j ACCEPT"], "open"),
    "counters": ([f"[5:300] {TCP} -j ACCEPT"], "open"),
    "a comment": ([f'{TCP} -m comment --comment "a \\"b\\" -j DROP" -j ACCEPT'], "open"),
    "a range": (["-A INPUT -p tcp -m tcp --dport 400:500 -j ACCEPT"], "open"),
    "many ports": (["-A INPUT -p tcp -m multiport --dports 22,400:500 -j ACCEPT"], "open"),
    "another port": (["-A INPUT -p tcp -m tcp --dport 444 -j ACCEPT"], "closed"),
    "not that port": (["-A INPUT -p tcp -m tcp ! --dport 443 -j ACCEPT"], "closed"),
    "an old sign": (["-A INPUT -p tcp --dport ! 80 -j ACCEPT"], "open"),
    "another protocol": (["-A INPUT -p udp -m udp --dport 443 -j ACCEPT"], "closed"),
    "a protocol by number": (["-A INPUT -p 6 --dport 443 -j ACCEPT"], "open"),
    "established": (["-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT"], "closed"),
    "new": ([f"{TCP} -m conntrack --ctstate NEW -j ACCEPT"], "open"),
    "not established": (["-A INPUT -p tcp -m conntrack ! --ctstate ESTABLISHED -j ACCEPT"], "open"),
    "the loopback": (["-A INPUT -i lo -j ACCEPT"], "closed"),
    "not the loopback": (["-A INPUT ! -i lo -j ACCEPT"], "open"),
    "our device": (["-A INPUT -i wan -j ACCEPT"], "open"),
    "devices that begin so": (["-A INPUT -i w+ -j ACCEPT"], "open"),
    "another device": (["-A INPUT -i tun+ -j ACCEPT"], "closed"),
    "senders": ([f"{TCP} -s 2400:da00::/32 -j ACCEPT"], "restricted"),
    "not those senders": ([f"{TCP} ! -s 2400:da00::/32 -j ACCEPT"], "open"),
    "against senders": (["-A INPUT -s 2400:da00::/32 -j DROP", f"{TCP} -j ACCEPT"], "open"),
    "from everywhere": ([f"{TCP} -s ::/0 -j ACCEPT"], "open"),
    "a set of senders": ([f"{TCP} -m set --match-set good src -j ACCEPT"], "restricted"),
    "outside a set": ([f"{TCP} -m set ! --match-set bad src -j ACCEPT"], "open"),
    "one address of ours": ([f"{TCP} -d 2400:da00::5/128 -j ACCEPT"], "restricted"),
    "a source port": ([f"{TCP} --sport 20 -j ACCEPT"], "restricted"),
    "a chain": (["-A INPUT -j a", f"-A a {TCP[9:]} -j ACCEPT"], "open"),
    "a chain that returns": (["-A INPUT -j a", "-A a -j RETURN", "-A a -j ACCEPT"], "closed"),
    "goto a chain": (["-A INPUT -g a", f"{TCP} -j ACCEPT"], "closed"),
    "a chain that is not there": (["-A INPUT -j gone"], "unknown"),
    "a loop": (["-A INPUT -j a", "-A a -j a"], "unknown"),
    "a log": ([f'{TCP} -j LOG --log-prefix "-j DROP "', f"{TCP} -j ACCEPT"], "open"),
    "reject": (["-A INPUT -j REJECT --reject-with icmp6-port-unreachable"], "closed"),
    "a limit": ([f"{TCP} -m limit --limit 3/min -j ACCEPT"], "open"),
    "too many": ([f"{TCP} -m connlimit --connlimit-above 9 -j DROP", f"{TCP} -j ACCEPT"], "open"),
    "seen lately": (
        [
            f"{TCP} -m recent --update --seconds 60 --hitcount 4 --name x -j DROP",
            f"{TCP} -j ACCEPT",
        ],
        "open",
    ),
    "begins": (
        ["-A INPUT -p tcp ! --syn -j DROP", f"{TCP} --tcp-flags ALL SYN -j ACCEPT"],
        "open",
    ),
    "odd flags": (
        ["-A INPUT -p tcp --tcp-flags FIN,SYN FIN,SYN -j DROP", f"{TCP} -j ACCEPT"],
        "open",
    ),
    "an unknown match": ([f"{TCP} -m geoip --source-country CN -j ACCEPT"], "unknown"),
    "an unknown match that drops": (
        ["-A INPUT -m u32 --u32 x -j DROP", f"{TCP} -j ACCEPT"],
        "unknown",
    ),
    "unknown, closed anyway": (["-A INPUT -m u32 --u32 x -j DROP"], "closed"),
    "unknown, open anyway": ([f"{TCP} -m x --y z -j ACCEPT", f"{TCP} -j ACCEPT"], "open"),
    "a mark": ([f"{TCP} -m mark --mark 0x1 -j ACCEPT"], "unknown"),
    "a socket": (["-A INPUT -m socket -j ACCEPT"], "unknown"),
    "fragments": (["-A INPUT -m frag -j DROP", f"{TCP} -j ACCEPT"], "open"),
    "groups": ([f"{TCP} -d ff00::/8 -j ACCEPT"], "closed"),
    "frames to groups": ([f"{TCP} -m pkttype --pkt-type multicast -j ACCEPT"], "closed"),
    "to no group": ([f"{TCP} ! -d ff00::/8 -j ACCEPT"], "open"),
    "from a range": ([f"{TCP} -m iprange --src-range ::-3fff::ffff -j ACCEPT"], "restricted"),
    "from all of a range": ([f"{TCP} -m iprange --src-range ::-ffff:: -j ACCEPT"], "open"),
    "addresses that are none": ([f"{TCP} -s x-y -j ACCEPT"], "unknown"),
    "addresses of two families": ([f"{TCP} -s ::-1.2.3.4 -j ACCEPT"], "unknown"),
    "out by a device": ([f"{TCP} -o wan -j ACCEPT"], "closed"),
    "a queue": ([f"{TCP} -j NFQUEUE --queue-num 0"], "unknown"),
    "unknown into a chain": (["-A INPUT -m x --y -j a", "-A a -j ACCEPT"], "unknown"),
    "unknown out of a chain": (
        ["-A INPUT -j a", "-A a -m x --y -j RETURN", "-A a -j DROP"],
        "unknown",
    ),
    "unknown goto": (["-A INPUT -m x --y -g a", f"{TCP} -j ACCEPT"], "unknown"),
    "senders into a chain": (["-A INPUT -s fe80::/10 -j a", "-A a -j ACCEPT"], "restricted"),
}


@pytest.mark.parametrize("name", IP6TABLES)
def test_a_rule_of_ip6tables(name: str) -> None:
    rules, state = IP6TABLES[name]
    value = fact({SAVES["ipv4"]: save(), SAVES["ipv6"]: save(*rules)})
    assert state_of(value, "tcp/443") == state
    assert value["understood"] == (state != "unknown")
    hits = [row["open_on"] for row in value["parity"] if covers(row["key"], 443)]
    assert hits == ["ipv6"] * (state == "open")


def covers(key: str, port: int) -> bool:
    protocol, _, numbers = key.partition("/")
    first, _, last = numbers.partition("-")
    return protocol == "tcp" and (first == "default" or int(first) <= port <= int(last or first))


def test_a_drop_before_the_filter_counts_and_an_accept_does_not() -> None:
    both_ = f"{TCP} -j ACCEPT"
    early = save("-A PREROUTING -p tcp --dport 443 -j DROP", policy="ACCEPT", table="raw")
    value = fact({SAVES["ipv4"]: save(both_), SAVES["ipv6"]: early + save(both_)})
    assert [(row["key"], row["open_on"]) for row in value["parity"]] == [("tcp/443", "ipv4")]
    late = save("-A PREROUTING -j ACCEPT", policy="ACCEPT", table="raw")
    assert (
        state_of(fact({SAVES["ipv4"]: save(), SAVES["ipv6"]: late + save()}), "tcp/443") == "closed"
    )


def test_where_translation_sends_a_port_is_not_understood() -> None:
    nat = save(
        "-A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 8443", table="nat", policy="ACCEPT"
    )
    value = fact({SAVES["ipv4"]: nat + save(policy="ACCEPT"), SAVES["ipv6"]: save(policy="ACCEPT")})
    assert (state_of(value, "tcp/443", "ipv4"), value["parity"]) == ("unknown", [])
    assert {row["key"] for row in value["not_understood"]} == {"tcp/443"}
    assert not value["active"], "translation filters nothing"
    assert value["policy"] == {"ipv4": "none", "ipv6": "none"}


@pytest.mark.parametrize(
    ("rules", "passes"),
    [
        ([], {1: False, 2: False, 128: False, 135: False}),
        (["-A INPUT -p ipv6-icmp -j ACCEPT"], {1: True, 2: True, 128: True, 135: True}),
        (
            ["-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"],
            {1: True, 2: True, 3: True, 128: False, 129: True, 135: False},
        ),
        (
            ["-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 2/0 -j ACCEPT"],
            {1: False, 2: True},
        ),
        (
            ["-A INPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP", "-A INPUT -j ACCEPT"],
            {2: False, 3: True},
        ),
        (
            ["-A INPUT -p icmpv6 --icmpv6-type 135 -m hl --hl-eq 255 -j ACCEPT"],
            {135: True, 136: False},
        ),
        (["-A INPUT -p icmpv6 --icmpv6-type 128 -m hl --hl-eq 255 -j ACCEPT"], {128: None}),
        (["-A INPUT -p icmpv6 -s fe80::/10 -j ACCEPT"], {134: True, 135: False, 128: None}),
        (["-A INPUT -p icmpv6 -m x --y -j ACCEPT"], {128: None}),
        (["-A INPUT -p icmpv6 --icmpv6-type 1/4 -j ACCEPT"], {1: False}),
        (["-A INPUT -p icmpv6 --icmpv6-type no-such -j ACCEPT"], {1: None, 128: None}),
    ],
)
def test_types_that_must_pass(rules: Sequence[str], passes: Mapping[int, bool | None]) -> None:
    value = fact({SAVES["ipv4"]: save(), SAVES["ipv6"]: save(*rules)})
    assert {type_: icmp(value, type_) for type_ in passes} == passes


def test_both_codes_of_a_parameter_problem() -> None:
    rules = ["-A INPUT -p icmpv6 --icmpv6-type unknown-header-type -j ACCEPT"]
    value = fact({SAVES["ipv6"]: save(*rules)})
    assert (icmp(value, 4, 1), icmp(value, 4, 2)) == (True, False)

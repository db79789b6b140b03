"""Counters of IPv6 and its share of the traffic, from bytes and from a real kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from collectors.host.netdev import DEV
from collectors.host.netstat import NETSTAT, SNMP6
from collectors.ipv6.traffic import (
    LOOPBACK6,
    Ipv6CountersCollector,
    Ipv6TrafficCollector,
)
from collectors.model import (
    Answer,
    Answers,
    Fact,
    File,
    ParseError,
    Reading,
)
from tests.collectors.hostfacts import facts, needs_lab, value
from tests.collectors.literal import Said, answer
from tests.netlab import Lab


def counted(ipv4: int, ipv6: int, lo: int, lo6: int) -> dict[File, str]:
    """Files of a kernel that counted so many octets each way."""
    return {
        SNMP6: f"Ip6InReceives \t1\nIp6InOctets  \t{ipv6}\nIp6OutOctets\t{ipv6}\n",
        NETSTAT: f"TcpExt: A\nTcpExt: 1\nIpExt: X InOctets OutOctets\nIpExt: 7 {ipv4} {ipv4}\n",
        DEV: f"Inter-|\n face |\n    lo:{lo} 1 0 0 0 0 0 0 {lo} 1 0 0 0 0 0 0\n",
        LOOPBACK6: f"ifIndex 1\nIp6InOctets\t{lo6}\nIp6OutOctets\t{lo6}\n",
    }


def traffic(said: Mapping[Any, Said]) -> dict[str, Any]:
    return dict(facts(Ipv6CountersCollector(least_octets=0), said)["ipv6_traffic"].value)


def test_the_share_of_traffic_is_without_the_loopback() -> None:
    found = traffic(counted(ipv4=1000, ipv6=400, lo=300, lo6=100))
    assert found == {
        "ipv4_octets": 2 * (1000 - 200),
        "ipv6_octets": 2 * (400 - 100),
        "share": 600 / 2200,
        "loopback_excluded": True,
    }


def test_neighbour_discovery_alone_is_no_share() -> None:
    found = facts(Ipv6CountersCollector(), counted(300, 100, 600, 50))["ipv6_traffic"]
    assert found.unavailable.startswith("little_traffic: ")


def test_a_share_of_nothing_is_none() -> None:
    assert traffic(counted(300, 100, 400, 100))["share"] is None
    assert traffic(counted(1, 1, 400, 100))["ipv6_octets"] == 0, "read one after the other"


def test_a_host_without_ipv6_has_a_share_of_none_of_it() -> None:
    said: dict[Any, Said] = dict(counted(1000, 0, 300, 0))
    said |= {SNMP6: Answer("absent"), LOOPBACK6: Answer("absent")}
    found = facts(Ipv6CountersCollector(least_octets=0), said)
    assert found["ipv6_counters"].unavailable
    assert found["ipv6_traffic"].value["share"] == 0


def test_counters_of_ipv6() -> None:
    numbers = value(Ipv6CountersCollector(), counted(1, 2, 0, 0))
    assert numbers == {"Ip6InReceives": 1, "Ip6InOctets": 2, "Ip6OutOctets": 2}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (SNMP6, "Ip6InOctets x\nIp6OutOctets 1\n"),
        (SNMP6, "Ip6InOctets 1\n"),
        (NETSTAT, "IpExt: InOctets\nIpExt: 1\n"),
        (NETSTAT, "IpExt: InOctets OutOctets\nIpExt: 1\n"),
        (NETSTAT, ""),
        (LOOPBACK6, ""),
    ],
)
def test_malformed_counters_are_said(file: File, text: str) -> None:
    with pytest.raises(ParseError, match=file.path):
        traffic({**counted(1, 1, 1, 1), file: text})


@needs_lab
def test_traffic_of_a_real_kernel() -> None:
    """Echoes over lo and over a cable; own addresses of the cable are reached over lo, too."""
    files: Sequence[File] = (SNMP6, NETSTAT, DEV, LOOPBACK6)
    with Lab() as lab:
        for name in ("host", "peer"):
            lab.namespace(name)
        lab.link(
            "host",
            "peer",
            [("203.0.113.1/24", "203.0.113.2/24"), ("2400:da00::1/64", "2400:da00::2/64")],
        )

        def seen() -> dict[str, Any]:
            return traffic({file: lab.run("host", "cat", file.path) for file in files})

        def ping(target: str) -> None:
            lab.run(
                "host", "ping", "-n", "-q", "-c", "5", "-i", "0.01", "-s", "972", "-W", "2", target
            )

        for target in ("203.0.113.2", "2400:da00::2"):
            ping(target)  # neighbours are known from here on
        before = seen()
        for target in ("127.0.0.1", "::1", "203.0.113.1", "2400:da00::1"):
            ping(target)
        after = seen()
        assert after["loopback_excluded"]
        for family in ("ipv4_octets", "ipv6_octets"):
            assert abs(after[family] - before[family]) < 1000, f"{family}: loopback is counted"
        ping("203.0.113.2")
        ping("2400:da00::2")
        last = seen()
        assert last["ipv4_octets"] - after["ipv4_octets"] == 2 * 5 * (972 + 8 + 20)
        assert abs(last["ipv6_octets"] - after["ipv6_octets"] - 2 * 5 * (972 + 8 + 40)) < 1000


def test_counters_of_traffic_never_fall_with_the_loopback() -> None:
    """What is a counter is read as it is: a difference of two may fall, which looks like a reset."""
    collector = Ipv6TrafficCollector()
    values = {}
    said: dict[Reading, Answer] = {f: answer(it) for f, it in counted(1000, 400, 300, 100).items()}
    for family in collector.parse(Answers(said)):
        assert not isinstance(family, Fact)
        for sample in family.samples:
            values[family.name, *(label for _, label in sample.labels)] = sample.value
    assert values == {
        ("jianwei_ipv6_traffic_octets_total", "ipv4"): 2000,
        ("jianwei_ipv6_traffic_octets_total", "ipv6"): 800,
        ("jianwei_ipv6_traffic_loopback_octets_total", "ipv6"): 200,
        ("jianwei_ipv6_traffic_loopback_octets_total", "both"): 600,
        ("jianwei_ipv6_traffic_share_ratio",): 600 / 2200,
    }

"""What a host tells of its IPv6: recorded hosts by state of an address, and each parser's words."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.host.netdev import DEV
from collectors.host.netstat import NETSTAT, SNMP6
from collectors.ipv6.addresses import IF_INET6, Ipv6AddressesCollector, parse_addresses
from collectors.ipv6.listeners import SOCKETS, SS, Ipv6ListenersCollector, parse_v6only
from collectors.ipv6.neighbours import NEIGHBOURS, Ipv6NeighboursCollector, parse_neighbours
from collectors.ipv6.resolvers import (
    RESOLV_CONF,
    UPSTREAM,
    Ipv6ResolversCollector,
    parse_resolv_conf,
)
from collectors.ipv6.routes import IPV6_ROUTE, Ipv6RoutesCollector, parse_default_routes
from collectors.ipv6.sysctl import Ipv6SysctlCollector
from collectors.ipv6.traffic import (
    LOOPBACK6,
    Ipv6CountersCollector,
    Ipv6TrafficCollector,
    parse_snmp6,
    traffic_of,
)
from collectors.ipv6.tunnels import LINKS, TYPES, Ipv6TunnelsCollector, parse_links
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    ParseError,
    Reading,
    Unavailable,
)
from collectors.observe import observe
from collectors.rows import Socket
from collectors.sources.recorded import RecordedSource
from tests import ipv6recordings, netlab
from tests.collectors.literal import Said, answer
from tests.ipv6recordings import MACHINES, STATES, make
from tests.netlab import Lab

needs_lab = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())


def facts(collector: Collector, said: Mapping[Any, Said]) -> dict[str, Fact]:
    """Facts of literal answers; readings without one are absent."""
    by_reading: dict[Reading, Answer] = {
        reading: Answer("content") if isinstance(reading, Glob) else Answer("absent")
        for reading in collector.readings()
    }
    by_reading |= {reading: answer(it) for reading, it in said.items()}
    return {it.name: it for it in collector.parse(Answers(by_reading)) if isinstance(it, Fact)}


def value(collector: Collector, said: Mapping[Any, Said]) -> Any:
    return facts(collector, said)[collector.facts[0]].value


def recorded(directory: Path, collector: Collector) -> Any:
    (observation,) = observe(RecordedSource(directory), [collector])
    assert not observation.failure, observation.reason
    return next(fact.value for fact in observation.facts if fact.name == collector.facts[0])


# --- a host by state of its address -----------------------------------------------------------

LINK = ("fe80::ff:fe00:5", "link", "preferred", "permanent")
MINE = "2400:da00:5::5"
# state → what its addresses on eth0 are, and whether there is a default route
EXPECTED: dict[str, tuple[set[tuple[str, str, str, str]], bool]] = {
    "permanent": ({LINK, (MINE, "global", "preferred", "permanent")}, True),
    "tentative": ({LINK, (MINE, "global", "tentative", "permanent tentative")}, False),
    "dadfailed": (
        {LINK, (MINE, "global", "dadfailed", "dadfailed permanent tentative")},
        False,
    ),
    "deprecated": ({LINK, (MINE, "global", "deprecated", "deprecated nodad")}, True),
    "preferred-lft-0": (
        {LINK, (MINE, "global", "deprecated", "deprecated nodad permanent")},
        True,
    ),
    "temporary": (
        {
            LINK,
            (MINE, "global", "preferred", "nodad permanent"),
            ("", "global", "preferred", "temporary"),
        },
        True,
    ),
    "link-local-only": ({LINK}, False),
    "no-ipv6": (set(), False),
}
FLAGS = ("dadfailed", "deprecated", "nodad", "permanent", "temporary", "tentative")


def check_state(state: str, directory: Path) -> None:
    expected, route = EXPECTED[state]
    rows = [r for r in recorded(directory, Ipv6AddressesCollector()) if r["device"] == "eth0"]
    assert {
        (
            row["address"] if not row["temporary"] else "",  # of a temporary one it is by lot
            row["scope"],
            row["state"],
            " ".join(flag for flag in FLAGS if row[flag]),
        )
        for row in rows
    } == expected
    (observation,) = observe(RecordedSource(directory), [Ipv6AddressesCollector()])
    (enabled,) = [f for f in observation.families if f.name == "jianwei_ipv6_enabled"]
    assert enabled.samples[0].value == (state != "no-ipv6")
    routes = recorded(directory, Ipv6RoutesCollector())
    assert [row["gateway"] for row in routes] == [ipv6recordings.ROUTER_LOCAL] * route
    neighbours = recorded(directory, Ipv6NeighboursCollector())
    assert [(row["state"], row["router"]) for row in neighbours if row["is_default_router"]] == [
        ("reachable", True)
    ] * route
    settings = {r["device"]: r for r in recorded(directory, Ipv6SysctlCollector())["interfaces"]}
    assert settings["eth0"]["seg6_enabled"] == 0
    assert settings["eth0"]["disable_ipv6"] == (state == "no-ipv6")
    assert recorded(directory, Ipv6TunnelsCollector()) == []
    assert recorded(directory, Ipv6CountersCollector())["Ip6InNoRoutes"] == 0


@pytest.mark.parametrize("state", EXPECTED)
def test_a_recorded_host(state: str) -> None:
    assert set(EXPECTED) == set(STATES)
    check_state(state, MACHINES / f"ipv6-{state}")


@needs_lab
@pytest.mark.parametrize("state", ["permanent", "tentative", "temporary"])
def test_the_recordings_can_be_made_again(state: str, tmp_path: Path) -> None:
    make(state, tmp_path / state)
    check_state(state, tmp_path / state)


# --- neighbours -------------------------------------------------------------------------------


def test_neighbours_of_iproute2_and_busybox() -> None:
    text = (
        "fe80::1 dev eth0 lladdr 02:00:00:00:00:01 router FAILED\n"
        "fe80::1 dev eth1 lladdr 02:00:00:00:00:01 router STALE \n"
        "2400:da00::6 dev eth0  used 0/0/0 probes 6 INCOMPLETE\n"
        "2400:da00::7 dev lladdr lladdr 02:00:00:00:00:05 extern_learn proto zebra NOARP\n"
        "2400:da00::8 dev router \n\n"
    )
    zeros = "0" * 32
    hop = "fe80" + "0" * 27 + "1"
    routes = f"{zeros} 00 {zeros} 00 {hop} 00000400 00000001 00000000 00000003 eth0\n"
    rows = value(Ipv6NeighboursCollector(), {NEIGHBOURS: text, IPV6_ROUTE: routes})
    assert [
        (r["device"], r["lladdr"], r["state"], r["router"], r["is_default_router"]) for r in rows
    ] == [
        ("eth0", "02:00:00:00:00:01", "failed", True, True),
        ("eth1", "02:00:00:00:00:01", "stale", True, False),
        ("eth0", "", "incomplete", False, False),
        ("lladdr", "02:00:00:00:00:05", "noarp", False, False),
        ("router", "", "none", False, False),
    ]
    assert rows[2]["source"] == "ip -6 neigh:3"


def test_without_the_program_nothing_is_known_of_neighbours() -> None:
    with pytest.raises(Unavailable):
        value(Ipv6NeighboursCollector(), {})


@pytest.mark.parametrize(
    "line", ["x dev eth0 STALE", "fe80::1 eth0", "fe80::1 dev", "::1 dev a ODD"]
)
def test_a_malformed_neighbour_is_said(line: str) -> None:
    with pytest.raises(ParseError, match="ip -6 neigh"):
        parse_neighbours(f"{line}\n")


@needs_lab
def test_a_default_router_that_does_not_answer() -> None:
    with Lab() as lab:
        lab.namespace("host")
        lab.namespace("router")
        lab.link("host", "router", [("2400:da00::5/64", "2400:da00::1/64")])
        lab.route("host", "default", "via", "2400:da00::9", "dev", "to-router")
        words = ("ip", "-6", "neigh", "add", "2400:da00::9", "dev", "to-router", "nud", "failed")
        lab.run("host", *words)
        said = {
            NEIGHBOURS: lab.run("host", *NEIGHBOURS.argv),
            IPV6_ROUTE: lab.run("host", "cat", IPV6_ROUTE.path),
        }
        rows = {row["address"]: row for row in value(Ipv6NeighboursCollector(), said)}
        row = rows["2400:da00::9"]
        assert (row["state"], row["is_default_router"]) == ("failed", True)
        if shutil.which("busybox"):
            said[NEIGHBOURS] = lab.run("host", "busybox", *NEIGHBOURS.argv)
            small = {r["address"]: r["state"] for r in value(Ipv6NeighboursCollector(), said)}
            assert small["2400:da00::9"] == "failed"


# --- resolvers --------------------------------------------------------------------------------


def test_resolvers() -> None:
    text = (
        "# nameserver 1.1.1.1\nnameserver\t203.0.113.53\n nameserver 2400:da00::53 # second\n"
        "nameserver nonsense\nnameserver\nnameserver fe80::1%eth0\nnameserver 203.0.113.54\n"
    )
    rows = value(Ipv6ResolversCollector(), {RESOLV_CONF: text})
    assert [(row["address"], row["family"], row["source"]) for row in rows] == [
        ("203.0.113.53", "ipv4", "/etc/resolv.conf:2"),
        ("2400:da00::53", "ipv6", "/etc/resolv.conf:3"),
        ("fe80::1%eth0", "ipv6", "/etc/resolv.conf:6"),
    ], "the C library asks three"


def test_whom_a_stub_asks() -> None:
    said = {RESOLV_CONF: "nameserver 127.0.0.53\n", UPSTREAM: "nameserver 2400:da00::53\n"}
    rows = value(Ipv6ResolversCollector(), said)
    assert [(row["address"], row["stub"]) for row in rows] == [
        ("127.0.0.53", True),
        ("2400:da00::53", False),
    ]
    said[RESOLV_CONF] = "nameserver 127.0.0.1\n"
    assert len(value(Ipv6ResolversCollector(), said)) == 1


def test_no_resolv_conf_is_not_no_resolver() -> None:
    with pytest.raises(Unavailable):
        value(Ipv6ResolversCollector(), {})


# --- tunnels ----------------------------------------------------------------------------------


def links(**devices: Mapping[str, Any]) -> str:
    """As iproute2 of 2022 prints them; this kernel may have no tunnels to try it with."""
    return json.dumps(
        [
            {"ifname": name, "flags": ["NOARP", "UP"], "linkinfo": dict(about)}
            for name, about in devices.items()
        ]
    )


def sit(**data: Any) -> dict[str, Any]:
    return {"info_kind": "sit", "info_data": {"proto": "ip6ip", "prefix": "2002::", **data}}


def inet6(address: str, device: str) -> str:
    return f"{socket.inet_pton(socket.AF_INET6, address).hex()} 05 40 00 80 {device}\n"


def test_tunnels_by_kind() -> None:
    told = links(
        a=sit(remote="192.0.2.1", local="192.0.2.2"),
        b=sit(remote="any", prefix="2400:da00::", prefixlen=32),
        c=sit(remote="any", isatap=None),
        d=sit(remote="any"),
        e={"info_kind": "ip6gre", "info_data": {"remote": "2400:da00::1"}},
        f={"info_kind": "ip6tnl"},
        g={"info_kind": "wireguard"},
        h={"info_kind": "vxlan", "info_data": {"id": 3}},
        i={"info_kind": "tun"},
    )
    addresses = (
        inet6("2002:c000:201::1", "d") + inet6("2001:0:53aa::1", "i") + inet6("2400:da00::1", "g")
    )
    rows = value(Ipv6TunnelsCollector(), {LINKS: told, IF_INET6: addresses})
    assert {row["device"]: (row["kind"], row["transition"]) for row in rows} == {
        "a": ("6in4", True),
        "b": ("6rd", True),
        "c": ("isatap", True),
        "d": ("6to4", True),
        "e": ("gre6", False),
        "f": ("ip6tnl", False),
        "i": ("teredo", True),
    }
    assert rows[0]["detail"] == "local 192.0.2.2, remote 192.0.2.1"
    assert rows[0]["up"] is True


@pytest.mark.parametrize("program", [Answer("absent"), Answer("failed", reason="exit status 255")])
def test_tunnels_without_a_program_that_tells_them(program: Answer) -> None:
    folder = "/sys/class/net"
    files = {
        f"{folder}/eth0/type": "1\n",
        f"{folder}/six/type": "776\n",
        f"{folder}/six/flags": "0x1091\n",
        f"{folder}/tunl0/type": "768\n",
        f"{folder}/tunl0/flags": "0x80\n",
        f"{folder}/t6/type": "769\n",
        f"{folder}/gre0/type": "778\n",
        f"{folder}/gre6/type": "823\n",
    }
    said: dict[Any, Said] = {LINKS: program, TYPES: files}
    said[IF_INET6] = inet6("fe80::5efe:c000:201", "six")
    rows = value(Ipv6TunnelsCollector(), said)
    assert {row["device"]: (row["kind"], row["up"]) for row in rows} == {
        "six": ("isatap", True),
        "tunl0": ("ipip", False),
        "t6": ("ip6tnl", None),
        "gre0": ("gre", None),
        "gre6": ("gre6", None),
    }


@needs_lab
def test_what_is_no_transition_tunnel_in_a_real_kernel() -> None:
    with Lab() as lab:
        lab.namespace("host")
        lab.run("host", "ip", "link", "add", "vx", "type", "vxlan", "id", "3", "dstport", "4789")
        told = lab.run("host", *LINKS.argv)
        assert '"vxlan"' in told
        assert value(Ipv6TunnelsCollector(), {LINKS: told}) == []


# --- traffic ----------------------------------------------------------------------------------


def counted(ipv4: int, ipv6: int, lo: int, lo6: int) -> dict[File, str]:
    """Files of a kernel that counted so many octets each way."""
    return {
        SNMP6: f"Ip6InReceives \t1\nIp6InOctets  \t{ipv6}\nIp6OutOctets\t{ipv6}\n",
        NETSTAT: f"TcpExt: A\nTcpExt: 1\nIpExt: X InOctets OutOctets\nIpExt: 7 {ipv4} {ipv4}\n",
        DEV: f"Inter-|\n face |\n    lo:{lo} 1 0 0 0 0 0 0 {lo} 1 0 0 0 0 0 0\n",
        LOOPBACK6: f"ifIndex 1\nIp6InOctets\t{lo6}\nIp6OutOctets\t{lo6}\n",
    }


def traffic(said: Mapping[Any, Said]) -> dict[str, Any]:
    return dict(facts(Ipv6CountersCollector(), said)["ipv6_traffic"].value)


def test_the_share_of_traffic_is_without_the_loopback() -> None:
    found = traffic(counted(ipv4=1000, ipv6=400, lo=300, lo6=100))
    assert found == {
        "ipv4_octets": 2 * (1000 - 200),
        "ipv6_octets": 2 * (400 - 100),
        "share": 600 / 2200,
        "loopback_excluded": True,
    }


def test_a_share_of_nothing_is_none() -> None:
    assert traffic(counted(300, 100, 400, 100))["share"] is None
    assert traffic(counted(1, 1, 400, 100))["ipv6_octets"] == 0, "read one after the other"


def test_a_host_without_ipv6_has_a_share_of_none_of_it() -> None:
    said: dict[Any, Said] = dict(counted(1000, 0, 300, 0))
    said |= {SNMP6: Answer("absent"), LOOPBACK6: Answer("absent")}
    found = facts(Ipv6CountersCollector(), said)
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


# --- listeners --------------------------------------------------------------------------------

ANY4 = "0.0.0.0"  # noqa: S104 - compared, never bound
SS_TEXT = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
udp   UNCONN 0      0      [fe80::1]%eth0:546  [::]:* ino:1 sk:1 v6only:1 <->
tcp   LISTEN 0      128    *:80    *:* ino:2 sk:2 cgroup:/x v6only:0 <->
tcp   LISTEN 0      128    [::]:443 [::]:* ino:3 sk:3 v6only:1 <->
tcp   LISTEN 0      128    [::]:22 [::]:* ino:4 sk:4 v6only:1 <->
tcp   LISTEN 0      128    [::]:23 [::]:* ino:4 sk:4 <->
tcp   LISTEN 0      128    [::]:99 [::]:* ino:5 sk:5 v6only:1 <->
tcp   LISTEN 0      128    *:99 *:* ino:6 sk:6 v6only:0 <->
"""


def listening(*rows: tuple[Any, Any, str, int]) -> list[Socket]:
    states = {"tcp": "LISTEN", "udp": "NONE"}
    return [Socket(f, p, states[p], a, port, 7, f"p{port}") for f, p, a, port in rows]


def test_which_sockets_take_ipv6_only() -> None:
    sockets = listening(
        ("ipv6", "udp", "fe80::1", 546),
        ("ipv6", "tcp", "::", 80),
        ("ipv6", "tcp", "::", 443),
        ("ipv6", "tcp", "::", 22),
        ("ipv6", "tcp", "::", 23),
        ("ipv6", "tcp", "::", 99),
        ("ipv4", "tcp", ANY4, 22),
        ("ipv4", "tcp", ANY4, 8080),
    )
    found = value(Ipv6ListenersCollector(), {SOCKETS: sockets, SS: SS_TEXT})
    assert {row["port"]: row["v6only"] for row in found["ipv6"]} == {
        546: True,
        80: False,
        443: True,
        22: True,
        23: None,
        99: None,
    }
    assert [(row["port"], row["process"]) for row in found["ipv6_only"]] == [(443, "p443")]
    assert [(row["port"], row["process"]) for row in found["ipv4_only"]] == [(8080, "p8080")]
    assert found["v6only_unknown"] == ""


def test_without_ss_the_sockets_are_known_all_the_same() -> None:
    said: dict[Any, Said] = {SOCKETS: listening(("ipv6", "tcp", "::", 80)), SS: Answer("absent")}
    found = value(Ipv6ListenersCollector(), said)
    assert found["ipv6"][0]["v6only"] is None
    assert found["ipv6_only"] == []
    assert "absent" in found["v6only_unknown"]


SERVER = """
import socket, sys
held = []
for kind, port, only in ((1, 80, 1), (1, 81, 0), (2, 53, 1), (2, 54, 0)):
    one = socket.socket(socket.AF_INET6, kind)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    one.bind(("::", port))
    if kind == 1:
        one.listen()
    held.append(one)
import subprocess
sys.stdout.write(subprocess.run(sys.argv[1:], capture_output=True, text=True).stdout)
"""


@needs_lab
def test_what_the_real_ss_says() -> None:
    with Lab() as lab:
        lab.namespace("host")
        told = lab.run("host", sys.executable, "-c", SERVER, *SS.argv)
    assert parse_v6only(told) == {
        ("tcp", "::", 80): True,
        ("tcp", "::", 81): False,
        ("udp", "::", 53): True,
        ("udp", "::", 54): False,
    }


# --- by lot -----------------------------------------------------------------------------------

WORDS = st.sampled_from(
    (
        *("fe80::1", "::1", "fe80::1%x%y", "dev", "eth0", "lladdr", "02:00:00:00:00:01", "router"),
        *("STALE", "FAILED", "²", "nameserver", "127.0.0.53", "1.2.3", "#", "tcp", "udp", "LISTEN"),
        *("[::]:22", "*:80", "[fe80::1%e]:x", "v6only:1", "v6only:0", "Ip6InOctets", "IpExt:"),
        *("Ip6OutOctets", "InOctets", "OutOctets", "18446744073709551616", "-1", "lo:", "nan"),
        *(
            "0",
            "128",
            "00",
            "c8",
            "80",
            "ffffffff",
            "00000003",
            "0" * 32,
            "f" * 32,
            "\x00",
            "\u2028",
        ),
    )
)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=5).map("\n".join) | st.text()
PARSERS: dict[str, Callable[[str], object]] = {
    "if_inet6": parse_addresses,
    "ipv6_route": parse_default_routes,
    "snmp6": parse_snmp6,
    "ip neigh": parse_neighbours,
    "resolv.conf": lambda text: parse_resolv_conf(text, "x"),
    "ss": lambda text: sorted(parse_v6only(text).items()),
    "ip link": lambda text: parse_links(text.encode("utf-8", "replace")),
    "traffic": lambda text: traffic_of(
        Answers({file: answer(text) for file in (SNMP6, NETSTAT, DEV, LOOPBACK6)})
    ),
}


@pytest.mark.parametrize("parser", PARSERS)
@given(text=TEXTS)
def test_any_text_gives_facts_or_a_parse_error(parser: str, text: str) -> None:
    try:
        made = PARSERS[parser](text)
    except ParseError:
        return
    json.dumps(made, default=str)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("sit"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["ifname", "linkinfo", "info_kind", "info_data", "flags", "prefix"]),
            inner, max_size=4,
        ),
    )
)  # fmt: skip
def test_any_json_of_links(document: Any) -> None:
    try:
        rows = parse_links(json.dumps(document).encode())
    except ParseError:
        return
    json.dumps(rows)

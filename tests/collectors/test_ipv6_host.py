"""Neighbours, resolvers, tunnels and listeners of a host, from the words of its programs."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from collectors.ipv6.addresses import IF_INET6
from collectors.ipv6.listeners import SOCKETS, SS, Ipv6ListenersCollector, parse_v6only
from collectors.ipv6.neighbours import NEIGHBOURS, Ipv6NeighboursCollector, parse_neighbours
from collectors.ipv6.resolvers import (
    RESOLV_CONF,
    UPSTREAM,
    Ipv6ResolversCollector,
)
from collectors.ipv6.routes import IPV6_ROUTE
from collectors.ipv6.tunnels import LINKS, TYPES, Ipv6TunnelsCollector
from collectors.model import (
    Answer,
    ParseError,
    Unavailable,
)
from collectors.rows import Socket
from tests.collectors.hostfacts import needs_lab, value
from tests.collectors.literal import Said
from tests.netlab import Lab

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

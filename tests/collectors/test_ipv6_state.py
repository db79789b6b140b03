"""Addresses, routes, settings and listeners, from bytes and from the recorded machine."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.addresses import Ipv6AddressesCollector, parse_addresses
from collectors.ipv6.listeners import Ipv6ListenersCollector, ListenersCollector, ipv4_only
from collectors.ipv6.routes import Ipv6RoutesCollector, parse_default_routes
from collectors.ipv6.sysctl import Ipv6SysctlCollector
from collectors.model import Answer, Answers, Collector, Inventory, ParseError, Unavailable
from collectors.observe import observe
from collectors.rows import Socket
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource

MACHINE = Path(__file__).parent.parent / "fixtures/machines/debian12"

# As a kernel of Debian 12 shows them; what each state looks like was seen on such a machine.
STATES = {
    "00": ("preferred", set()),
    "01": ("preferred", {"temporary"}),
    "20": ("deprecated", {"deprecated"}),
    "40": ("tentative", {"tentative"}),
    "41": ("tentative", {"tentative", "temporary"}),
    "80": ("preferred", {"permanent"}),
    "82": ("preferred", {"permanent", "nodad"}),
    "a2": ("deprecated", {"permanent", "deprecated", "nodad"}),
    "c0": ("tentative", {"permanent", "tentative"}),
    "c8": ("dadfailed", {"permanent", "tentative", "dadfailed"}),
}


def seen(collector: Collector, root: Path | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Samples by family and labels, and facts by name, of a machine's root or the recorded one."""
    source = LocalSource(str(root)) if root else RecordedSource(MACHINE)
    (observation,) = observe(source, [collector])
    assert not observation.failure, observation.reason
    families = {
        family.name: {tuple(dict(s.labels).values()): s.value for s in family.samples}
        for family in observation.families
    }
    return families, {fact.name: fact.value for fact in observation.facts}


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize("flags", STATES)
def test_the_state_of_an_address(flags: str, tmp_path: Path) -> None:
    state, names = STATES[flags]
    write(
        tmp_path,
        "proc/net/if_inet6",
        f"20010db8000000000000000000000005 1a 40 00 {flags}   ens3\n",
    )
    write(tmp_path, "proc/sys/net/ipv6/conf/ens3/disable_ipv6", "0\n")
    families, facts = seen(Ipv6AddressesCollector(), tmp_path)
    assert families["jianwei_ipv6_addresses"] == {("ens3", "global", state): 1}
    (row,) = facts["ipv6_addresses"]
    assert {name for name, value in row.items() if value is True} == names
    assert row["source"] == "/proc/net/if_inet6:1"
    assert (row["address"], row["prefix_length"]) == ("2001:db8::5", 64)


def test_scopes_of_the_recorded_machine() -> None:
    families, facts = seen(Ipv6AddressesCollector())
    assert families["jianwei_ipv6_enabled"] == {(): 1}
    assert families["jianwei_ipv6_addresses"] == {
        ("lo", "host", "preferred"): 1,
        ("eth0", "global", "preferred"): 1,
        ("eth0", "global", "deprecated"): 1,
        ("eth0", "link", "preferred"): 1,
        ("eth1", "unique_local", "preferred"): 1,
        ("eth1", "link", "preferred"): 1,
    }
    assert len(facts["ipv6_addresses"]) == 6


@pytest.mark.parametrize(
    ("switches", "enabled"),
    [
        ({}, 0),
        ({"all": "0", "default": "0", "lo": "0"}, 0),
        ({"all": "0", "lo": "0", "eth0": "1"}, 0),
        ({"all": "1", "lo": "1", "eth0": "1", "eth1": "0"}, 1),
    ],
)
def test_whether_ipv6_is_on(switches: dict[str, str], enabled: int, tmp_path: Path) -> None:
    for name, value in switches.items():
        write(tmp_path, f"proc/sys/net/ipv6/conf/{name}/disable_ipv6", f"{value}\n")
    families, facts = seen(Ipv6AddressesCollector(), tmp_path)
    assert families["jianwei_ipv6_enabled"] == {(): enabled}
    assert facts["ipv6_addresses"] == []


def test_denied_is_not_taken_for_no_ipv6() -> None:
    collector = Ipv6AddressesCollector()
    answers = Answers(
        {reading: Answer("denied", reason="permission denied") for reading in collector.readings()}
    )
    with pytest.raises(Unavailable):
        list(collector.parse(answers))


@given(st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 255)), max_size=5))
def test_addresses_come_back_as_they_are(pairs: list[tuple[bytes, int]]) -> None:
    text = "".join(f"{packed.hex()} 02 40 20 {flags:02x}     eth0\n" for packed, flags in pairs)
    found = parse_addresses(text)
    assert [(ipaddress.ip_address(a.address).packed, a.flags) for a in found] == pairs


@pytest.mark.parametrize("line", ["", "zz 02 40 00 80 eth0", "00 02 40 00 80 eth0", "::1 1 2 3"])
def test_a_malformed_line_is_said(line: str) -> None:
    with pytest.raises(ParseError, match="if_inet6"):
        parse_addresses(f"{line}\n")


def test_default_routes_of_the_recorded_machine() -> None:
    families, facts = seen(Ipv6RoutesCollector())
    assert families == {
        "jianwei_ipv6_default_routes": {("eth0", "configured"): 1, ("eth0", "ra"): 1},
        "jianwei_ipv6_routers": {(): 2},
    }
    assert facts["ipv6_routes"] == [
        {
            "gateway": "2001:db8:20:1::1",
            "device": "eth0",
            "metric": 1024,
            "learned": "configured",
            "preference": "medium",
            "source": "/proc/net/ipv6_route:7",
            "routers": 2,
        },
        {
            "gateway": "fe80::5054:ff:fe20:101",
            "device": "eth0",
            "metric": 2048,
            "learned": "ra",
            "preference": "medium",
            "source": "/proc/net/ipv6_route:8",
            "routers": 2,
        },
    ]


def route(flags: int, hop: str = "fe80::1", destination: str = "::", length: int = 0) -> str:
    def packed(address: str) -> str:
        return ipaddress.ip_address(address).packed.hex()

    return (
        f"{packed(destination)} {length:02x} {packed('::')} 00 {packed(hop)}"
        f" 00000400 00000001 00000000 {flags:08x}     eth0\n"
    )


def test_which_routes_count() -> None:
    text = (
        route(0x3)
        + route(0x0045_0003 | 1 << 27)
        + route(0x0045_0003 | 3 << 27)
        + route(0x1)  # the link itself, as on a tunnel
        + route(0x2)  # not up
        + route(0x200200)  # reject
        + route(0x3, destination="2001:db8::", length=32)
        + route(0x3, destination="::", length=1)
    )
    found = parse_default_routes(text)
    assert [(r.gateway, r.learned, r.preference) for r in found] == [
        ("fe80::1", "configured", "medium"),
        ("fe80::1", "ra", "high"),
        ("fe80::1", "ra", "low"),
        ("", "configured", "medium"),
    ]


def test_no_ipv6_has_no_routes(tmp_path: Path) -> None:
    families, facts = seen(Ipv6RoutesCollector(), tmp_path)
    assert families["jianwei_ipv6_routers"] == {(): 0}
    assert facts["ipv6_routes"] == []


def test_settings_by_interface() -> None:
    _, facts = seen(Ipv6SysctlCollector())
    value = facts["ipv6_sysctl"]
    assert value["bindv6only"] == 0
    rows = {row["device"]: row for row in value["interfaces"]}
    assert set(rows) == {"all", "default", "lo", "eth0", "eth1", "bond0"}
    assert rows["bond0"]["disable_ipv6"] == 1
    assert rows["lo"]["use_tempaddr"] == -1
    assert rows["eth1"]["source"] == "/proc/sys/net/ipv6/conf/eth1"


def test_no_ipv6_has_no_settings(tmp_path: Path) -> None:
    assert seen(Ipv6SysctlCollector(), tmp_path)[1] == {
        "ipv6_sysctl": {"bindv6only": None, "interfaces": []}
    }


def test_a_service_without_its_ipv6_twin() -> None:
    families, _ = seen(ListenersCollector())
    assert families == {
        "jianwei_listeners": {
            ("ipv4", "tcp"): 3,
            ("ipv4", "udp"): 4,
            ("ipv6", "tcp"): 2,
            ("ipv6", "udp"): 2,
        },
        "jianwei_listeners_ipv4_only": {("tcp",): 0, ("udp",): 1},
    }
    _, facts = seen(Ipv6ListenersCollector())
    value = facts["ipv6_listeners"]
    assert [(row["protocol"], row["port"], row["process"]) for row in value["ipv4_only"]] == [
        ("udp", 68, "dhclient")
    ]
    assert {row["address"] for row in value["ipv6"]} == {"::", "::1"}
    assert not any(row["port"] == 41394 for row in value["ipv4"]), "a connection is no listener"


def test_a_twin_is_of_the_same_protocol_port_and_wildcard() -> None:
    def one(family: Any, protocol: Any, address: str, port: int) -> Socket:
        return Socket(family, protocol, "LISTEN", address, port)

    service = one("ipv4", "tcp", "0.0.0.0", 80)  # noqa: S104 - compared, not bound
    others = [
        one("ipv6", "udp", "::", 80),
        one("ipv6", "tcp", "::", 81),
        one("ipv6", "tcp", "2001:db8::1", 80),
        one("ipv4", "tcp", "127.0.0.1", 443),
    ]
    assert ipv4_only([service, *others]) == [service]
    assert ipv4_only([service, *others, one("ipv6", "tcp", "::", 80)]) == []


def test_listeners_of_this_machine_by_both_ways() -> None:
    """The cheap inventory sees what the one with processes sees."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        ours = {("tcp", tcp.getsockname()[1]), ("udp", udp.getsockname()[1])}
        kinds = (Inventory("listeners"), Inventory("sockets"))
        answers = Answers(LocalSource().answer(kinds))
        cheap, dear = (
            {(s.protocol, s.port) for s in answers.rows(kind, Socket) if s.address == "127.0.0.1"}
            for kind in kinds
        )
    assert ours <= cheap
    assert ours <= dear


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 in this Python")
def test_an_ipv6_listener_of_this_machine() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 on this machine: {error}")
        listener.listen()
        kind = Inventory("listeners")
        rows = Answers(LocalSource().answer([kind])).rows(kind, Socket)
        ours = Socket("ipv6", "tcp", "LISTEN", "::1", listener.getsockname()[1])
        assert ours in rows

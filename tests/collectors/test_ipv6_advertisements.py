"""Router advertisements and DHCPv6 servers: as scapy writes them, as radvd and dnsmasq send them on
a link of their own, and forged."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.wire.advertisements import Advertisement, Bad, parse
from collectors.ipv6.wire.advertisers import (
    MOST,
    Advertiser,
    Expected,
    Forged,
    Heard,
    RouterAddress,
    Seen,
    Watched,
    counted,
    expected,
)
from collectors.ipv6.wire.capture import (
    NoDevice,
    devices,
    dhcpv6_requests,
    router_solicitation,
    watch,
)
from tests import netlab, ralab
from tests.ralab import DEVICE, PREFIX, ROGUE_PREFIX

needs_lab = pytest.mark.skipif(bool(ralab.unavailable()), reason=ralab.unavailable())
ROUTER, OTHER = "fe80::1", "fe80::2"
MAC, OTHER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
PREFERENCES = {0: "medium", 1: "high", 2: "medium", 3: "low"}


def ra(source: str = ROUTER, hlim: int = 255, *options: Any, **fields: Any) -> bytes:
    from scapy.layers.inet6 import ICMPv6ND_RA, IPv6

    packet = IPv6(src=source, dst="ff02::1", hlim=hlim) / ICMPv6ND_RA(**fields)
    for option in options:
        packet /= option
    return bytes(packet)


# --- packets


@given(
    st.integers(0, 3),
    st.integers(0, 65535),
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.ip_addresses(v=6), st.integers(0, 128)), max_size=4),
    st.lists(st.ip_addresses(v=6).map(str), max_size=3, unique=True),
    st.none() | st.integers(0, 2**32 - 1),
)
def test_what_scapy_writes_is_read(
    preference: int,
    lifetime: int,
    managed: bool,
    other: bool,
    networks: list[tuple[ipaddress.IPv6Address, int]],
    dns: list[str],
    mtu: int | None,
) -> None:
    from scapy.layers.inet6 import (
        ICMPv6NDOptMTU,
        ICMPv6NDOptPrefixInfo,
        ICMPv6NDOptRDNSS,
        ICMPv6NDOptRouteInfo,
        ICMPv6NDOptSrcLLAddr,
    )

    options: list[Any] = [ICMPv6NDOptSrcLLAddr(lladdr=MAC)]
    options += [ICMPv6NDOptPrefixInfo(prefix=str(a), prefixlen=n) for a, n in networks]
    options += [ICMPv6NDOptRouteInfo(prefix="2001:db8:7::", plen=48)]
    if dns:
        options.append(ICMPv6NDOptRDNSS(dns=dns, len=1 + 2 * len(dns)))
    if mtu is not None:
        options.append(ICMPv6NDOptMTU(mtu=mtu))
    packet = ra(
        *(ROUTER, 255, *options),
        prf=preference,
        routerlifetime=lifetime,
        M=int(managed),
        O=int(other),
    )
    prefixes = [str(ipaddress.IPv6Network((int(a), n), strict=False)) for a, n in networks]
    assert parse(packet) == Advertisement(
        *("ra", ROUTER, MAC, tuple(dict.fromkeys(prefixes))),
        preference=PREFERENCES[preference],  # type: ignore[arg-type]
        lifetime=lifetime,
        managed=managed,
        other=other,
        mtu=mtu,
        dns=tuple(dns),
        routes=("2001:db8:7::/48",),
    )


def test_the_nat64_prefix() -> None:
    from scapy.packet import Raw

    packed = ipaddress.IPv6Address("64:ff9b::").packed[:12]
    found = parse(ra(ROUTER, 255, Raw(bytes((38, 2)) + (600 & ~7).to_bytes(2, "big") + packed)))
    assert isinstance(found, Advertisement)
    assert found.nat64 == ("64:ff9b::/96",)


@given(
    st.sampled_from([2, 7]),
    st.lists(st.ip_addresses(v=6).map(str), max_size=3, unique=True),
    st.lists(st.ip_addresses(v=6).map(str), max_size=3, unique=True),
)
def test_the_answers_of_dhcpv6_servers(kind: int, offered: list[str], dns: list[str]) -> None:
    from scapy.layers.dhcp6 import (
        DUID_LL,
        DHCP6_Advertise,
        DHCP6_Reply,
        DHCP6OptDNSServers,
        DHCP6OptIA_NA,
        DHCP6OptIA_PD,
        DHCP6OptIAAddress,
        DHCP6OptIAPrefix,
        DHCP6OptServerId,
    )
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6

    body = (DHCP6_Advertise if kind == 2 else DHCP6_Reply)(trid=7)
    body /= DHCP6OptServerId(duid=DUID_LL(lladdr=MAC))
    body /= DHCP6OptIA_NA(iaid=1, ianaopts=[DHCP6OptIAAddress(addr=a) for a in offered])
    body /= DHCP6OptIA_PD(iaid=1, iapdopt=[DHCP6OptIAPrefix(prefix="2001:db8:5::", plen=56)])
    if dns:
        body /= DHCP6OptDNSServers(dnsservers=dns)
    head = IPv6(src=OTHER, dst="fe80::9") / UDP(sport=547, dport=546)
    assert parse(bytes(head / body)) == Advertisement(
        *("dhcpv6", OTHER),
        prefixes=(*(f"{a}/128" for a in offered), "2001:db8:5::/56"),
        dns=tuple(dns),
    )


def test_requests_are_as_scapy_reads_them() -> None:
    from scapy.layers.dhcp6 import DHCP6_InfoRequest, DHCP6_Solicit, DHCP6OptClientId, DHCP6OptIA_NA
    from scapy.layers.inet6 import ICMPv6ND_RS, ICMPv6NDOptSrcLLAddr

    station = bytes.fromhex(MAC.replace(":", ""))
    asked = ICMPv6ND_RS(router_solicitation(station))
    assert asked[ICMPv6NDOptSrcLLAddr].lladdr == MAC
    solicit, inform = dhcpv6_requests(station)
    read = DHCP6_Solicit(solicit)
    assert read.msgtype == 1
    assert read[DHCP6OptClientId].duid.lladdr == MAC
    assert read.haslayer(DHCP6OptIA_NA)
    assert DHCP6_InfoRequest(inform).msgtype == 11
    assert bytes(read) == solicit


def forged() -> dict[str, bytes]:
    from scapy.layers.inet6 import (
        ICMPv6ND_RA,
        ICMPv6NDOptPrefixInfo,
        IPv6,
        IPv6ExtHdrDestOpt,
        IPv6ExtHdrFragment,
        IPv6ExtHdrHopByHop,
    )
    from scapy.packet import Raw

    head = IPv6(src=ROUTER, dst="ff02::1", hlim=255)
    hidden = head / IPv6ExtHdrFragment(nh=60, m=1)
    good = bytearray(ra())
    good[-1] ^= 1
    return {
        "hop_limit": ra(hlim=64),
        "source": ra("2001:db8::1"),
        "fragment": bytes(head / IPv6ExtHdrFragment(nh=58) / ICMPv6ND_RA()),
        "fragment behind options": bytes(
            head / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(nh=58, m=1) / ICMPv6ND_RA()
        ),
        "fragment that hides it": bytes(hidden / Raw(bytes((58, 200, 0, 0, 0, 0, 0, 0)))),
        "malformed: checksum": bytes(good),
        "malformed: cut": ra()[:-4],
        "malformed: code": ra(code=1),
        "malformed: option": ra(ROUTER, 255, Raw(bytes((1, 0, 1, 2, 3, 4, 5, 6)))),
        "malformed: beyond": ra(ROUTER, 255, Raw(bytes((1, 9, 1, 2, 3, 4, 5, 6)))),
        "malformed: prefix": ra(ROUTER, 255, ICMPv6NDOptPrefixInfo(prefixlen=129)),
        "hop_limit behind options": bytes(
            IPv6(src=ROUTER, dst="ff02::1", hlim=9) / IPv6ExtHdrHopByHop() / ICMPv6ND_RA()
        ),
    }


@pytest.mark.parametrize("name", list(forged()))
def test_what_hosts_must_not_take(name: str) -> None:
    found = parse(forged()[name])
    assert isinstance(found, Bad)
    assert found.problem == name.partition(" ")[0].rstrip(":")
    assert found.kind == "ra"


@given(st.binary(max_size=200))
def test_any_bytes(packet: bytes) -> None:
    parse(packet)


@given(st.sampled_from([*forged().values(), ra()]), st.integers(0, 200), st.binary(max_size=8))
def test_any_change_of_a_packet(packet: bytes, at: int, change: bytes) -> None:
    parse(packet[:at] + change + packet[at + len(change) :])
    parse(packet[:at])


@given(st.binary(max_size=120), st.sampled_from([b"\x86\0", b"\x02\0", b"\x07"]))
def test_any_message_behind_a_right_header(body: bytes, start: bytes) -> None:
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    head = IPv6(src=ROUTER, dst="ff02::1", hlim=255)
    server = head / UDP(sport=547, dport=546) / Raw(start[:1] + body)
    assert parse(bytes(server)) is None or start[0] in (2, 7) or len(body) < 3
    parse(bytes(IPv6(src=ROUTER, dst="ff02::1", hlim=255, nh=58) / Raw(start + body)))


# --- who was expected


def seen(address: str = ROUTER, station: str = MAC, device: str = "eth0", **fields: Any) -> Seen:
    kind = fields.pop("kind", "ra")
    return Seen(device, station, Advertisement(kind, address, **fields))


NOBODY_SAID = Expected()


def merged(
    found: Iterable[Seen], known: Expected
) -> tuple[tuple[Advertiser, ...], tuple[Forged, ...]]:
    heard = Heard()
    for one in found:
        heard.take(one)
    return heard.told(known)


def rows(*found: Seen, known: Expected = NOBODY_SAID) -> dict[tuple[str, str], Advertiser]:
    return {(row.key, row.station): row for row in merged(found, known)[0]}


def test_an_advertiser_is_expected_by_address_or_by_address_and_device() -> None:
    both = (seen(), seen(device="eth1"), seen(OTHER))
    known = Expected(expected([f"{ROUTER}%eth0", "FE80:0::2"]), None)
    found = rows(*both, known=known)
    assert [(key, row.expected, row.why) for (key, _), row in found.items()] == [
        ("fe80::1%eth0", True, ()),
        ("fe80::1%eth1", False, ("not_expected",)),
        ("fe80::2%eth0", True, ()),
    ]
    assert [row.expected for row in rows(*both).values()] == [None] * 3
    nobody = rows(seen(kind="dhcpv6"), known=Expected(None, expected(["none"])))
    assert [row.expected for row in nobody.values()] == [False]


@pytest.mark.parametrize("entries", [["192.0.2.1"], ["none", "fe80::1"], ["router"], [""]])
def test_what_is_no_address_is_refused(entries: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        expected(entries)


def test_what_is_said_about_a_rogue() -> None:
    known = Expected((ROUTER,), None)
    found = rows(
        seen(prefixes=(PREFIX,), lifetime=1800, lladdr=MAC),
        seen(prefixes=(PREFIX,), lifetime=0, lladdr=MAC),
        seen(
            *(OTHER, OTHER_MAC),
            prefixes=(PREFIX, ROGUE_PREFIX),
            preference="high",
            lladdr=MAC,
        ),
        known=known,
    )
    good, rogue = found.values()
    assert (good.expected, good.why, good.messages, good.lifetime) == (
        True,
        ("zero_lifetime",),
        2,
        0,
    )
    assert rogue.expected is False
    assert rogue.why == ("not_expected", "other_prefix", "other_station", "high_preference")
    assert counted(found.values()) == {("eth0", "ra", "yes"): 1, ("eth0", "ra", "no"): 1}


def test_two_stations_of_one_address_are_both_suspect() -> None:
    found = rows(seen(), seen(station=OTHER_MAC), known=Expected((ROUTER,), None))
    assert [(row.expected, row.why) for row in found.values()] == [
        (False, ("several_stations",))
    ] * 2
    assert [row.expected for row in rows(seen(), seen(station=OTHER_MAC)).values()] == [None] * 2


def test_rows_are_bounded_and_bad_ones_counted() -> None:
    many = [seen(f"fe80::{n:x}") for n in range(1, MOST + 50)]
    bad = [Seen("eth0", MAC, Bad("hop_limit", "ra", f"fe80::{n:x}")) for n in range(9)]
    told, forgeries = merged([*many, *bad], Expected())
    assert len(told) == MOST
    assert [(one.problem, one.messages, len(one.addresses)) for one in forgeries] == [
        ("hop_limit", 9, 4)
    ]
    assert forgeries[0].forged


def test_repetitions_push_nobody_out_and_what_finds_no_room_is_told() -> None:
    heard = Heard()
    for lifetime in range(20_000):
        heard.take(seen(lifetime=lifetime))
        heard.take(Seen("eth0", OTHER_MAC, Bad("hop_limit", "ra", f"fe80::{lifetime:x}")))
    heard.take(seen(OTHER, OTHER_MAC))
    assert not heard.full
    told, _ = heard.told(Expected((ROUTER,)))
    assert [(row.address, row.messages, row.expected) for row in told] == [
        (ROUTER, 20_000, True),
        (OTHER, 1, False),
    ]
    for number in range(MOST):
        heard.take(seen(f"fe80::9:{number:x}"))
    assert heard.full


def test_a_watch_that_was_cut_short_or_went_deaf_knows_nothing() -> None:
    good, bad = rows(seen(), seen(OTHER), known=Expected((ROUTER,))).values()
    for found, told in (
        (Watched(("a",), 1, (good,)), ""),
        (Watched(("a",), 1, (good,), limited=True), "budget: the watch was cut short"),
        (Watched(("a",), 1, (good, bad), limited=True), ""),
        (Watched(("a", "b"), 1, (good,), lost=("a",)), ""),
        (Watched(("a",), 1, (good,), lost=("a",)), "no_ipv6_here: went down during the watch: a"),
        (Watched(("a",), 1, (bad,), lost=("a",)), ""),
    ):
        assert found.unknown.startswith(told)
        assert bool(found.unknown) == bool(told)


@pytest.mark.parametrize("text", ["2400:da00::1", "::1", "ff02::1"])
def test_a_router_has_a_link_local_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not link-local, .*write .*fe80::1%eth0"):
        RouterAddress.parse(text)
    assert expected([text]) == (text,)
    assert expected(["FE80::01%eth0"], RouterAddress) == ("fe80::1%eth0",)


# --- a link


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[netlab.Lab, Path]]:
    with netlab.Lab() as lab:
        ralab.switched(lab, "host", "good", "rogue", routers=("good", "rogue"))
        yield lab, tmp_path_factory.mktemp("ra")


def watched(lab: netlab.Lab, seconds: float, known: Expected, solicit: bool = True) -> Watched:
    return lab.inside("host", lambda: watch(devices(), seconds, known, solicit))


@needs_lab
def test_a_good_router_a_rogue_one_and_a_rogue_server(link: tuple[netlab.Lab, Path]) -> None:
    lab, folder = link
    good, rogue = (ralab.link_local(lab, name) for name in ("good", "rogue"))
    known = Expected((good,), ())
    managed = "AdvManagedFlag on; AdvLinkMTU 1400; RDNSS 2400:da00:a::53 { };"
    with (
        ralab.radvd(lab, "good", folder, more=managed),
        ralab.radvd(lab, "rogue", folder, ROGUE_PREFIX, "high"),
        ralab.dhcpv6(lab, "rogue", folder, ROGUE_PREFIX),
    ):
        found = watched(lab, 1.5, known)
    told = {(row.address, row.kind): row for row in found.advertisers}
    assert set(told) == {(good, "ra"), (rogue, "ra"), (rogue, "dhcpv6")}
    right = told[good, "ra"]
    assert (right.expected, right.why, right.prefixes) == (True, (), (PREFIX,))
    assert right.station == right.lladdr == ralab.station(lab, "good")
    assert (right.managed, right.mtu, right.dns) == (True, 1400, ("2400:da00:a::53",))
    wrong = told[rogue, "ra"]
    assert (wrong.expected, wrong.preference) == (False, "high")
    assert wrong.why == ("not_expected", "other_prefix", "high_preference")
    server = told[rogue, "dhcpv6"]
    assert (server.expected, server.dns) == (False, ("2400:da00:bad::53",))
    assert all(prefix.startswith("2400:da00:bad::1") for prefix in server.prefixes)
    assert (found.bad, found.limited, found.devices) == ((), False, (DEVICE,))


@needs_lab
def test_forged_advertisements_are_counted_not_believed(link: tuple[netlab.Lab, Path]) -> None:
    lab, _ = link
    good, bad = "ether/IPv6(src='fe80::bad', dst='ff02::1', hlim=255)", "hlim=254)/RA()"
    frames = (
        f"[{good}/RA(), {good.replace('hlim=255)', bad)}, "
        "ether/IPv6(src='2001:db8::1', dst='ff02::1', hlim=255)/RA(), "
        f"{good}/IPv6ExtHdrFragment(nh=58, m=1)/RA(), {good}/RA(cksum=1)]"
    )
    with ralab.forging(lab, "rogue", frames) as send:
        listening = lab.begin("host", lambda: watch([DEVICE], 2, Expected()))
        send()
        found = listening.end()
    (row,) = found.advertisers
    assert (row.address, row.messages, row.expected) == ("fe80::bad", 1, None)
    assert {one.problem: one.messages for one in found.bad} == {
        "hop_limit": 1,
        "source": 1,
        "fragment": 1,
        "malformed": 1,
    }


@needs_lab
def test_the_filter_keeps_other_packets_away(link: tuple[netlab.Lab, Path]) -> None:
    lab, _ = link
    listening = lab.begin("host", lambda: watch([DEVICE], 1, Expected()))
    lab.run("good", "ping", "-6", "-c", "20", "-i", "0.01", f"ff02::1%{DEVICE}")
    found = listening.end()
    assert found.advertisers == ()
    assert found.packets < 5  # reports of multicast groups have an extension header


@needs_lab
def test_a_flood_ends_the_watch_early(
    link: tuple[netlab.Lab, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = link
    monkeypatch.setattr("collectors.ipv6.wire.advertisers.MOST", 50)
    flood = "[ether/IPv6(src=f'fe80::bad:{n:x}', dst='ff02::1', hlim=255)/RA() for n in range(200)]"
    with ralab.forging(lab, "rogue", flood) as send:
        listening = lab.begin("host", lambda: watch([DEVICE], 30, Expected()))
        send()
        found = listening.end()
    assert found.limited
    assert len(found.advertisers) == 50


@needs_lab
def test_a_flood_in_the_name_of_the_good_router_hides_no_rogue(
    link: tuple[netlab.Lab, Path],
) -> None:
    """It sends from the good router's station, too, so that its messages are one row."""
    lab, _ = link
    good = ralab.link_local(lab, "good")
    mac = ralab.station(lab, "good")
    flood = f"[Ether(src='{mac}', dst='33:33:00:00:00:01')/IPv6(src='{good}', dst='ff02::1', "
    flood += "hlim=255)/RA()] * 3000 + [ether/IPv6(src='fe80::bad', dst='ff02::1', hlim=255)/RA()]"
    with ralab.forging(lab, "rogue", flood) as send:
        listening = lab.begin("host", lambda: watch([DEVICE], 6, Expected((good,))))
        send()
        found = listening.end()
    assert [(row.address, row.expected) for row in found.advertisers] == [
        (good, True),
        ("fe80::bad", False),
    ]
    assert found.advertisers[0].messages > 2000
    assert found.packets > 2000


@needs_lab
def test_what_the_kernel_threw_away_is_told(
    link: tuple[netlab.Lab, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = link
    monkeypatch.setattr("collectors.ipv6.wire.capture._QUEUED", 1)
    slow = parse

    def parse_slowly(packet: bytes) -> Advertisement | Bad | None:
        time.sleep(0.05)
        return slow(packet)

    monkeypatch.setattr("collectors.ipv6.wire.capture.parse", parse_slowly)
    flood = "[ether/IPv6(src='fe80::bad', dst='ff02::1', hlim=255)/RA()] * 300"
    with ralab.forging(lab, "rogue", flood) as send:
        listening = lab.begin("host", lambda: watch([DEVICE], 2, Expected()))
        send()
        found = listening.end()
    assert found.limited
    assert found.unknown.startswith("budget: ")


@needs_lab
def test_a_device_that_goes_down_was_not_heard() -> None:
    with netlab.Lab() as lab:
        ralab.switched(lab, "host", "rogue")
        lab.run("host", "ip", "link", "add", "name", "other", "type", "bridge")
        assert lab.inside("host", devices) == [DEVICE]
        assert lab.inside("host", lambda: devices(["eth9", "other", DEVICE], True)) == [DEVICE]
        with pytest.raises(NoDevice, match="'other' is down"):
            lab.inside("host", lambda: devices(["other"]))
        with pytest.raises(NoDevice, match="no interface with IPv6 is up among other"):
            lab.inside("host", lambda: devices(["other"], True))
        listening = lab.begin("host", lambda: watch([DEVICE], 1.5, Expected()))
        time.sleep(0.3)
        lab.run("host", "ip", "link", "set", DEVICE, "down")
        lab.run("host", "ip", "link", "set", DEVICE, "up")
        found = listening.end()
        assert found.lost == (DEVICE,)
        assert found.unknown.startswith("no_ipv6_here")
        lab.run("rogue", "ip", "link", "set", DEVICE, "down")
        lab.run("switch", "ip", "link", "set", "to-host", "down")  # no carrier
        with pytest.raises(NoDevice, match="no interface with IPv6 is up"):
            lab.inside("host", devices)


@needs_lab
def test_interfaces_that_are_not_there(link: tuple[netlab.Lab, Path]) -> None:
    lab, _ = link
    with pytest.raises(NoDevice, match="no interface 'eth9'; there are: lo, to-switch"):
        lab.inside("host", lambda: devices(["eth9"]))
    with netlab.Lab() as empty:
        empty.namespace("empty")
        with pytest.raises(NoDevice, match="no interface with IPv6 is up"):
            empty.inside("empty", devices)


def test_lists_of_a_row_are_bounded() -> None:
    made = random.Random(1)  # noqa: S311 - no secret
    found = [
        seen(prefixes=tuple(f"2001:db8:{made.getrandbits(16):x}::/64" for _ in range(32)))
        for _ in range(9)
    ]
    (row,) = rows(*found).values()
    assert len(row.prefixes) == 64

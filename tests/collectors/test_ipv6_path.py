"""The way to a site, broken in one way each, on real networks of their own, as root."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.model import ExtensionHeader, IcmpType, Site, SitePath
from collectors.ipv6.wire import sitepath
from collectors.ipv6.wire.asking import (
    DESTINATION,
    HEADER,
    NONCE,
    Heard,
    Maker,
    checksum,
    heard,
)
from collectors.ipv6.wire.sitepath import HEADERS, better, check_path
from collectors.link.connect import Deadline
from collectors.link.path import Hop, Path
from collectors.link.pathjob import TraceOptions
from collectors.link.traceroute import Tracer
from collectors.model import Fact, Target
from tests import netlab
from tests.pathlab import chain, six
from tests.waylab import black_hole, drop_icmpv6, narrow, silent

needs_lab = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())
SITE = Site("portal", "http://portal.example/", "portal.example", 80, tls=False)
NAMES = ("site_path", "site_icmpv6", "site_extension_headers")


def checked(lab: netlab.Lab, address: str, seconds: float = 30) -> dict[str, Fact]:
    facts = lab.inside("a", lambda: check_path(SITE, address, Deadline(seconds)))
    assert tuple(fact.name for fact in facts) == NAMES
    return {fact.name: fact for fact in facts}


def passed(facts: dict[str, Fact]) -> dict[tuple[int, int], bool | None]:
    rows = msgspec.convert(facts["site_icmpv6"].value, tuple[IcmpType, ...])
    return {(row.type, row.code): row.passed for row in rows}


def way(facts: dict[str, Fact]) -> SitePath:
    return msgspec.convert(facts["site_path"].value, SitePath)


def headers(facts: dict[str, Fact]) -> dict[str, bool]:
    rows = msgspec.convert(facts["site_extension_headers"].value, tuple[ExtensionHeader, ...])
    return {row.name: row.answered for row in rows}


# --- a table of ways: what is broken on a — b — c — d, and what is told of d

GOOD: dict[tuple[int, int], bool | None] = {
    (1, 4): True,
    (2, 0): None,
    (3, 0): True,
    (4, 1): True,
    (4, 2): True,
    (128, 0): True,
    (129, 0): True,
}


class Case(NamedTuple):
    broken: Callable[[netlab.Lab], None]
    differs: dict[tuple[int, int], bool | None]
    mtu: int | None = 1500
    hole: bool = False


def no_time_exceeded(lab: netlab.Lab) -> None:
    for name in "bc":
        drop_icmpv6(lab, name, 3)


def no_icmpv6_at_all(lab: netlab.Lab) -> None:
    """A web server whose firewall lets only TCP pass, and its neighbours."""
    neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;"
    rule = f"type filter hook input priority 0; {neighbours} meta l4proto tcp accept; drop;"
    lab.nft("d", f"table ip6 web {{\nchain i {{ {rule} }}\n}}\n")


def limited(lab: netlab.Lab) -> None:
    """The kernel's own limits of ICMPv6 errors, which labs lift."""
    for name in "bcd":
        lab.sysctl(name, "net.ipv6.icmp.ratelimit=1000")


CASES = {
    "nothing": Case(lambda lab: None, {}),
    "no unreachable": Case(lambda lab: drop_icmpv6(lab, "c", 1), {(1, 4): None}),
    "a narrow link": Case(lambda lab: narrow(lab, "b", "c", 1400), {(2, 0): True}, mtu=1400),
    "a black hole": Case(
        lambda lab: black_hole(lab, "b", "c", 1400), {(2, 0): False}, mtu=1400, hole=True
    ),
    "no time exceeded": Case(no_time_exceeded, {(3, 0): False}),
    "no parameter problem": Case(
        lambda lab: drop_icmpv6(lab, "c", 4), {(4, 1): None, (4, 2): None}
    ),
    "no code 1": Case(lambda lab: drop_icmpv6(lab, "d", 4, 1), {(4, 1): None}),
    "no echo": Case(
        lambda lab: drop_icmpv6(lab, "d", 128), {(128, 0): False, (129, 0): False}, mtu=None
    ),
    "no echo reply": Case(
        lambda lab: drop_icmpv6(lab, "c", 129), {(128, 0): False, (129, 0): False}, mtu=None
    ),
    "few errors a second": Case(limited, {}),
    "only tcp": Case(
        no_icmpv6_at_all,
        {key: False if key[0] > 4 else None for key in GOOD if key[0] not in (2, 3)},
        mtu=None,
    ),
    "silence": Case(
        lambda lab: silent(lab, "d"),
        {key: None for key in GOOD if key[0] != 3},
        mtu=None,
    ),
}


def seen(case: Case) -> dict[str, Fact]:
    with netlab.Lab() as lab:
        chain(lab, "abcd")
        case.broken(lab)
        return checked(lab, six(3, 2))


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, dict[str, Fact]]]:
    """All ways at once, each in a lab of its own: most of the time is waiting."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield dict(zip(CASES, pool.map(seen, CASES.values()), strict=True))


@needs_lab
@pytest.mark.parametrize("name", CASES)
def test_each_way_is_told_as_it_is(name: str, told: dict[str, dict[str, Fact]]) -> None:
    case, facts = CASES[name], told[name]
    assert passed(facts) == GOOD | case.differs
    if case.mtu is None:
        assert facts["site_path"].value is None
        assert facts["site_path"].unavailable.startswith("no_answer: ")
    else:
        found = way(facts)
        assert (found.mtu, found.link_mtu, found.black_hole) == (case.mtu, 1500, case.hole)
        assert found.told_by == (six(1, 2) if name == "a narrow link" else "")
    if (128, 0) not in case.differs:
        known = dict.fromkeys(HEADERS, True) | {"segment routing": False}  # the kernel's default
        assert headers(facts) == known
    else:
        assert facts["site_extension_headers"].unavailable.startswith("no_answer: ")


@needs_lab
def test_a_neighbour_has_no_router_before_it() -> None:
    with netlab.Lab() as lab:
        chain(lab, "ab")
        lab.sysctl("b", "net.ipv6.conf.all.seg6_enabled=1", "net.ipv6.conf.to-a.seg6_enabled=1")
        facts = checked(lab, six(1, 2))
        assert passed(facts) == GOOD | {(3, 0): None}
        assert headers(facts) == dict.fromkeys(HEADERS, True)


@needs_lab
def test_a_site_without_a_route_was_not_tested() -> None:
    with netlab.Lab() as lab:
        lab.namespace("a")
        for fact in checked(lab, "2400:da00::1").values():
            assert (fact.value, fact.unavailable.partition(":")[0]) == (None, "no_ipv6_here")


@needs_lab
def test_a_deadline_that_passes_is_told() -> None:
    with netlab.Lab() as lab:
        chain(lab, "abc")
        facts = checked(lab, six(2, 2), seconds=0.001)
        assert {fact.unavailable.partition(":")[0] for fact in facts.values()} == {"budget"}


@needs_lab
def test_a_search_that_takes_long_is_cut() -> None:
    with netlab.Lab() as lab:
        chain(lab, "abcd")
        black_hole(lab, "b", "c", 1400)
        begin = time.monotonic()
        facts = checked(lab, six(3, 2), seconds=1.5)
        assert time.monotonic() - begin < 5
        assert {fact.unavailable.partition(":")[0] for fact in facts.values()} == {"budget"}
        options = TraceOptions(limit=0.5, mtu=True)
        target = Target("there", six(3, 2), "ipv6")
        (path,) = lab.inside("a", lambda: Tracer(options).trace([target]))
        assert [hop.addresses for hop in path.hops][:2] == [(six(1, 2),), (six(2, 2),)]
        assert path.mtu is None


@needs_lab
def test_without_the_privilege_nothing_is_claimed() -> None:
    with netlab.Lab() as lab:
        chain(lab, "ab")
        code = (
            "from collectors.ipv6.wire.sitepath import check_path\n"
            "from collectors.ipv6.model import Site\n"
            "from collectors.link.connect import Deadline\n"
            f"for f in check_path(Site('x', '', 'x', 80, False), '{six(1, 2)}', Deadline(9)):\n"
            "    print(f.name, f.value, f.unavailable)\n"
        )
        unprivileged = ("setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set", "-all")
        argv = lab.argv("a", *unprivileged, sys.executable, "-c", code)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.stdout.splitlines() == [
            f"{name} None permission: needs CAP_NET_RAW" for name in NAMES
        ], done.stderr


# --- two looks at one way


def look(reached: bool, mtu: int | None = None, *routers: str, **more: Any) -> Path:
    hops = [Hop(n, (address,)) for n, address in enumerate(routers, 1)]
    if reached:
        hops.append(Hop(len(hops) + 1, ("there",)))
    return Path(*("there", "2400:da00::1", "ipv6", "icmp", tuple(hops), reached), mtu=mtu, **more)


def test_what_one_look_missed_the_other_may_have_seen() -> None:
    silent, seen_ = look(True, 1399, mtu_black_hole=True), look(True, 1400, "r", mtu_source="r")
    assert better(silent, seen_) == better(seen_, silent) == seen_
    hole, told = look(True, 1400, "r", mtu_black_hole=True), look(True, 1400, "r", mtu_source="r")
    assert better(hole, told) == better(told, hole) == told
    assert better(hole, hole) == hole
    assert better(look(True, None, "r"), look(True, 1500, "r")).mtu == 1500
    assert better(look(False, None, "r"), look(False, None)) == look(False, None, "r")


def test_a_router_and_the_target_seen_in_different_looks() -> None:
    both = better(look(False, None, "r"), look(True, 1500))
    assert (both.reached, both.mtu) == (True, 1500)
    assert sitepath._routers(both) == ("r",)


# --- packets and answers

NONCES = st.binary(min_size=NONCE, max_size=2 * NONCE).filter(lambda b: len(b) % 8 == 0)
MAKER = Maker("2001:db8::1", "2001:db8::2")


def all_asked(drawn: bytes) -> list[Any]:
    return [
        MAKER.echo(drawn),
        MAKER.datagram(40000, drawn),
        MAKER.unknown_header(drawn),
        MAKER.unknown_option(drawn),
        *(make(MAKER, drawn) for make in HEADERS.values()),
    ]


@given(NONCES)
def test_scapy_reads_the_packets(drawn: bytes) -> None:
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import (
        ICMPv6EchoRequest,
        IPv6,
        IPv6ExtHdrDestOpt,
        IPv6ExtHdrFragment,
        IPv6ExtHdrHopByHop,
        IPv6ExtHdrSegmentRouting,
    )

    layers = [ICMPv6EchoRequest, UDP, None, IPv6ExtHdrDestOpt, IPv6ExtHdrDestOpt]
    layers += [IPv6ExtHdrHopByHop, IPv6ExtHdrFragment, IPv6ExtHdrFragment, IPv6ExtHdrSegmentRouting]
    for asked, layer in zip(all_asked(drawn), layers, strict=True):
        for packet in asked.packets:
            read = IPv6(packet)
            assert read.plen == len(packet) - HEADER
            assert layer is None or read.haslayer(layer)
        upper = b"".join(p[HEADER:] for p in asked.packets)
        if len(asked.packets) == 1 and asked.echo:  # the request ends the packet, with a right sum
            request = upper[-4 - len(drawn) :]
            assert checksum(MAKER._source, MAKER._destination, 58, request) == 0


@given(NONCES, st.integers(0, 8), st.sampled_from([1, 2, 3, 4]), st.integers(0, 255))
def test_an_error_is_matched_with_what_it_quotes(
    drawn: bytes, which: int, kind: int, code: int
) -> None:
    asked = all_asked(drawn)
    quoted = bytearray(asked[which].packets[-1])
    quoted[7] -= 3  # the hop limit
    quoted[3] ^= 0x55  # the flow label
    message = bytes((kind, code, 0, 0, 0, 0, 0, 0)) + bytes(quoted)
    assert heard(asked, "2001:db8::9%eth0", message) == (which, Heard(kind, code, "2001:db8::9"))
    for at in (6, 20, len(quoted) - 1):
        spoiled = bytearray(message)
        spoiled[8 + at] ^= 1
        found = heard(asked, "2001:db8::9", bytes(spoiled))
        assert found is None or found[0] != which
    assert heard(asked, "2001:db8::9", message[:-1]) is None  # the nonce is not whole


@given(NONCES)
def test_a_reply_brings_back_all_data(drawn: bytes) -> None:
    asked = [MAKER.datagram(1, drawn), MAKER.padded(DESTINATION, drawn)]
    reply = bytes((129, 0, 0, 0)) + drawn
    assert heard(asked, "::1", reply) == (1, Heard(129, 0, "::1"))
    assert heard(asked, "::1", reply[:-1]) is None
    assert heard(asked, "::1", reply + b"\0") is None


@given(st.binary(max_size=200))
def test_anything_may_come(message: bytes) -> None:
    assert heard(all_asked(b"12345678" * 2), "::1", message) is None


def test_only_a_refusal_or_a_connection_is_an_answer() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert sitepath._takes_tcp(("::1", 0, 0, 0), port, Deadline(5))
    assert sitepath._takes_tcp(("::1", 0, 0, 0), port, Deadline(5))

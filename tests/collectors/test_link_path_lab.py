"""Traces on real networks of their own, as root. The oracle is Debian's traceroute."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from collectors.link.path import Method, Path, same_way, written
from collectors.link.pathjob import TraceOptions
from collectors.link.pathpackets import Flow
from collectors.link.traceroute import Tracer
from collectors.model import AddressFamily, Target
from tests import netlab
from tests.collectors.test_link_path_packets import error
from tests.pathlab import chain, diamond, four, six

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
METHODS: tuple[Method, ...] = ("icmp", "udp", "tcp")
QUICK = TraceOptions(timeout=0.4, spacing=0.002, seed=b"a machine")


def targets(link: int, host: int = 2) -> list[Target]:
    return [
        Target("there", four(link, host), "ipv4"),
        Target("there", six(link, host), "ipv6"),
    ]


def trace(lab: netlab.Lab, to: list[Target], options: TraceOptions = QUICK) -> list[Path]:
    return lab.inside("a", lambda: Tracer(options).trace(to))


@pytest.fixture(scope="module")
def line() -> Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        chain(made, "abcde")
        yield made


@pytest.fixture
def lab(line: netlab.Lab) -> Iterator[netlab.Lab]:
    yield line
    line.no_rules()


def with_options(**changes: object) -> TraceOptions:
    return msgspec.structs.replace(QUICK, **changes)


def hops_of(path: Path) -> list[tuple[str, ...]]:
    return [hop.addresses for hop in path.hops]


@pytest.mark.parametrize("method", METHODS)
def test_a_chain_is_complete_in_both_families(lab: netlab.Lab, method: Method) -> None:
    found = trace(lab, targets(4), with_options(method=method))
    for path, address in zip(found, (four, six), strict=True):
        assert hops_of(path) == [(address(n, 2),) for n in (1, 2, 3, 4)]
        assert (path.reached, path.reason, path.detail) == (True, "", "")
        assert all(hop.rtt and 0 < hop.rtt < 0.4 for hop in path.hops)


ORACLE = {"icmp": "-I", "udp": "-U", "tcp": "-T"}


def by_traceroute(lab: netlab.Lab, method: Method, address: str, *more: str) -> list[set[str]]:
    """Who Debian's traceroute sees at each distance."""
    version = "-6" if ":" in address else "-4"
    text = lab.run("a", "traceroute", "-n", version, ORACLE[method], "-w", "1", *more, address)
    return [
        {word for word in line.split()[1:] if word[0].isdigit() and word.count(".") != 1}
        for line in text.splitlines()[1:]
    ]


@pytest.mark.skipif(not shutil.which("traceroute"), reason="needs traceroute")
@pytest.mark.parametrize("method", METHODS)
def test_debians_traceroute_sees_the_same_addresses(lab: netlab.Lab, method: Method) -> None:
    for path in trace(lab, targets(4), with_options(method=method)):
        assert [set(a) for a in hops_of(path)] == by_traceroute(lab, method, path.address)


def test_a_silent_hop_is_shown_as_such_and_is_no_change(lab: netlab.Lab) -> None:
    before = trace(lab, targets(4))
    lab.nft(
        "c",
        """table inet t { chain o { type filter hook output priority 0;
           icmp type time-exceeded drop; icmpv6 type time-exceeded drop; }; }""",
    )
    after = trace(lab, targets(4))
    for old, new in zip(before, after, strict=True):
        assert new.hops[1].addresses == ()
        assert new.hops[1].rtt is None
        assert [hop.addresses for hop in new.hops if hop.ttl != 2] == [
            hop.addresses for hop in old.hops if hop.ttl != 2
        ]
        assert new.reached
        assert " → * → " in written(new)
        assert same_way(old, new)
        assert same_way(new, old)
        assert old.signature != new.signature


def test_silence_ends_soon_and_leaves_no_hops(lab: netlab.Lab) -> None:
    lab.nft("c", "table inet t { chain f { type filter hook forward priority 0; drop; }; }")
    begin = time.monotonic()
    found = trace(lab, targets(4), with_options(timeout=1.0))
    assert time.monotonic() - begin < 5  # 28 silent hops one after another took a minute
    for path in found:
        assert (path.reached, path.reason) == (False, "timeout")
        assert len(path.hops) == 2
        assert path.detail == "silence behind hop 2"
        assert path.mtu is None


def test_a_refusal_says_who_refused(lab: netlab.Lab) -> None:
    lab.nft(
        "c",
        """table inet t { chain f { type filter hook forward priority 0;
           icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;
           reject with icmpx admin-prohibited; }; }""",
    )
    for path, address in zip(trace(lab, targets(4)), (four, six), strict=True):
        assert (path.reached, path.reason) == (False, "unreachable_admin")
        assert hops_of(path) == [(address(1, 2),), (address(2, 2),), (address(2, 2),)]
        assert path.detail == f"{address(2, 2)} at hop 3"
        assert path.hops[2].reason == "unreachable_admin"


def test_a_target_that_refuses_tcp_is_reached(lab: netlab.Lab) -> None:
    """Nothing listens on 443; a filter that answers for the target is another matter."""
    lab.nft(
        "e",
        """table inet t { chain i { type filter hook input priority 0;
           tcp dport 443 reject with icmpx port-unreachable; }; }""",
    )
    for path in trace(lab, targets(4), with_options(method="tcp")):
        assert (path.reached, path.reason) == (False, "unreachable_port")
        assert len(path.hops) == 4
    for path in trace(lab, targets(4), with_options(method="tcp", port=80)):
        assert path.reached
        assert len(path.hops) == 4


def test_an_open_tcp_port_is_reached_and_left_alone(lab: netlab.Lab) -> None:
    """It answers with SYN and ACK, which this machine's kernel resets: no connection is accepted."""
    listener = lab.inside(
        "e",
        lambda: socket.create_server(("::", 8443), family=socket.AF_INET6, dualstack_ipv6=True),
    )
    with listener:
        listener.settimeout(0.2)
        found = trace(lab, targets(4), with_options(method="tcp", port=8443))
        with pytest.raises(TimeoutError):
            listener.accept()
    for path, address in zip(found, (four, six), strict=True):
        assert hops_of(path) == [(address(n, 2),) for n in (1, 2, 3, 4)]
        assert (path.reached, path.reason) == (True, "")


def test_a_loop_is_named_and_cut(lab: netlab.Lab) -> None:
    """c sends back what is for e."""
    for address, length in ((four, 24), (six, 64)):
        lab.run("c", "ip", "route", "replace", f"{address(4, 0)}/{length}", "via", address(2, 1))
    try:
        found = trace(lab, targets(4))
    finally:
        for address, length in ((four, 24), (six, 64)):
            prefix = f"{address(4, 0)}/{length}"
            lab.run("c", "ip", "route", "replace", prefix, "via", address(3, 2))
    for path, address in zip(found, (four, six), strict=True):
        assert (path.reached, path.reason) == (False, "ttl_exceeded")
        if address is four:
            assert hops_of(path) == [(address(1, 2),), (address(2, 2),), (address(1, 2),)]
            assert path.detail == f"a loop: {address(1, 2)} is hop 1 and 3"
        else:  # b answers from where the packet came
            assert [a for (a,) in hops_of(path)] == [six(1, 2), six(2, 2), six(2, 1), six(2, 2)]
            assert path.detail == f"a loop: {six(2, 2)} is hop 2 and 4"


def test_a_path_longer_than_allowed(lab: netlab.Lab) -> None:
    for path in trace(lab, targets(4), with_options(max_hops=2)):
        assert (path.reached, path.reason, len(path.hops)) == (False, "ttl_exceeded", 2)
        assert path.detail == "longer than 2 hops"


def test_no_route_is_told_by_this_machine(lab: netlab.Lab) -> None:
    nowhere = [Target("n", "192.0.2.1", "ipv4"), Target("n", "2001:db8:ff::1", "ipv6")]
    for path in trace(lab, [*nowhere, *targets(4)])[:2]:
        assert (path.reached, path.reason, path.hops) == (False, "no_route", ())
    local = trace(lab, [Target("l", "fe80::1", "ipv6")])[0]
    assert (local.reason, local.reached) == ("no_route", False)


def test_a_link_local_target_is_traced_over_its_device(lab: netlab.Lab) -> None:
    text = lab.run("b", "ip", "-6", "-br", "address", "show", "dev", "to-a", "scope", "link")
    address = next(word for word in text.split() if word.startswith("fe80")).partition("/")[0]
    for method in METHODS:
        (path,) = trace(
            lab, [Target("n", f"{address}%to-b", "ipv6")], with_options(method=method, mtu=True)
        )
        assert (path.reached, path.reason, hops_of(path)) == (True, "", [(address,)])
        assert path.mtu == 1500
    (path,) = trace(lab, [Target("n", f"{address}%nosuch", "ipv6")])
    assert (path.reason, path.detail) == ("no_route", "this machine: no device nosuch")


@pytest.mark.parametrize("method", METHODS)
def test_many_targets_at_once(lab: netlab.Lab, method: Method) -> None:
    """Each gets its own answers, also where they share ports and routers."""
    some = [one for host in (1, 2) for link in (1, 2, 3, 4) for one in targets(link, host)]
    some = [one for one in some if one.address not in (four(1, 1), six(1, 1))]
    found = trace(lab, some, with_options(method=method, flows=2))
    assert [path.address for path in found] == [one.address for one in some]
    for path in found:
        link, host = (int(n) for n in re.findall(r"(\d+)", path.address)[-2:])
        assert path.reached, path
        assert len(path.hops) == (link if host == 2 else link - 1)


@pytest.mark.parametrize("method", METHODS)
def test_forged_answers_change_nothing(lab: netlab.Lab, method: Method) -> None:
    """b knows everything but the nonce and where the trace begins to count, and makes up the rest."""
    options = with_options(method=method, mtu=True, timeout=1.0)
    lab.nft("d", "table inet t { chain f { type filter hook forward priority 0; drop; }; }")
    stop = threading.Event()

    def flood() -> int:
        sent = 0
        with (
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as out4,
            socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as out6,
        ):
            while not stop.is_set():
                for family, out, own, address in (
                    ("ipv4", out4, four(1, 1), four(4, 2)),
                    ("ipv6", out6, six(1, 1), six(4, 2)),
                ):
                    guess = Flow(method, family, own, address, seed=options.seed, indexes=90)  # type: ignore[arg-type]
                    packet = guess.packet(sent % 90, 1)
                    for kind in (11, 3) if family == "ipv4" else (3, 1, 2):
                        code = sent % 5
                        with contextlib.suppress(BlockingIOError):
                            out.sendto(error(family, packet, kind, code), (own, 0))  # type: ignore[arg-type]
                            out.sendto(os.urandom(8 + sent % 100), (own, 0))
                        sent += 1
                time.sleep(0.001)
        return sent

    flooding = lab.begin("b", flood)
    tracer = Tracer(options)
    try:
        found = lab.inside("a", lambda: tracer.trace(targets(4)))
    finally:
        stop.set()
    assert flooding.end() > 100
    for path, address in zip(found, (four, six), strict=True):
        assert (path.reached, path.reason, path.mtu) == (False, "timeout", None)
        assert hops_of(path) == [(address(n, 2),) for n in (1, 2, 3)]
    assert tracer.drops["spoofed"] > 50
    assert tracer.drops["late"] == tracer.drops["duplicate"] == 0


def test_random_loss_is_no_change_and_no_black_hole(lab: netlab.Lab) -> None:
    """One packet in ten is lost in each direction at the first router."""
    before = trace(lab, targets(4))
    lab.nft(
        "b",
        """table inet t { chain f { type filter hook prerouting priority 0;
           icmp type { echo-request, echo-reply, time-exceeded } numgen random mod 100 < 10 drop;
           icmpv6 type { echo-request, echo-reply, time-exceeded } numgen random mod 100 < 10 drop;
           }; }""",
    )
    for _ in range(5):
        for old, new in zip(
            before, trace(lab, targets(4), with_options(mtu=True, probes=3)), strict=True
        ):
            assert same_way(old, new), (written(old), written(new))
            assert new.reached
            assert not new.mtu_black_hole


# --- load balancing


@pytest.fixture(scope="module")
def balanced() -> Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        diamond(made)
        yield made


@pytest.mark.parametrize("method", ["udp", "tcp"])
def test_load_balancing_invents_no_way(balanced: netlab.Lab, method: Method) -> None:
    options = with_options(method=method)
    seen = [trace(balanced, targets(6), options) for _ in range(20)]
    for family, address in enumerate((four, six)):
        ways = {written(found[family]) for found in seen}
        assert len(ways) == 1, ways
        last = next(found[family].hops for found in seen)
        assert last[1].addresses in ((address(2, 2),), (address(3, 2),))
        assert len(last) == 4


@pytest.mark.skipif(not shutil.which("traceroute"), reason="needs traceroute")
def test_varying_ports_do_invent_one(balanced: netlab.Lab) -> None:
    """The diamond is one: who varies its ports, as traceroute does, sees both ways at hop 2."""
    for address in (four, six):
        found = by_traceroute(balanced, "udp", address(6, 2), "-q", "10")
        assert found[1] == {address(2, 2), address(3, 2)}


@pytest.mark.parametrize("method", ["udp", "tcp"])
def test_several_flows_show_the_alternatives(balanced: netlab.Lab, method: Method) -> None:
    one = trace(balanced, targets(6), with_options(method=method))
    many = trace(balanced, targets(6), with_options(method=method, flows=16, probes=1))
    for single, path, address in zip(one, many, (four, six), strict=True):
        assert set(path.hops[1].addresses) == {address(2, 2), address(3, 2)}
        assert path.reached
        assert len(path.hops) == 4
        assert same_way(single, path)
        assert same_way(path, single)


# --- path MTU


@pytest.fixture(scope="module")
def narrow() -> Iterator[netlab.Lab]:
    """a — b — c — d — e, where c — d takes 1300 bytes."""
    with netlab.Lab() as made:
        chain(made, "abcde")
        made.run("c", "ip", "link", "set", "to-d", "mtu", "1300")
        made.run("d", "ip", "link", "set", "to-c", "mtu", "1300")
        yield made


def flush(lab: netlab.Lab) -> None:
    for name in "abcde":
        lab.run(name, "ip", "-4", "route", "flush", "cache")
        lab.run(name, "ip", "-6", "route", "flush", "cache")


def test_path_mtu_of_a_wide_path(lab: netlab.Lab) -> None:
    for path in trace(lab, targets(4), with_options(mtu=True)):
        assert (path.mtu, path.mtu_black_hole, path.mtu_source) == (1500, False, "")


def test_path_mtu_is_told(narrow: netlab.Lab) -> None:
    flush(narrow)
    for _ in range(2):  # what the kernel remembers of the first time changes nothing
        found = trace(narrow, targets(4), with_options(mtu=True))
        for path, address in zip(found, (four, six), strict=True):
            assert (path.mtu, path.mtu_black_hole) == (1300, False)
            assert path.mtu_source == address(2, 2)
    assert "mtu" not in narrow.run("a", "ip", "-4", "route", "show", "cache")


def test_path_mtu_with_the_methods_that_send_no_echo(narrow: netlab.Lab) -> None:
    for method in ("udp", "tcp"):
        found = trace(narrow, targets(4), with_options(mtu=True, method=method))
        assert [path.mtu for path in found] == [1300, 1300]


def test_a_black_hole_is_measured_to_the_byte(narrow: netlab.Lab) -> None:
    flush(narrow)
    rules = """table inet t { chain o { type filter hook output priority 0;
        icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }"""
    for name in "bcd":
        narrow.nft(name, rules)
    try:
        found = trace(narrow, targets(4), with_options(mtu=True))
    finally:
        narrow.no_rules()
    for path in found:
        assert path.reached
        assert (path.mtu, path.mtu_black_hole, path.mtu_source) == (1300, True, "")

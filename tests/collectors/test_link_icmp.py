"""The ICMP prober on real networks of its own, as root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from collectors.link.icmp import EchoOptions, IcmpProber
from collectors.model import AddressFamily, ProbeResult, Target
from tests import netlab

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAST = EchoOptions(count=3, spacing=0.02, timeout=0.5)
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
NEAR = {"ipv4": "198.51.100.2", "ipv6": "2001:db8:1::2"}
FAR = {"ipv4": "203.0.113.2", "ipv6": "2001:db8:2::2"}


@pytest.fixture(scope="module")
def network() -> Iterator[netlab.Lab]:
    """a — r — b: `NEAR` is r as a sees it, `FAR` is b. r sends what it does not know to b."""
    with netlab.Lab() as made:
        made.namespace("a")
        made.namespace("r", router=True)
        made.namespace("b", router=True)
        made.link(
            "a",
            "r",
            [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")],
        )
        made.link(
            "r",
            "b",
            [("203.0.113.1/24", "203.0.113.2/24"), ("2001:db8:2::1/64", "2001:db8:2::2/64")],
        )
        for name, gateways in (
            ("a", NEAR.values()),
            ("r", FAR.values()),
            ("b", ("203.0.113.1", "2001:db8:2::1")),
        ):
            for gateway in gateways:
                made.route(name, "default", "via", gateway)
        yield made


@pytest.fixture
def lab(network: netlab.Lab) -> Iterator[netlab.Lab]:
    yield network
    network.no_rules()


def both(addresses: dict[str, str]) -> list[Target]:
    return [Target("t", addresses[family], family) for family in FAMILIES]


def probe(
    lab: netlab.Lab, targets: Sequence[Target], options: EchoOptions = FAST, where: str = "a"
) -> list[ProbeResult]:
    return lab.inside(where, lambda: IcmpProber(options).probe(targets))


def test_answers_of_both_families_side_by_side(lab: netlab.Lab) -> None:
    for result in probe(lab, [*both(NEAR), *both(FAR)]):
        assert (result.sent, result.received, result.reason, result.mode) == (3, 3, "", "raw")
        assert result.loss == 0
        assert len(result.rtts) == 3
        assert all(0 < rtt < 0.5 for rtt in result.rtts)
        assert result.hop_limit == (64 if result.address in NEAR.values() else 63)


def test_a_link_local_gateway(lab: netlab.Lab) -> None:
    shown = json.loads(lab.run("r", "ip", "-j", "-6", "address", "show", "to-a"))
    (local,) = (a["local"] for a in shown[0]["addr_info"] if a["scope"] == "link")
    good, missing, bare = probe(
        lab,
        [
            Target("good", f"{local}%to-r", "ipv6"),
            Target("missing", f"{local}%nosuch0", "ipv6"),
            Target("bare", local, "ipv6"),
        ],
    )
    assert (good.received, good.reason) == (3, "")
    assert (missing.sent, missing.reason, missing.detail) == (0, "no_route", "no device nosuch0")
    assert (bare.sent, bare.reason) == (0, "no_route")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("reject with icmpx admin-prohibited", "unreachable_admin"),
        ("reject with icmpx host-unreachable", "unreachable_host"),
        ("reject with icmpx no-route", "unreachable_network"),
        ("reject with icmpx port-unreachable", "unreachable_port"),
        ("drop", "timeout"),
    ],
)
def test_what_a_router_does_is_the_reason(lab: netlab.Lab, rule: str, reason: str) -> None:
    lab.nft("r", f"table inet t {{ chain f {{ type filter hook forward priority 0; {rule}; }}; }}")
    results = probe(lab, [*both(FAR), *both(NEAR)])
    for result in results[:2]:
        assert (result.reason, result.sent, result.received, result.loss) == (reason, 3, 0, 1.0)
        assert bool(result.detail) == (reason != "timeout")
    assert all(result.success for result in results[2:])


def test_a_routing_loop(lab: netlab.Lab) -> None:
    for result in probe(lab, both({"ipv4": "192.0.2.1", "ipv6": "2001:db8:ffff::1"})):
        assert result.reason == "ttl_exceeded"


def test_nobody_has_the_address(lab: netlab.Lab) -> None:
    for version in ("ipv4", "ipv6"):
        lab.sysctl("a", f"net.{version}.neigh.to-r.retrans_time_ms=100")
    dead = both({"ipv4": "198.51.100.99", "ipv6": "2001:db8:1::99"})
    for result in probe(lab, dead, EchoOptions(count=1, timeout=2)):
        assert (result.sent, result.reason) == (1, "unreachable_host")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("prohibit", "unreachable_admin"),
        ("unreachable", "unreachable_host"),
        ("blackhole", "no_route"),
    ],
)
def test_what_a_route_of_this_machine_says(lab: netlab.Lab, kind: str, reason: str) -> None:
    nets = {"ipv4": "192.0.2.0/24", "ipv6": "2001:db8:9::/64"}
    for net in nets.values():
        lab.route("a", kind, net)
    try:
        for result in probe(lab, both({"ipv4": "192.0.2.9", "ipv6": "2001:db8:9::9"})):
            assert (result.sent, result.received, result.reason) == (0, 0, reason)
    finally:
        for net in nets.values():
            lab.run("a", "ip", "route", "del", kind, net)


def test_no_route_and_the_own_packet_filter(lab: netlab.Lab) -> None:
    lab.run("b", "ip", "route", "del", "default")
    lab.run("b", "ip", "-6", "route", "del", "default")
    try:
        for result in probe(lab, both(NEAR), where="b"):
            assert (result.sent, result.reason) == (0, "no_route")
    finally:
        lab.route("b", "default", "via", "203.0.113.1")
        lab.route("b", "default", "via", "2001:db8:2::1")
    lab.nft(
        "a",
        "table inet t { chain o { type filter hook output priority 0; meta l4proto { icmp, icmpv6 } drop; }; }",
    )
    for result in probe(lab, both(NEAR)):
        assert (result.sent, result.reason) == (0, "unreachable_admin")


def test_every_packet_lost_is_counted_and_no_other(lab: netlab.Lab) -> None:
    lab.nft(
        "r",
        """table inet t { chain f { type filter hook forward priority 0;
          icmp type echo-request numgen random mod 100 < 20 counter drop;
          icmpv6 type echo-request numgen random mod 100 < 20 counter drop; }; }""",
    )
    options = EchoOptions(count=20, spacing=0.05, timeout=1)
    results = probe(lab, both(FAR) * 50, options)
    ruleset = json.loads(lab.run("r", "nft", "-j", "list", "ruleset"))["nftables"]
    dropped = [
        expression["counter"]["packets"]
        for part in ruleset
        for expression in part.get("rule", {}).get("expr", [])
        if "counter" in expression
    ]
    for family, lost in zip(FAMILIES, dropped, strict=True):
        of_family = [r for r in results if r.family == family]
        assert sum(r.sent for r in of_family) == 1000
        assert 1000 - sum(r.received for r in of_family) == lost
        assert 100 < lost < 300
    assert {r.reason for r in results} == {""}


def test_a_blackholed_family_hides_nothing_of_the_other(lab: netlab.Lab) -> None:
    lab.nft(
        "r",
        "table inet t { chain f { type filter hook forward priority 0; meta nfproto ipv6 drop; }; }",
    )
    ipv4, ipv6 = probe(lab, both(FAR))
    assert (ipv4.received, ipv4.reason) == (3, "")
    assert (ipv6.received, ipv6.reason) == (0, "timeout")
    assert ipv6.duration >= FAST.timeout


def unprivileged(lab: netlab.Lab, *arguments: str) -> list[dict[str, object]]:
    """`jianwei probe --json` in a as nobody."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    if subprocess.run(
        [*nobody, sys.executable, "-c", "import agents"], cwd=ROOT, check=False, capture_output=True
    ).returncode:
        pytest.skip("nobody may not read this checkout")
    done = subprocess.run(
        lab.argv("a", *nobody, sys.executable, "-m", "agents", "probe", "--json", *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_datagram_sockets_without_privilege(lab: netlab.Lab) -> None:
    lab.nft(
        "r",
        "table inet t { chain f { type filter hook forward priority 0; reject with icmpx admin-prohibited; }; }",
    )
    lab.sysctl("a", "net.ipv4.ping_group_range=0 65535")
    quick = ("--interval", "0.02", "--timeout", "0.5", "--count", "4")
    results = unprivileged(lab, *NEAR.values(), *FAR.values(), *quick)
    assert {r["mode"] for r in results} == {"datagram"}
    for result in results:
        if result["address"] in NEAR.values():
            assert (result["received"], result["hop_limit"]) == (4, 64)
        else:
            assert (result["sent"], result["received"]) == (4, 0)
            assert result["reason"] == "unreachable_admin"


def test_no_permission_at_all_is_a_reason(lab: netlab.Lab) -> None:
    lab.sysctl("a", "net.ipv4.ping_group_range=1 0")
    for result in unprivileged(lab, *NEAR.values()):
        assert (result["sent"], result["reason"]) == (0, "permission")

"""Which ICMPv6 packets of those that must pass the kernel lets in and out, and what is said of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator

import pytest

from tests import netlab
from tests.firewalllab import World
from tests.icmpv6lab import came_through, neighbours, prepare
from tests.netlab import Lab

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

Rig = tuple[Lab, World]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Lab() as lab, World(lab) as made:
        prepare(lab)
        yield lab, made


def chain(rules: str, hook: str = "input", policy: str = "accept") -> str:
    rules = rules.replace(";", "\n")
    return (
        f"table ip6 {hook} {{\nchain c {{\n"
        f"type filter hook {hook} priority 0; policy {policy};\n{rules}\n}}\n}}\n"
    )


NS, NA = "neighbour-solicitation", "neighbour-advertisement"
RS, RA = "router-solicitation", "router-advertisement"
QUERY, REPORT, DONE, REPORT_2 = (
    *("listener-query", "listener-report", "listener-done", "listener-report-2"),
)
ERRORS = {
    *("destination-unreachable", "packet-too-big", "time-exceeded"),
    *("parameter-problem: next header", "parameter-problem: option"),
}
ECHO = {"echo-request", "echo-reply"}
IN_ONLY = {"packet-too-big", "echo-request", QUERY, RA}
ALL = {*ERRORS, *ECHO, NS, NA, RS, RA, QUERY, REPORT, DONE, REPORT_2}
RECEIVED = {*ERRORS, *ECHO, NS, NA, RA, QUERY}
SENT = ALL - IN_ONLY
GROUPS_IN = {NS, NA, RA, QUERY}
GROUPS_OUT = {NS, NA, RS, REPORT, DONE, REPORT_2}
IP6 = "ip6tables -A {} {} -j DROP\n"

# name → rules, types that do not pass
RULES: dict[str, tuple[str, set[str]]] = {
    "nothing": ("", set()),
    "groups": (chain("ip6 daddr ff00::/8 drop"), GROUPS_IN),
    "groups in a range": (chain("ip6 daddr ff00::-ff02::ffff drop"), {NA, RA, QUERY}),
    "frames to groups": (chain("meta pkttype multicast drop"), GROUPS_IN),
    "groups by route": (chain("fib daddr type multicast drop"), GROUPS_IN),
    "all but our own": (chain("fib daddr type != local drop"), GROUPS_IN),
    "senders by route": (chain("fib saddr type != unicast drop"), {NS}),
    "groups of solicitations": (chain("ip6 daddr ff02::1:ff00:0/104 drop"), {NS}),
    "one group of those": (chain("ip6 daddr ff02::1 icmpv6 type nd-router-advert drop"), {RA}),
    "local senders": (chain("ip6 saddr fe80::/10 drop"), GROUPS_IN),
    "solicitations of local senders": (
        chain("ip6 saddr fe80::/10 icmpv6 type nd-neighbor-solicit drop"),
        {NS},
    ),
    "no sender": (chain("ip6 saddr :: drop"), {NS}),
    "a list of senders": (chain("ip6 saddr { ::, fc00::/7 } drop"), {NS}),
    "solicitations to one address": (
        chain("ip6 daddr 2000::/3 icmpv6 type nd-neighbor-solicit drop"),
        {NS},
    ),
    "only local senders": (
        chain(
            "ip6 saddr fe80::/10 accept; icmpv6 type { 1-4, 128, 129 } accept", policy="drop"
        ),
        {NS, NA},
    ),
    "what a link needs": (
        chain(
            "ip6 saddr fe80::/10 icmpv6 type { 130, 134 } accept; ip6 hoplimit 255 icmpv6 type"
            " { 135, 136 } accept; icmpv6 type { 1-4, 128, 129 } accept",
            policy="drop",
        ),
        set(),
    ),
    "other hop limits": (chain("ip6 hoplimit 255 accept; ip6 hoplimit 1 drop"), {QUERY}),
    "behind a header": (
        chain("ip6 nexthdr ipv6-icmp accept", policy="drop"),
        {QUERY},
    ),
    "with a header": (chain("exthdr hbh exists drop"), {QUERY}),
    "a header first": (chain("ip6 nexthdr 0 drop"), {QUERY}),
    "no way back": (chain("fib saddr . iif oif missing drop", "prerouting"), set()),
    "redirects": (chain("icmpv6 type nd-redirect drop"), set()),
    "nothing in": (chain("", policy="drop"), RECEIVED),
    "nothing in early": (chain("meta l4proto ipv6-icmp drop", "prerouting"), RECEIVED),
    "nothing out": (chain("", "output", "drop"), SENT),
    "nothing out late": (chain("meta l4proto ipv6-icmp drop", "postrouting"), SENT),
    "no solicitations out": (chain("icmpv6 type nd-neighbor-solicit drop", "output"), {NS}),
    "no advertisements out": (chain("icmpv6 type nd-neighbor-advert drop", "output"), {NA}),
    "no router asked": (chain("icmpv6 type nd-router-solicit drop", "output"), {RS}),
    "no echo out": (chain("icmpv6 type echo-reply drop", "output"), {"echo-reply"}),
    "no request out": (chain("icmpv6 type echo-request drop", "output"), set()),
    "no too big out": (chain("icmpv6 type packet-too-big drop", "output"), set()),
    "groups out": (chain("ip6 daddr ff00::/8 drop", "output"), GROUPS_OUT),
    "frames to groups out": (chain("meta pkttype multicast drop", "output"), set()),
    "groups by route out": (chain("fib daddr type multicast drop", "output"), GROUPS_OUT),
    "ours by route out": (chain("fib saddr type local accept", "output", "drop"), {NS}),
    "local senders out": (chain("ip6 saddr fe80::/10 drop", "output"), GROUPS_OUT),
    "by that device out": (chain('oifname "to-client" drop', "output"), SENT),
    "by another device out": (chain('oifname != "to-client" drop', "output"), set()),
    "in by a device, out": (chain('iifname "to-client" drop', "output"), set()),
    "reports out": (chain("icmpv6 type mld2-listener-report drop", "output"), {REPORT_2}),
    "both": (
        chain("icmpv6 type 135 drop") + chain("icmpv6 type { 135, 136 } drop", "output"),
        {NS, NA},
    ),
    "ip6tables: groups": (IP6.format("INPUT", "-d ff00::/8"), GROUPS_IN),
    "ip6tables: frames": (IP6.format("INPUT", "-m pkttype --pkt-type multicast"), GROUPS_IN),
    "ip6tables: not for us": (IP6.format("INPUT", "-m pkttype ! --pkt-type unicast"), GROUPS_IN),
    "ip6tables: types": (IP6.format("INPUT", "-m addrtype --dst-type MULTICAST"), GROUPS_IN),
    "ip6tables: local": (IP6.format("INPUT", "-m addrtype ! --dst-type LOCAL"), GROUPS_IN),
    "ip6tables: unicast": (IP6.format("INPUT", "-m addrtype --dst-type UNICAST"),
                           {*ERRORS, *ECHO, NS, NA}),
    "ip6tables: no sender": (IP6.format("INPUT", "-m addrtype --src-type UNSPEC"), {NS}),
    "ip6tables: local senders": (IP6.format("INPUT", "-s fe80::/10"), GROUPS_IN),
    "ip6tables: senders in a range": (
        IP6.format("INPUT", "-m iprange --src-range fe80::-fe80::ffff:ffff:ffff:ffff"),
        GROUPS_IN,
    ),
    "ip6tables: no way back": (
        IP6.format("PREROUTING -t raw", "-m rpfilter --invert"),
        set(),
    ),
    "ip6tables: a header": (IP6.format("INPUT", "-m hbh"), {QUERY}),
    "ip6tables: a header of routes": (IP6.format("INPUT", "-m rt --rt-type 0"), set()),
    "ip6tables: fragments": (IP6.format("INPUT", "-m frag"), set()),
    "ip6tables: raw": (IP6.format("OUTPUT -t raw", "-p ipv6-icmp --icmpv6-type 136"), {NA}),
    "ip6tables: nothing out": ("ip6tables -P OUTPUT DROP\n", SENT),
    "ip6tables: by that device": (IP6.format("OUTPUT", "-o to-+"), SENT),
    "ip6tables: by another": (IP6.format("OUTPUT", "! -o to-client"), set()),
    "ip6tables: groups out": (IP6.format("OUTPUT", "-d ff00::/8"), GROUPS_OUT),
    "ip6tables: ours": (IP6.format("OUTPUT", "-m addrtype --src-type LOCAL"), SENT),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_what_must_pass(name: str, rig: Rig) -> None:
    rules, stopped = RULES[name]
    if "ip6tables" in rules and not shutil.which("ip6tables"):
        pytest.skip("needs iptables")
    lab, world = rig
    world.load(rules)
    fact = world.fact()
    said = {row["name"]: row["passes"] for row in fact["icmpv6"]}
    came = came_through(lab)
    assert {row for row, passes in came.items() if not passes} == stopped, "by the kernel"
    assert {row for row, passes in said.items() if passes is False} == stopped
    assert {row for row, passes in said.items() if passes} == ALL - stopped
    assert set(said) == ALL
    assert fact["understood"]


CONDITIONS = (
    "",
    "ip6 saddr fe80::/10",
    "ip6 saddr != fe80::/10",
    "ip6 saddr { ::, fe80::/10 }",
    "ip6 saddr { ::, 2000::/3 }",
    "ip6 daddr ff00::/8",
    "ip6 daddr != ff02::/16",
    "ip6 daddr { ff02::1, ff02::16 }",
    "ip6 daddr != ff02::1:ff00:0/104",
    "ip6 daddr fe80::-fe80::ffff:ffff:ffff:ffff",
    "meta pkttype host",
    "meta pkttype != multicast",
    "fib daddr type local",
    "fib daddr type != unicast",
    "fib saddr type { local, unicast }",
    "ip6 hoplimit 255",
    "ip6 nexthdr icmpv6",
    "exthdr hbh missing",
    'iifname "to-client"',
    'iifname != "to-client"',
    'oifname "to-client"',
    'oifname != "to-client"',
    "icmpv6 type . icmpv6 code { 1 . 4, 135 . 0, 143 . 0 }",
    "ip6 saddr . icmpv6 type { fe80::/10 . 134, fe80::/10 . 135, :: . 135 }",
    "icmpv6 type { nd-neighbor-solicit, nd-router-solicit, 130-132 }",
    "icmpv6 type != { echo-request, echo-reply, 1-4 }",
)


def drawn(seed: int) -> str:
    """A chain for what comes in, and one for what goes out."""
    lot = random.Random(seed)  # noqa: S311 - no secret

    def rules(number: int) -> str:
        verdicts = ("accept", "drop", "drop", "return")
        return "; ".join(
            " ".join((*lot.sample([*CONDITIONS], lot.randint(1, 2)), lot.choice(verdicts)))
            for _ in range(number)
        )

    return "".join(
        chain(rules(lot.randint(1, 4)), hook, lot.choice(("accept", "accept", "drop")))
        for hook in ("input", "output")
    )


@pytest.mark.parametrize("seed", range(8))
def test_what_rules_by_lot_let_pass(seed: int, rig: Rig) -> None:
    rules = drawn(seed)
    lab, world = rig
    world.load(rules)
    fact = world.fact()
    came = came_through(lab)
    said = {row["name"]: row["passes"] for row in fact["icmpv6"] if row["passes"] is not None}
    assert said == {name: came[name] for name in said}, rules
    assert len(said) > len(came) / 2, "most are understood"


@pytest.mark.parametrize(
    "rules",
    [
        chain("ip6 daddr ff00::/8 drop"),
        chain("ip6 saddr fe80::/10 icmpv6 type nd-neighbor-solicit drop")
        + chain("ip6 daddr ff00::/8 icmpv6 type nd-neighbor-solicit drop"),
        chain("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop", "output"),
        chain("icmpv6 type echo-reply drop", "output"),
        chain("", "output", "drop"),
        chain("ct state new accept", "output", "drop"),
    ],
)
def test_a_host_that_nobody_reaches_is_not_said_to_let_all_pass(rules: str, rig: Rig) -> None:
    lab, world = rig
    world.load("")
    neighbours(lab, "stale")
    try:
        assert world.pings()
        neighbours(lab, "stale")
        world.load(rules)
        assert not world.pings()
        assert [row for row in world.fact()["icmpv6"] if row["passes"] is False]
    finally:
        world.load("")
        neighbours(lab, "permanent")


@pytest.mark.parametrize(
    "rules",
    [
        chain("ct state established,related,untracked accept", "output", "drop"),
        chain("ct direction reply accept; ct state untracked accept", "output", "drop"),
        chain("meta skuid 0 drop", "output"),
        chain("meta skuid != 0 drop", "output"),
        "ip6tables -A OUTPUT -m owner --uid-owner 0 -j DROP\n",
    ],
)
def test_what_the_kernel_sends_itself(rules: str, rig: Rig) -> None:
    """Answers of a connection that others began, and packets of no process."""
    lab, world = rig
    neighbours(lab, "stale")
    try:
        world.load(rules)
        assert world.pings()
        passes = {row["name"]: row["passes"] for row in world.fact()["icmpv6"]}
        assert [passes[name] for name in ("echo-reply", NS, NA)] == [True] * 3
    finally:
        world.load("")
        neighbours(lab, "permanent")

"""The DNS of sites followed from the root, against real name servers, good and broken, as root."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import msgspec
import pytest

from collectors.ipv6.dns.cache import DelegationCache, Families, Found
from collectors.ipv6.dns.check import FACTS, check_dns, look_up
from collectors.ipv6.dns.delegation import BOTH, Walker
from collectors.ipv6.dns.exchange import Spent
from collectors.ipv6.dns.names import to_name
from collectors.ipv6.dns.settings import DnsSettings, StartZone
from collectors.ipv6.dns.zoneservers import holder, name_servers
from collectors.link.connect import Deadline
from collectors.link.resolve import Resolved, Resolver, Wanted
from collectors.model import AddressFamily, Fact, Reason
from collectors.strictyaml import Duration
from tests import dnsv6lab, netlab
from tests.collectors.dnslab import ScriptedServer, framed
from tests.dnsv6lab import CUT, GARBAGE, NO_TCP, NO_UDP, PICKY, SILENT, both, v4, v6

pytestmark = [
    pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable()),
    pytest.mark.skipif(not shutil.which("nsd"), reason="needs nsd"),
]
SETTINGS = DnsSettings(roots=(StartZone(".", both(1)),), timeout=Duration(0.3))
ONLY6: Families = ("ipv6",)


def cut(query: bytes) -> list[bytes]:
    """Cut short by UDP and by TCP, for ever."""
    made = dns.message.make_response(dns.message.from_wire(query))
    made.flags |= dns.flags.TC | dns.flags.AA
    return [framed(made.to_wire()), made.to_wire()]


# what the server of picky.gov.cn does with questions for A and for AAAA of a name
PICKS = {
    "www": ("answers", "drops"),
    "four": ("answers", "fails"),
    "six": ("drops", "answers"),
    "odd": ("drops", "fails"),
    "neither": ("fails", "fails"),
}


def picky(query: bytes) -> list[bytes]:
    """By name and type, both by UDP and by TCP."""
    asked = dns.message.from_wire(query)
    made = dns.message.make_response(asked)
    made.flags |= dns.flags.AA
    (one,) = asked.question
    picks = PICKS.get(one.name.to_text().partition(".")[0], ("answers", "answers"))
    does = {dns.rdatatype.A: picks[0], dns.rdatatype.AAAA: picks[1]}.get(one.rdtype, "answers")
    if does == "fails":
        made.set_rcode(dns.rcode.SERVFAIL)
    elif one.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        address = v4(80) if one.rdtype == dns.rdatatype.A else v6(80)
        made.answer.append(dns.rrset.from_text(one.name, 60, "IN", one.rdtype, address))
    elif one.rdtype == dns.rdatatype.SOA:
        soa = "ns1.picky.gov.cn. h.picky.gov.cn. 1 1 1 1 1"
        made.answer.append(dns.rrset.from_text("picky.gov.cn.", 60, "IN", "SOA", soa))
    return [] if does == "drops" else [made.to_wire()]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[netlab.Lab]:
    folder = tmp_path_factory.mktemp("names")
    zones, hosts = dnsv6lab.ZONES, dnsv6lab.HOSTS
    with dnsv6lab.client_and_world(zones, hosts, folder) as made:
        made.nft("world", dnsv6lab.RULES)
        servers = []
        care = {CUT: cut, PICKY: picky, GARBAGE: lambda query: [query[:2] + b"\x80" * 20]}
        for number, answer in care.items():
            for address in both(number):
                nodad = ["nodad"] if ":" in address else []
                made.run("world", "ip", "address", "add", address, "dev", "lo", *nodad)
                server = ScriptedServer(made, "world", address)
                server.answer = answer
                servers.append(server)
        try:
            yield made
        finally:
            for server in servers:
                server.close()


def find(
    lab: netlab.Lab,
    host: str,
    type_: str = "AAAA",
    families: Families = BOTH,
    cache: DelegationCache | None = None,
    settings: DnsSettings = SETTINGS,
) -> Found:
    walker = Walker(settings, families, cache)
    return lab.inside("client", lambda: walker.find(host, type_, Deadline(30)))


def check(lab: netlab.Lab, host: str, cache: DelegationCache | None = None) -> dict[str, Fact]:
    shared = cache or DelegationCache()
    facts = lab.inside("client", lambda: check_dns(host, SETTINGS, shared, Deadline(40)))
    assert tuple(fact.name for fact in facts) == FACTS
    return {fact.name: fact for fact in facts}


WWW6, WWW4 = (v6(80),), (v4(80),)
# name, by both families, by IPv6 only: records, reason, and the zone that failed
WALKS: dict[str, tuple[tuple[tuple[str, ...], str, str], tuple[tuple[str, ...], str, str]]] = {
    "www.good.gov.cn": ((WWW6, "", ""), (WWW6, "", "")),
    "中文.政务": (((), "no_address", ""), ((), "no_address", "")),
    "www.中文.政务": ((WWW6, "", ""), (WWW6, "", "")),
    "v4.good.gov.cn": (((), "no_address", ""), ((), "no_address", "")),
    "none.good.gov.cn": (((), "dns_nxdomain", ""), ((), "dns_nxdomain", "")),
    "mapped.below.good.gov.cn": ((("::ffff:1.2.3.4",), "", ""), (("::ffff:1.2.3.4",), "", "")),
    "www.outside.gov.cn": ((WWW6, "", ""), (WWW6, "", "")),
    "www.fournames.gov.cn": ((WWW6, "", ""), ((), "no_address", "fournames.gov.cn")),
    "www.onesix.gov.cn": ((WWW6, "", ""), (WWW6, "", "")),
    "www.deadglue.gov.cn": ((WWW6, "", ""), ((), "dns_timeout", "deadglue.gov.cn")),
    "www.notcp.gov.cn": ((WWW6, "", ""), (WWW6, "", "")),
    "www.noudp.gov.cn": (
        ((), "dns_timeout", "noudp.gov.cn"),
        ((), "dns_timeout", "noudp.gov.cn"),
    ),
    "www.selfglue.gov.cn": ((WWW6, "", ""), ((), "not_allowed", "selfglue.gov.cn")),
    "www.lame.gov.cn": (((), "dns_rcode", "lame.gov.cn"), ((), "dns_rcode", "lame.gov.cn")),
    "www.noglue.gov.cn": (
        ((), "no_address", "noglue.gov.cn"),
        ((), "no_address", "noglue.gov.cn"),
    ),
    "www.sixglueless.gov.cn": ((WWW6, "", ""), ((), "no_address", "sixglueless.gov.cn")),
    "www.round1.gov.cn": (((), "dns_error", "round1.gov.cn"), ((), "dns_error", "round1.gov.cn")),
    "www.alias.gov.cn": ((WWW6, "", ""), ((), "no_address", "fournames.gov.cn")),
    "good.alias.gov.cn": ((WWW6, "", ""), (WWW6, "", "")),
    "loop.alias.gov.cn": (((), "dns_error", "alias.gov.cn"), ((), "dns_error", "alias.gov.cn")),
    "nowhere.alias.gov.cn": (((), "dns_nxdomain", ""), ((), "dns_nxdomain", "")),
    "www.site.old.cn": ((WWW6, "", ""), ((), "no_address", "old.cn")),
    "www.mismatch.gov.cn": ((WWW6, "", ""), (WWW6, "", "")),
    "www.garbage.gov.cn": (
        ((), "dns_malformed", "garbage.gov.cn"),
        ((), "dns_malformed", "garbage.gov.cn"),
    ),
    "www.cut.gov.cn": (((), "dns_truncated", "cut.gov.cn"), ((), "dns_truncated", "cut.gov.cn")),
}


def brief(found: Found) -> tuple[tuple[str, ...], str, str]:
    return found.records, found.reason, "" if found.told else found.zone


@pytest.mark.parametrize("host", WALKS)
def test_a_walk_from_the_root(lab: netlab.Lab, host: str) -> None:
    by_both, only6 = WALKS[host]
    found = find(lab, host)
    assert brief(found) == by_both, found
    found = find(lab, host, families=ONLY6)
    assert brief(found) == only6, found
    assert not found.no_root


def test_a_shared_cache_changes_no_verdict(lab: netlab.Lab) -> None:
    cache = DelegationCache()

    def one(host: str) -> tuple[object, object]:
        walkers = Walker(SETTINGS, BOTH, cache), Walker(SETTINGS, ONLY6, cache)
        found = [brief(walker.find(host, "AAAA", Deadline(30))) for walker in walkers]
        return found[0], found[1]

    def every() -> dict[str, tuple[object, object]]:
        with ThreadPoolExecutor(len(WALKS)) as threads:
            return dict(zip(WALKS, threads.map(one, WALKS), strict=True))

    for _ in range(2):  # cold, then warm
        assert lab.inside("client", every) == WALKS


def rows(fact: Fact) -> list[dict[str, Any]]:
    assert fact.value is not None, fact
    return [msgspec.convert(row, dict[str, Any]) for row in fact.value]


def test_a_good_site(lab: netlab.Lab) -> None:
    facts = check(lab, "www.good.gov.cn")
    assert [(r["address"], r["family"], r["kind"]) for r in rows(facts["site_addresses"])] == [
        (v4(80), "ipv4", "documentation"),
        (v6(80), "ipv6", "global"),
    ]
    assert rows(facts["site_nameservers"]) == [
        {
            "name": f"ns{number}.good.gov.cn",
            "zone": "good.gov.cn",
            "ipv6": (v6(10 + number),),
            "udp": True,
            "tcp": True,
            "reason": "",
            "detail": "",
        }
        for number in (1, 2)
    ]
    only = facts["site_ipv6_only_dns"].value
    assert only == {"resolved": True, "failed_at": "", "reason": "", "detail": ""}
    times = facts["site_dns_times"].value
    assert times["samples"] == 3 * SETTINGS.samples
    assert min(times["a"], times["aaaa"]) > 0


def servers(facts: dict[str, Fact]) -> list[tuple[str, tuple[str, ...], bool, bool, str]]:
    return [
        (r["name"].partition(".")[0], tuple(r["ipv6"]), r["udp"], r["tcp"], r["reason"])
        for r in rows(facts["site_nameservers"])
    ]


BAD_SERVERS: dict[str, list[tuple[str, tuple[str, ...], bool, bool, str]]] = {
    "www.fournames.gov.cn": [
        ("ns1", (), False, False, "no_address"),
        ("ns2", (), False, False, "no_address"),
    ],
    "www.onesix.gov.cn": [
        ("ns1", (), False, False, "no_address"),
        ("ns2", (v6(12),), True, True, ""),
    ],
    "www.deadglue.gov.cn": [("ns1", (v6(SILENT),), False, False, "dns_timeout")],
    "www.notcp.gov.cn": [("ns1", (v6(NO_TCP),), True, False, "timeout")],
    "www.noudp.gov.cn": [("ns1", (v6(NO_UDP),), False, True, "dns_timeout")],
    "www.selfglue.gov.cn": [("ns1", ("::1",), False, False, "not_allowed")],
    "www.lame.gov.cn": [
        ("ns1", (v6(11),), False, False, "dns_rcode"),
        ("ns2", (v6(12),), False, False, "dns_rcode"),
    ],
    "www.noglue.gov.cn": [
        ("ns1", (), False, False, "no_address"),
        ("ns2", (), False, False, "no_address"),
    ],
    "www.sixglueless.gov.cn": [
        ("ns1", (v6(11),), True, True, ""),
        ("ns2", (v6(12),), True, True, ""),
    ],
    "www.outside.gov.cn": [("ns1", (v6(11),), True, True, ""), ("ns2", (v6(12),), True, True, "")],
    "www.mismatch.gov.cn": [
        ("ns1", (v6(11),), True, True, ""),
        ("ns2", (v6(12),), True, True, ""),
        ("ns3", (v6(12),), True, True, ""),
    ],
    "www.garbage.gov.cn": [("ns1", (v6(GARBAGE),), False, False, "dns_malformed")],
    "www.cut.gov.cn": [("ns1", (v6(CUT),), False, False, "dns_truncated")],
    "www.alias.gov.cn": [("ns1", (v6(11),), True, True, ""), ("ns2", (v6(12),), True, True, "")],
    "none.good.gov.cn": [("ns1", (v6(11),), True, True, ""), ("ns2", (v6(12),), True, True, "")],
}


@pytest.mark.parametrize("host", BAD_SERVERS)
def test_name_servers(lab: netlab.Lab, host: str) -> None:
    facts = check(lab, host)
    assert servers(facts) == BAD_SERVERS[host], facts["site_nameservers"]
    only6 = WALKS[host][1]
    found = facts["site_ipv6_only_dns"].value
    assert found is not None, facts["site_ipv6_only_dns"]
    assert (found["resolved"], found["failed_at"], found["reason"]) == (
        bool(only6[0]),
        only6[2],
        only6[1],
    )


def test_words_about_name_servers(lab: netlab.Lab) -> None:
    told = [r["detail"] for r in rows(check(lab, "www.mismatch.gov.cn")["site_nameservers"])]
    assert told == [
        "",
        "in the delegation only, the zone itself does not name it",
        "not in the delegation by the zone above",
    ]
    told = [r["detail"] for r in rows(check(lab, "www.sixglueless.gov.cn")["site_nameservers"])]
    assert told == ["no IPv6 address in the delegation"] * 2


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("loopback", [("::1", "loopback")]),
        ("mapped", [("::ffff:1.2.3.4", "mapped")]),
        ("documentation", [("2001:db8::1", "documentation")]),
        ("unique-local", [("fd00::1", "unique_local")]),
        ("link-local", [("fe80::1", "link_local")]),
        ("sixtofour", [("2002:102:304::1", "sixtofour")]),
        ("nat64", [("64:ff9b::102:304", "nat64")]),
        ("private", [("10.1.2.3", "private")]),
        ("mixed", [(v4(80), "documentation"), ("::1", "loopback"), (v6(80), "global")]),
        ("none", []),
    ],
)
def test_kinds_of_addresses(lab: netlab.Lab, host: str, expected: list[tuple[str, str]]) -> None:
    found = rows(check(lab, f"{host}.odd.gov.cn")["site_addresses"])
    assert [(row["address"], row["kind"]) for row in found] == expected


def test_silence_is_not_tested_and_refusal_is_no_address(lab: netlab.Lab) -> None:
    silent = check(lab, "www.silent.gov.cn")
    assert silent["site_addresses"].value is None
    assert silent["site_addresses"].unavailable.startswith("no_answer: ")
    assert silent["site_dns_times"].unavailable.startswith("no_answer: ")
    assert servers(silent) == [("ns1", (v6(SILENT),), False, False, "dns_timeout")]
    lame = check(lab, "www.lame.gov.cn")
    assert rows(lame["site_addresses"]) == []


@pytest.mark.parametrize(
    ("label", "told"),
    [("four", [v4(80)]), ("six", [v6(80)]), ("neither", []), ("www", None), ("odd", None)],
)
def test_a_dropped_question_is_no_answer(
    lab: netlab.Lab, label: str, told: list[str] | None
) -> None:
    """Nobody knows whether there is an AAAA where nothing came: a firewall may have dropped it."""
    fact = check(lab, f"{label}.picky.gov.cn")["site_addresses"]
    if told is not None:
        assert [row["address"] for row in rows(fact)] == told
        return
    assert fact.value is None
    assert fact.unavailable.startswith("no_answer: ")
    if label == "www":
        assert "AAAA: " in fact.unavailable
        assert fact.unavailable.endswith(f"{v4(PICKY)} answers A")


def test_what_the_system_does_not_answer_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = DnsSettings(roots=(StartZone(".", ("127.0.0.1",)),), timeout=Duration(0.1))

    def facts(reason: Reason) -> Fact:
        def answers(self: Resolver, wanted: object, timeout: float) -> dict[Wanted, Resolved]:
            own = Resolved((v4(80),), 0.0)
            return {("a.cn", "ipv4"): own, ("a.cn", "ipv6"): Resolved((), 0.0, reason, "so")}

        monkeypatch.setattr(Resolver, "resolve", answers)
        return check_dns("a.cn", nowhere, DelegationCache(), Deadline(9))[0]

    for silent in ("dns_timeout", "dns_error"):
        assert facts(silent).unavailable == "no_answer: system resolver: AAAA: so"
    assert [row["address"] for row in rows(facts("no_address"))] == [v4(80)]


def test_verdicts_do_not_flap(lab: netlab.Lab) -> None:
    """The same facts, but for the times, with a cold and with a shared cache."""
    hosts = ("www.good.gov.cn", "www.onesix.gov.cn", "www.lame.gov.cn", "www.alias.gov.cn")
    shared = DelegationCache()
    for host in hosts:
        seen = {str([*check(lab, host).values()][:3])}
        seen |= {str([*check(lab, host, shared).values()][:3]) for _ in range(3)}
        assert len(seen) == 1, seen


@contextlib.contextmanager
def lost(lab: netlab.Lab, which: str) -> Iterator[None]:
    """Some of the questions by UDP to ns2 over IPv6 are lost, beginning with the first."""
    lab.nft(
        "world",
        f"""table inet lossy {{ chain in {{ type filter hook input priority 1;
        ip6 daddr 2400:da00::12 udp dport 53 {which} drop; }}; }}""",
    )
    try:
        yield
    finally:
        lab.run("world", "nft", "delete", "table", "inet", "lossy")


@pytest.mark.parametrize("which", ["numgen inc mod 2 0", "numgen inc mod 4 { 0, 1, 2 }"])
def test_a_lost_packet_is_no_verdict(lab: netlab.Lab, which: str) -> None:
    """Be it every other question, or three of four."""

    def servers_now() -> list[bool]:
        walker = Walker(SETTINGS)
        held = holder(walker, to_name("www.onesix.gov.cn"), walker.allowance(Deadline(20)))
        return [one.udp for one in name_servers(walker, held, Deadline(20))]

    with lost(lab, which):
        assert find(lab, "www.onesix.gov.cn", families=ONLY6).records == WWW6
        assert lab.inside("client", servers_now) == [False, True]


def test_a_lost_walk_by_ipv6_is_walked_anew(lab: netlab.Lab) -> None:
    """The first four questions for the site are lost, that is all of one walk."""
    with lost(lab, "udp length 54 numgen inc mod 100 < 4"):
        onesix = check(lab, "www.onesix.gov.cn")["site_ipv6_only_dns"].value
        assert onesix["resolved"] is True, onesix


def test_a_lost_walk_fails_no_other(lab: netlab.Lab) -> None:
    """What nobody has told is not remembered for the sites that come after."""
    walker = Walker(SETTINGS, ONLY6)

    def kept() -> Found:
        host = "www.onesix.gov.cn"
        return lab.inside("client", lambda: walker.find_kept(host, "AAAA", Deadline(30)))

    with lost(lab, ""):
        assert not kept().told
    assert kept().records == WWW6


def test_silence_is_asked_often_and_in_time(lab: netlab.Lab) -> None:
    """That of the site; what ends our own time is nobody's silence."""
    facts = check(lab, "www.silent.gov.cn")
    assert "by udp: no answer within 0.3 s, asked 6 times" in str(facts["site_nameservers"].value)
    slow = msgspec.structs.replace(SETTINGS, timeout=Duration(5))
    walker = Walker(slow)

    def ask() -> bool:
        name = to_name("www.silent.gov.cn")
        with pytest.raises(Spent) as spent:
            walker.asker.ask(
                v6(SILENT), name, dns.rdatatype.A, name, walker.allowance(Deadline(0.2))
            )
        return spent.value.budget

    assert lab.inside("client", ask)


def test_many_sites_at_once_share_a_cache(lab: netlab.Lab) -> None:
    cache = DelegationCache()
    hosts = [host for host in BAD_SERVERS if host in WALKS] * 2

    def every() -> list[dict[str, Fact]]:
        def one(host: str) -> dict[str, Fact]:
            return {f.name: f for f in check_dns(host, SETTINGS, cache, Deadline(40))}

        with ThreadPoolExecutor(len(hosts)) as threads:
            return list(threads.map(one, hosts))

    for host, facts in zip(hosts, lab.inside("client", every), strict=True):
        assert servers(facts) == BAD_SERVERS[host], host
        assert facts["site_ipv6_only_dns"].value["resolved"] is bool(WALKS[host][1][0])


@pytest.mark.skipif(not shutil.which("unbound"), reason="needs unbound")
def test_unbound_finds_the_same(lab: netlab.Lab, tmp_path: Path) -> None:
    hosts = [one for one in WALKS if one.isascii()]

    def ask(host: str, port: int, patience: float) -> tuple[str, ...]:
        """What it has found by then: which of several servers it tries first is chance."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            query = dns.message.make_query(host, "AAAA")
            try:
                answer = dns.query.udp(query, "::1", 2, port)
            except dns.exception.Timeout:
                continue
            found = [r for one in answer.answer if one.rdtype == dns.rdatatype.AAAA for r in one]
            if found or answer.rcode() != dns.rcode.SERVFAIL:
                return tuple(sorted(record.to_text() for record in found))
            time.sleep(0.3)
        return ()

    def theirs(ours: dict[str, tuple[str, ...]], port: int) -> dict[str, tuple[str, ...]]:
        def one(host: str) -> tuple[str, ...]:
            return ask(host, port, 20 if ours[host] else 4)

        with ThreadPoolExecutor(len(hosts)) as threads:
            return dict(zip(hosts, threads.map(one, hosts), strict=True))

    ours = {host: find(lab, host).records for host in hosts}
    ours6 = {host: find(lab, host, families=ONLY6).records for host in hosts}
    with (
        dnsv6lab.unbound(lab, "client", tmp_path / "both", both(1), True),
        dnsv6lab.unbound(lab, "client", tmp_path / "only6", both(1), False),
    ):
        by_both = lab.begin("client", lambda: theirs(ours, 5301))
        only6 = lab.begin("client", lambda: theirs(ours6, 5300))
        assert ours == by_both.end()
        assert ours6 == only6.end()
    assert sum(bool(found) for found in ours.values()) > sum(map(bool, ours6.values())) > 5


def test_look_up(lab: netlab.Lab) -> None:
    looked_up = look_up(Walker(SETTINGS))

    def ask(host: str, family: AddressFamily = "ipv6") -> tuple[tuple[str, ...], str]:
        found = lab.inside("client", lambda: looked_up(host, family))
        return found.addresses, found.reason

    assert ask("www.good.gov.cn") == (WWW6, "")
    assert ask("www.good.gov.cn", "ipv4") == (WWW4, "")
    assert ask("v4.good.gov.cn") == ((), "no_address")
    assert ask("none.good.gov.cn") == ((), "dns_nxdomain")
    assert ask("www.lame.gov.cn") == ((), "dns_error")
    assert ask("www.silent.gov.cn") == ((), "dns_timeout")
    assert ask("not a name") == ((), "dns_error")
    assert ask("203.0.113.9", "ipv4") == (("203.0.113.9",), "")
    assert ask("203.0.113.9") == ((), "no_address")


def test_look_ups_end_with_the_check(lab: netlab.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = msgspec.structs.replace(SETTINGS, timeout=Duration(5))

    def timed(seconds: float, host: str = "www.silent.gov.cn") -> tuple[str, float]:
        def run() -> tuple[str, float]:
            looked_up = look_up(Walker(patient), Deadline(seconds))
            start = time.monotonic()
            return looked_up(host, "ipv6").reason, time.monotonic() - start

        return lab.inside("client", run)

    reason, seconds = timed(0.5)
    assert reason == "dns_timeout"
    assert seconds < 4
    asked: list[str] = []
    monkeypatch.setattr(Walker, "find_kept", lambda *given: asked.append("walk"))
    monkeypatch.setattr(Resolver, "resolve", lambda *given: asked.append("system"))
    found = look_up(Walker(patient), Deadline(0))("www.good.gov.cn", "ipv6")
    assert (found.addresses, found.reason) == ((), "dns_timeout")
    assert found.detail == "the time of the check is over"
    assert not asked


def test_where_no_root_answers_the_system_is_asked(
    lab: netlab.Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(self: Resolver, wanted: object, timeout: float) -> dict[Wanted, Resolved]:
        own = Resolved(("127.0.0.1",), 0.0)
        return {
            ("localhost", "ipv4"): own,
            ("localhost", "ipv6"): Resolved((), 0.0, "no_address"),
        }

    monkeypatch.setattr(Resolver, "resolve", answers)
    nowhere = DnsSettings(roots=(StartZone(".", both(99)),), timeout=Duration(0.2))

    def run() -> list[Fact]:
        return check_dns("localhost", nowhere, DelegationCache(), Deadline(30))

    addresses, *others = lab.inside("client", run)
    assert {row["source"] for row in rows(addresses)} == {"system resolver"}
    assert "127.0.0.1" in {row["address"] for row in rows(addresses)}
    assert [fact.value for fact in others] == [None] * 3
    assert all(fact.unavailable.startswith("no_root: ") for fact in others)


def test_a_walk_that_begins_at_a_zone_of_ones_own(lab: netlab.Lab) -> None:
    own = DnsSettings(roots=(StartZone("gov.cn", both(3)),), timeout=Duration(0.3))
    assert find(lab, "www.good.gov.cn", settings=own).records == WWW6
    assert find(lab, "www.hosting.net", settings=own).no_root
    longest = DnsSettings(
        roots=(*SETTINGS.roots, StartZone("gov.cn", both(99))), timeout=Duration(0.2)
    )
    assert find(lab, "www.good.gov.cn", settings=longest).no_root
    assert not find(lab, "hosting.net", settings=longest).no_root


def test_an_alias_out_of_what_can_be_walked(lab: netlab.Lab) -> None:
    own = DnsSettings(roots=(StartZone("alias.gov.cn", both(11)),), timeout=Duration(0.3))

    def run() -> dict[str, Fact]:
        facts = check_dns("www.alias.gov.cn", own, DelegationCache(), Deadline(20))
        return {fact.name: fact for fact in facts}

    facts = lab.inside("client", run)
    assert facts["site_ipv6_only_dns"].unavailable.startswith("no_root: ")
    assert [row["udp"] for row in rows(facts["site_nameservers"])] == [True, True]
    assert facts["site_dns_times"].value["samples"] > 0


def test_without_ipv6_here_the_site_is_not_blamed(lab: netlab.Lab) -> None:
    lab.run("client", "ip", "-6", "route", "del", "default")
    try:
        facts = check(lab, "www.good.gov.cn")
        four = check(lab, "www.fournames.gov.cn")
    finally:
        lab.route("client", "default", "via", dnsv6lab.LINK6[1].split("/")[0])
    assert len(rows(facts["site_addresses"])) == 2
    assert facts["site_nameservers"].unavailable.startswith("no_ipv6_here")
    assert facts["site_ipv6_only_dns"].unavailable.startswith("no_ipv6_here")
    assert facts["site_dns_times"].value["samples"] > 0
    # that there is no AAAA to ask can be seen without IPv6
    assert servers(four) == BAD_SERVERS["www.fournames.gov.cn"]


def test_the_deadline_ends_everything(lab: netlab.Lab) -> None:
    def run() -> tuple[list[Fact], float]:
        start = time.monotonic()
        facts = check_dns(
            "www.silent.gov.cn", DnsSettings(roots=SETTINGS.roots), DelegationCache(), Deadline(1.0)
        )
        return facts, time.monotonic() - start

    facts, seconds = lab.inside("client", run)
    assert seconds < 10
    assert [fact.value for fact in facts] == [None] * 4
    assert all(fact.unavailable.startswith("budget: ") for fact in facts)


@pytest.mark.parametrize("host", ["203.0.113.9", "2400:da00::80"])
def test_an_address_has_no_dns(host: str) -> None:
    facts = check_dns(host, SETTINGS, DelegationCache(), Deadline(1))
    assert [(f.value, f.unavailable.split(":")[0]) for f in facts] == [(None, "no_name")] * 4


@pytest.mark.parametrize("host", ["", ".", "a..b", "x" * 300, "-", "a b", "1.2.3", "\ud800"])
def test_what_is_no_name(host: str) -> None:
    facts = check_dns(host, SETTINGS, DelegationCache(), Deadline(1))
    assert [(f.value, f.unavailable.split(":")[0]) for f in facts] == [(None, "error")] * 4

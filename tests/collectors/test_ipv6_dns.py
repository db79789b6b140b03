"""The DNS of sites followed from the root, against real name servers, good and broken, as root."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import msgspec
import pytest

from collectors.ipv6.delegation import BOTH, Walker
from collectors.ipv6.dnscache import DelegationCache, Families, Found
from collectors.ipv6.dnscheck import FACTS, check_dns
from collectors.ipv6.dnssettings import DnsSettings, StartZone
from collectors.link.connect import Deadline
from collectors.model import Fact
from collectors.strictyaml import Duration
from tests import dnsv6lab, netlab
from tests.collectors.dnslab import ScriptedServer, framed
from tests.dnsv6lab import CUT, GARBAGE, both, v4, v6

pytestmark = [
    pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable()),
    pytest.mark.skipif(not shutil.which("nsd"), reason="needs nsd"),
]
SETTINGS = DnsSettings(roots=(StartZone(".", both(1)),), timeout=Duration(0.4))
ONLY6: Families = ("ipv6",)


def cut(query: bytes) -> list[bytes]:
    """Cut short by UDP and by TCP, for ever."""
    made = dns.message.make_response(dns.message.from_wire(query))
    made.flags |= dns.flags.TC | dns.flags.AA
    return [framed(made.to_wire()), made.to_wire()]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[netlab.Lab]:
    folder = tmp_path_factory.mktemp("names")
    zones, hosts = dnsv6lab.ZONES, dnsv6lab.HOSTS
    with dnsv6lab.client_and_world(zones, hosts, folder) as made:
        made.nft("world", dnsv6lab.RULES)
        servers = []
        for number in (GARBAGE, CUT):
            for address in both(number):
                nodad = ["nodad"] if ":" in address else []
                made.run("world", "ip", "address", "add", address, "dev", "lo", *nodad)
                server = ScriptedServer(made, "world", address)
                server.answer = cut if number == CUT else lambda query: [query[:2] + b"\x80" * 20]
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
    for _ in range(2):
        for host, (by_both, only6) in WALKS.items():
            assert brief(find(lab, host, cache=cache)) == by_both
            assert brief(find(lab, host, families=ONLY6, cache=cache)) == only6


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
    assert times["a"] > 0
    assert times["aaaa"] > 0

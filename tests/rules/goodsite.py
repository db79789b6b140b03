"""The facts of a site that is ready in every way, to be broken one by one."""

from __future__ import annotations

from typing import Any

import msgspec

from collectors.ipv6.model import (
    SITE_FACTS,
    Content,
    Dependency,
    DnsTimes,
    ExtensionHeader,
    IcmpType,
    Ipv6Only,
    Ipv6OnlyDns,
    LargeBody,
    Latency,
    Links,
    NameServer,
    Nat64,
    Page,
    Port,
    Site,
    SiteAddress,
    SitePath,
    Success,
    site_fact,
)
from collectors.model import Fact

GOOD: dict[str, Any] = {
    "site": Site("portal", "https://portal.example/", "portal.example", 443, True),
    "site_addresses": [
        SiteAddress("203.0.113.80", "ipv4", "global"),
        SiteAddress("2400:da00::80", "ipv6", "global"),
    ],
    "site_nameservers": [
        NameServer(f"ns{n}.example", "example", ("2400:da00::53",), True, True) for n in (1, 2)
    ],
    "site_ipv6_only_dns": Ipv6OnlyDns(True),
    "site_dns_times": DnsTimes(0.01, 0.01, 5),
    "site_homepage": [
        Page("203.0.113.80", "ipv4", True, 200),
        Page("2400:da00::80", "ipv6", True, 200),
    ],
    "site_ports": [Port(80, True, True), Port(443, True, True)],
    "site_probes": [Success("ipv4", 20, 20, 1.0), Success("ipv6", 20, 20, 1.0)],
    "site_content": Content(True, True, True, True, 0.0),
    "site_links": [Links(2, 10, 10, 10, 1.0), Links(3, 10, 10, 9, 0.9)],
    "site_dependencies": [Dependency("cdn.example", True, True)],
    "site_latency": Latency(0.02, 0.02, 1.0, 1.0),
    "site_path": SitePath(1500, 1500, False),
    "site_large_body": LargeBody(True, 30000),
    "site_icmpv6": [IcmpType(128, 0, "echo", True)],
    "site_extension_headers": [ExtensionHeader("fragment", True)],
    "site_ipv6_only": Ipv6Only(True),
    "site_nat64": Nat64(True),
}
assert GOOD.keys() == SITE_FACTS.keys()


def good_site(**instead: Any) -> dict[str, Fact]:
    """Every fact of a good site, some of them others: structs, rows of them, or a Fact itself."""
    found = {}
    for name, value in {**GOOD, **instead}.items():
        found[name] = value if isinstance(value, Fact) else site_fact(name, value)
        if not found[name].unavailable:
            msgspec.convert(found[name].value, SITE_FACTS[name])  # in the shape it should have
    return found

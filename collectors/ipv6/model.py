"""What checks of IPv6 readiness found, as facts: what those who look tell and `ipv6-readiness` judges.

A fact of a site is one struct, or rows of one struct, under the name in `SITE_FACTS`. What could not
be looked at has no value but a reason: a word of `NotTested`, then what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from collectors.link.resolve import Resolved
from collectors.model import AddressFamily, Fact, Reason

LookUp = Callable[[str, AddressFamily], Resolved]

NotTested = Literal[
    "not_asked",  # the caller left it out
    "budget",  # time or bytes of the whole check were used up before
    "no_name",  # a literal address: there is no DNS to look at
    "no_root",  # no server of the zones to begin with answers
    "no_ipv6_here",  # this machine has no IPv6 to look with
    "no_ipv4_here",
    "no_address",  # the site has no address of a family that can be asked
    "no_homepage",  # the homepage came over neither family, or not over both
    "no_links",  # the homepage leads nowhere within the domain
    "robots",  # robots.txt forbids
    "permission",  # needs CAP_NET_RAW or root
    "no_answer",  # silence where an answer would be needed to tell
    "no_program",
    "little_traffic",
    "error",
]

# RFC 4291, 4193, 3849, 3056, 4380, 6052 and IANA's special-purpose registries
AddressKind = Literal[
    "global",
    "unique_local",
    "link_local",
    "loopback",
    "unspecified",
    "multicast",
    "mapped",
    "documentation",
    "sixtofour",
    "teredo",
    "nat64",
    "private",  # of IPv4: RFC 1918, 100.64.0.0/10
    "reserved",
]
# Nobody else's site is there; such an address is told, never connected to.
NEVER_ASKED: Final[frozenset[AddressKind]] = frozenset(
    {"link_local", "loopback", "unspecified", "multicast", "mapped", "reserved"}
)


class Site(msgspec.Struct, frozen=True):
    """`site`: what was asked for. `name` is what people call it."""

    name: str
    url: str
    host: str
    port: int
    tls: bool


class SiteAddress(msgspec.Struct, frozen=True):
    """`site_addresses`, rows: every A and AAAA of the name; no rows of a family: it has none."""

    address: str
    family: AddressFamily
    kind: AddressKind
    source: str = ""  # the server that told it


class NameServer(msgspec.Struct, frozen=True):
    """`site_nameservers`, rows: each server of the zone that holds the name, by all its parents say.

    `udp` and `tcp`: whether at least one IPv6 address of it answered for the zone with authority.
    """

    name: str
    zone: str
    ipv6: tuple[str, ...] = ()
    udp: bool = False
    tcp: bool = False
    reason: Reason = ""
    detail: str = ""


class Ipv6OnlyDns(msgspec.Struct, frozen=True):
    """`site_ipv6_only_dns`: whether a resolver that has only IPv6 can find the AAAA, asking from the
    root; `failed_at` is the zone whose servers it could not reach."""

    resolved: bool
    failed_at: str = ""
    reason: Reason = ""
    detail: str = ""


class DnsTimes(msgspec.Struct, frozen=True):
    """`site_dns_times`: medians of look-ups at the zone's own servers, in seconds."""

    a: float
    aaaa: float
    samples: int


class Page(msgspec.Struct, frozen=True):
    """`site_homepage`, rows: the homepage at each address. `ok`: 2xx, or 3xx that ends there.

    `status` is the last one after redirects, 0 without an answer; times in seconds; `size` is that
    of the body in bytes, `wire` as it came, before decompression.
    """

    address: str
    family: AddressFamily
    ok: bool
    status: int = 0
    reason: Reason = ""
    detail: str = ""
    connect: float | None = None
    first_byte: float | None = None
    size: int = 0
    wire: int = 0


class Port(msgspec.Struct, frozen=True):
    """`site_ports`, rows: 80, 443 and the site's own; whether any address of the family takes it."""

    port: int
    ipv4: bool
    ipv6: bool


class Success(msgspec.Struct, frozen=True):
    """`site_probes`, rows: how often the homepage came, by family. `reasons`: count by reason."""

    family: AddressFamily
    sent: int
    succeeded: int
    ratio: float
    reasons: Mapping[str, int] = {}


class Content(msgspec.Struct, frozen=True):
    """`site_content`: the homepage over IPv4 and IPv6 side by side.

    `difference` is 0 (same) to 1, null of a page that never repeats; nonces and the like are left
    out, `removed` counts them; `differences`: the first few in words, `-` of IPv4 and `+` of IPv6.
    """

    same_status: bool
    same_redirects: bool
    same_title: bool
    same_certificate: bool
    difference: float | None
    removed: int = 0
    differences: tuple[str, ...] = ()
    detail: str = ""


class Links(msgspec.Struct, frozen=True):
    """`site_links`, rows: sampled links by level (2: linked from the homepage; 3: from those).

    `ipv4` and `ipv6` count pages that came over each; `ratio` is of those that came over IPv4 the
    share that came over IPv6 too. `failed` are URLs that did not, with the reason. `untested`: why
    there are links of this level that nobody followed; a word of NotTested, then what happened.
    """

    level: int
    sampled: int
    ipv4: int
    ipv6: int
    ratio: float
    failed: tuple[str, ...] = ()
    untested: str = ""


class Dependency(msgspec.Struct, frozen=True):
    """`site_dependencies`, rows: another host that the sampled pages load from, by name or address.

    `literal`: written as an IPv4 address, which no DNS64 can help. `uses` counts; `example` is a URL.
    `unseen`: not looked at, or DNS is silent; so is a last row for `uses` hosts beyond the limit.
    """

    host: str
    ipv4: bool
    ipv6: bool
    literal: bool = False
    reason: Reason = ""
    detail: str = ""
    uses: int = 1
    example: str = ""
    unseen: bool = False


class Latency(msgspec.Struct, frozen=True):
    """`site_latency`: medians of connect plus first byte over the probes, in seconds."""

    ipv4: float
    ipv6: float
    ratio: float  # of IPv6 to IPv4
    low: float = 0.0  # lower quartile of that ratio over probes side by side: noise has it below 1


class SitePath(msgspec.Struct, frozen=True):
    """`site_path`: the largest IPv6 packets to the site, in bytes; `told_by`: the router that said so."""

    mtu: int
    link_mtu: int
    black_hole: bool
    told_by: str = ""
    detail: str = ""


class LargeBody(msgspec.Struct, frozen=True):
    """`site_large_body`: whether a body of several packets came whole over IPv6; `whole` is null where
    the homepage is too small for that."""

    whole: bool | None
    size: int = 0  # bytes
    detail: str = ""


class IcmpType(msgspec.Struct, frozen=True):
    """`site_icmpv6`, rows: types that must pass (RFC 4890) and whether one came back from the way.

    `passed` is null where nothing could make anybody send one (no narrower link, say), and where what
    should have met silence (`silent`): it may be the question that is filtered.
    """

    type: int
    code: int
    name: str
    passed: bool | None
    detail: str = ""
    silent: bool = False


class ExtensionHeader(msgspec.Struct, frozen=True):
    """`site_extension_headers`, rows: whether an echo with this header was answered; information."""

    name: str
    answered: bool
    detail: str = ""


class Ipv6Only(msgspec.Struct, frozen=True):
    """`site_ipv6_only`: whether a client without IPv4 sees the homepage with all it loads."""

    works: bool
    missing: tuple[str, ...] = ()


class Nat64(msgspec.Struct, frozen=True):
    """`site_nat64`: whether a client behind NAT64 sees it: `works` by what was seen, `tested` where a
    NAT64 is here and the site's IPv4 address was really asked through it."""

    works: bool
    tested: bool = False
    prefix: str = ""
    literals: tuple[str, ...] = ()
    reason: Reason = ""
    detail: str = ""


SITE_FACTS: Final[Mapping[str, Any]] = {
    "site": Site,
    "site_addresses": tuple[SiteAddress, ...],
    "site_nameservers": tuple[NameServer, ...],
    "site_ipv6_only_dns": Ipv6OnlyDns,
    "site_dns_times": DnsTimes,
    "site_homepage": tuple[Page, ...],
    "site_ports": tuple[Port, ...],
    "site_probes": tuple[Success, ...],
    "site_content": Content,
    "site_links": tuple[Links, ...],
    "site_dependencies": tuple[Dependency, ...],
    "site_latency": Latency,
    "site_path": SitePath,
    "site_large_body": LargeBody,
    "site_icmpv6": tuple[IcmpType, ...],
    "site_extension_headers": tuple[ExtensionHeader, ...],
    "site_ipv6_only": Ipv6Only,
    "site_nat64": Nat64,
}


def site_fact(name: str, value: msgspec.Struct | Sequence[msgspec.Struct]) -> Fact:
    """A fact of a site as JSON-like data."""
    return Fact(name, msgspec.to_builtins(value))


def not_tested(name: str, why: NotTested, detail: str = "") -> Fact:
    """A fact without a value, and why."""
    return Fact(name, None, unavailable=f"{why}: {detail}" if detail else why)

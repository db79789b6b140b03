"""The homepage at every address, the ports of both families, and how often it comes.

Probes go to the addresses of a family in turn, the families interleaved, so that what disturbs the
way for a while disturbs both alike.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from collectors.ipv6.model import NEVER_ASKED, Latency, Page, Port, Site, SiteAddress, Success
from collectors.ipv6.web.abreast import Pace, abreast, all_of
from collectors.ipv6.web.fetch import MAX_TRIED, Fetched, fetch, fetch_patiently
from collectors.ipv6.web.session import FAMILIES, Web, may_be_asked
from collectors.link.connect import Deadline, Failure
from collectors.link.weburl import Url
from collectors.model import AddressFamily

AT_ONCE = 8
PORTS: Final = (80, 443)
CONNECT_WITHIN = 3.0  # seconds for a TCP connection where nothing else is asked


def asked(address: SiteAddress) -> bool:
    return address.kind not in NEVER_ASKED and may_be_asked(address.address)


def homepages(web: Web, url: Url, addresses: Sequence[SiteAddress], pace: Pace) -> list[Page]:
    """A row for each address, in their order; raises Spent."""

    def look(address: SiteAddress) -> Page:
        if not asked(address):
            detail = f"a {address.kind} address is nobody's site: not asked"
            return Page(address.address, address.family, False, 0, "not_allowed", detail)

        def ask() -> Fetched:
            pace.wait(web)
            return fetch(web, url, address.family, address.address, keep=False)

        got = fetch_patiently(ask)
        detail = got.detail
        if got.cut:
            detail = f"the first {web.settings.page_limit} bytes; the page is longer"
        times = got.connect, got.first_byte
        return Page(
            *(address.address, address.family, got.ok, got.status, got.reason, detail),
            *(*times, got.size, got.wire),
        )

    return all_of(abreast(look, addresses, AT_ONCE))


def ports(web: Web, site: Site) -> list[Port]:
    """80, 443 and the site's own over both families; raises Spent."""
    wanted = sorted({*PORTS, site.port})
    pairs = [(port, family) for port in wanted for family in FAMILIES]
    taken = all_of(abreast(lambda pair: takes(web, site.host, pair[1], pair[0]), pairs, AT_ONCE))
    by_pair = dict(zip(pairs, taken, strict=True))
    return [Port(port, not by_pair[port, "ipv4"], not by_pair[port, "ipv6"]) for port in wanted]


def takes(web: Web, host: str, family: AddressFamily, port: int) -> Failure | None:
    """None if any address of a host takes a connection, else why the last did not; raises Spent."""
    try:
        addresses = web.addresses(host, family)[:MAX_TRIED]
    except Failure as failure:
        return failure
    why: Failure | None = None
    for address in addresses:
        deadline = Deadline(min(CONNECT_WITHIN, web.settings.timeout, web.left()))
        try:
            web.open(host, address, family, port, deadline).close()
        except Failure as failure:
            if failure.reason == "timeout":
                web.left()
            why = failure
        else:
            return None
    return why


def probes(
    web: Web, url: Url, addresses: Sequence[SiteAddress], pace: Pace
) -> dict[AddressFamily, list[Fetched]]:
    """The homepage again and again over each family that has an address to ask; raises Spent."""
    count = web.settings.probes
    runs = []
    for family in FAMILIES:
        its = [one.address for one in addresses if one.family == family and asked(one)]
        runs.append([(family, its[turn % len(its)]) for turn in range(count)] if its else [])
    order = [one for pair in zip_longest(*runs) for one in pair if one]

    def probe(one: tuple[AddressFamily, str]) -> Fetched:
        pace.wait(web)
        return fetch(web, url, one[0], one[1], keep=False)

    found: dict[AddressFamily, list[Fetched]] = {}
    for got in all_of(abreast(probe, order, AT_ONCE)):
        found.setdefault(got.family, []).append(got)
    return found


def success(family: AddressFamily, came: Sequence[Fetched]) -> Success:
    good = sum(one.ok for one in came)
    reasons = Counter(str(one.reason) for one in came if one.reason)
    return Success(family, len(came), good, good / len(came), dict(sorted(reasons.items())))


def latency(ipv4: Iterable[Fetched], ipv6: Iterable[Fetched]) -> Latency | None:
    """Medians of those that came; None where nothing came over one of the families."""
    pairs = [
        (one, other)
        for one, other in zip(map(_time, ipv4), map(_time, ipv6), strict=False)
        if one and other  # side by side: what slows both down for a while is in neither's favour
    ]
    if not pairs:
        return None
    own, other = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = sorted(ipv6 / ipv4 for ipv4, ipv6 in pairs)
    return Latency(own, other, other / own, ratios[len(ratios) // 4])


def _time(one: Fetched) -> float | None:
    """Connect and first byte, in seconds."""
    if not one.ok or one.connect is None or one.first_byte is None:
        return None
    return one.connect + one.first_byte

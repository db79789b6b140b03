"""Other hosts that the pages of a site load from, and over which families they can be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from collectors.ipv6.model import Dependency, NotTested
from collectors.ipv6.web.abreast import abreast, all_of
from collectors.ipv6.web.domains import ascii_host
from collectors.ipv6.web.homepage import AT_ONCE, takes
from collectors.ipv6.web.page import WebPage
from collectors.ipv6.web.session import Web
from collectors.link.resolve import NotAnAddress, literal
from collectors.link.weburl import Url
from collectors.model import Reason

MAX_EXAMPLE = 300


class Used(NamedTuple):
    """A host with one of the URLs that name it, and how often any does."""

    host: str
    example: Url
    uses: int


def used(pages: Iterable[WebPage], own: str, limit: int) -> list[Used]:
    """The hosts that pages load from, other than their own: the most used first."""
    uses: Counter[str] = Counter()
    examples: dict[str, Url] = {}
    for page in pages:
        for url, times in page.resources:
            host = ascii_host(url.host)
            if host == ascii_host(own):
                continue
            uses[host] += times
            if host not in examples or str(url) < str(examples[host]):
                examples[host] = url
    first = sorted(uses, key=lambda host: (-uses[host], host))[:limit]
    return [Used(host, examples[host], uses[host]) for host in first]


class Looked(NamedTuple):
    """A row for each host; `why` there are none to tell: this machine has no way to look."""

    rows: list[Dependency]
    why: NotTested | None


def dependencies(web: Web, hosts: Iterable[Used]) -> Looked:
    """Each host with TCP connections to the port of its example; raises Spent."""
    found = all_of(abreast(lambda one: _look(web, one), list(hosts), AT_ONCE))
    rows = [row for row, _, _ in found]
    ways: list[tuple[str, NotTested]] = [("ipv4", "no_ipv4_here"), ("ipv6", "no_ipv6_here")]
    for place, (family, why) in enumerate(ways, 1):
        reached = any(getattr(row, family) for row in rows)
        if not reached and any(one[place] == "no_route" for one in found):
            return Looked(rows, why)
    return Looked(rows, None)


def missing(rows: Iterable[Dependency]) -> tuple[str, ...]:
    """The hosts that a client without IPv4 misses. A name that nobody can look up is missed by all."""
    return tuple(
        one.host for one in rows if not one.ipv6 and (one.ipv4 or one.reason != "dns_nxdomain")
    )


def _look(web: Web, one: Used) -> tuple[Dependency, Reason, Reason]:
    """The row, and what went wrong over IPv4 and IPv6."""
    host, port, url = one.example.host, one.example.connects_to, str(one.example)
    ipv4, ipv6 = takes(web, host, "ipv4", port), takes(web, host, "ipv6", port)
    why = ipv6 or ipv4
    row = Dependency(
        host=one.host,
        ipv4=ipv4 is None,
        ipv6=ipv6 is None,
        literal=_is_ipv4(one.host),
        reason=why.reason if why else "",
        detail=why.detail if why else "",
        uses=one.uses,
        example=url if len(url) <= MAX_EXAMPLE else f"{url[:MAX_EXAMPLE]}…",
    )
    return row, ipv4.reason if ipv4 else "", ipv6.reason if ipv6 else ""


def _is_ipv4(host: str) -> bool:
    try:
        return literal(host)[1] == "ipv4"
    except NotAnAddress:
        return False

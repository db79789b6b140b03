"""Other hosts that the pages of a site load from, and over which families they can be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

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
# who meets them has not seen how things are over that family: an address that is nobody's site or
# inside is not asked, DNS may be silent to us alone, and an error is one of this machine
_UNSEEN: Final[Mapping[Reason, NotTested]] = {
    "error": "error",
    "dns_timeout": "no_answer",
    "not_allowed": "no_address",
}
_NO_ADDRESS: Final[frozenset[Reason]] = frozenset({"no_address", "dns_nxdomain", "dns_error"})


class Used(NamedTuple):
    """A host with one of the URLs that name it, and how often any does."""

    host: str
    example: Url
    uses: int


class Hosts(NamedTuple):
    """Those to look at, the most used first, and how many are left out."""

    first: list[Used]
    more: int


def used(pages: Iterable[WebPage], own: str, limit: int) -> Hosts:
    """The hosts that pages load from, other than their own."""
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
    return Hosts([Used(host, examples[host], uses[host]) for host in first], len(uses) - len(first))


class Looked(NamedTuple):
    """A row for each host, and one for those left out; `missing` are the hosts that a client without
    IPv4 misses and one with it does not. `why` there are no rows to tell: this machine has no way
    to look."""

    rows: list[Dependency]
    missing: tuple[str, ...] = ()
    why: NotTested | None = None

    def blind(self) -> tuple[NotTested, str] | None:
        """Why nobody can tell that a client without IPv4 misses nothing, if that is so."""
        unseen = [row for row in self.rows if row.unseen]
        if not unseen:
            return None
        last = unseen[-1]
        if not last.example:  # of those left out
            return "budget", f"{len(unseen) - 1 + last.uses} hosts not looked at"
        reasons = {row.reason for row in unseen}
        why = next(word for reason, word in _UNSEEN.items() if reason in reasons)
        return why, ", ".join(row.host for row in unseen[:5])


def dependencies(web: Web, hosts: Hosts) -> Looked:
    """Each host with TCP connections to the port of its example; raises Spent."""
    found = all_of(abreast(lambda one: _look(web, one), hosts.first, AT_ONCE))
    rows = [row for row, _, _ in found]
    ways: list[tuple[str, NotTested]] = [("ipv4", "no_ipv4_here"), ("ipv6", "no_ipv6_here")]
    for place, (family, why) in enumerate(ways, 1):
        reached = any(getattr(row, family) for row in rows)
        if not reached and any(one[place] == "no_route" for one in found):
            return Looked(rows, why=why)
    missing = tuple(one[0].host for one in found if _misses(*one))
    if hosts.more:
        name, detail = f"…and {hosts.more} more", "not looked at"
        rows.append(Dependency(name, False, False, detail=detail, uses=hosts.more, unseen=True))
    return Looked(rows, missing)


def _misses(row: Dependency, ipv4: Reason, ipv6: Reason) -> bool:
    """What nobody reaches over either family, nobody misses; but no client without IPv4 will ever
    reach what has an IPv4 address alone."""
    if row.ipv6 or row.unseen:
        return False
    return row.ipv4 or (ipv6 == "no_address" and ipv4 not in _NO_ADDRESS)


def _look(web: Web, one: Used) -> tuple[Dependency, Reason, Reason]:
    """The row, and what went wrong over IPv4 and IPv6."""
    host, port, url = one.example.host, one.example.connects_to, str(one.example)
    ipv4, ipv6 = takes(web, host, "ipv4", port), takes(web, host, "ipv6", port)
    reasons: tuple[Reason, Reason] = (ipv4.reason if ipv4 else "", ipv6.reason if ipv6 else "")
    unseen = bool(ipv4 and ipv6 and _UNSEEN.keys() & reasons)
    why = ipv6 or ipv4
    if unseen:  # the reason for that, of whichever family
        why = next(one for one in (ipv6, ipv4) if one and one.reason in _UNSEEN)
    row = Dependency(
        host=one.host,
        ipv4=ipv4 is None,
        ipv6=ipv6 is None,
        literal=_is_ipv4(one.host),
        reason=why.reason if why else "",
        detail=why.detail if why else "",
        uses=one.uses,
        example=url if len(url) <= MAX_EXAMPLE else f"{url[:MAX_EXAMPLE]}…",
        unseen=unseen,
    )
    return row, *reasons


def _is_ipv4(host: str) -> bool:
    try:
        return literal(host)[1] == "ipv4"
    except NotAnAddress:
        return False

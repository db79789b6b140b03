"""One site from its DNS to NAT64, and many of them at once: every fact of SITE_FACTS, in bounded time.

What one part finds the next one needs: addresses come from the DNS, the size of a large body and the
IPv4 addresses written into pages from the web.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import NamedTuple, TypeVar

import msgspec

from collectors.ipv6.addresskind import kind
from collectors.ipv6.dns.cache import DelegationCache
from collectors.ipv6.dns.check import FACTS as DNS_FACTS
from collectors.ipv6.dns.check import check_dns, look_up
from collectors.ipv6.dns.delegation import Walker
from collectors.ipv6.model import (
    SITE_FACTS,
    Dependency,
    LargeBody,
    LookUp,
    NotTested,
    Page,
    Site,
    SiteAddress,
    not_tested,
    site_fact,
)
from collectors.ipv6.sitesettings import CheckSettings
from collectors.ipv6.web.check import WEB_FACTS, check_web
from collectors.ipv6.web.fetch import fetch
from collectors.ipv6.web.session import Spent, Web, may_be_asked
from collectors.ipv6.wire.nat64 import Nat64Here, check_nat64, detect
from collectors.ipv6.wire.sitepath import PATH_FACTS, check_path
from collectors.link import weburl
from collectors.link.connect import Deadline, Failure
from collectors.link.resolve import NotAnAddress, literal
from collectors.model import AddressFamily, Fact, Reason

log = logging.getLogger(__name__)

DNS_SHARE = 0.4  # of the time for a site, so that a silent DNS leaves some to say what else is so
GRACE = 10.0  # seconds beyond the time for a site until it is given up
LARGE = 2 * 1500  # bytes; a body above it takes several full packets

Row = TypeVar("Row")


class Checked(NamedTuple):
    """One site: its facts by name, when the check began and how many seconds it took."""

    site: Site
    facts: Mapping[str, Fact]
    began: datetime
    duration: float


def site_of(text: str, name: str = "") -> Site:
    """A site by its URL, or by a host alone, which is https; raises ValueError."""
    url = weburl.site(text)
    return Site(name or url.authority, str(url), url.host, url.connects_to, url.tls)


class Checker:
    """Checks sites; what is known of zones and of NAT64 here is shared between them."""

    def __init__(self, settings: CheckSettings, nat64: Nat64Here | None = None) -> None:
        self._settings = settings
        self._cache = DelegationCache()
        self._nat64 = detect() if nat64 is None else nat64

    def check_all(self, sites: Iterable[Site]) -> Iterator[Checked]:
        """Every site, each as soon as it is done, or is given up: a check that does not keep to its
        time costs no other site, nor the end of this process."""
        return _Round(self, list(sites), self._settings).results()

    def check(self, site: Site) -> Checked:
        """One site. Never raises for anything that a site does."""
        began, start = datetime.now(UTC), perf_counter()
        facts = {
            fact.name: fact for fact in _Course(site, self._settings, self._cache, self._nat64)
        }
        for name in SITE_FACTS:
            facts.setdefault(name, not_tested(name, "error", "nothing was told"))
        return Checked(site, facts, began, perf_counter() - start)


class _Round:
    """Many sites on daemon threads, which do not hold up who goes away in the middle."""

    def __init__(self, checker: Checker, sites: Sequence[Site], settings: CheckSettings) -> None:
        self._checker, self._sites, self._settings = checker, sites, settings
        self._waiting = deque(range(len(sites)))
        self._began: dict[int, tuple[datetime, float]] = {}
        self._done: SimpleQueue[tuple[int, Checked]] = SimpleQueue()

    def results(self) -> Iterator[Checked]:
        left = set(range(len(self._sites)))
        for _ in range(min(self._settings.workers, len(self._sites))):
            self._start()
        try:
            while left:
                with contextlib.suppress(Empty):
                    number, checked = self._done.get(timeout=1)
                    if number in left:
                        left.remove(number)
                        yield checked
                for number in self._late(left):
                    left.remove(number)
                    self._start()  # in place of the one that does not end
                    yield self._untested(number, "budget", "it did not end")
        finally:
            self._waiting.clear()

    def _start(self) -> None:
        threading.Thread(target=self._work, name="site", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                number = self._waiting.popleft()
            except IndexError:
                return
            self._began[number] = datetime.now(UTC), perf_counter()
            try:
                checked = self._checker.check(self._sites[number])
            except Exception as error:  # a mistake of ours must not be one of the site
                log.exception("%s could not be checked", self._sites[number].url)
                detail = f"bug: {type(error).__name__}: {error}"
                checked = self._untested(number, "error", detail)
            self._done.put((number, checked))

    def _late(self, left: Iterable[int]) -> list[int]:
        end = perf_counter() - self._settings.timeout - GRACE
        return [n for n in left if n in self._began and self._began[n][1] < end]

    def _untested(self, number: int, why: NotTested, detail: str) -> Checked:
        site = self._sites[number]
        facts = {name: not_tested(name, why, detail) for name in SITE_FACTS if name != "site"}
        began, start = self._began[number]
        return Checked(
            site, {"site": site_fact("site", site), **facts}, began, perf_counter() - start
        )


class _Course:
    """One site, fact by fact."""

    def __init__(
        self, site: Site, settings: CheckSettings, cache: DelegationCache, nat64: Nat64Here
    ) -> None:
        self._site, self._settings, self._cache, self._here = site, settings, cache, nat64
        self._deadline = Deadline(settings.timeout)

    def __iter__(self) -> Iterator[Fact]:
        yield site_fact("site", self._site)
        dns = {fact.name: fact for fact in self._guarded(self._dns, DNS_FACTS)}
        yield from dns.values()
        told = dns["site_addresses"]
        addresses = _rows(told, SiteAddress) or []
        web = {name: Fact(name, None, unavailable=told.unavailable) for name in WEB_FACTS}
        if not told.unavailable:  # else nobody knows where the site is
            web = {f.name: f for f in self._guarded(lambda: self._web(addresses), WEB_FACTS)}
        if _down(web["site_homepage"]):
            # not IPv6 is what is missing: the site is not there, or lets nobody in who is like us
            web["site_ipv6_only"] = not_tested("site_ipv6_only", "no_homepage")
        yield from web.values()
        pages = _rows(web["site_homepage"], Page) or []
        yield from self._guarded(lambda: self._path(addresses), PATH_FACTS)
        yield self._large_body(web["site_homepage"], pages)
        dependencies = _rows(web["site_dependencies"], Dependency)
        yield from self._guarded(
            lambda: self._nat64(addresses, pages, dependencies), ("site_nat64",)
        )

    def _guarded(self, look: Callable[[], Iterable[Fact]], names: Sequence[str]) -> list[Fact]:
        """The facts, or why there are none: one part that fails costs no other."""
        why: NotTested = "error"
        try:
            return list(look())
        except Failure as failure:
            why, detail = ("budget" if failure.reason == "timeout" else "error"), failure.detail
        except Exception as error:  # a mistake of ours must not be one of the site
            log.exception("%s could not be checked", self._site.url)
            detail = f"bug: {type(error).__name__}: {error}"
        return [not_tested(name, why, detail) for name in names]

    def _dns(self) -> list[Fact]:
        deadline = Deadline(self._deadline.left() * DNS_SHARE)
        facts = check_dns(self._site.host, self._settings.dns, self._cache, deadline)
        try:
            address, family = literal(self._site.host)
        except NotAnAddress:
            return facts
        own = [SiteAddress(address, family, kind(address), "the URL")]
        return [
            site_fact("site_addresses", own) if f.name == "site_addresses" else f for f in facts
        ]

    def _web(self, addresses: Sequence[SiteAddress]) -> list[Fact]:
        return check_web(self._site, addresses, self._look_up(), self._settings.web, self._deadline)

    def _look_up(self) -> LookUp:
        return look_up(Walker(self._settings.dns, cache=self._cache), self._deadline)

    def _path(self, addresses: Sequence[SiteAddress]) -> list[Fact]:
        if not self._settings.path:
            return [not_tested(name, "not_asked") for name in PATH_FACTS]
        asked = _asked(addresses, "ipv6")
        if not asked:
            return [not_tested(name, "no_address", "AAAA") for name in PATH_FACTS]
        return check_path(self._site, asked[0], self._deadline)

    def _large_body(self, homepage: Fact, pages: Sequence[Page]) -> Fact:
        if homepage.unavailable:
            return Fact("site_large_body", None, unavailable=homepage.unavailable)
        if not any(page.family == "ipv6" and page.status for page in pages):
            return not_tested("site_large_body", "no_homepage", "IPv6")
        return site_fact("site_large_body", large_body(pages))

    def _nat64(
        self,
        addresses: Sequence[SiteAddress],
        pages: Sequence[Page],
        dependencies: Sequence[Dependency] | None,
    ) -> list[Fact]:
        if dependencies is None:
            return [not_tested("site_nat64", "no_homepage")]
        literals = [one.host for one in dependencies if one.literal and ":" not in one.host]
        ipv6 = [page.ok for page in pages if page.family == "ipv6"]
        return [
            check_nat64(
                self._site,
                _asked(addresses, "ipv4"),
                literals,
                self._here,
                lambda address: self._try_page(address, addresses),
                native=all(ipv6) if ipv6 else None,
            )
        ]

    def _try_page(self, address: str, addresses: Sequence[SiteAddress]) -> tuple[bool, Reason, str]:
        """The homepage at an IPv6 address that no DNS tells."""
        web = Web(
            self._site.host,
            {"ipv4": _asked(addresses, "ipv4"), "ipv6": [address]},
            self._look_up(),
            self._settings.web,
            self._deadline,
        )
        try:
            page = fetch(web, weburl.parse(self._site.url), "ipv6", address, keep=False)
        except Spent as spent:
            return False, "timeout", str(spent)
        return page.ok, page.reason, page.detail


def large_body(pages: Sequence[Page]) -> LargeBody:
    """By the homepage, where it is, as it comes over the wire, larger than a packet or two."""
    whole = [page.wire for page in pages if page.family == "ipv6" and page.ok]
    if whole and max(whole) >= LARGE:
        return LargeBody(True, max(whole))
    other = max((page.wire for page in pages if page.family == "ipv4" and page.ok), default=0)
    broken = [page for page in pages if page.family == "ipv6" and page.status and not page.ok]
    if broken and other >= LARGE and broken[0].reason == "timeout":
        return LargeBody(False, other, broken[0].detail)
    return LargeBody(None, max(whole, default=other))


def _down(homepage: Fact) -> bool:
    """Whether the homepage was asked for over IPv4 and comes over neither family."""
    pages = _rows(homepage, Page) or []
    return any(page.family == "ipv4" for page in pages) and not any(page.ok for page in pages)


def _asked(addresses: Sequence[SiteAddress], family: AddressFamily) -> list[str]:
    return [a.address for a in addresses if a.family == family and may_be_asked(a.address)]


def _rows(fact: Fact, row: type[Row]) -> list[Row] | None:
    """The rows of a fact, None where it has no value."""
    if fact.unavailable:
        return None
    return [msgspec.convert(one, row) for one in fact.value]

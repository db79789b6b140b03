"""A site over HTTP as facts: homepage, ports, success, content, links, dependencies, latency.

Every fact has a value or the reason why it has none; all ends by the deadline.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from collectors.ipv6.model import (
    Ipv6Only,
    LookUp,
    NotTested,
    Page,
    Site,
    SiteAddress,
    not_tested,
    site_fact,
)
from collectors.ipv6.web.abreast import Pace
from collectors.ipv6.web.content import SideBySide, side_by_side
from collectors.ipv6.web.dependencies import Looked, dependencies, used
from collectors.ipv6.web.homepage import asked, homepages, latency, ports, probes, success
from collectors.ipv6.web.links import Sample, follow_links
from collectors.ipv6.web.page import WebPage
from collectors.ipv6.web.session import FAMILIES, Spent, Web
from collectors.ipv6.web.settings import WebSettings
from collectors.link import weburl
from collectors.link.connect import Deadline, Failure
from collectors.link.resolve import AF
from collectors.model import AddressFamily, Fact

WEB_FACTS: Final = (
    "site_homepage",
    "site_ports",
    "site_content",
    "site_probes",
    "site_latency",
    "site_links",
    "site_dependencies",
    "site_ipv6_only",
)
Missing = tuple[NotTested, str]


def check_web(
    site: Site,
    addresses: Sequence[SiteAddress],
    look_up: LookUp,
    settings: WebSettings,
    deadline: Deadline,
) -> list[Fact]:
    """The facts `WEB_FACTS` of a site. Blocks; opens threads of its own, a few at a time."""
    by_family: dict[AddressFamily, list[str]] = {
        family: [one.address for one in addresses if one.family == family and asked(one)]
        for family in FAMILIES
    }
    told = {family: [a.address for a in addresses if a.family == family] for family in FAMILIES}
    known = {family: by_family[family] or told[family] for family in FAMILIES}
    web = Web(site.host, known, look_up, settings, deadline)
    check = _Check(site, addresses, by_family, web)
    check.run()
    return [check.facts[name] for name in WEB_FACTS]


class _Check:
    def __init__(
        self,
        site: Site,
        addresses: Sequence[SiteAddress],
        by_family: dict[AddressFamily, list[str]],
        web: Web,
    ) -> None:
        self._site, self._addresses, self._by_family = site, addresses, by_family
        self._web = web
        self._url = weburl.parse(site.url)
        self._pace = Pace(web.settings.probe_rate)
        self._pages: list[Page] = []
        self._side: SideBySide | None = None
        self._sample = Sample((), ())
        self._loads = Looked([])
        self.facts: dict[str, Fact] = {}

    def run(self) -> None:
        try:
            here = {family: _routed(its, family) for family, its in self._by_family.items() if its}
        except Failure as failure:
            self._without(WEB_FACTS, "error", failure.detail)
            return
        if not here:
            told = ", ".join(f"{one.address} ({one.kind})" for one in self._addresses[:5])
            self._without(WEB_FACTS, "no_address", told)
            if self._addresses:  # these are told even so
                self._step(("site_homepage",), self._homepage)
            self.facts["site_ipv6_only"] = self._without_ipv6()
            return
        if not here.get("ipv6", True):
            self._without(WEB_FACTS, "no_ipv6_here")
            return
        if not here.get("ipv4", True):
            self._without(WEB_FACTS, "no_ipv4_here")
            return
        self._step(("site_homepage",), self._homepage)
        self._step(("site_ports",), self._ports)
        self._step(("site_content",), self._content)
        self._step(("site_probes", "site_latency"), self._probes)
        self._step(("site_links",), self._links)
        self._step(("site_dependencies",), self._dependencies)
        self._step(("site_ipv6_only",), self._ipv6_only)

    def _step(self, names: Sequence[str], look: Callable[[], None]) -> None:
        """One look; where time or bytes end before it does, nothing of it is told."""
        try:
            look()
        except Spent as spent:
            self._without(names, "budget", str(spent))

    def _without(self, names: Sequence[str], why: NotTested, detail: str = "") -> None:
        for name in names:
            self.facts[name] = not_tested(name, why, detail)

    def _tell(self, name: str, value: msgspec.Struct | Sequence[msgspec.Struct]) -> None:
        self.facts[name] = site_fact(name, value)

    def _homepage(self) -> None:
        self._pages = homepages(self._web, self._url, self._addresses, self._pace)
        self._tell("site_homepage", self._pages)

    def _ports(self) -> None:
        self._tell("site_ports", ports(self._web, self._site))

    def _answering(self, family: AddressFamily) -> str:
        """The first address that the homepage came from; else one that did answer; else none. What
        never ends would only do so again."""
        rows = [one for one in self._pages if one.family == family and one.reason != "timeout"]
        good = [one.address for one in rows if one.ok]
        return next(iter(good or [one.address for one in rows if one.status]), "")

    def _lacking(self) -> Missing | None:
        """Why there is nothing to compare, if that is so."""
        for family in FAMILIES:
            if not self._by_family[family]:
                return "no_address", f"no {family} address that may be asked"
        return None

    def _content(self) -> None:
        addresses = [self._answering(family) for family in FAMILIES]
        if any(addresses):
            ipv4, ipv6 = addresses
            self._side = side_by_side(self._web, self._url, ipv4, ipv6, self._pace)
        if lacking := self._lacking():
            self._without(("site_content",), *lacking)
        elif self._side and self._side.content:
            self._tell("site_content", self._side.content)
        else:
            rows = "; ".join(
                f"{one.address}: {one.reason} {one.detail}" for one in self._pages if not one.ok
            )
            detail = self._side.why if self._side and self._side.why else rows
            self._without(("site_content",), "no_homepage", detail[:500])

    def _probes(self) -> None:
        if not self._by_family["ipv6"]:
            why = "no ipv6 address that may be asked"
            self._without(("site_probes", "site_latency"), "no_address", why)
            return
        came = probes(self._web, self._url, self._addresses, self._pace)
        rows = [success(family, came[family]) for family in FAMILIES if family in came]
        self._tell("site_probes", rows)
        if lacking := self._lacking():
            self._without(("site_latency",), *lacking)
        elif medians := latency(came["ipv4"], came["ipv6"]):
            self._tell("site_latency", medians)
        else:
            self._without(("site_latency",), "no_homepage")

    def _home(self) -> WebPage | None:
        return self._side.pages[0] if self._side and self._side.pages else None

    def _links(self) -> None:
        home = self._home()
        families = [family for family in FAMILIES if self._answering(family)]
        if not home:
            self._without(("site_links",), "no_homepage")
            return
        self._sample = sample = follow_links(self._web, self._url, home, families)
        if sample.rows and any(row.ipv4 or row.ipv6 for row in sample.rows):
            self._tell("site_links", list(sample.rows))
        elif sample.why and not sample.rows:
            self._without(("site_links",), sample.why, sample.detail)
        else:
            count = sum(row.sampled for row in sample.rows)
            self._without(("site_links",), "no_links", f"none of {count} came over either family")

    def _dependencies(self) -> None:
        if not self._home() or not self._side:
            self._without(("site_dependencies",), "no_homepage")
            return
        first, *other = self._side.pages
        pages = (first, *(_beyond(one, first) for one in other), *self._sample.pages)
        hosts = used(pages, self._site.host, self._web.settings.dependencies)
        looked = dependencies(self._web, hosts)
        if looked.why:
            self._without(("site_dependencies",), looked.why, "no route to any host it loads from")
            return
        self._loads = looked
        self._tell("site_dependencies", looked.rows)

    def _ipv6_only(self) -> None:
        if not self._by_family["ipv6"]:
            self.facts["site_ipv6_only"] = self._without_ipv6()
            return
        if not any(one.ok for one in self._pages if one.family == "ipv6"):
            if not self._pages:
                self._without(("site_ipv6_only",), "budget", "the homepage was not looked at")
                return
            self._tell("site_ipv6_only", Ipv6Only(False, (self._site.host,)))
            return
        fact = self.facts["site_dependencies"]
        if fact.value is None:
            self.facts["site_ipv6_only"] = Fact(
                "site_ipv6_only", None, unavailable=fact.unavailable
            )
            return
        missing, blind = self._loads.missing, self._loads.blind()
        if blind and not missing:
            self._without(("site_ipv6_only",), *blind)
            return
        self._tell("site_ipv6_only", Ipv6Only(not missing, missing))

    def _without_ipv6(self) -> Fact:
        return site_fact("site_ipv6_only", Ipv6Only(False, (self._site.host,)))


def _beyond(page: WebPage, first: WebPage) -> WebPage:
    """The page with what the first does not load either: it is the same one by another way."""
    known = {url for url, _ in first.resources}
    resources = tuple(pair for pair in page.resources if pair[0] not in known)
    return msgspec.structs.replace(page, resources=resources)


def _routed(addresses: Sequence[str], family: AddressFamily) -> bool:
    """Whether this machine has a way to any of the addresses: a look at routes, nothing is sent.
    Raises Failure where it cannot even look."""
    for address in addresses:
        try:
            tried = socket.socket(AF[family], socket.SOCK_DGRAM)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                return False
            raise Failure(
                "error", f"no socket: {(error.strerror or str(error)).lower()}"
            ) from error
        with tried:
            try:
                tried.connect((address, 9))
            except OSError:
                continue
            return True
    return False

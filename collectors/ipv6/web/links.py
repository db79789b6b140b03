"""Links of a site followed over both families: a sample by level, within its domain, politely.

Which links are taken hangs on nothing but their URLs, so that an unchanged site is asked for the
same pages every time. robots.txt (RFC 9309) is obeyed, its Crawl-delay by following fewer links.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from collectors.ipv6.model import Links, NotTested, not_tested
from collectors.ipv6.web.abreast import Pace, abreast
from collectors.ipv6.web.domains import registrable
from collectors.ipv6.web.fetch import Fetched, fetch, fetch_patiently
from collectors.ipv6.web.page import WebPage, read_page
from collectors.ipv6.web.robots import NOTHING, Robots, parse_robots
from collectors.ipv6.web.session import FAMILIES, Spent, Web
from collectors.ipv6.web.settings import AGENT
from collectors.link.weburl import Url
from collectors.model import AddressFamily

AT_ONCE = 4
MAX_HOSTS = 8  # of the domain whose robots.txt is asked for
MAX_LOOKED = 500  # links of a level that robots.txt is asked about
MAX_FAILED = 20  # links told of by name
ENOUGH = 5  # links that must have been looked at where time does not suffice for all
# leaving, and what changes things
_AVOIDED = re.compile(
    r"log-?_?(out|off)|sign-?_?(out|off)|unsubscribe|delete|remove|退出|注销", re.I
)
_AVOIDED_ESCAPED: Final = ("%E9%80%80%E5%87%BA", "%E6%B3%A8%E9%94%80")
_NO_PAGE = re.compile(
    r"\.(zip|rar|7z|t?gz|tar|bz2|xz|exe|msi|dmg|iso|apk|ipa|deb|rpm|jar|bin|img|mp3|mp4|m4a|avi|mov"
    r"|wmv|flv|mkv|wav|webm|pdf|docx?|xlsx?|pptx?|wps|et|dps|ofd|csv|jpe?g|png|gif|bmp|webp|svg|ico"
    r"|css|js|json|xml|rss|txt|swf|ttf|woff2?)$",
    re.I,
)


class Followed(NamedTuple):
    """One link over both families; `page` is None where it came over none."""

    url: Url
    ipv4: Fetched
    ipv6: Fetched
    page: WebPage | None


class Sample(NamedTuple):
    """Rows of `site_links`, the pages that came, and why there are no rows if there are none."""

    rows: tuple[Links, ...]
    pages: tuple[WebPage, ...]
    why: NotTested | None = None
    detail: str = ""


def follow_links(web: Web, url: Url, home: WebPage, families: Sequence[AddressFamily]) -> Sample:
    """Links of second and third level, within the domain where the homepage, asked for by `url`,
    ended. `families` are those it came over."""
    return _Walk(web, home.url, families).run(home, url)


def candidates(
    links: Iterable[Url],
    domain: str,
    known: Iterable[str],
    left: Callable[[], object] = lambda: None,
) -> list[Url]:
    """The links to pages of a domain that are not known yet, in an order that their text gives.
    `left` is called for each, and raises where no time is left."""
    seen = set(known)
    found = []
    for link in dict.fromkeys(links):
        left()
        path = link.path.partition("?")[0]
        if (key := _key(link)) in seen or _NO_PAGE.search(path) or _avoided(link.path):
            continue
        if registrable(link.host) == domain:
            seen.add(key)
            found.append(link)
    return sorted(found, key=lambda link: hashlib.sha256(_key(link).encode()).digest())


def _avoided(path: str) -> bool:
    return bool(_AVOIDED.search(path)) or any(word in path.upper() for word in _AVOIDED_ESCAPED)


def _key(url: Url) -> str:
    """One page under http and https is one page."""
    return f"{url.authority}{url.path}"


class _Walk:
    def __init__(self, web: Web, url: Url, families: Sequence[AddressFamily]) -> None:
        self._web, self._url, self._families = web, url, families
        self._domain = registrable(url.host)
        self._robots: dict[str, Robots] = {}
        self._why: dict[str, str] = {}
        self._end = time.monotonic() + web.settings.links_time
        self._pace = Pace(web.settings.link_rate)

    def run(self, home: WebPage, first: Url) -> Sample:
        settings = self._web.settings
        try:
            own = self._rules(self._url)
        except Spent as spent:
            return Sample((), (), "budget", str(spent))
        wanted = settings.second_level, settings.third_level
        room, slowly = sum(wanted), ""
        if own.delay > 1 / settings.link_rate:
            self._pace = Pace(1 / own.delay)
            room = int(settings.links_time / own.delay / len(FAMILIES))
            slowly = f"a Crawl-delay of {own.delay:g} s"
        known = {_key(self._url), _key(first)}
        rows: list[Links] = []
        pages: list[WebPage] = []
        links: Sequence[Url] = home.links
        for level, most in zip((2, 3), wanted, strict=True):
            count = min(most, room)
            try:
                found = candidates(links, self._domain, known, self._left)
                chosen = self._allowed(found, count)
            except Spent as spent:
                return _ended(rows, pages, level, "budget", str(spent))
            if not found:
                return _ended(rows, pages, level, "no_links")
            if not most:
                return _ended(rows, pages, level, "not_asked")
            if not chosen:
                words = "; ".join(sorted(set(self._why.values()))) or "robots.txt forbids all"
                return _ended(rows, pages, level, "robots", words if count else slowly)
            room -= len(chosen)
            known.update(map(_key, found))
            followed = abreast(self._follow, chosen, AT_ONCE)
            came = [one for one in followed if not isinstance(one, Spent)]
            if len(came) < min(ENOUGH, len(chosen)):
                why = next(str(one) for one in followed if isinstance(one, Spent))
                detail = f"{len(came)} of {len(chosen)} links of level {level}: {why}"
                return _ended(rows, pages, level, "budget", detail)
            rows.append(_row(level, came))
            new = [one.page for one in came if one.page]
            pages += new
            links = [link for page in new for link in page.links]
        return Sample(tuple(rows), tuple(pages))

    def _allowed(self, found: Sequence[Url], count: int) -> list[Url]:
        """The first links that robots.txt of their hosts allows; raises Spent."""
        chosen: list[Url] = []
        for link in found[:MAX_LOOKED]:
            if len(chosen) == count:
                break
            self._left()
            if self._origin(link) not in self._robots and len(self._robots) >= MAX_HOSTS:
                continue
            if self._rules(link).allows(link.path):
                chosen.append(link)
        return chosen

    def _left(self) -> None:
        """Raises Spent where no time is left."""
        self._web.left()
        if time.monotonic() > self._end:
            raise Spent("the time for links is over")

    def _origin(self, url: Url) -> str:
        return str(url._replace(path=""))

    def _rules(self, url: Url) -> Robots:
        """robots.txt of a host: 4xx is none, and what cannot be had forbids (RFC 9309, 2.3.1)."""
        origin = self._origin(url)
        if origin not in self._robots:
            rules, why = NOTHING, ""
            for family in self._families or FAMILIES:

                def ask(family: AddressFamily = family) -> Fetched:
                    self._pace.wait(self._web)
                    robots = url._replace(path="/robots.txt")
                    return fetch(self._web, robots, family, patient=False)

                got = fetch_patiently(ask)
                if got.ok:
                    body = got.body.rpartition(b"\n")[0] if got.cut else got.body
                    rules, why = parse_robots(body, AGENT), ""
                    break
                if 400 <= got.status < 500:
                    rules, why = Robots(), ""
                    break
                why = f"robots.txt of {url.host} cannot be had: {got.reason} {got.detail}"
            self._robots[origin] = rules
            if why:
                self._why[origin] = why
        return self._robots[origin]

    def _follow(self, url: Url) -> Followed:
        """One link over both families; raises Spent."""
        page: WebPage | None = None
        came: dict[AddressFamily, Fetched] = {}
        for family in FAMILIES:
            keep = page is None

            def ask(family: AddressFamily = family, keep: bool = keep) -> Fetched:
                self._left()
                self._pace.wait(self._web)
                return fetch(self._web, url, family, "", keep, False, self._domain)

            got = fetch_patiently(ask)
            if got.ok and page is None:
                page = read_page(got.body, got.content_type, got.url)
            got.body = b""
            came[family] = got
        return Followed(url, came["ipv4"], came["ipv6"], page)


def _ended(
    rows: Sequence[Links], pages: Sequence[WebPage], level: int, why: NotTested, detail: str = ""
) -> Sample:
    """What there is before a level that was not looked at: without any row there is a reason, else
    one more row that tells it. A level that nothing leads to has none."""
    if rows and why != "no_links":
        words = not_tested("site_links", why, detail).unavailable
        rows = [*rows, Links(level, 0, 0, 0, 0.0, untested=words)]
    return Sample(tuple(rows), tuple(pages), why, detail)


def _row(level: int, came: Sequence[Followed]) -> Links:
    """Of the links that came over IPv4 the share that came over IPv6; those that came over IPv6
    alone are as good."""
    ipv4 = sum(one.ipv4.ok for one in came)
    ipv6 = sum(one.ipv6.ok for one in came)
    both = sum(one.ipv4.ok and one.ipv6.ok for one in came)
    ratio = both / ipv4 if ipv4 else float(ipv6 > 0)
    failed = [
        f"{one.url}: {one.ipv6.reason} {one.ipv6.detail}".rstrip()[:300]
        for one in came
        if one.ipv4.ok and not one.ipv6.ok
    ]
    return Links(level, len(came), ipv4, ipv6, ratio, tuple(failed[:MAX_FAILED]))

"""Sites that are broken in one way each, checked once and side by side: fixtures for their tests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from collectors.ipv6.web.check import WEB_FACTS
from collectors.model import Fact
from tests.sitelab import REFUSING, SERVER, SILENT, SiteLab, WebSite

TEXT = "".join(f"<p>News number {i} of the city</p>" for i in range(20))
HOME = f"<html><head><title>City</title></head><body>{TEXT}<a href=/a.html>a</a><a href=/b.html>b</a></body></html>"
PAGES = {"/": HOME, "/a.html": "<a href=/c.html>c</a>", "/b.html": "b", "/c.html": "c"}
LOADS = (
    "<img src=http://cdn.good.cn/x><img src=http://old.good.cn/y><img src=//old.good.cn/z>"
    "<img src=http://203.0.113.2/><img src=http://nowhere.cn/><img src=http://127.0.0.1/>"
    f"<script src=http://[{SERVER[1]}]/></script>"
)
ROBOTS = "User-agent: *\nDisallow: /b"
SITES = [
    WebSite("www.good.cn", PAGES),
    WebSite("tls.good.cn", PAGES, tls=True),
    WebSite("cdn.good.cn", PAGES),
    WebSite("old.good.cn", PAGES, aaaa=()),
    WebSite("four.cn", PAGES, aaaa=()),
    WebSite("six.cn", PAGES, a=()),
    WebSite("none.cn", PAGES, a=(), aaaa=()),
    WebSite("loopback.cn", PAGES, aaaa=("::1", SERVER[1])),
    WebSite("mapped.cn", PAGES, aaaa=("::ffff:203.0.113.2",)),
    WebSite("differs.cn", PAGES, {"/": HOME.replace("News", "Olds")}),
    WebSite("titled.cn", PAGES, {"/": HOME.replace("<title>City", "<title>Town")}),
    WebSite("refuses.cn", PAGES, aaaa=(REFUSING[1],)),
    WebSite("silent.cn", PAGES, aaaa=(SILENT[1],)),
    WebSite("half.cn", PAGES, aaaa=(SERVER[1], REFUSING[1])),
    WebSite("error.cn", PAGES, ipv6="location = / { return 503; }"),
    WebSite("moved.cn", PAGES, ipv6="location = / { return 302 /c.html; }"),
    WebSite("loop.cn", PAGES, ipv6="location = / { return 302 /; }"),
    WebSite("inward.cn", PAGES, ipv6="location = / { return 302 http://127.0.0.1/; }"),
    WebSite("inward2.cn", PAGES, ipv6="location = / { return 302 http://loopback6.cn/; }"),
    WebSite("loopback6.cn", a=(), aaaa=("::1",)),
    WebSite("another.cn", PAGES, both="location = / { return 301 http://www.good.cn/; }"),
    WebSite("elsewhere.cn", PAGES, both="location = / { return 301 http://forbids.cn/; }"),
    WebSite("expired.cn", PAGES, tls=True, certificate6="expired"),
    WebSite("misnamed.cn", PAGES, tls=True, certificate6="wrong"),
    WebSite("own.cn", PAGES, tls=True, certificate6="own"),
    WebSite("other.cn", PAGES, tls=True, certificate6="other"),
    WebSite("third.cn", PAGES, ipv6="location = / { proxy_pass @third@; }"),
    WebSite("fourloads.cn", {"/": "<img src=http://cdn.good.cn/x>"}, aaaa=()),
    WebSite("tlsslow.cn", PAGES, tls=True, ipv6="location = / { proxy_pass @slow@; }"),
    WebSite("slow.cn", PAGES, ipv6="location = / { proxy_pass @slow@; }"),
    WebSite("noisy.cn", PAGES, both="location = / { proxy_pass @noisy@; }"),
    WebSite("anew.cn", both="location = / { proxy_pass @anew@; }"),
    WebSite("cookie.cn", both="location / { proxy_pass @cookie@; }"),
    WebSite("chinese.cn", {"/": "<meta charset=gbk><title>深圳</title>".encode("gbk")},
            {"/": "<meta charset=utf-8><title>深圳</title>"}),
    WebSite("links.cn", PAGES, ipv6="location = /b.html { return 500; }"),
    WebSite("robots.cn", {**PAGES, "/robots.txt": ROBOTS}),
    WebSite("forbids.cn", {**PAGES, "/robots.txt": "User-agent: jianwei\nDisallow: /"}),
    WebSite("later.cn", {**PAGES, "/robots.txt": "User-agent: *\nCrawl-delay: 60"}),
    WebSite("robots5.cn", PAGES, both="location = /robots.txt { return 503; }"),
    WebSite("loads.cn", {"/": LOADS}),
    WebSite("both.cn", {"/": f"<img src=http://cdn.good.cn/x><img src=http://[{SERVER[1]}]/>"}),
    WebSite("inward3.cn", {"/": "<img src=http://cdn.good.cn/x><img src=http://127.0.0.1/>"}),
    WebSite("refresh.cn", {"/": "<meta http-equiv=refresh content='0;url=/a.html'>", "/a.html": "a"}),
    WebSite("big.cn", {"/": "<title>Big</title>" + "x" * 2_000_000}, both="gzip off;"),
    WebSite("zipped.cn", {"/": HOME}, ipv6="gzip off;"),
]  # fmt: skip


def third(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    return (500 if count % 3 == 0 else 200), {}, HOME.encode()


def slow(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    time.sleep(0.1)
    return 200, {}, HOME.encode()


def noisy(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    number = count * 7919 + len(family + path)
    body = HOME.replace(
        "<body>",
        f"<body><input type=hidden name=csrf value={number}><p>Visits: {number}</p>"
        f"<p>{time.time()}</p><script nonce=n{number}>var s='{number:032x}a'</script>",
    )
    return 200, {"Content-Type": "text/html"}, body.encode()


def anew(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    """Another page each time, and over IPv6 another still."""
    news = "".join(f"<p>{family} news {count}.{line}</p>" for line in range(20))
    return 200, {"Content-Type": "text/html"}, f"<title>City</title>{news}".encode()


def cookie(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    """Leads to itself until its cookie comes back, which nginx tells by the path."""
    if path == "/in":
        return 200, {}, HOME.encode()
    return 302, {"Set-Cookie": "seen=1; Path=/", "Location": "/in"}, b""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteLab]:
    backends = {"third": third, "slow": slow, "noisy": noisy, "anew": anew, "cookie": cookie}
    with SiteLab(tmp_path_factory.mktemp("sites"), SITES, backends) as lab:
        yield lab


@pytest.fixture(scope="module")
def checked(lab: SiteLab, request: pytest.FixtureRequest) -> Mapping[str, Mapping[str, Fact]]:
    """Every site, or those in a module's CHECKED, once, all of them side by side."""
    names = getattr(request.module, "CHECKED", tuple(lab.sites))
    quick = lab.settings(probe_rate=200, link_rate=200, timeout=1)
    with ThreadPoolExecutor(len(names)) as pool:
        found = pool.map(lambda host: lab.check(host, quick), names)
        return dict(zip(names, found, strict=True))


class Told:
    """The facts of one site."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        assert set(facts) == set(WEB_FACTS)
        for fact in facts.values():
            assert (fact.value is None) == bool(fact.unavailable), fact
        self._facts = facts

    def __getitem__(self, name: str) -> Any:
        fact = self._facts[f"site_{name}"]
        assert fact.value is not None, fact.unavailable
        return fact.value

    def why(self, name: str) -> str:
        assert self._facts[f"site_{name}"].value is None
        return self._facts[f"site_{name}"].unavailable

    def home(self, family: str = "ipv6") -> Any:
        return next(row for row in self["homepage"] if row["family"] == family)

    def probes(self, family: str = "ipv6") -> Any:
        return next(row for row in self["probes"] if row["family"] == family)


@pytest.fixture
def told(request: pytest.FixtureRequest, checked: Mapping[str, Mapping[str, Fact]]) -> Told:
    return Told(checked[request.param])


def site(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("told", [name], indirect=True)

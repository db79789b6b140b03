"""A site over HTTP against real servers: one nginx with sites that are broken in one way each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from collectors.ipv6.web import WEB_FACTS
from collectors.model import Fact
from tests.sitelab import REFUSING, SERVER, SILENT, SiteLab, WebSite, unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

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
    WebSite("expired.cn", PAGES, tls=True, certificate6="expired"),
    WebSite("misnamed.cn", PAGES, tls=True, certificate6="wrong"),
    WebSite("own.cn", PAGES, tls=True, certificate6="own"),
    WebSite("other.cn", PAGES, tls=True, certificate6="other"),
    WebSite("third.cn", PAGES, ipv6="location = / { proxy_pass @third@; }"),
    WebSite("slow.cn", PAGES, ipv6="location = / { proxy_pass @slow@; }"),
    WebSite("noisy.cn", PAGES, both="location = / { proxy_pass @noisy@; }"),
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


COOKIES_WANTED: list[str] = []


def cookie(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    """Leads to itself until its cookie comes back, which nginx tells by the path."""
    if path == "/in":
        return 200, {}, HOME.encode()
    return 302, {"Set-Cookie": "seen=1; Path=/", "Location": "/in"}, b""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteLab]:
    backends = {"third": third, "slow": slow, "noisy": noisy, "cookie": cookie}
    with SiteLab(tmp_path_factory.mktemp("sites"), SITES, backends) as lab:
        yield lab


@pytest.fixture(scope="module")
def checked(lab: SiteLab) -> Mapping[str, Mapping[str, Fact]]:
    """Every site, once, all of them side by side."""
    from concurrent.futures import ThreadPoolExecutor

    quick = lab.settings(probe_rate=200, link_rate=200, timeout=1)
    with ThreadPoolExecutor(len(SITES)) as pool:
        found = pool.map(lambda host: lab.check(host, quick), lab.sites)
        return dict(zip(lab.sites, found, strict=True))


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


@pytest.mark.parametrize(
    "told", ["www.good.cn", "tls.good.cn", "noisy.cn", "cookie.cn", "zipped.cn"], indirect=True
)
def test_good_sites(told: Told) -> None:
    assert all(row["ok"] and row["status"] == 200 for row in told["homepage"])
    assert all(row["ratio"] == 1 and row["sent"] == 20 for row in told["probes"])
    content = told["content"]
    assert content["difference"] == 0, content
    assert all(content[f"same_{what}"] for what in ("status", "redirects", "title", "certificate"))
    if "good" in str(told["homepage"]):
        assert [row["ratio"] for row in told["links"]] == [1.0, 1.0]
    assert told["dependencies"] == []
    assert told["ipv6_only"]["works"]


@site("tls.good.cn")
def test_ports(told: Told) -> None:
    assert told["ports"] == [
        {"port": 80, "ipv4": True, "ipv6": True},
        {"port": 443, "ipv4": True, "ipv6": True},
    ]


@site("refuses.cn")
def test_ports_of_one_family(told: Told) -> None:
    assert told["ports"][0] == {"port": 80, "ipv4": True, "ipv6": False}
    assert told.home()["reason"] == "connect_refused"
    assert told.probes()["reasons"] == {"connect_refused": 20}
    assert told.why("content").startswith("no_homepage")
    assert told.why("latency").startswith("no_homepage")
    assert told["ipv6_only"] == {"works": False, "missing": ("refuses.cn",)}
    assert [(row["ipv4"], row["ipv6"], row["ratio"]) for row in told["links"]] == [
        (2, 0, 0),
        (1, 0, 0),
    ]
    assert "connect_refused" in told["links"][0]["failed"][0]


@site("silent.cn")
def test_a_family_that_is_silent(told: Told) -> None:
    assert told.home()["reason"] == "timeout"
    assert told.probes()["ratio"] == 0
    assert told.probes("ipv4")["ratio"] == 1
    assert told["links"][0]["ratio"] == 0


@site("four.cn")
def test_a_site_without_ipv6(told: Told) -> None:
    assert [row["family"] for row in told["homepage"]] == ["ipv4"]
    for name in ("content", "probes", "latency"):
        assert told.why(name).startswith("no_address")
    assert not told["ports"][0]["ipv6"]
    assert told["links"][0]["ratio"] == 0
    assert told["ipv6_only"]["works"] is False


@site("six.cn")
def test_a_site_without_ipv4(told: Told) -> None:
    assert told.home()["ok"]
    assert told.probes()["ratio"] == 1
    assert told.why("content").startswith("no_address")
    assert told["links"][0] == {
        "level": 2,
        "sampled": 2,
        "ipv4": 0,
        "ipv6": 2,
        "ratio": 1.0,
        "failed": (),
    }
    assert told["ipv6_only"]["works"]


@site("none.cn")
def test_a_site_without_addresses(told: Told) -> None:
    for name in ("homepage", "ports", "content", "probes", "latency", "links", "dependencies"):
        assert told.why(name).startswith("no_address")
    assert told["ipv6_only"]["works"] is False


@site("loopback.cn")
def test_an_address_that_is_nobodys(told: Told) -> None:
    rows = {row["address"]: row for row in told["homepage"]}
    assert rows["::1"]["reason"] == "not_allowed"
    assert not rows["::1"]["ok"]
    assert rows[SERVER[1]]["ok"]
    assert told.probes()["ratio"] == 1


@site("mapped.cn")
def test_a_mapped_address_alone(told: Told) -> None:
    assert told.home()["reason"] == "not_allowed"
    assert told.why("probes").startswith("no_address")
    assert told["ipv6_only"]["works"] is False


@site("half.cn")
def test_one_address_of_two_is_dead(told: Told) -> None:
    assert [row["ok"] for row in told["homepage"]] == [True, True, False]
    assert told.probes()["ratio"] == 0.5
    assert told["content"]["difference"] == 0
    assert told["links"][0]["ratio"] == 1


@site("differs.cn")
def test_another_content(told: Told) -> None:
    content = told["content"]
    assert content["difference"] > 0.5
    assert content["differences"][:2] == (
        "- News number 0 of the city",
        "+ Olds number 0 of the city",
    )
    assert content["same_title"]


@site("titled.cn")
def test_another_title(told: Told) -> None:
    assert not told["content"]["same_title"]
    assert "title City / Town" in told["content"]["detail"]
    assert told["content"]["difference"] < 0.1


@site("chinese.cn")
def test_titles_are_compared_decoded(told: Told) -> None:
    assert told["content"]["same_title"]


@site("error.cn")
def test_another_status(told: Told) -> None:
    assert told.home()["status"] == 503
    assert told.home()["reason"] == "http_status"
    assert not told["content"]["same_status"]
    assert told.probes()["reasons"] == {"http_status": 20}


@site("moved.cn")
def test_other_redirects(told: Told) -> None:
    assert told.home()["ok"]
    assert not told["content"]["same_redirects"]
    assert "302 http://moved.cn/c.html" in told["content"]["detail"]


@site("loop.cn")
def test_a_redirect_loop(told: Told) -> None:
    assert told.home()["reason"] == "http_redirect"
    assert "more than 10" in told.home()["detail"]


@pytest.mark.parametrize("told", ["inward.cn", "inward2.cn"], indirect=True)
def test_redirects_lead_to_nobodys_addresses(told: Told) -> None:
    assert told.home()["reason"] in ("not_allowed", "no_address")
    assert not told.home()["ok"]
    assert told.home("ipv4")["ok"]


@site("another.cn")
def test_redirects_to_another_host(told: Told) -> None:
    assert told.home()["ok"]
    assert told["content"]["same_redirects"]
    assert told["content"]["difference"] == 0


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("expired.cn", "tls_expired"),
        ("misnamed.cn", "tls_name_mismatch"),
        ("own.cn", "tls_untrusted"),
    ],
    indirect=["told"],
)
def test_tls_broken_over_one_family(told: Told, reason: str) -> None:
    assert told.home()["reason"] == reason
    assert told.home("ipv4")["ok"]
    assert told.probes()["reasons"] == {reason: 20}
    assert reason in told.why("content")
    assert told["links"][0]["ratio"] == 0
    assert not told["ipv6_only"]["works"]


@site("other.cn")
def test_another_certificate(told: Told) -> None:
    assert told.home()["ok"]
    assert not told["content"]["same_certificate"]
    assert told["content"]["same_redirects"]


@site("third.cn")
def test_every_third_request_fails(told: Told) -> None:
    assert told.probes("ipv4")["ratio"] == 1
    assert told.probes()["sent"] == 20
    assert 12 <= told.probes()["succeeded"] <= 14
    assert set(told.probes()["reasons"]) == {"http_status"}


@site("slow.cn")
def test_a_slow_family(told: Told) -> None:
    assert told["latency"]["ipv6"] > 0.1
    assert told["latency"]["ratio"] > 1.2


@site("links.cn")
def test_links_over_one_family(told: Told) -> None:
    row = told["links"][0]
    assert (row["sampled"], row["ipv4"], row["ipv6"], row["ratio"]) == (2, 2, 1, 0.5)
    assert row["failed"] == ("http://links.cn/b.html: http_status status 500",)
    assert told["links"][1]["ratio"] == 1


@site("robots.cn")
def test_robots_forbids_some(told: Told) -> None:
    assert told["links"][0]["sampled"] == 1


@pytest.mark.parametrize(
    ("told", "words"),
    [("forbids.cn", "forbids"), ("later.cn", "Crawl-delay"), ("robots5.cn", "http_status")],
    indirect=["told"],
)
def test_robots_forbids_all(told: Told, words: str) -> None:
    assert told.why("links").startswith("robots")
    assert words in told.why("links")
    assert told["dependencies"] == []


@site("refresh.cn")
def test_a_page_that_leads_on_by_itself(told: Told) -> None:
    assert told["links"][0]["sampled"] == 1


@site("loads.cn")
def test_dependencies(told: Told) -> None:
    rows = {row["host"]: row for row in told["dependencies"]}
    assert {host: (row["ipv4"], row["ipv6"]) for host, row in rows.items()} == {
        "cdn.good.cn": (True, True),
        "old.good.cn": (True, False),
        "203.0.113.2": (True, False),
        "nowhere.cn": (False, False),
        "127.0.0.1": (False, False),
        SERVER[1]: (False, True),
    }
    assert rows["old.good.cn"]["uses"] == 2
    assert rows["203.0.113.2"]["literal"]
    assert rows["nowhere.cn"]["reason"] == "dns_nxdomain"
    assert told["ipv6_only"]["works"] is False
    assert set(told["ipv6_only"]["missing"]) == {"old.good.cn", "203.0.113.2", "127.0.0.1"}


@site("both.cn")
def test_dependencies_that_have_ipv6(told: Told) -> None:
    assert told["ipv6_only"] == {"works": True, "missing": ()}


@site("big.cn")
def test_a_long_page(told: Told) -> None:
    assert told.home()["ok"]
    assert "500000" in told.home()["detail"]
    assert told["content"]["difference"] == 0
    assert "beginning" in told["content"]["detail"]


def without_times(facts: Mapping[str, Fact]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: (fact.value, fact.unavailable) for name, fact in facts.items()}
    kept["site_homepage"] = [
        {key: value for key, value in row.items() if key not in ("connect", "first_byte", "size")}
        for row in facts["site_homepage"].value
    ]
    kept.pop("site_latency")
    return kept


@pytest.mark.parametrize("host", ["www.good.cn", "noisy.cn", "links.cn", "differs.cn", "half.cn"])
def test_the_same_every_time(
    lab: SiteLab, checked: Mapping[str, Mapping[str, Fact]], host: str
) -> None:
    first = without_times(checked[host])
    quick = lab.settings(probe_rate=500, link_rate=500)
    for _ in range(3):
        assert without_times(lab.check(host, quick)) == first


def test_a_check_whose_time_is_over_says_so(lab: SiteLab) -> None:
    facts = Told(lab.check("www.good.cn", lab.settings(probe_rate=10), seconds=0.8))
    assert facts["homepage"]
    assert facts.why("probes").startswith("budget")
    assert facts.why("links").startswith("budget")


def test_a_check_whose_bytes_are_over_says_so(lab: SiteLab) -> None:
    facts = Told(lab.check("big.cn", lab.settings(site_bytes=3_000_000, probe_rate=500)))
    assert facts["homepage"]
    assert facts.why("probes").startswith("budget")


def test_a_machine_without_ipv6(lab: SiteLab) -> None:
    lab.net.run("client", "ip", "-6", "address", "del", "2400:da00::1/64", "dev", "to-server")
    try:
        facts = Told(lab.check("www.good.cn"))
        loads = Told(lab.check("four.cn", lab.settings(probe_rate=500, link_rate=500)))
    finally:
        lab.net.run(
            *("client", "ip", "address", "add", "2400:da00::1/64"),
            *("dev", "to-server", "nodad"),
        )
    for name in WEB_FACTS:
        assert facts.why(name.removeprefix("site_")).startswith("no_ipv6_here")
    assert loads["homepage"]

"""Which links are followed: robots.txt (RFC 9309), the domain, what is avoided, always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.model import Links
from collectors.ipv6.web.abreast import Pace
from collectors.ipv6.web.domains import registrable
from collectors.ipv6.web.fetch import Fetched
from collectors.ipv6.web.links import MAX_LOOKED, Sample, _Walk, candidates, follow_links
from collectors.ipv6.web.page import WebPage
from collectors.ipv6.web.robots import MAX_RULES, MAX_STARS, Robots, parse_robots
from collectors.ipv6.web.session import FAMILIES, Spent, Web
from collectors.ipv6.web.settings import WebSettings
from collectors.link import weburl
from collectors.link.connect import Deadline
from collectors.link.resolve import Resolved
from collectors.model import AddressFamily


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("user-agent:*\ndisallow:/a", "/ab", False),
        ("User-agent: *\nDisallow: /a/", "/a", True),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: jianwei\nDisallow: /b", "/a", True),
        ("User-agent: Jianwei/1.0\nDisallow: /", "/a", False),
        ("User-agent: x\nUser-agent: *\nDisallow: /a", "/a", False),
        ("User-agent: *\nDisallow: /a\nUser-agent: y\nDisallow: /b", "/b", True),
        ("User-agent: *\nDisallow: /a\n\nUser-agent: *\nDisallow: /b", "/b", False),
        ("User-agent: *\nDisallow: /\nAllow: /a", "/a", True),
        ("User-agent: *\nAllow: /a\nDisallow: /a", "/a", True),
        ("User-agent: *\nDisallow: /a*c", "/abbbc", False),
        ("User-agent: *\nDisallow: /*?", "/a?b", False),
        ("User-agent: *\nDisallow: /*?", "/a", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/a.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a.pdf?x", True),
        ("User-agent: *\nDisallow: /a$", "/a", False),
        ("User-agent: *\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /a*a$", "/a", True),
        ("User-agent: *\nDisallow: /中", "/%E4%B8%AD/x", False),
        ("User-agent: * # all\nDisallow: /a # and below", "/a", False),
        ("\ufeffUser-agent: *\r\nDisallow: /a", "/a", False),
        ("Disallow: /", "/a", True),
        ("<html>not found</html>", "/a", True),
    ],
)
def test_robots(text: str, path: str, allowed: bool) -> None:
    assert parse_robots(text.encode(), "Jianwei").allows(path) is allowed


def test_the_delay_is_of_the_same_group() -> None:
    text = b"User-agent: *\nCrawl-delay: 5\n\nUser-agent: Jianwei\nCrawl-delay: 0.5\n"
    assert parse_robots(text, "Jianwei").delay == 0.5
    assert parse_robots(text, "Other").delay == 5
    assert parse_robots(b"User-agent: *\nCrawl-delay: nan\n", "Jianwei").delay == 0


@given(st.binary(max_size=500), st.text(max_size=50))
def test_robots_of_any_bytes(body: bytes, path: str) -> None:
    assert parse_robots(body, "Jianwei").allows(path) in (True, False)


def test_a_huge_robots_with_stars_ends() -> None:
    line = b"Disallow: /" + b"*a" * 900 + b"b$\n"
    rules = parse_robots(b"User-agent: *\n" + line * 300, "Jianwei")
    assert not rules.allows("/" + "a" * 2000)  # what is cut off can only forbid more
    allowing = b"User-agent: *\nDisallow: /\n" + line.replace(b"Disallow", b"Allow")
    assert not parse_robots(allowing, "Jianwei").allows("/" + "a" * 2000 + "b")


STARS = b"User-agent: *\n" + (b"Disallow: /" + b"*" * 1900 + b"17!\n") * 250


def test_stars_in_a_row_are_one() -> None:
    rules = parse_robots(STARS, "Jianwei").rules
    assert set(rules) == {(False, "/*17!")}
    assert len(rules) == 250


def test_what_a_robots_costs_is_bounded() -> None:
    text = b"User-agent: *\n" + b"Disallow: /" + b"*a" * 500 + b"\n"
    rules = parse_robots(text + b"Disallow: /b\n" * 20_000, "Jianwei").rules
    assert len(rules) == MAX_RULES
    assert max(pattern.count("*") for _, pattern in rules) <= MAX_STARS
    assert not parse_robots(text, "Jianwei").allows("/" + "a" * 50)


def test_an_agent_named_again_and_again_is_one() -> None:
    text = b"User-agent: *\n" * 2000 + b"Disallow: /a\n" * 3
    assert parse_robots(text, "Jianwei").rules == ((False, "/a"),) * 3


def walk(robots: bytes, seconds: float, links: int) -> tuple[Sample, list[str]]:
    """Links of a homepage followed with a robots.txt that is known already; which were asked."""
    home = weburl.parse("http://a.cn/")
    web = Web("a.cn", {}, lambda name, family: Resolved((), 0.0), WebSettings(), Deadline(seconds))
    its = _Walk(web, home, FAMILIES)
    asked: list[str] = []

    class Counting(Robots):
        def allows(self, path: str) -> bool:
            asked.append(path)
            return super().allows(path)

    its._robots["http://a.cn"] = Counting(*parse_robots(robots, "Jianwei"))
    pages = urls(*(f"http://a.cn/{i}" for i in range(links)))
    return its.run(WebPage(home, "", tuple(pages), ()), home), asked


PAGES = {"/": ("/a", "/b"), "/a": ("/c", "/d"), "/c": (), "/d": (), "/e": ()}


def levels(
    monkeypatch: pytest.MonkeyPatch,
    robots: str = "",
    spent: str = "none",
    pages: Mapping[str, Sequence[str]] = PAGES,
    at: str = "http://a.cn/",
    **settings: Any,
) -> Sample:
    """Links of pages that all come, but for those whose path begins with `spent`."""
    home = weburl.parse("http://a.cn/")

    def come(
        web: Web, url: weburl.Url, family: AddressFamily, *more: object, **named: object
    ) -> Fetched:
        if url.path.startswith(spent):
            raise Spent("the bytes are used up")
        links = "".join(f"<a href={link}>x</a>" for link in pages.get(url.path, ()))
        text = robots if url.path == "/robots.txt" else links
        return Fetched(family, url, "", 200, body=text.encode())

    monkeypatch.setattr("collectors.ipv6.web.links.fetch", come)
    monkeypatch.setattr(Pace, "wait", lambda pace, web: None)
    web = Web(
        "a.cn", {}, lambda name, family: Resolved((), 0.0), WebSettings(**settings), Deadline(30)
    )
    ended = weburl.parse(at)
    links = tuple(ended._replace(path=path) for path in pages["/"])
    return follow_links(web, home, WebPage(ended, "", links, ()), FAMILIES)


def test_the_domain_is_that_of_where_the_homepage_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = levels(monkeypatch, at="http://www.b.com/start").rows
    assert [(row.level, row.sampled) for row in rows] == [(2, 2), (3, 2)]
    # neither the page itself nor what led to it is one of its links
    pages = {"/": ("/", "/start", "/a"), "/a": ()}
    rows = levels(monkeypatch, pages=pages, at="http://a.cn/start").rows
    assert [(row.level, row.sampled) for row in rows] == [(2, 1)]


def test_both_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = levels(monkeypatch).rows
    assert [(row.level, row.sampled, row.ratio, row.untested) for row in rows] == [
        (2, 2, 1, ""),
        (3, 2, 1, ""),
    ]


@pytest.mark.parametrize(
    ("changed", "untested"),
    [
        ({"spent": "/c"}, "budget: 1 of 2 links of level 3: the bytes are used up"),
        ({"robots": "User-agent: *\nDisallow: /c\nDisallow: /d"}, "robots: robots.txt forbids all"),
        (
            {"robots": "User-agent: *\nCrawl-delay: 5", "links_time": 20},
            "robots: a Crawl-delay of 5 s",
        ),
        ({"third_level": 0}, "not_asked"),
    ],
)
def test_a_third_level_that_was_not_looked_at_is_told(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], untested: str
) -> None:
    second, third = levels(monkeypatch, **changed).rows
    assert (second.level, second.sampled, second.untested) == (2, 2, "")
    assert third == Links(3, 0, 0, 0, 0.0, (), untested)


def test_a_level_that_nothing_leads_to_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = {"/": ("/a", "/b")}
    for more in (
        {},
        {"third_level": 0},
        {"robots": "User-agent: *\nCrawl-delay: 5", "links_time": 20},
    ):
        assert [row.level for row in levels(monkeypatch, pages=flat, **more).rows] == [2]


def test_time_is_over_between_the_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(1000))

    def left(walk: _Walk) -> None:
        if next(calls) > 20:
            raise Spent("the time for links is over")

    monkeypatch.setattr(_Walk, "_left", left)
    pages = {**PAGES, "/a": tuple(f"/{i}.html" for i in range(50))}
    sample = levels(monkeypatch, pages=pages)
    assert sample.rows[1].untested == "budget: the time for links is over"


def test_a_second_level_that_was_not_looked_at_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = levels(monkeypatch, spent="/a")
    assert sample.rows == ()
    assert sample.why == "budget"
    assert sample.detail == "1 of 2 links of level 2: the bytes are used up"
    assert levels(monkeypatch, second_level=0).why == "not_asked"


def test_only_so_many_links_are_looked_up_in_robots() -> None:
    sample, asked = walk(b"User-agent: *\nDisallow: /", 30, 2000)
    assert sample.why == "robots"
    assert len(asked) == MAX_LOOKED


def test_time_ends_between_two_looks_at_robots() -> None:
    sample, asked = walk(b"User-agent: *\nDisallow: /", 0, 2000)
    assert sample.why == "budget"
    assert asked == []
    with pytest.raises(Spent):
        candidates(urls("http://a.cn/b"), "a.cn", (), _over)


def _over() -> None:
    raise Spent("over")


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.sz.gov.cn", "sz.gov.cn"),
        ("sz.gov.cn", "sz.gov.cn"),
        ("a.b.example.com.", "example.com"),
        ("WWW.Example.COM", "example.com"),
        ("gov.cn", "gov.cn"),
        ("www.政务.cn", "xn--zfr164b.cn"),
        ("203.0.113.9", "203.0.113.9"),
        ("2400:da00::1", "2400:da00::1"),
        ("localhost", "localhost"),
    ],
)
def test_registrable(host: str, domain: str) -> None:
    assert registrable(host) == domain


def urls(*texts: str) -> list[weburl.Url]:
    return [weburl.parse(text) for text in texts]


def test_links_that_are_not_followed() -> None:
    found = candidates(
        urls(
            *("http://www.sz.gov.cn/a", "http://www.sz.gov.cn/", "https://www.sz.gov.cn/a"),
            *("http://bj.gov.cn/", "http://other.cn/a", "http://203.0.113.9/"),
            *("http://www.sz.gov.cn/logout", "http://www.sz.gov.cn/user?do=SignOut"),
            *("http://www.sz.gov.cn/big.zip", "http://www.sz.gov.cn/x.PDF?y=1"),
            *("http://www.sz.gov.cn/退出", "http://www.sz.gov.cn/delete/1"),
            *("http://sub.sz.gov.cn/b.html", "http://www.sz.gov.cn/get?file=a"),
        ),
        "sz.gov.cn",
        {"www.sz.gov.cn/"},
    )
    assert {str(url) for url in found} == {
        "http://www.sz.gov.cn/a",
        "http://sub.sz.gov.cn/b.html",
        "http://www.sz.gov.cn/get?file=a",
    }


def test_the_same_sample_whatever_the_order() -> None:
    links = urls(*(f"http://a.cn/{i}" for i in range(100)))
    one = candidates(links, "a.cn", ())
    assert one == candidates(links[::-1], "a.cn", ())
    assert one[:5] != links[:5]
    fewer = [link for link in candidates(links[1:], "a.cn", ()) if link in one[:20]]
    assert len(fewer) >= 19  # one link less changes no other choice

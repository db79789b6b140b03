"""Which links are followed: robots.txt (RFC 9309), the domain, what is avoided, always the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.web.domains import registrable
from collectors.ipv6.web.links import candidates
from collectors.ipv6.web.robots import parse_robots
from collectors.link import weburl


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
    assert rules.allows("/" + "a" * 2000)


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

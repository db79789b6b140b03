"""What a target's text asks for: URLs, hosts and ports. Pure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.dns.names import to_name
from collectors.ipv6.web.domains import ascii_host
from collectors.link import weburl
from collectors.link.asked import Asked, split
from collectors.link.weburl import Url
from exporters.prometheus.allowlist import canonical


@pytest.mark.parametrize(
    ("prober", "text", "asked"),
    [
        ("http", "portal.example", Asked("portal.example", 80, "http://portal.example/")),
        ("http", "Portal.example:8080/a", Asked("portal.example", 8080, "http://portal.example:8080/a")),
        ("http", "HTTPS://a.example", Asked("a.example", 443, "https://a.example/")),
        ("http", "https://a.example/x?y=1#z", Asked("a.example", 443, "https://a.example/x?y=1")),
        ("http", "[2001:db8::1]:81", Asked("2001:db8::1", 81, "http://[2001:db8::1]:81/")),
        ("http", "http://[fe80::1%25eth0]/", Asked("fe80::1%eth0", 80, "http://[fe80::1]/")),
        ("http", "门户.example/路", Asked("门户.example", 80, "http://xn--zoup46i.example/%E8%B7%AF")),
        ("tcp", "a.example:22", Asked("a.example", 22, "a.example:22")),
        ("tcp", "[::1]:22", Asked("::1", 22, "[::1]:22")),
        ("tcp", "[fe80::1%eth0]:22", Asked("fe80::1%eth0", 22, "[fe80::1%eth0]:22")),
        ("tls", "a.example", Asked("a.example", 443, "a.example:443")),
        ("tls", "::1", Asked("::1", 443, "[::1]:443")),
        ("dns", "192.0.2.1", Asked("192.0.2.1", 53, "192.0.2.1:53")),
        ("stamp", "[2001:db8::1]", Asked("2001:db8::1", 862, "[2001:db8::1]:862")),
        ("icmp", "a.example", Asked("a.example", 0, "a.example")),
    ],
)  # fmt: skip
def test_what_is_asked(prober: str, text: str, asked: Asked) -> None:
    assert split(prober, text) == asked


@pytest.mark.parametrize(
    ("prober", "text", "words"),
    [
        ("http", "ftp://a.example/", "no http or https URL"),
        ("http", "http://", "no host"),
        ("http", "http://a.example:0/", "no port"),
        ("http", "http://a.example:99999/", "Port out of range"),
        ("http", "http://u:p@a.example/", "basic_auth"),
        ("http", "a.example/\r\nHost: b", "control characters"),
        ("http", "a.example/ b", "control characters"),
        ("http", "http://[::1/", "Invalid IPv6"),
        ("http", "a" * 9000, "longer"),
        ("tcp", "a.example", "has no port"),
        ("tcp", "::1:22", "has no port"),  # an address by itself
        ("tcp", "2001:db8::1::22", "written [ADDRESS]:PORT"),
        ("tcp", "[::1]22", "no [IPV6]:PORT"),
        ("tcp", "[a.example]:22", "no [IPV6]:PORT"),
        ("tcp", "a.example:0", "from 1 to 65535"),
        ("tcp", "a.example:٢٢", "from 1 to 65535"),
        ("tcp", "a.example:1e3", "from 1 to 65535"),
        ("tcp", ":22", "no HOST:PORT"),
        ("udp", "a.example", "has no port"),
    ],
)
def test_what_is_not_to_be_understood(prober: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        split(prober, text)


def test_a_configured_target_stands_for_its_host() -> None:
    assert split("http", "https://county:81/a?b").renamed("192.0.2.1") == Asked(
        "192.0.2.1", 81, "https://192.0.2.1:81/a?b"
    )
    assert split("tcp", "county:22").renamed("2001:db8::1").text == "[2001:db8::1]:22"
    assert split("icmp", "county").renamed("2001:db8::1").text == "2001:db8::1"


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("/b?c", "http://a.example:81/b?c"),
        ("b", "http://a.example:81/x/b"),
        ("//other.example/b", "http://other.example/b"),
        ("https://other.example", "https://other.example/"),
        ("?q", "http://a.example:81/x/y?q"),
    ],
)
def test_redirects(location: str, leads: str) -> None:
    assert str(weburl.join(weburl.parse("http://a.example:81/x/y"), location)) == leads


@pytest.mark.parametrize("location", ["javascript:alert(1)", "file:///etc/passwd", "http://[", ""])
def test_redirects_that_lead_nowhere(location: str) -> None:
    base = Url("http", "a.example", 0, "/")
    if not location:
        assert weburl.join(base, location) == base
        return
    with pytest.raises(ValueError, match=r"no http|Invalid"):
        weburl.join(base, location)


@given(st.text(max_size=60), st.sampled_from(["http", "tcp", "tls", "dns", "icmp"]))
def test_any_text_is_understood_or_refused(text: str, prober: str) -> None:
    try:
        asked = split(prober, text)
    except ValueError:
        return
    assert 0 <= asked.port < 65536
    if prober == "http":
        assert asked.text.isascii()
        assert not set(asked.text) & set(" \r\n\t")
        assert split("http", asked.text).text == asked.text


@pytest.mark.parametrize("text", ["2400:da00::80", "2400:da00::80/a", "https://2400:da00::80/"])
def test_an_address_without_brackets_is_told_how(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as \[2400:da00::80\]"):
        weburl.site(text)
    assert weburl.site("[2400:da00::80]").host == "2400:da00::80"


def test_names_are_those_of_today() -> None:
    """By IDNA 2008, and not what IDNA 2003 made of them: they are other sites."""
    for name, ascii_ in {
        "faß.de": "xn--fa-hia.de",
        "FASS.de": "fass.de",
        "中文。政务": "xn--fiq228c.xn--zfr164b",
        "Bücher.example": "xn--bcher-kva.example",
    }.items():
        assert weburl.site(name).authority == ascii_
        assert to_name(name).to_text(omit_final_dot=True) == ascii_
        assert ascii_host(name) == ascii_
        assert canonical(name) == ascii_


@given(st.text(max_size=80))
def test_any_location_is_a_url_or_refused(text: str) -> None:
    try:
        url = weburl.join(Url("https", "a.example", 0, "/"), text)
    except ValueError:
        return
    assert str(url).isascii()
    assert url.scheme in ("http", "https")

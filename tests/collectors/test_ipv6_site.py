"""A site over HTTP against real servers: each broken site, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from collectors.ipv6.web.check import WEB_FACTS
from collectors.model import Fact
from tests.collectors.sitechecks import HOME, Told, checked, lab, site, told
from tests.sitelab import SERVER, SiteLab, unavailable

__all__ = ["checked", "lab", "told"]  # fixtures

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


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
        "untested": "",
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


@site("anew.cn")
def test_a_page_that_never_repeats(told: Told) -> None:
    """Its content tells nothing; title, status, redirects and certificate do."""
    content = told["content"]
    assert content["difference"] is None
    assert content["detail"].startswith("never the same")
    assert all(content[f"same_{what}"] for what in ("status", "redirects", "title", "certificate"))


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
    assert told.home()["ok"]
    assert told["content"]["same_status"]


@pytest.mark.parametrize("told", ["slow.cn", "tlsslow.cn"], indirect=True)
def test_a_slow_family(told: Told) -> None:
    assert told["latency"]["ipv6"] > 0.1
    assert told["latency"]["ratio"] > 1.2


@site("big.cn")
def test_a_long_page(told: Told) -> None:
    assert told.home()["ok"]
    assert "500000" in told.home()["detail"]
    assert told["content"]["difference"] == 0
    assert "beginning" in told["content"]["detail"]


@site("zipped.cn")
def test_bytes_before_and_after_decompression(told: Told) -> None:
    """Gzip over IPv4 alone."""
    ipv4, ipv6 = told.home("ipv4"), told.home()
    assert ipv4["size"] == ipv6["size"] == ipv6["wire"] == len(HOME)
    assert 0 < ipv4["wire"] < len(HOME) / 2


@site("big.cn")
def test_bytes_of_a_body_that_is_not_compressed(told: Told) -> None:
    assert {row["wire"] for row in told["homepage"]} == {500_000}


def without_times(facts: Mapping[str, Fact]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: (fact.value, fact.unavailable) for name, fact in facts.items()}
    changing = "connect", "first_byte", "size", "wire"
    kept["site_homepage"] = [
        {key: value for key, value in row.items() if key not in changing}
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
    """It cannot tell, and what it cannot tell is no failure of the site."""
    quick = lab.settings(probe_rate=500, link_rate=500)
    lab.net.run("client", "ip", "-6", "route", "del", "default")
    lab.net.run("client", "ip", "-6", "address", "del", "2400:da00::1/64", "dev", "to-server")
    try:
        facts, loads = Told(lab.check("www.good.cn")), Told(lab.check("fourloads.cn", quick))
    finally:
        device = ("dev", "to-server", "nodad")
        lab.net.run("client", "ip", "address", "add", "2400:da00::1/64", *device)
        lab.net.route("client", "default", "via", SERVER[1])
    for name in WEB_FACTS:
        assert facts.why(name.removeprefix("site_")).startswith("no_ipv6_here")
    assert loads.why("dependencies").startswith("no_ipv6_here")
    assert loads["ipv6_only"]["works"] is False

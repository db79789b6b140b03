"""Links of a site and what its pages load, against real servers."""

from __future__ import annotations

import pytest

from tests.collectors.sitechecks import Told, checked, lab, site, told
from tests.sitelab import SERVER, SiteLab, unavailable

__all__ = ["checked", "lab", "told"]  # fixtures

CHECKED = (
    *("links.cn", "robots.cn", "forbids.cn", "later.cn", "robots5.cn"),
    *("refresh.cn", "loads.cn", "both.cn", "inward3.cn", "another.cn", "elsewhere.cn"),
)
pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


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


@site("another.cn")
def test_links_of_where_the_homepage_ends(told: Told) -> None:
    """Another domain: its robots.txt and its links count."""
    assert [(row["level"], row["sampled"], row["ratio"]) for row in told["links"]] == [
        (2, 2, 1),
        (3, 1, 1),
    ]


@site("elsewhere.cn")
def test_robots_of_where_the_homepage_ends(told: Told) -> None:
    assert told.why("links") == "robots: robots.txt forbids all"


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
    assert set(told["ipv6_only"]["missing"]) == {"old.good.cn", "203.0.113.2"}
    assert [host for host, row in rows.items() if row["unseen"]] == ["127.0.0.1"]
    assert rows["127.0.0.1"]["reason"] == "not_allowed"


def test_dependencies_beyond_the_limit(lab: SiteLab) -> None:
    """All that is missing is the first; then nothing is, and nobody knows of the others."""
    for limit, works in ((2, False), (0, None)):
        quick = lab.settings(dependencies=limit, probes=1, probe_rate=200, link_rate=200)
        facts = Told(lab.check("loads.cn", quick))
        last = facts["dependencies"][-1]
        assert len(facts["dependencies"]) == limit + 1
        assert last["host"] == f"…and {6 - limit} more"
        assert last["unseen"]
        if works is None:
            assert facts.why("ipv6_only") == "budget: 6 hosts not looked at"
        else:
            assert facts["ipv6_only"]["works"] is works


@site("inward3.cn")
def test_what_we_do_not_ask_is_not_tested(told: Told) -> None:
    assert told.why("ipv6_only") == "no_address: 127.0.0.1"


@site("both.cn")
def test_dependencies_that_have_ipv6(told: Told) -> None:
    assert told["ipv6_only"] == {"works": True, "missing": ()}

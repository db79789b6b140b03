"""Links of a site and what its pages load, against real servers."""

from __future__ import annotations

import pytest

from tests.collectors.sitechecks import Told, checked, lab, site, told
from tests.sitelab import SERVER, unavailable

__all__ = ["checked", "lab", "told"]  # fixtures

CHECKED = (
    *("links.cn", "robots.cn", "forbids.cn", "later.cn", "robots5.cn"),
    *("refresh.cn", "loads.cn", "both.cn"),
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

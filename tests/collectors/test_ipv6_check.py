"""A site as a whole: what one part finds the next one needs, and one that fails costs no other."""

from __future__ import annotations

import logging
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.ipv6 import check
from collectors.ipv6.check import Checked, Checker, large_body, site_of
from collectors.ipv6.model import SITE_FACTS, LargeBody, Page, Site
from collectors.ipv6.sitesettings import CheckSettings
from collectors.ipv6.web.settings import WebSettings
from collectors.ipv6.wire.nat64 import Nat64Here
from collectors.model import Fact
from collectors.strictyaml import Duration
from tests import nat64lab, netlab
from tests.collectors.servers import serving_on
from tests.nat64lab import PREFIX, SERVER
from tests.readinesslab import answering, page

needs_nat64 = pytest.mark.skipif(bool(nat64lab.unavailable()), reason=nat64lab.unavailable())
SETTINGS = CheckSettings(
    timeout=Duration(20), path=False, web=WebSettings(timeout=Duration(2), probe_rate=100)
)


def ipv4(size: int, ok: bool = True) -> Page:
    return Page("203.0.113.2", "ipv4", ok, 200, size=9 * size, wire=size)


def ipv6(size: int, ok: bool = True, status: int = 200, reason: str = "") -> Page:
    return Page("2400:da00::2", "ipv6", ok, status, reason, size=9 * size, wire=size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([ipv4(9000), ipv6(9000)], LargeBody(True, 9000)),
        ([ipv6(9000)], LargeBody(True, 9000)),
        ([ipv4(9000), ipv6(900)], LargeBody(None, 900)),
        ([ipv4(9000), ipv6(1200, False, 200, "timeout")], LargeBody(False, 9000)),
        ([ipv4(9000), ipv6(0, False, 0, "timeout")], LargeBody(None, 9000)),  # no answer at all
        ([ipv4(9000), ipv6(900, False, 403, "http_status")], LargeBody(None, 9000)),
        ([ipv4(900), ipv6(100, False, 200, "timeout")], LargeBody(None, 900)),
        ([], LargeBody(None, 0)),
    ],
)
def test_a_large_body(pages: list[Page], expected: LargeBody) -> None:
    assert large_body(pages) == expected


def facts_of(url: str, here: Nat64Here) -> dict[str, Fact]:
    return dict(Checker(SETTINGS, here).check(site_of(url)).facts)


def test_a_mistake_in_one_part_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> list[Fact]:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(check, "check_web", broken)
    with caplog.at_level(logging.ERROR):
        facts = facts_of("http://203.0.113.2/", Nat64Here())
    assert set(facts) == set(SITE_FACTS)
    assert facts["site_homepage"].unavailable == "error: bug: ZeroDivisionError: of ours"
    assert facts["site_addresses"].value[0]["kind"] == "documentation"
    assert facts["site_path"].unavailable == "not_asked"
    assert facts["site_large_body"].unavailable.startswith("error: bug")
    assert "ZeroDivisionError" in caplog.text


@needs_nat64
def test_a_site_without_ipv6_is_asked_through_the_nat64_that_is_here(tmp_path: Path) -> None:
    with netlab.Lab() as lab, nat64lab.nat64(lab, tmp_path, {"www.example.test": SERVER}):
        for name, device, last in (("client", "to-gate", 2), ("gate", "to-client", 1)):
            lab.run(name, "ip", "address", "add", f"198.51.99.{last}/24", "dev", device)
        lab.route("client", f"{SERVER}/32", "via", "198.51.99.1")
        lab.route("server", "198.51.99.0/24", "via", "203.0.113.1")
        listening = lab.inside("server", lambda: socket.create_server((SERVER, 80), backlog=64))
        with serving_on(listening, answering(page(links=()).encode())):
            here = Nat64Here((PREFIX,), dns64=True)
            facts = lab.begin("client", lambda: facts_of(f"http://{SERVER}/", here)).end(60)
    assert facts["site_nat64"].value["works"]
    assert facts["site_nat64"].value["tested"]
    assert facts["site_homepage"].value[0]["ok"]
    assert facts["site_large_body"].unavailable == "no_homepage: IPv6"
    assert not facts["site_ipv6_only"].value["works"]


def test_a_site_that_does_not_end_is_given_up_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = threading.Event()

    def slow(self: Checker, site: Site) -> Checked:
        if site.host == "203.0.113.1":
            ends.wait(30)
        if site.host == "203.0.113.2":
            raise ZeroDivisionError
        return Checked(site, {}, datetime.now(UTC), 0.1)

    monkeypatch.setattr(Checker, "check", slow)
    monkeypatch.setattr(check, "GRACE", 0.5)
    sites = [site_of(f"http://203.0.113.{n}/") for n in range(1, 7)]
    one_at_a_time = CheckSettings(timeout=Duration(1), workers=1)
    found = {one.site.host: one for one in Checker(one_at_a_time, Nat64Here()).check_all(sites)}
    ends.set()
    assert len(found) == 6
    assert found["203.0.113.1"].facts["site_homepage"].unavailable == "budget: it did not end"
    assert found["203.0.113.2"].facts["site_links"].unavailable.startswith("error: bug: ZeroDiv")
    assert set(found["203.0.113.1"].facts) == set(SITE_FACTS)


def test_who_goes_away_in_the_middle_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    ends = threading.Event()

    def slow(self: Checker, site: Site) -> Checked:
        begun.append(site.host)
        if site.host != "203.0.113.1":
            ends.wait(30)
        return Checked(site, {}, datetime.now(UTC), 0.1)

    monkeypatch.setattr(Checker, "check", slow)
    sites = [site_of(f"http://203.0.113.{n}/") for n in range(1, 100)]
    results = Checker(CheckSettings(workers=2), Nat64Here()).check_all(sites)
    assert next(results).site.host == "203.0.113.1"
    results.close()  # type: ignore[attr-defined]
    ends.set()
    time.sleep(0.1)
    assert len(begun) <= 4  # nothing that waited is begun

"""The pack ipv6-readiness and the score that explains itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.model import SITE_FACTS, NotTested, Page, SiteAddress, Success, not_tested
from collectors.model import Fact
from exporters.findings.readinessmetrics import readiness_families, scored_site
from exporters.findings.readinesstable import table
from rules import pack as packs
from rules import scenarios
from rules.audit import judged
from rules.engine import Judge
from rules.readiness import NOT_TESTED, explained
from rules.readinessmodel import PACK, CheckResult, Readiness, Subject
from tests.rules.goodsite import good_site

READINESS = packs.load(PACK)
SITE_JUDGE = Judge(READINESS, "site")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
ONLY_IPV4 = [SiteAddress("203.0.113.80", "ipv4", "global")]


def readiness(facts: dict[str, Fact]) -> Readiness:
    result = judged(SITE_JUDGE, facts, READINESS.params, "https://portal.example/")
    subject = Subject("site", "portal", "https://portal.example/")
    return explained(READINESS, result, facts, subject, NOW, 1.0)


def checks(found: Readiness) -> dict[str, CheckResult]:
    return {check.id: check for check in found.checks}


def test_every_scenario_comes_out_as_it_says() -> None:
    results = list(scenarios.run(READINESS))
    assert len(results) > 120
    assert [r for r in results if not r.right] == []


def test_weights_are_a_hundred_and_those_of_the_layers() -> None:
    weights: dict[str, float] = {}
    for rule in READINESS.rules:
        weights[rule.layer] = weights.get(rule.layer, 0) + rule.weight
    assert weights == {"dns": 15, "service": 45, "network": 20, "host": 15, "adoption": 5}


def test_a_good_site_has_every_point() -> None:
    found = readiness(good_site())
    assert (found.score, found.ipv6_only_score, found.capped) == (100, 100, None)
    assert all(it.points == it.of and not it.untested for it in found.layers)
    assert {check.verdict for check in found.checks} == {"pass"}


def test_no_aaaa_is_forty_at_most_and_says_so() -> None:
    page = [Page("203.0.113.80", "ipv4", True, 200)]
    found = readiness(good_site(site_addresses=ONLY_IPV4, site_homepage=page))
    assert found.score == 40
    assert found.capped
    assert "40" in found.capped.en
    assert "40" in found.capped.zh
    lost = {check.id for check in found.checks if check.verdict == "fail"}
    assert lost == {"ipv6.dns.aaaa", "ipv6.service.homepage"}


@pytest.mark.parametrize("name", sorted(set(SITE_FACTS) - {"site"}))
def test_what_was_not_tested_is_shown_and_never_passes(name: str) -> None:
    found = readiness(good_site(**{name: not_tested(name, "budget", "60 s")}))
    blind = [check for check in found.checks if check.verdict == "unknown"]
    assert blind
    assert all(check.verdict in ("pass", "unknown") for check in found.checks)
    assert found.score is not None
    weight = sum(check.weight for check in blind)
    assert (found.score < 100) == (weight > 0)
    assert sum(layer.untested for layer in found.layers) == weight
    for check in blind:
        assert "60 s" in check.reason.en
        assert "用完" in check.reason.zh
        assert not check.fix


def test_every_lost_point_has_a_reason_and_the_measurement() -> None:
    bad = Success("ipv6", 20, 11, 0.55, {"timeout": 9})
    found = readiness(good_site(site_probes=[bad]))
    (lost,) = (check for check in found.checks if check.verdict != "pass")
    assert (lost.id, lost.weight, lost.verdict) == ("ipv6.service.success", 5, "fail")
    assert lost.reason.zh
    assert lost.reason.en
    assert lost.fix
    assert lost.evidence[0].expected == 0.95
    assert "0.55" in str(lost.evidence[0].actual)


def test_words_for_every_reason_not_to_test() -> None:
    assert set(NOT_TESTED) == set(get_args(NotTested))


def test_json_and_table() -> None:
    found = readiness(good_site(site_links=not_tested("site_links", "robots")))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Readiness) == found
    for language, words in (("zh", "robots.txt 禁止访问"), ("en", "robots.txt forbids it")):
        shown = table(found, language, colour=False)
        assert words in shown
        assert "ipv6.service.second-level-links" in shown
        assert "\x1b" not in shown
    assert "\x1b[33;1m" in table(found, "en", colour=True)
    hopeless = msgspec.structs.replace(found, problem="unreach\x1b[31mable", score=None)
    assert "unreach\\x1b[31mable" in table(hopeless, "en", colour=False)


def test_metrics() -> None:
    found = readiness(good_site(site_links=not_tested("site_links", "robots")))
    scores, verdicts = readiness_families([scored_site(found)])
    by_layer = {dict(s.labels)["layer"]: s.value for s in scores.samples}
    assert by_layer["dns"] == 100
    assert by_layer["total"] == found.score
    assert by_layer["service"] == pytest.approx(100 * 35 / 45)
    assert {s.labels for s in verdicts.samples} >= {
        (("subject", "portal"), ("check", "ipv6.dns.aaaa"), ("verdict", "pass")),
        (
            ("subject", "portal"),
            ("check", "ipv6.service.third-level-links"),
            ("verdict", "unknown"),
        ),
    }
    assert readiness_families([]) == ()


def test_subjects_of_one_name_are_told_apart_by_their_targets() -> None:
    site = scored_site(readiness(good_site()))
    scores, checks = readiness_families([site, site._replace(target="host-id")])
    for family in (scores, checks):
        labels = [sample.labels for sample in family.samples]
        assert len(labels) == len(set(labels))
        assert {dict(one)["subject"] for one in labels} == {"https://portal.example/", "host-id"}


@given(st.sets(st.sampled_from(sorted(SITE_FACTS))), st.data())
def test_not_looking_never_pays(blind: set[str], data: st.DataObject) -> None:
    """Whatever was seen, and whatever of it had not been, the score is not higher for it."""
    broken: dict[str, Any] = {
        "site_addresses": ONLY_IPV4,
        "site_homepage": [Page("2400:da00::80", "ipv6", False, 0, "timeout")],
        "site_probes": [Success("ipv6", 20, 0, 0.0)],
        "site_nameservers": [],
    }
    chosen = data.draw(st.sets(st.sampled_from(sorted(broken))))
    seen = {name: broken[name] for name in chosen}
    unseen = {name: not_tested(name, "budget") for name in blind}
    before, after = readiness(good_site(**seen)), readiness(good_site(**{**seen, **unseen}))
    if "site_addresses" not in blind:  # what it says decides what applies
        assert (after.score or 0) <= (before.score or 0)
    assert (after.ipv6_only_score or 0) <= (before.ipv6_only_score or 0)

"""Figures of the estate: six subjects by hand, and what no result can do to them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.estate.model import EstateRow
from exporters.estate.joining import HOST_CHECKS as STAND_IN
from exporters.estate.joining import Scored
from exporters.estate.readiness import Report, report
from rules.model import Outcome, Severity, Text
from rules.readinessmodel import Evidence, Readiness
from tests import estatesample as sample
from tests.estatesample import BUREAU, DB, ESTATE, PORTAL, RESULTS, TOWN, WEB

VERDICTS: list[Outcome] = ["pass", "fail", "unknown", "not_applicable", "manual"]


def made(results: Sequence[Readiness] = RESULTS, rows: Sequence[EstateRow] = ESTATE) -> Report:
    return report(rows, sample.by_row(results))


def subject(found: Report, name: str) -> Scored:
    return next(one for one in found.subjects if one.row.name == name)


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-9)


def test_six_subjects_by_hand() -> None:
    found = made()
    # The portal by itself 73 of 75; with its host 73 + 20 of 75 + 25. The bureau 9 of 75, 45 of
    # them untested; the town 71 of 75, capped at 40; hosts 20 and 19 of 25, one not reached.
    assert {one.row.name: one.score for one in found.subjects} == {
        "portal": near(93),
        "bureau": near(12),
        "town": near(40),
        "web-01": near(80),
        "db-01": None,
        "odd": near(76),
    }
    assert subject(found, "portal").own_score == near(7300 / 75)
    whole = found.whole
    assert whole.mean == near((93 + 12 + 40 + 80 + 0 + 76) / 6)
    assert whole.ipv6_only == near((90 + 0 + 30) / 3)
    assert whole.untested == near((0 + 45 / 75 + 0 + 0 + 1 + 6 / 25) / 6)
    assert (whole.count, whole.tested) == (6, 5)
    assert (whole.worst, whole.worst_score) == ("bureau", near(12))


def test_groups_by_hand() -> None:
    found = made()
    assert [(g.name, g.mean, g.rank, g.tested, g.count) for g in found.departments] == [
        ("乙局", near(26), 3, 2, 2),
        ("甲局", near((93 + 80 + 0) / 3), 2, 2, 3),
        ("", near(76), 1, 1, 1),
    ]
    assert [(g.name, g.mean, g.rank) for g in found.levels] == [
        ("city", near(86.5), 1),
        ("county", near(6), 4),
        ("town", near(40), 3),
        ("", near(76), 2),
    ]
    assert [g.ipv6_only for g in found.departments] == [near(15), near(90), None]
    assert [fix.check for fix in found.departments[1].fixes] == [
        "ipv6.host.listeners",
        "ipv6.dns.times",
    ]


def test_who_is_worst_comes_first() -> None:
    names = [one.row.name for one in made().subjects]
    assert names == ["db-01", "bureau", "town", "odd", "web-01", "portal"]


def test_what_to_fix_first_by_hand() -> None:
    fixes = made().fixes
    assert [(fix.check, fix.points, fix.caps, len(fix.losses)) for fix in fixes] == [
        ("ipv6.host.listeners", near(20), False, 1),
        ("ipv6.service.homepage", near(16), False, 1),
        ("ipv6.dns.aaaa", near(800 / 75), False, 2),
        ("ipv6.adoption.ipv6-only", near(500 / 75), False, 1),
        ("ipv6.dns.times", near(200 / 75), False, 1),
    ]
    assert [loss.subject for loss in fixes[2].losses] == ["bureau", "town"]
    assert fixes[2].fix == Text("修复 dns.aaaa", "Mend dns.aaaa")


def test_caps_come_before_what_is_critical_and_that_before_points() -> None:
    rows = [sample.host(name) for name in "abc"]
    worth: dict[str, tuple[float, Severity]] = {
        "z": (9, "high"),
        "cap": (1, "low"),
        "bad": (2, "critical"),
        "y": (9, "high"),
    }
    checks = tuple(
        sample.check(name, weight, "fail", severity=severity)
        for name, (weight, severity) in worth.items()
    )
    capped = sample.of_checks(rows[0], checks, capped_by=("ipv6.cap",))
    found = made([capped, *(sample.of_checks(row, checks) for row in rows[1:])], rows)
    assert [(fix.check, fix.caps) for fix in found.fixes] == [
        ("ipv6.cap", True),
        ("ipv6.bad", False),
        ("ipv6.y", False),
        ("ipv6.z", False),
    ]


def test_what_a_cap_takes_counts_at_the_check_that_failed_for_it() -> None:
    town = msgspec.structs.replace(RESULTS[2], capped_by=("ipv6.dns.aaaa",))
    first = made([*RESULTS[:2], town, *RESULTS[3:]]).fixes[0]
    assert (first.check, first.caps) == ("ipv6.dns.aaaa", True)
    assert first.points == near(800 / 75 + (7100 / 75 - 40))


def test_what_was_not_tested_by_hand() -> None:
    gaps = made().gaps
    assert len(gaps) == 10
    assert (gaps[0].check, gaps[0].points) == ("ipv6.network.loss", near(24))


def test_layers_by_hand() -> None:
    assert [(it.layer, it.points, it.of, it.untested) for it in made().layers] == [
        ("dns", 13 + 9 + 11, 45, 2),
        ("service", 45 + 0 + 45, 135, 33),
        ("network", 10 + 0 + 10 + 10 + 4, 50, 10 + 6),
        ("host", 10 + 15, 30, 0),
        ("adoption", 5 + 0 + 5, 15, 0),
    ]


# --- a site with hosts behind it ------------------------------------------------------------------

SITE = sample.site("s", hosts=("a", "b"))
A, B = sample.host("a"), sample.host("b")


def test_each_check_at_its_worst_over_the_hosts() -> None:
    results = [
        sample.result(SITE),
        sample.result(A, fail=["host.router"], unknown=["host.listeners"]),
        sample.result(B, unknown=["host.router"], not_applicable=["host.listeners"]),
    ]
    one = subject(made(results, (SITE, A, B)), "s")
    verdicts = {check.id: check.verdict for check in one.checks}
    assert verdicts["ipv6.host.router"] == "fail"
    assert verdicts["ipv6.host.listeners"] == "unknown"
    assert one.score == near(92)
    assert sum(layer.of for layer in one.layers) == near(100)
    (router,) = [check for check in one.checks if check.id == "ipv6.host.router"]
    assert router.evidence == (Evidence("a", 1, 0, "here"),)


@pytest.mark.parametrize("told", [True, False])
def test_a_host_that_was_not_tested_takes_its_points_away(told: bool) -> None:
    results = [sample.result(SITE), sample.result(A)]
    if told:
        results.append(sample.problem(B, "b: no route"))
    one = subject(made(results, (SITE, A, B)), "s")
    assert one.untested_hosts == ("b",)
    assert one.score == near(75)
    assert one.untested == near(0.25)
    assert {c.id for c in one.checks if c.verdict == "unknown"} == {
        f"ipv6.{name}" for name in sample.HOST_CHECKS
    }


def test_hosts_that_nobody_could_see_anywhere_take_the_rest_of_the_hundred() -> None:
    one = subject(made([sample.result(SITE)], (SITE, A, B)), "s")
    assert one.score == near(75)
    assert [(c.id, c.weight) for c in one.checks if c.verdict == "unknown"] == [(STAND_IN, 25)]
    assert one.untested_hosts == ("a", "b")


def test_a_capped_site_stays_capped_with_its_hosts() -> None:
    capped = sample.result(SITE, fail=["dns.aaaa"], capped=Text("封顶", "capped"))
    results = [capped, sample.result(A), sample.result(B)]
    one = subject(made(results, (SITE, A, B)), "s")
    assert (one.score, one.capped) == (40, Text("封顶", "capped"))
    unsaid = msgspec.structs.replace(capped, cap=None)
    assert subject(made([unsaid, *results[1:]], (SITE, A, B)), "s").score == 40


def test_a_site_that_was_not_tested_is_not_tested_whatever_its_hosts_are() -> None:
    one = subject(made([sample.result(A), sample.result(B)], (SITE, A, B)), "s")
    assert (one.tested, one.score, one.untested) == (False, None, 1.0)


def test_an_estate_without_any_result() -> None:
    found = made([])
    assert (found.whole.mean, found.whole.untested, found.whole.tested) == (0, 1, 0)
    assert [one.tested for one in found.subjects] == [False] * 6
    assert (found.fixes, found.gaps, found.layers, found.first) == ((), (), (), None)


def test_a_result_in_which_nothing_counts_is_not_tested() -> None:
    nothing = sample.result(WEB, not_applicable=list(sample.HOST_CHECKS))
    assert nothing.score is None
    assert not subject(made([nothing]), "web-01").tested


def test_equal_scores_have_an_equal_rank() -> None:
    rows = [sample.host(name, department=name) for name in "dcba"]
    results = [sample.result(row, fail=["host.router"] if row.name == "b" else []) for row in rows]
    found = made(results, rows)
    assert [(g.name, g.rank) for g in found.departments] == [("b", 4), ("a", 1), ("c", 1), ("d", 1)]


# --- whatever the results -------------------------------------------------------------------------


@st.composite
def estates(draw: st.DrawFn) -> tuple[list[EstateRow], list[Readiness]]:
    departments = st.sampled_from(["", "甲局", "乙局"])
    levels = st.sampled_from([None, "city", "town"])
    hosts = [
        sample.host(f"h{i}", department=draw(departments), level=draw(levels))
        for i in range(draw(st.integers(0, 3)))
    ]
    names = [row.name for row in hosts]
    sites = [
        sample.site(
            f"s{i}",
            department=draw(departments),
            hosts=tuple(name for name in names if draw(st.booleans())),
        )
        for i in range(draw(st.integers(0 if hosts else 1, 3)))
    ]
    results = []
    for row in (*hosts, *sites):
        weights = sample.SITE_CHECKS if row.kind == "site" else sample.HOST_CHECKS
        checks = tuple(
            sample.check(name, weight, draw(st.sampled_from(VERDICTS)))
            for name, weight in weights.items()
        )
        more: dict[str, Any] = {}
        if row.kind == "site":
            more["ipv6_only_score"] = draw(st.none() | st.floats(0, 100))
            if draw(st.booleans()):
                more["capped"] = Text("封顶", "capped")
        kind = draw(st.sampled_from(["checked", "checked", "checked", "problem", "nothing"]))
        if kind == "checked":
            results.append(sample.of_checks(row, checks, **more))
        elif kind == "problem":
            results.append(sample.problem(row, "no answer"))
    return [*hosts, *sites], results


def means(found: Report) -> dict[tuple[str, str], tuple[float, float, float]]:
    groups = [("", found.whole), *(("d", g) for g in found.departments)]
    groups += [("l", g) for g in found.levels]
    return {(k, g.name): (g.mean, g.ipv6_only or 0.0, 1 - g.untested) for k, g in groups}


def no_better(after: Report, before: Report) -> None:
    was = means(before)
    for key, values in means(after).items():
        for value, old in zip(values[:2], was[key][:2], strict=True):
            assert value <= old + 1e-6


@given(estates(), st.data())
def test_a_subject_less_tested_raises_no_mean(
    estate: tuple[list[EstateRow], list[Readiness]], data: st.DataObject
) -> None:
    rows, results = estate
    before = made(results, rows)
    for i, result in enumerate(results):
        why = data.draw(st.sampled_from(["gone", "problem"]))
        row = next(row for row in rows if row.name == result.subject.name)
        rest = [*results[:i], *results[i + 1 :]]
        no_better(made(rest if why == "gone" else [*rest, sample.problem(row, "x")], rows), before)


@given(estates(), st.data())
def test_a_check_less_tested_raises_no_mean(
    estate: tuple[list[EstateRow], list[Readiness]], data: st.DataObject
) -> None:
    rows, results = estate
    before = made(results, rows)
    candidates = [i for i, result in enumerate(results) if result.checks]
    if not candidates:
        return
    i = data.draw(st.sampled_from(candidates))
    checks = list(results[i].checks)
    j = data.draw(st.integers(0, len(checks) - 1))
    checks[j] = msgspec.structs.replace(checks[j], verdict="unknown")
    row = next(row for row in rows if row.name == results[i].subject.name)
    more = {"ipv6_only_score": results[i].ipv6_only_score, "capped": results[i].capped}
    less = sample.of_checks(row, tuple(checks), **more)
    no_better(made([*results[:i], less, *results[i + 1 :]], rows), before)


@given(estates(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_results_means_nothing(
    estate: tuple[list[EstateRow], list[Readiness]], rng: random.Random
) -> None:
    rows, results = estate
    before = made(results, rows)
    rng.shuffle(rows)
    rng.shuffle(results)
    assert made(results, rows) == before


@given(estates())
def test_nothing_is_left_out_and_everything_is_in_range(
    estate: tuple[list[EstateRow], list[Readiness]],
) -> None:
    rows, results = estate
    found = made(results, rows)
    assert sorted(one.row.name for one in found.subjects) == sorted(row.name for row in rows)
    for groups in (found.departments, found.levels):
        assert sum(group.count for group in groups) == len(rows)
    for group in (found.whole, *found.departments, *found.levels):
        assert -1e-9 <= group.mean <= 100 + 1e-9
        assert -1e-9 <= group.untested <= 1 + 1e-9
        assert group.tested <= group.count
    for one in found.subjects:
        assert one.tested == (one.score is not None)


def test_names_of_the_sample() -> None:
    assert sum(sample.SITE_CHECKS.values()) + sum(sample.HOST_CHECKS.values()) == 100
    assert {PORTAL, BUREAU, TOWN, WEB, DB} < set(ESTATE)

"""The life of hits in the console, from audit to audit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporters.console.schema import hit, host
from tests.console.intakelab import (
    BEGUN,
    DATABASES,
    RULE,
    Lab,
    audit,
    emptied,
    hours,
    kept_console,
    said,
    together,
)
from tests.consolelab import Console

FAILS = {RULE: [("", "e1")]}


@pytest.fixture(scope="module", params=DATABASES)
def kept(request: pytest.FixtureRequest) -> Iterator[Console]:
    yield from kept_console(request)


@pytest.fixture
def lab(kept: Console) -> Lab:
    return Lab(emptied(kept))


def test_the_same_audit_twice_changes_nothing(lab: Lab) -> None:
    first = audit(BEGUN, {**FAILS, "x.b": "unknown", "x.c": "pass"})
    assert lab.take(first, digest="d1").outcome == "taken"
    before = lab.everything()
    assert lab.take(first).outcome == "same"
    assert lab.take(audit(hours(1), {RULE: "pass"}), digest="d1").outcome == "same"
    assert lab.everything() == before


def test_an_older_audit_changes_nothing(lab: Lab) -> None:
    lab.take(audit(hours(2), FAILS))
    before = lab.everything()
    assert lab.take(audit(hours(1), {RULE: "pass", "x.b": [("", "e")]})).outcome == "older"
    assert lab.everything() == before


def test_a_hit_opens_stays_is_fixed_and_comes_back(lab: Lab) -> None:
    taken = lab.take(audit(BEGUN, FAILS))
    assert (taken.outcome, taken.opened, taken.regressed, taken.fixed) == ("taken", 1, 0, 0)
    lab.take(audit(hours(1), FAILS))
    row = lab.hits()[""]
    assert (row.state, row.first_seen, row.last_seen) == ("new", BEGUN, hours(1))
    assert lab.take(audit(hours(2), {RULE: "pass"})).fixed == 1
    assert lab.take(audit(hours(3), {RULE: "pass"})).fixed == 0
    assert lab.take(audit(hours(4), FAILS)).regressed == 1
    row = lab.hits()[""]
    assert (row.state, row.first_seen, row.last_seen) == ("regressed", BEGUN, hours(4))
    assert lab.events() == [
        ("state", "", "new"),
        ("state", "new", "fixed"),
        ("state", "fixed", "regressed"),
    ]


def test_an_audit_without_a_pack_leaves_its_hits_and_figures_alone(lab: Lab) -> None:
    lab.take(together(audit(BEGUN, FAILS), audit(BEGUN, {"x.b": [("", "e")]}, pack="q")))
    lab.take(audit(hours(1), {RULE: "pass"}))
    assert lab.states() == {"": "fixed"}
    assert lab.states("x.b") == {"": "new"}
    assert lab.outcome("x.b", "市财政局", "q") == {"fail": 1}
    # one that failed in both is fixed when both say so
    lab.take(together(audit(hours(2), FAILS), audit(hours(2), FAILS, pack="q")))
    lab.take(audit(hours(3), {RULE: "pass"}))
    assert lab.states() == {"": "regressed"}
    lab.take(audit(hours(4), {RULE: "pass"}, pack="q"))
    assert lab.states() == {"": "fixed"}


def test_unknown_closes_nothing_and_is_kept_with_its_reason(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS))
    lab.take(audit(hours(1), {RULE: "unknown"}))
    row = lab.hits()[""]
    assert (row.state, row.unseen_since, row.last_seen) == ("new", hours(1), BEGUN)
    assert lab.outcome(RULE, "市财政局") == {"unknown": 1}
    lab.take(audit(hours(2), FAILS))
    assert lab.hits()[""].unseen_since is None


def test_an_audit_that_left_something_out_closes_nothing(lab: Lab) -> None:
    lab.take(audit(BEGUN, {RULE: [("a", "e"), ("b", "e")], "x.b": [("", "e")]}))
    lab.take(audit(hours(1), {RULE: [("b", "e2"), ("c", "e")], "x.b": "pass"}, left_out=7))
    assert lab.states() == {"a": "new", "b": "new", "c": "new"}
    assert lab.states("x.b") == {"": "new"}
    assert lab.hits()["a"].unseen_since is None
    assert lab.hits()["b"].evidence == "e2"
    assert lab.outcome("x.b", "市财政局") == {"fail": 1}
    assert lab.host().left_out == 7
    lab.take(audit(hours(2), {RULE: [("b", "e2")], "x.b": "pass"}))
    assert lab.states() == {"a": "fixed", "b": "new", "c": "fixed"}
    assert lab.host().left_out == 0


def test_evidence_that_changes_is_an_event(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS))
    lab.take(audit(hours(1), {RULE: [("", "e2")]}))
    assert lab.events() == [("state", "", "new"), ("evidence", '"e1"', '"e2"')]


def test_a_host_that_moves_takes_its_figures_along(lab: Lab) -> None:
    lab.take(audit(BEGUN, {**FAILS, "x.b": "pass"}))
    lab.take(audit(hours(1), {**FAILS, "x.b": "pass"}), "市公安局")
    assert lab.host().department == "市公安局"
    assert lab.outcome(RULE, "市财政局") == {}
    assert lab.outcome(RULE, "市公安局") == {"fail": 1}
    lab.take(audit(hours(2), {RULE: "pass", "x.b": "unknown"}), "")
    assert lab.states() == {"": "fixed"}
    assert lab.outcome("x.b", "") == {"unknown": 1}


def test_what_people_said_outlives_audits_until_a_relapse(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS))
    lab.by_a_person("acknowledged", by="陈静", note="九月整改", ticket="T-1")
    version = lab.hits()[""].version
    lab.take(audit(hours(1), {RULE: [("", "e2")]}))
    row = lab.hits()[""]
    assert (row.state, row.by, row.note, row.version) == (
        "acknowledged",
        "陈静",
        "九月整改",
        version,
    )
    lab.take(audit(hours(2), {RULE: "pass"}))
    lab.take(audit(hours(3), FAILS))
    row = lab.hits()[""]
    assert (row.state, row.by, row.note) == ("regressed", "", "")


def test_what_was_said_at_the_agent_is_carried_over_and_lapses_with_it(lab: Lab) -> None:
    waived = said(BEGUN, "waived", "W-7")
    lab.take(audit(BEGUN, FAILS, hits=waived), agent_waivers=True)
    row = lab.hits()[""]
    assert (row.state, row.waiver, row.by, row.note) == (
        "waived",
        "agent:W-7",
        "agent:张伟",
        "在办",
    )
    lab.take(audit(hours(1), FAILS, hits=waived), agent_waivers=True)
    lab.take(audit(hours(2), FAILS, hits_problem="disk full"), agent_waivers=True)  # says nothing
    assert lab.states() == {"": "waived"}
    assert len(lab.events()) == 1
    lab.take(audit(hours(3), FAILS, hits=said(hours(3), "new")), agent_waivers=True)
    assert lab.states() == {"": "new"}
    lab.take(audit(hours(4), FAILS, hits=said(hours(4), "acknowledged")))
    assert lab.states() == {"": "acknowledged"}
    lab.take(audit(hours(5), FAILS))  # the agent has lost its hits
    assert lab.states() == {"": "acknowledged"}


def test_an_agent_waives_nothing_of_itself_and_speaks_for_no_person_of_ours(lab: Lab) -> None:
    waived = said(BEGUN, "waived", "W-2026-0001")
    lab.take(audit(BEGUN, FAILS, hits=waived))
    row = lab.hits()[""]
    assert (row.state, row.waiver, row.by) == ("new", "", "")
    lab.take(audit(hours(1), FAILS, hits=waived), agent_waivers=True)
    assert lab.states() == {"": "waived"}
    lab.take(audit(hours(2), FAILS, hits=waived))  # it is believed no more
    assert (lab.hits()[""].state, lab.hits()[""].waiver) == ("new", "")
    lab.take(audit(hours(3), FAILS, hits=said(hours(3), "acknowledged")))
    assert (lab.hits()[""].state, lab.hits()[""].by) == ("acknowledged", "agent:张伟")


def test_an_acknowledgement_taken_back_here_stays_so(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS, hits=said(BEGUN, "acknowledged")))
    lab.by_a_person("new", by="", note="", changed=hours(0.5))
    lab.take(audit(hours(1), FAILS, hits=said(BEGUN, "acknowledged")))
    assert lab.states() == {"": "new"}


def test_one_host_cannot_change_the_hits_of_another(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS, key="h1"))
    theirs = audit(hours(1), FAILS, key="h1")
    lab.take(
        audit(hours(1), {**FAILS}, key="h2", hits=said(BEGUN, "waived", "W-7")), agent_waivers=True
    )
    lab.take(type(theirs)(audit(hours(2), {}, key="h2").host, hours(2), 1.0, theirs.packs))
    with lab.console.database.reading() as connection:
        rows = connection.execute(host.join(hit).select().order_by(host.c.key)).all()
    assert [(row.key, row.last_seen) for row in rows] == [("h1", BEGUN), ("h2", hours(2))]

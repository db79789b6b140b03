"""The console's own waivers: at an audit, and over hits that are stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from exporters.console.intake.contention import retried
from exporters.console.intake.housekeeping import Housekeeping
from exporters.console.intake.rewaive import rewaived
from exporters.console.schema import day_tally, waiver
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
)
from tests.consolelab import Console

FAILS = {RULE: [("", "e1")]}


@pytest.fixture(scope="module", params=DATABASES)
def kept(request: pytest.FixtureRequest) -> Iterator[Console]:
    yield from kept_console(request)


@pytest.fixture
def lab(kept: Console) -> Lab:
    return Lab(emptied(kept))


def rejudge(lab: Lab, actor: str = "李敏") -> int:
    console = lab.console

    def once() -> int:
        with console.database.writing() as connection:
            return rewaived(
                console.database, connection, console.services, [RULE], hours(5), actor=actor
            )

    changed = retried(once)
    lab.check()
    return changed


def test_a_waiver_is_in_force_at_an_audit_until_the_evidence_changes(lab: Lab) -> None:
    lab.waive()
    lab.take(audit(BEGUN, FAILS))
    assert lab.states() == {"": "waived"}
    lab.take(audit(hours(1), {RULE: [("", "e2")]}))
    row = lab.hits()[""]
    assert (row.state, row.waiver) == ("new", "")
    assert "evidence changed" in row.note
    lab.take(audit(hours(2), FAILS))  # for good
    assert lab.states() == {"": "new"}


SCOPES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"state": "requested"}, "new"),
    ({"state": "withdrawn"}, "new"),
    ({"departments": ["市公安局"]}, "new"),
    ({"departments": ["市财政局", "市公安局"]}, "waived"),
    ({"hosts": ["vm-h?"]}, "waived"),
    ({"hosts": ["vm-x*"]}, "new"),
    ({"instance": "other"}, "new"),
    ({"evidence": "e1"}, "waived"),
    ({"evidence": "e0"}, "new"),
    ({"rule": "x.other"}, "new"),
    ({"expires": (BEGUN - timedelta(days=1)).date()}, "new"),
    ({"expires": BEGUN.date()}, "waived"),
)


def test_its_scope(console: Console) -> None:
    lab = Lab(console)
    for number, (values, state) in enumerate(SCOPES):
        lab.waive(f"W-{number}", **{"rule": f"x.{number}", **values})
        lab.take(audit(hours(number / 100), {f"x.{number}": [("", "e1")]}))
        assert lab.states(f"x.{number}") == {"": state}, values


def test_an_approved_one_is_applied_to_stored_hits_and_a_withdrawn_one_taken_off(lab: Lab) -> None:
    lab.take(audit(BEGUN, {RULE: [(str(n), "e") for n in range(30)], "x.b": [("", "e")]}))
    lab.take(audit(BEGUN, FAILS, key="h2"), "市公安局")
    lab.waive(departments=["市财政局"])
    assert rejudge(lab) == 30
    assert rejudge(lab) == 0
    row = lab.hits()["3"]
    assert (row.state, row.waiver, row.version) == ("waived", "W-1", 2)
    assert lab.states()[""] == "new"
    assert lab.states("x.b") == {"": "new"}
    assert lab.host().hits == 1
    with lab.console.database.writing() as connection:
        connection.execute(waiver.update().values(state="withdrawn"))
    assert rejudge(lab) == 30
    assert lab.hits()["3"].note == "waiver W-1 was taken back"
    assert lab.events("3") == [
        ("state", "", "new"),
        ("state", "new", "waived"),
        ("state", "waived", "new"),
    ]


def test_one_that_expired_is_taken_off_within_a_minute(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS))
    lab.waive(expires=hours(24).date())
    assert rejudge(lab) == 1
    keeping = Housekeeping(lab.console.database, lab.console.services)
    # the day ends by the site's clock, eight hours before UTC's
    keeping.run_once(hours(24).replace(hour=15, minute=59))
    assert lab.states() == {"": "waived"}
    keeping.run_once(hours(24).replace(hour=16, minute=0))
    lab.check()
    row = lab.hits()[""]
    assert (row.state, row.note) == ("new", "waiver W-1 expired on 2026-03-03")
    lab.take(audit(hours(40), FAILS))
    assert lab.states() == {"": "new"}
    assert lab.hits()[""].note == "waiver W-1 expired on 2026-03-03"


def test_an_agents_own_waiver_is_not_taken_off_by_the_console(lab: Lab) -> None:
    lab.take(audit(BEGUN, FAILS, hits=said(BEGUN, "waived", "W-7")), agent_waivers=True)
    assert rejudge(lab) == 0
    lab.waive()
    assert rejudge(lab) == 1
    assert lab.hits()[""].waiver == "W-1"


def test_days_are_counted_and_counted_again(lab: Lab) -> None:
    keeping = Housekeeping(lab.console.database, lab.console.services)

    def days() -> list[tuple[str, int]]:
        with lab.console.database.reading() as connection:
            rows = connection.execute(day_tally.select().order_by(day_tally.c.day)).all()
        return [(str(row.day), row.open) for row in rows]

    lab.take(audit(BEGUN, {RULE: [("a", "e"), ("b", "e")]}))
    keeping.run_once(hours(1))
    assert days() == [("2026-03-02", 2)]
    lab.take(audit(hours(2), {RULE: [("a", "e")]}))
    keeping.run_once(hours(3))
    assert days() == [("2026-03-02", 1)]
    lab.take(audit(hours(24), {RULE: "pass"}))
    keeping.run_once(hours(25))
    assert days() == [("2026-03-02", 1), ("2026-03-03", 0)]


def test_what_was_fixed_long_ago_is_forgotten(lab: Lab) -> None:
    lab.take(audit(BEGUN, {RULE: [("a", "e"), ("b", "e")]}))
    lab.take(audit(hours(1), {RULE: [("a", "e")]}))
    keeping = Housekeeping(lab.console.database, lab.console.services)
    keeping.run_once(hours(1) + timedelta(days=399))
    assert lab.states() == {"a": "new", "b": "fixed"}
    keeping.run_once(hours(2) + timedelta(days=400))
    lab.check()
    assert lab.states() == {"a": "new"}
    lab.take(audit(hours(3) + timedelta(days=401), {RULE: "pass"}))
    lab.take(audit(hours(4) + timedelta(days=802), {RULE: "pass"}))
    assert lab.states() == {}

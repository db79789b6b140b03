"""Sites on schedule: rounds in a child, and what is told of a round that was cut short."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import agents.rounds
from agents import children
from agents.sites import SiteSchedule
from collectors.ipv6.sitesettings import SiteSettings
from collectors.sources.commands import Ended
from exporters.findings.readinessmetrics import readiness_families
from rules.readinessmodel import Readiness
from tests.agentlab import eventually
from tests.rules.goodsite import good_site
from tests.rules.test_readiness import readiness

SETTINGS = SiteSettings(sites=("https://portal.example/", "b.example"))
GOOD = readiness(good_site())


def line(found: Readiness) -> bytes:
    return msgspec.json.encode(found) + b"\n"


def one_round(
    monkeypatch: pytest.MonkeyPatch, schedule: SiteSchedule, ended: Ended
) -> list[tuple[str, ...]]:
    asked: list[tuple[str, ...]] = []

    def run(arguments: tuple[str, ...], *_: Any, **__: Any) -> Ended:
        asked.append(arguments)
        return ended

    monkeypatch.setattr(children, "run", run)
    schedule._round()
    return asked


def success(schedule: SiteSchedule) -> float:
    return schedule.families()[0].samples[0].value


def test_a_round_that_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = SiteSchedule("/etc/j.yaml", SETTINGS)
    assert success(schedule) == 0
    asked = one_round(monkeypatch, schedule, Ended(0, line(GOOD), ""))
    assert asked == [("ipv6", "check", "--config", "/etc/j.yaml", "--configured", "--json")]
    assert success(schedule) == 1
    (scores, _) = readiness_families(schedule.scored())
    assert {dict(s.labels)["subject"] for s in scores.samples} == {"portal"}


def test_sites_that_were_checked_count_though_the_round_was_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = SiteSchedule("", SETTINGS)
    cut = line(GOOD) + line(GOOD)[:50]
    one_round(monkeypatch, schedule, Ended(-9, cut, "no end within 2 s"))
    assert [one.subject.name for one in schedule.results] == ["portal"]
    assert schedule.problem == "1 sites could not be checked: no end within 2 s"
    assert success(schedule) == 0


@pytest.mark.parametrize("ended", [Ended(2, b"", ""), Ended(0, b"{}\n", "")])
def test_a_round_that_brings_nothing_keeps_what_was_known(
    monkeypatch: pytest.MonkeyPatch, ended: Ended
) -> None:
    schedule = SiteSchedule("", SETTINGS)
    one_round(monkeypatch, schedule, Ended(0, line(GOOD), ""))
    one_round(monkeypatch, schedule, ended)
    assert schedule.results == [GOOD]
    assert schedule.problem
    assert success(schedule) == 0


def test_a_reload_does_not_ask_again_what_was_just_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents.rounds, "FIRST_DELAY", 0.0)
    before = SiteSchedule("", SETTINGS)
    one_round(monkeypatch, before, Ended(0, line(GOOD), ""))
    after = SiteSchedule("", SETTINGS)
    after.adopt(before)
    asked: list[int] = []
    monkeypatch.setattr(after._rounds, "_work", lambda: asked.append(1))
    after.start()
    assert after.results == [GOOD]
    after.stop()
    assert asked == []
    other = SiteSchedule("", SiteSettings(sites=("c.example",)))
    other.adopt(before)
    monkeypatch.setattr(other._rounds, "_work", lambda: asked.append(1))
    other.start()
    eventually(lambda: asked)
    other.stop()
    assert other.results == ()

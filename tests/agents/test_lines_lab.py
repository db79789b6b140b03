"""Lines over a real network, as root: cut, restored, blackholed in one family, backup silently dead."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from agents.probing import ProbeSchedule
from collectors.link.lines import Line, Lines
from collectors.sources.local import LocalSource
from tests import netlab
from tests.agents.test_probing import quick, schedule_of, until

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

INTERVAL = 0.5
ADDRESSES = {
    "main": ("203.0.113.1", "2001:db8:7::1"),
    "backup": ("203.0.113.2", "2001:db8:7::2"),
}
LINES = Lines(
    tuple(
        Line(name=role, site="s", level="county", role=role, peer=peer, targets=ADDRESSES[role])  # type: ignore[arg-type]
        for role, peer in (("main", "backup"), ("backup", "main"))
    )
)


@pytest.fixture
def lab() -> Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        made.namespace("a")
        made.namespace("b")
        made.link(
            "a",
            "b",
            [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")],
        )
        made.run("b", "ip", "route", "add", "local", "203.0.113.0/24", "dev", "lo")
        made.run("b", "ip", "-6", "route", "add", "local", "2001:db8:7::/64", "dev", "lo")
        made.route("a", "203.0.113.0/24", "via", "198.51.100.2")
        made.route("a", "2001:db8:7::/64", "via", "2001:db8:1::2")
        yield made


@pytest.fixture
def schedule(lab: netlab.Lab) -> Iterator[ProbeSchedule]:
    made = schedule_of(quick([], interval=INTERVAL), LocalSource(), LINES)
    lab.inside("a", made.start)  # threads are where they are started
    until(lambda: states(made) == {"main": "up", "backup": "up"})
    yield made
    made.stop()


def cut(lab: netlab.Lab, *addresses: str) -> float:
    """Drop what goes to these addresses; when that began."""
    rules = "".join(f"{'ip6' if ':' in a else 'ip'} daddr {a} drop; " for a in addresses)
    lab.nft("b", f"table inet t {{ chain i {{ type filter hook input priority 0; {rules}}}; }}")
    return time.time()


def series(schedule: ProbeSchedule, name: str) -> dict[tuple[str, ...], float]:
    for family in schedule.families():
        if family.name == f"jianwei_line_{name}":
            return {tuple(value for _, value in s.labels): s.value for s in family.samples}
    return {}


def states(schedule: ProbeSchedule) -> dict[str, str]:
    return {labels[0]: labels[1] for labels in series(schedule, "state")}


def test_a_main_line_that_is_cut_and_restored(lab: netlab.Lab, schedule: ProbeSchedule) -> None:
    begun = cut(lab, *ADDRESSES["main"])
    until(lambda: states(schedule)["main"] == "down")
    (event,) = [one for one in schedule._states.pairs if one.active is one.backup]
    noticed = time.time()
    assert event.failover_seconds is not None
    # the outage is told from the first echo that was lost, though it took three to be sure
    assert noticed - event.failover_seconds - begun == pytest.approx(0, abs=4 * INTERVAL)
    since = next(s.since for s in schedule._states.states if s.line.name == "main")
    assert -0.1 <= since - begun <= INTERVAL + 0.2
    time.sleep(1)
    lab.no_rules()
    ended = time.time()
    until(lambda: states(schedule)["main"] == "up")
    down = series(schedule, "downtime_seconds_total")["main",]
    assert down == pytest.approx(ended - begun, abs=INTERVAL + 0.3)
    assert series(schedule, "failovers_total") == {("main",): 1}
    assert series(schedule, "failbacks_total") == {("main",): 1}
    assert series(schedule, "active") == {("main",): 1, ("backup",): 0}
    assert series(schedule, "downtime_seconds_total")["backup",] == 0


def test_one_family_that_is_blackholed_is_told_and_hides_nothing(
    lab: netlab.Lab, schedule: ProbeSchedule
) -> None:
    cut(lab, ADDRESSES["main"][1])
    until(lambda: states(schedule)["main"] == "degraded")
    (state,) = [s for s in schedule._states.states if s.line.name == "main"]
    assert "ipv6" in state.words
    assert (state.family("ipv4"), state.family("ipv6")) == ("up", "down")
    assert series(schedule, "active")["main",] == 1
    assert series(schedule, "availability_ratio")["main",] == 1


def test_a_backup_that_is_silently_dead(lab: netlab.Lab, schedule: ProbeSchedule) -> None:
    cut(lab, *ADDRESSES["backup"])
    until(lambda: series(schedule, "backup_dead") == {("backup",): 1})
    assert states(schedule) == {"main": "up", "backup": "down"}
    assert series(schedule, "failovers_total") == {("main",): 0}

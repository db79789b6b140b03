"""States of lines from tables of measures: every change, its date, its time, pairs and levels."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.columns import Columns
from collectors.link.lines import Line, Lines, ModuleProbe, Units
from collectors.link.linevalues import Bandwidth
from collectors.link.measure import Measure
from collectors.link.utilisation import LineUse
from collectors.model import AddressFamily, Fact, Reason
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.lines import families
from rules.engine import judge
from rules.linejudge import Key
from rules.linepairs import Event
from rules.linerows import rows
from rules.linestate import LineStates
from rules.linethresholds import Thresholds
from rules.pack import load

T0 = 1_000_000.0
LIMITS = Thresholds(loss=0.1, rtt=0.1, jitter=0.05)
BY_LEVEL = dict.fromkeys(("province", "city", "county", "town", "village", ""), LIMITS)


def line(name: str = "a", **more: Any) -> Line:
    return Line(name=name, targets=more.pop("targets", ("h",)), **more)


def states_of(*lines: Line, units: Units = Units()) -> LineStates:  # noqa: B008 - frozen
    return LineStates(Lines(lines, units), BY_LEVEL)


class Wire:
    """Measures of one probe, one outcome after the other."""

    def __init__(self, target: str = "a", family: AddressFamily = "ipv4") -> None:
        self.now = Measure(target, family, "icmp")

    def say(
        self, time: float, answered: bool, reason: Reason = "timeout", more: Any = None
    ) -> Measure:
        one, old = 1 if answered else -1, self.now.streak
        alike = old * one > 0
        self.now = msgspec.structs.replace(
            self.now,
            streak=old + one if alike else one,
            since=self.now.since if alike else time,
            reason="" if answered else reason,
            **{"sent": 100, "answered": 100, "p95": 0.01, "jitter": 0.001, **(more or {})},
        )
        return self.now


def given_by(*measures: Measure) -> dict[Key, Measure]:
    return {(m.target, m.family, m.prober): m for m in measures}


def run(states: LineStates, wires: Iterable[Wire], outcomes: str, start: float = T0) -> list[str]:
    """One update a second: `+` answered, `-` lost, `?` no permission; one letter for all wires."""
    found: list[str] = []
    for n, letter in enumerate(outcomes):
        reason: Reason = "permission" if letter == "?" else "timeout"
        measures = [w.say(start + n, letter == "+", reason) for w in wires]
        states.update(start + n, given_by(*measures))
        found.append(states.states[0].state)
    return found


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("+", "U"),
        ("-", "?"),
        ("--", "??"),
        ("---", "??D"),
        ("++--+", "UUUUU"),
        ("+---", "UUUD"),
        ("---++", "??DDD"),
        ("---+++", "??DDDU"),
        ("---+-++", "??DDDDD"),
        ("---+-+++", "??DDDDDU"),
        ("?", "?"),
        ("????", "????"),
        ("?++", "?UU"),
        ("+??", "UUU"),
        ("+???", "UUU?"),
        ("---?", "??D?"),
    ],
)
def test_states_of_one_probe(outcomes: str, expected: str) -> None:
    letters = {"up": "U", "degraded": "G", "down": "D", "unknown": "?"}
    found = run(states_of(line()), [Wire()], outcomes)
    assert "".join(letters[one] for one in found) == expected


def test_no_measure_is_unknown() -> None:
    states = states_of(line())
    assert states.update(T0, {}) == []
    states.update(T0 + 1, given_by(Measure("a", "ipv4", "icmp")))
    (state,) = states.states
    assert (state.state, state.reason, state.availability) == ("unknown", "unmeasured", None)
    states.update(T0 + 2, given_by(Measure("a", "ipv4", "icmp", reason="dns_nxdomain", streak=-1)))
    assert (state.state, state.reason) == ("unknown", "dns_nxdomain")


def test_a_prober_of_dns_finds_what_others_cannot_look_at() -> None:
    whole = Lines(
        (line(probes=(ModuleProbe(module="zone", target="h"),)),), modules={"zone": "dns"}
    )
    states = LineStates(whole, BY_LEVEL)
    states.update(T0, given_by(Measure("a/zone", "ipv4", "dns", 3, 0, -3, T0, "dns_rcode")))
    assert states.states[0].state == "down"


def test_changes_are_dated_back_and_time_follows() -> None:
    states, wire = states_of(line()), Wire()
    run(states, [wire], "++++++---")
    (state,) = states.states
    assert (state.state, state.since) == ("down", T0 + 6)
    assert state.seconds == [6.0, 0.0, 2.0, 0.0]
    run(states, [wire], "-+", T0 + 9)
    assert state.held == 0.0  # that it answered once is dated to the answer itself
    run(states, [wire], "++", T0 + 11)
    assert (state.state, state.since) == ("up", T0 + 10)
    assert state.seconds == [8.0, 0.0, 4.0, 0.0]
    assert state.availability == pytest.approx(8 / 12)


def test_losses_that_were_too_few_are_time_up() -> None:
    states, wire = states_of(line()), Wire()
    run(states, [wire], "++--")
    (state,) = states.states
    assert (state.seconds[0], state.held, state.lost) == (2.0, 1.0, T0 + 2)
    run(states, [wire], "+", T0 + 4)
    assert (state.seconds[0], state.held, state.lost) == (4.0, 0.0, None)


def test_one_family_dead() -> None:
    states, four, six = states_of(line()), Wire(), Wire(family="ipv6")
    (state,) = states.states
    for n in range(10):
        measures = four.say(T0 + n, True), six.say(T0 + n, n < 5)
        states.update(T0 + n, given_by(*measures))
    assert (state.state, state.reason, state.words) == ("degraded", "timeout", "ipv6: timeout")
    assert state.since == T0 + 5
    assert (state.family("ipv4"), state.family("ipv6")) == ("up", "down")
    for n in range(10, 20):
        measures = four.say(T0 + n, True), six.say(T0 + n, True)
        states.update(T0 + n, given_by(*measures))
        # alive again at the third answer, up after three good rounds
        assert (state.state == "up") == (n >= 14)
    assert state.reason == ""


def test_a_family_without_an_address_is_none() -> None:
    states = states_of(line())
    none = Measure("a", "ipv6", "icmp", streak=-1, reason="no_address")
    states.update(T0, given_by(Wire().say(T0, False), none))
    for n in range(1, 4):
        wire = Measure("a", "ipv4", "icmp", 3, 0, -n - 1, T0, "timeout")
        states.update(T0 + n, given_by(wire, none))
    (state,) = states.states
    assert (state.state, state.family("ipv6"), state.whole) == ("down", "none", True)


def test_one_target_of_two_dead() -> None:
    states = states_of(line(targets=("h", "i")))
    one, two = Wire(), Wire("a#2")
    for n in range(3):
        states.update(T0 + n, given_by(one.say(T0 + n, True), two.say(T0 + n, False)))
    (state,) = states.states
    assert (state.state, state.words) == ("degraded", "a#2 ipv4: timeout")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"answered": 80}, "loss"),
        ({"p95": 0.2}, "rtt"),
        ({"jitter": 0.06}, "jitter"),
        ({"sent": 5, "answered": 1}, ""),
        ({"p95": None, "jitter": None}, ""),
    ],
)
def test_quality(more: dict[str, Any], reason: str) -> None:
    states, wire = states_of(line()), Wire()
    states.update(T0, given_by(wire.say(T0, True, more=more)))
    (state,) = states.states
    assert (state.state, state.reason) == ("degraded" if reason else "up", reason)
    # between clear and threshold nothing changes
    between = {"answered": 91, "p95": 0.09, "jitter": 0.045}
    for n in range(1, 6):
        states.update(T0 + n, given_by(wire.say(T0 + n, True, more=between)))
        assert (state.state, state.reason) == ("degraded" if reason else "up", reason)
    for n in range(6, 9):
        states.update(T0 + n, given_by(wire.say(T0 + n, True)))
        assert (state.state == "up") == (not reason or n == 8)


@given(st.lists(st.floats(0.0801, 0.1), min_size=1, max_size=50), st.booleans())
def test_values_within_the_hysteresis_never_flap(values: list[float], bad: bool) -> None:
    states, wire = states_of(line()), Wire()
    states.update(T0, given_by(wire.say(T0, True, more={"p95": 0.2 if bad else 0.01})))
    for n, value in enumerate(values, 1):
        assert states.update(T0 + n, given_by(wire.say(T0 + n, True, more={"p95": value}))) == []


STEPS = st.lists(
    st.tuples(st.sampled_from("+-?."), st.sampled_from("+-?."), st.floats(0.01, 200)), max_size=60
)


@given(STEPS)
def test_time_adds_up_and_unknown_never_raises_availability(
    steps: list[tuple[str, str, float]],
) -> None:
    states, wires = states_of(line()), (Wire(), Wire(family="ipv6"))
    (state,) = states.states
    time = T0
    states.update(time, {})
    for *letters, gap in steps:
        time += gap
        measures = [
            wire.say(time, letter == "+", "permission" if letter == "?" else "timeout")
            for wire, letter in zip(wires, letters, strict=True)
            if letter != "."
        ]
        before, was, seconds = state.availability, state.state, list(state.seconds)
        states.update(time, given_by(*measures))
        assert sum(state.seconds) + state.held == pytest.approx(time - T0)
        assert all(new >= old for new, old in zip(state.seconds, seconds, strict=True))
        if was == state.state == "unknown":
            assert state.availability == before
        if set(letters) <= set("?."):
            assert state.state != "down" or was == "down"
        assert state.since <= time


def test_a_gap_is_unknown_time() -> None:
    states, wire = states_of(line()), Wire()
    run(states, [wire], "+++")
    run(states, [wire], "+", T0 + 3600)
    assert states.states[0].seconds == [2.0, 0.0, 0.0, 3598.0]
    run(states, [wire], "++", T0 + 100)  # the clock was set back
    assert states.states[0].seconds[0] == 3.0


PAIR = (
    line("m", role="main", peer="b", site="s", level="city"),
    line("b", role="backup", peer="m", site="s", level="city"),
)


def drive(
    states: LineStates, outcomes: Iterable[tuple[bool, bool]], start: float = T0
) -> list[Event]:
    main, backup = Wire("m"), Wire("b")
    found = []
    for n, (one, two) in enumerate(outcomes):
        time = start + n
        found += states.update(time, given_by(main.say(time, one), backup.say(time, two)))
    return found


def test_failover_and_failback() -> None:
    states = states_of(*PAIR)
    events = drive(states, [(True, True)] * 5 + [(False, True)] * 6 + [(True, True)] * 5)
    (pair,) = states.pairs
    over, back = (e for e in events if e.kind in ("failover", "failback"))
    assert over[:6] == (T0 + 7, "failover", "m", "m", "b", T0 + 5)
    assert over.seconds == 2.0  # from the first loss to the third
    assert back[:6] == (T0 + 13, "failback", "m", "b", "m", T0 + 11)
    assert back.seconds == 2.0
    assert (pair.failovers, pair.failbacks, pair.active) == (1, 1, pair.main)
    assert pair.by == "state"


def test_backup_that_comes_late() -> None:
    states = states_of(*PAIR)
    drive(states, [(True, False)] * 4 + [(False, False)] * 6 + [(False, True)] * 4)
    (pair,) = states.pairs
    assert (pair.failovers, pair.active) == (1, pair.backup)
    assert pair.failover_seconds == 8.0  # lost at 4, backup up at 12


def test_traffic_tells_better_than_states() -> None:
    states = states_of(*PAIR)
    main, backup = Wire("m"), Wire("b")
    (pair,) = states.pairs
    for n, uses in enumerate([{}, {"m": (5.0, 5.0), "b": (0.0, 1.0)}, {"m": (0.0, 0.0)}]):
        states.update(T0 + n, given_by(main.say(T0 + n, True), backup.say(T0 + n, True)), uses)
        assert pair.active is pair.main
    measures = given_by(main.say(T0 + 3, False), backup.say(T0 + 3, True))
    events = states.update(T0 + 4, measures, {"m": (0.0, 1.0), "b": (7.0, 1.0)})
    assert [e.kind for e in events] == ["failover"]
    assert (pair.by, pair.failover_seconds) == ("traffic", 1.0)


def test_traffic_does_not_flap_and_is_not_believed_of_a_line_that_is_down() -> None:
    states = states_of(*PAIR)
    main, backup = Wire("m"), Wire("b")
    (pair,) = states.pairs
    noise = [{"m": (1.0, n), "b": (1.0, 5.0 - n)} for n in (5.0, 2.0, 3.0, 2.0)]
    for n, uses in enumerate(noise):
        states.update(T0 + n, given_by(main.say(T0 + n, True), backup.say(T0 + n, True)), uses)
    assert (pair.active, pair.failovers, pair.by) == (pair.main, 0, "traffic")
    late = {"m": (9.0, 9.0), "b": (0.0, 0.0)}
    for n in range(4, 7):
        states.update(T0 + n, given_by(main.say(T0 + n, False), backup.say(T0 + n, True)), late)
    assert (pair.active, pair.by, pair.failover_seconds) == (pair.backup, "state", 2.0)


def test_not_to_know_of_a_backup_is_no_news() -> None:
    states = states_of(*PAIR)
    drive(states, [(True, True)] + [(True, False)] * 4)
    main = Wire("m")
    events = states.update(T0 + 5, given_by(main.say(T0 + 5, True)))
    assert [e.kind for e in events] == ["state"]
    assert states.pairs[0].backup_dead
    events = states.update(T0 + 6, given_by(main.say(T0 + 6, True), Wire("b").say(T0 + 6, True)))
    assert [(e.kind, e.after) for e in events] == [("state", "up"), ("backup_dead", "up")]


def test_backup_silently_dead_and_site_cut() -> None:
    states = states_of(*PAIR)
    events = drive(states, [(True, True)] + [(True, False)] * 4)
    (pair,) = states.pairs
    assert pair.backup_dead
    assert ("backup_dead", "b", "dead") in [(e.kind, e.name, e.after) for e in events]
    assert [row["backup_dead"] for row in rows(states)] == [False, True]
    events = drive(states, [(False, False)] * 3 + [(False, True)] * 3, T0 + 5)
    kinds = [(e.kind, e.name, e.after) for e in events if e.kind != "state"]
    assert kinds == [
        ("backup_dead", "b", "down"),
        ("site", "s", "cut"),
        ("failover", "m", "b"),
        ("site", "s", "connected"),
    ]


def test_levels_and_access() -> None:
    states = states_of(
        *PAIR, line("c", level="city"), line("t", level="town"), units=Units(city=4, village=3)
    )
    wires = {name: Wire(name) for name in "mbct"}
    for n in range(6):
        measures = [wires[x].say(T0 + n, x in "bt") for x in "mbct"]
        states.update(T0 + n, given_by(*measures))
    city, town, village = states.levels()
    assert city.sites == {"connected": 1, "cut": 1, "unknown": 0}
    assert city.access == 0.25
    assert (town.access, village.access, village.availability) == (1.0, 0.0, None)
    assert city.downtime == sum(s.downtime for s in states.states[:3]) > 0
    assert city.availability == city.available / (city.available + city.downtime)


def test_reload_keeps_what_is_alike() -> None:
    before = states_of(*PAIR, line("c"))
    drive(before, [(True, True)] * 3 + [(False, True)] * 5)
    after = states_of(*PAIR, line("c", carrier="new"), line("d"))
    after.adopt(before)
    one, two = before.by_name["m"], after.by_name["m"]
    assert (two.state, two.since, two.seconds) == (one.state, one.since, one.seconds)
    assert after.pairs[0].failovers == 1
    assert after.pairs[0].active is after.by_name["b"]
    assert after.by_name["c"].state == "unknown"
    assert [row["site_cut"] for row in rows(after)] == [row["site_cut"] for row in rows(before)] + [
        False
    ]
    assert drive(after, [(False, True)], T0 + 8) == []


def test_rows_are_what_the_pack_judges() -> None:
    lines = (*PAIR, msgspec.structs.replace(line("n"), bandwidth=Bandwidth(1e8)))
    states = states_of(*lines)
    drive(states, [(True, True)] * 4)
    uses = {"n": LineUse("n", "r", "e", 1e8, in_p95=0.2, out_p95=0.9, speed=1e7)}
    found = rows(states, uses)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    assert "availability" in found[0]
    assert not {"availability", "measurement", "loss"} & set(found[2])
    assert (found[2]["utilisation_p95"], found[2]["speed"]) == (0.9, 1e7)
    verdicts = judge(load("link-quality"), {"lines": Fact("lines", found)}, {}, "h")
    by_rule = {v.rule.removeprefix("link."): v for v in verdicts}
    assert {rule: v.verdict for rule, v in by_rule.items()} == {
        **dict.fromkeys(("not-down", "not-degraded", "both-families", "backup-alive"), "pass"),
        **dict.fromkeys(("site-not-cut", "availability"), "pass"),
        **dict.fromkeys(("negotiated-speed", "utilisation"), "fail"),
        "measured": "unknown",
    }
    assert "measurement" in by_rule["measured"].reason


def test_families_of_lines() -> None:
    states = states_of(*PAIR, line("n"))
    drive(states, [(True, True)] * 3 + [(False, True)] * 5)
    made = list(families(states))
    assert all(family.name.startswith(("jianwei_line_", "jianwei_level_")) for family in made)
    assert any(isinstance(family.samples, Columns) for family in made)
    text = Encoder().encode(made).decode()
    for expected in (
        'jianwei_line_info{carrier="",level="city",line="b",peer="m",role="backup",site="s"} 1',
        'jianwei_line_state{line="m",state="down"} 1',
        'jianwei_line_state{line="n",state="unknown"} 1',
        'jianwei_line_state_seconds_total{line="m",state="up"} 3',
        'jianwei_line_downtime_seconds_total{line="m"} 4',
        'jianwei_line_reason{line="m",reason="timeout"} 1',
        'jianwei_line_reason{line="n",reason="unmeasured"} 1',
        'jianwei_line_failovers_total{line="m"} 1',
        'jianwei_line_failover_seconds{line="m"} 2',
        'jianwei_line_active{line="b"} 1',
        'jianwei_line_active{line="m"} 0',
        'jianwei_line_backup_dead{line="b"} 0',
        'jianwei_level_access_ratio{level="city"} 1',
        'jianwei_level_sites{level="city",state="connected"} 1',
        'jianwei_level_downtime_seconds_total{level="city"} 4',
    ):
        assert expected in text, expected
    assert 'jianwei_line_state{line="m",state="up"}' not in text
    assert 'availability_ratio{line="n"}' not in text
    assert "failback_seconds{" not in text
    if promtool := shutil.which("promtool"):
        done = subprocess.run(
            [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

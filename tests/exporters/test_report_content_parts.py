"""Parts of the report's content by themselves: exact decomposition, ranks, numbers in words, exemptions, scope."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.history import workcalendar
from exporters.report.content import decomposition, gapwords, numbers, ranking, scope, summarywords
from exporters.report.content.decomposition import DAY, Member, Stretch
from exporters.report.content.exemptions import exemptions
from exporters.report.content.ledger import Hours, total
from exporters.report.content.reason import reason
from exporters.report.content.words import CAUSE, USE, WORDS
from rules.exemptions import Exemption, Exemptions
from rules.usagejudgement import Amount, Exempted, Judgement, Reason, State
from rules.usagethresholds import Thresholds

HOURS = st.floats(0, 1e6, allow_subnormal=False)
SIZES = st.frozensets(st.sampled_from([1.0, 4.0, None]), min_size=1)


BEFORE, NOW = Stretch(0.0, 30 * DAY), Stretch(30 * DAY, 60 * DAY)
MONTHS = Stretch(BEFORE.since, NOW.until)
Told = tuple[dict[str, Member], dict[str, Member], dict[str, Stretch]]


def member(
    within: Stretch,
    known: float,
    used: float,
    sizes: frozenset[float | None] = frozenset([4.0]),
    since: float = 0.0,
    until: float = 30.0,
) -> Member:
    """There from one day of the month until another."""
    whole = Hours(known + 1, known, used)
    return Member(whole, sizes, within.since + since * DAY, within.since + until * DAY)


def everywhere(*months: dict[str, Member]) -> dict[str, Stretch]:
    found: dict[str, Stretch] = {}
    for name, it in (one for month in months for one in month.items()):
        old = found.get(name, Stretch(it.since, it.until))
        found[name] = Stretch(min(old.since, it.since), max(old.until, it.until))
    return found


@st.composite
def months(draw: st.DrawFn) -> Told:
    """Two months of a group, and when servers were of any."""
    days = st.floats(0, 30)

    def month(within: Stretch) -> dict[str, Member]:
        found = {}
        for name in draw(st.sets(st.sampled_from("abcdefgh"))):
            known = draw(st.one_of(st.just(0.0), st.floats(1, 1e6)))
            since, until = sorted((draw(days), draw(days)))
            used = known * draw(st.floats(0, 1))
            found[name] = member(within, known, used, draw(SIZES), since, until)
        return found

    before, now = month(BEFORE), month(NOW)
    return before, now, everywhere(before, now, month(BEFORE), month(NOW))


@given(months())
def test_a_decomposition_adds_up_to_the_change(told: Told) -> None:
    before, now, of_all = told
    found = decomposition.causes(before, now, of_all, MONTHS)
    was, is_ = (total(it.hours for it in one.values()).percent for one in (before, now))
    if was is None or is_ is None:
        assert found == []
        return
    assert sum(it.points for it in found) == pytest.approx(is_ - was, abs=1e-6)
    known = {n for one in (before, now) for n, it in one.items() if it.hours.known > 0}
    assert all(0 < it.servers <= len(known) for it in found)
    assert len({it.what for it in found}) == len(found)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"a": (100, 50)}, {"a": (100, 50), "b": (100, 10)}, {"new": -20, "use": 0}),
        ({"a": (100, 50), "b": (100, 10)}, {"a": (100, 50)}, {"gone": 20, "use": 0}),
        ({"a": (100, 20)}, {"b": (100, 30)}, {"gone": 5, "new": 5}),
        ({"a": (100, 50)}, {"a": (100, 50), "m": (100, 90)}, {"moved_in": 20, "use": 0}),
        ({"a": (0, 0), "b": (10, 1)}, {"a": (10, 3), "b": (10, 1)}, {"measured": 10, "use": 0}),
        # no one used more, but one is known for less of the month
        ({"a": (50, 50), "b": (50, 0)}, {"a": (50, 50), "b": (25, 0)}, {"use": 0, "hours": 50 / 3}),
    ],
)
def test_causes_are_what_people_would_say(
    before: dict[str, tuple[float, float]],
    now: dict[str, tuple[float, float]],
    expected: dict[str, float],
) -> None:
    def members(of: dict[str, tuple[float, float]], within: Stretch) -> dict[str, Member]:
        return {n: member(within, k, u) for n, (k, u) in of.items()}

    one, other = members(before, BEFORE), members(now, NOW)
    of_all = everywhere(one, other, {"m": member(BEFORE, 1, 1)})
    found = decomposition.causes(one, other, of_all, MONTHS)
    assert {it.what: pytest.approx(it.points) for it in found} == expected


def test_who_left_or_came_within_a_month_did_not_use_more() -> None:
    """Each uses what it always did: all of the change is by who was there."""
    before = {
        "left": member(BEFORE, 300, 90),
        "moved": member(BEFORE, 300, 150),
        "came": member(BEFORE, 100, 10, since=20),
    }
    now = {
        "left": member(NOW, 150, 45, until=15),
        "moved": member(NOW, 100, 50, until=10),
        "came": member(NOW, 300, 30),
        "new": member(NOW, 100, 80, since=20),
    }
    of_all = everywhere(before, now, {"moved": member(NOW, 1, 1)})
    found = {it.what: it for it in decomposition.causes(before, now, of_all, MONTHS)}
    assert list(found) == ["new", "came", "gone", "moved_out"]
    assert [it.servers for it in found.values()] == [1, 1, 1, 1]
    assert sum(it.points for it in found.values()) == pytest.approx(100 * (205 / 650 - 250 / 700))
    stayed = {"stayed": member(BEFORE, 300, 60)}, {"stayed": member(NOW, 300, 90)}
    one, other = before | stayed[0], now | stayed[1]
    found = {it.what: it for it in decomposition.causes(one, other, everywhere(one, other), MONTHS)}
    assert found["use"].servers == 1
    assert 0 < found["use"].points < 10
    assert found["gone"].servers == 2


def test_who_was_resized_is_told_apart() -> None:
    before = {"a": member(BEFORE, 100, 50)}
    now = {"a": member(NOW, 200, 50, frozenset([4.0, 8.0]))}
    [cause] = decomposition.causes(before, now, everywhere(before, now), MONTHS)
    assert cause.what == "resized"
    assert cause.points == pytest.approx(-25)
    assert reason(50, 25, [cause]).zh == "使用率 −25.0 个百分点：调整规格 1 台（−25.0）"


@given(st.lists(st.floats(-100, 100), max_size=12))
def test_rounded_parts_add_up_to_the_rounded_sum(parts: list[float]) -> None:
    shown = numbers.adding_up(parts)
    assert round(10 * sum(shown)) == round(10 * sum(parts))
    for one, rounded in zip(parts, shown, strict=True):
        assert abs(one - rounded) <= 0.1 + 1e-9


def test_what_cannot_be_compared_is_said() -> None:
    assert reason(None, None, [], compared=False).zh == "无上月数据，无法比较"
    assert reason(None, 3.0, []).zh == "上月使用率未知，无法比较"
    assert reason(3.0, None, []).zh == "本月使用率未知"
    assert reason(None, None, []).en == "use is not known of this month or the last"


@given(st.dictionaries(st.sampled_from(["", *"abcdef"]), st.none() | st.floats(0, 1e9)))
def test_ranks_are_consistent(wastes: dict[str, float | None]) -> None:
    found = ranking.ranks(wastes)
    assert found.keys() == {name for name, it in wastes.items() if name and it is not None}
    for one, other in itertools.permutations(found, 2):
        apart = (wastes[one] or 0) - (wastes[other] or 0)
        if apart > 1e-5:
            assert found[one] < found[other]
        elif apart == 0:
            assert found[one] == found[other]


def test_ties_share_a_rank() -> None:
    found = ranking.ranks({"a": 5.0, "b": 9.0, "c": 5.0, "d": 1.0, "": 99.0, "e": None})
    assert found == {"b": 1, "a": 2, "c": 2, "d": 4}


def test_numbers_are_told_with_thousands_and_unknown_is_no_number() -> None:
    assert [numbers.count(n) for n in (1234567, 8820.0, 2.5, 0, None)] == [
        *("1,234,567", "8,820", "2.5", "0", "?")
    ]
    assert [numbers.signed(n) for n in (1.26, -0.04, -3)] == ["+1.3", "0.0", "−3.0"]
    assert (numbers.percent(None), numbers.gib(None), numbers.tib(None)) == ("?", "?", "?")
    assert numbers.moment(None).zh == "?"


@given(HOURS, HOURS)
def test_hours_of_which_nothing_is_known_have_no_percent(granted: float, used: float) -> None:
    assert Hours(granted, 0.0, 0.0).percent is None
    assert Hours(granted, 0.0, 0.0).waste is None
    if granted > used > 0:
        assert 0 <= (Hours(granted, granted, used).percent or 0) <= 100


def test_exemptions_in_force_or_ended_are_listed_whether_or_not_they_are_needed() -> None:
    def exempt(id: str, expires: date, *departments: str) -> Exemption:
        return Exemption(id, "容灾", "张伟", "李敏", expires, departments=departments)

    def one(n: int, department: str, state: State = "right-sized", **more: Any) -> Judgement:
        granted = Amount(2.0, None, 1)
        return Judgement(
            *(f"r{n}", "", "server", "2026-10", state, state, "none", 1), more.pop("reasons", ()), department,
            **{"granted": granted, **more},
        )  # fmt: skip

    long_ago = exempt("E-7", date(2026, 8, 1), "a")
    every = Exemptions(
        [
            exempt("E-2", date(2026, 11, 10), "a", "b"),
            exempt("E-1", date(2026, 10, 15), "a"),
            exempt("E-3", date(2027, 11, 10), "gone"),
            exempt("E-4", date(2026, 9, 30), "a"),
            long_ago,
        ]
    )
    ended = Exempted("E-7", "容灾", "张伟", "李敏", long_ago.expires, -91, False)
    given_back = one(4, "b", "insufficient", reasons=(Reason("released"),))
    judgements = [one(1, "b"), one(2, "a"), one(3, "a", "idle", exemption=ended), given_back]
    found = exemptions(judgements, every, date(2026, 10, 1), date(2026, 10, 31))
    assert [(it.id, it.days_left, it.resources, it.departments) for it in found] == [
        ("E-7", -91, 2, ("a",)),
        ("E-1", -16, 2, ("a",)),
        ("E-2", 10, 3, ("a", "b")),
        ("E-3", 375, 0, ("gone",)),
    ]
    two = found[2]
    assert (two.granted.vcpus.value, two.granted.memory.unknown) == (6, 3)
    assert {name: it.vcpus.value for name, it in two.by_department.items()} == {"a": 4, "b": 2}


def test_the_calendar_says_which_holidays_were_taken() -> None:
    calendar = workcalendar.load()
    assert "国办发明电〔2025〕7号" in scope.calendar_text(calendar, "2026").zh
    assert "09:00-12:00、14:00-18:00" in scope.calendar_text(calendar, "2026").zh
    assert scope.calendar_text(calendar, "2031").zh.startswith("缺少2031年节假日数据")
    nothing = workcalendar.WorkCalendar((), workcalendar.Holidays({}))
    assert scope.calendar_text(nothing, "2026").en.endswith("working hours none")


def test_the_version_of_thresholds_changes_with_any_of_them() -> None:
    assert scope.thresholds_hash(Thresholds()) == scope.thresholds_hash(Thresholds())
    assert scope.thresholds_hash(Thresholds()) != scope.thresholds_hash(Thresholds(idle_cpu=4))


def test_both_languages_have_the_same_blanks() -> None:
    import string

    texts = [*CAUSE.values(), *USE.values(), *WORDS.values(), *summarywords.WORDS.values()]
    texts += [t for it in (*gapwords.SAID.values(), *gapwords.INSUFFICIENT.values()) for t in it]
    for text in texts:
        blanks = [
            {name for _, name, _, _ in string.Formatter().parse(one) if name}
            for one in (text.zh, text.en)
        ]
        assert blanks[0] == blanks[1], text
        assert bool(text.zh) == bool(text.en)

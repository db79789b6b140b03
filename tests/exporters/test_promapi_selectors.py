"""Ids are matched as they are; no query is longer than a server takes."""

from __future__ import annotations

import ast
import re

import numpy as np
import re2
from hypothesis import given
from hypothesis import strategies as st

from exporters.history.reader import Span
from exporters.promapi.selectors import LENGTH, chosen, each, escaped, quoted, ranged, shards
from exporters.promapi.windows import DAY, Windows, alike, days, runs

TEXT = st.text(st.characters(codec="utf-8"), min_size=1)


@given(TEXT)
def test_a_string_says_what_it_was_made_of(text: str) -> None:
    told = quoted(text)
    assert told[0] == told[-1] == '"'
    assert not re.search("[\n\r\0]", told)
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', told, re.DOTALL)  # it ends where it ends
    assert ast.literal_eval(told) == text  # Go and Python share these escapes


@given(TEXT, TEXT)
def test_an_expression_matches_its_text_alone(text: str, other: str) -> None:
    assert re2.fullmatch(escaped(text), text)
    assert bool(re2.fullmatch(escaped(text), other)) == (text == other)


@given(st.lists(TEXT, min_size=2, max_size=8, unique=True))
def test_one_of_many_is_matched(ids: list[str]) -> None:
    told = chosen(ids)
    assert told.startswith('resource=~"')
    pattern = re2.compile(ast.literal_eval(told.removeprefix("resource=~")))
    assert all(pattern.fullmatch(id) for id in ids)
    assert not pattern.fullmatch("".join(ids) + "x")


@given(st.lists(TEXT), st.integers(1, 4), st.integers(1, 9))
def test_shards_are_all_of_it_in_order(ids: list[str], copies: int, most: int) -> None:
    parts = list(shards(ids, copies, most))
    assert [id for part in parts for id in part] == ids
    assert all(1 <= len(part) <= most for part in parts)


def test_shards_are_short() -> None:
    ids = [f"{n:036}" for n in range(2000)]
    assert max(map(len, shards(ids))) == 250
    long = ["龙" * 400] * 100
    assert all(len(chosen(part).encode()) <= LENGTH + 20 for part in shards(long))
    assert all(2 * len(chosen(part).encode()) <= LENGTH + 40 for part in shards(long, 2))


def test_queries() -> None:
    assert ranged("m", chosen(["a"]), 2) == 'm{resource="a"}[599999ms]'
    assert each("quantile_over_time 0.95", "m", chosen(["a.b", 'c"']), 1) == (
        'max by (resource) (quantile_over_time(0.95, m{resource=~"a\\\\.b|c\\""}[299999ms]))'
    )


@given(st.integers(0, 10**7), st.integers(0, 3000))
def test_days_are_a_period_without_gap_or_overlap(first: int, slots: int) -> None:
    covered = [
        slot
        for windows in days(Span(first, first + slots))
        for end in windows.ends
        for slot in range(end - windows.slots, end)
    ]
    assert covered == list(range(first, first + slots))


@given(st.lists(st.booleans(), max_size=2000), st.integers(0, 10**6))
def test_windows_alike_have_all_stretches_among_them(chosen: list[bool], first: int) -> None:
    stretches = list(runs(np.array(chosen, dtype=np.bool_), first))
    slots = [slot for one in stretches for slot in range(*one)]
    assert slots == [first + place for place, which in enumerate(chosen) if which]
    found = []
    for windows, ends in alike(stretches):
        assert ends <= set(windows.ends)
        found += [Span(end - windows.slots, end) for end in ends]
    assert sorted(found) == stretches


def test_working_days_are_few_windows() -> None:
    mornings = [Span(day * DAY + 108, day * DAY + 144) for day in (0, 1, 2, 3, 4, 7, 8)]
    [(windows, ends)] = alike(mornings)
    assert windows == Windows(36, 144, 8 * DAY + 144, DAY)
    assert len(ends) == 7

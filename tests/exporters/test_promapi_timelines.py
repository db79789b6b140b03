"""Since when what: of days, and of five minutes where a day leaves doubt, as of all five minutes at once."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from exporters.promapi.timelines import doubtful, timeline

DAY = 6  # moments


@given(
    st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(1, 15)), max_size=9),
    st.booleans(),
)
def test_days_tell_what_all_moments_tell(parts: list[tuple[str, int]], ends: bool) -> None:
    told = [frozenset(value) for value, count in parts for _ in range(count)]
    told += [frozenset()] * (-len(told) % DAY)
    count = len(told) // DAY
    days = [frozenset().union(*told[n * DAY : (n + 1) * DAY]) for n in range(count)]
    there = [day for day in days if day]
    assume(
        not any(
            len(a) > 1 and a == b == c for a, b, c in zip(there, there[1:], there[2:], strict=False)
        )
    )
    within = {
        day: {float(n): told[n - 1] for n in range(day * DAY + 1, (day + 1) * DAY + 1)}
        for day in doubtful(days, ends)
    }
    marks = [float((day + 1) * DAY) for day in range(count)]
    found = timeline(days, marks, float(DAY), within, min)
    seen = [(float(at), min(values)) for at, values in enumerate(told, 1) if values]
    if not seen:
        assert found is None
        return
    changes = [one for n, one in enumerate(seen) if not n or seen[n - 1][1] != one[1]]
    assert found is not None
    assert [value for _, value in found.changes] == [value for _, value in changes]
    assert [at for at, _ in found.changes[1:]] == [at for at, _ in changes[1:]]
    if ends:
        # of the first and the last day it is not asked when they began and ended
        first, last = seen[0][0], seen[-1][0]
        assert found.first == (first if first > DAY or 0 in within else 0)
        assert found.last == (last if last <= (count - 1) * DAY else found.last)


def test_two_that_tell_all_the_time_are_no_doubt() -> None:
    both = frozenset(("x", "y"))
    days = [both] * 5
    assert doubtful(days, True) == {0, 4}
    found = timeline(days, [1.0, 2, 3, 4, 5], 1.0, {}, min)
    assert found is not None
    assert found.changes == [(0.0, "x")]
    # one that is told for a few hours is one of them
    assert doubtful([frozenset("x"), both, frozenset("x")], True) == {1, 2}

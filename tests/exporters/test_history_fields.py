"""Columns of plain CSV are what a split makes of them."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.history.csvvalues import BadField, value
from exporters.history.fields import Known, PlainColumns, plain

printable = st.text(
    st.characters(codec="utf-8", min_codepoint=32, exclude_characters='",')
    | st.sampled_from("\t\v\f "),
    max_size=20,
)
numbers = (
    st.decimals(0, 10**17, allow_nan=False, allow_infinity=False).map(str)
    | st.from_regex(r"[0-9]{0,20}[.]?[0-9]{0,20}", fullmatch=True)
    | st.floats(0, 1e18).map(repr)
    | st.text("0123456789.eE+-_ xN", max_size=9)
)


def slowly(field: bytes) -> float:
    try:
        return value(field)
    except BadField:
        return float("nan")


class Codes(dict[bytes, int]):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __missing__(self, raw: bytes) -> int:
        self[raw] = len(self)
        return self[raw]

    def lookup(self, raw: bytes) -> int:
        self.asked += 1
        return self[raw]


def columns(data: bytes, count: int) -> PlainColumns:
    found = plain(data, count)
    assert found
    return found


@settings(deadline=None)
@given(
    st.lists(st.tuples(printable, numbers), min_size=1, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
)
def test_fields_are_those_of_a_split(rows: list[tuple[str, str]], end: str) -> None:
    data = "".join(f"{name},{number}{end}" for name, number in rows).encode()
    found = plain(data, 2)
    names = [name.encode() for name, _ in rows]
    if found is None:
        assert max(len(field.encode()) for row in rows for field in row) > 64
        return
    codes = Codes()
    told = found.codes(0, Known(codes.lookup))
    assert [list(codes)[code] for code in told.tolist()] == names
    assert found.empty(0).tolist() == [not name.strip() for name in names]
    expected = [slowly(number.encode()) for _, number in rows]
    np.testing.assert_array_equal(found.numbers(1, slowly), expected)  # to the last bit


@settings(deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    st.lists(st.integers(1, 40), max_size=8),
    st.integers(0, 6),
    st.randoms(),
)
def test_cycles_and_runs_change_nothing(
    period: int, run: int, sizes: list[int], odd: int, chance: random.Random
) -> None:
    """Names again and again, some of them in runs, with a few others in between, in chunks."""
    count = sum(sizes)
    names = [f"vm-{at // run % period}" + "x" * (at // run % period % 3 * 5) for at in range(count)]
    for _ in range(min(odd, count)):
        names[chance.randrange(count)] = chance.choice(["", "other", "vm-0", "long" * 9])
    codes, begin = Codes(), 0
    known = Known(codes.lookup)
    for size in sizes:
        part = names[begin : begin + size]
        begin += size
        told = columns("".join(f"{name}\n" for name in part).encode(), 1).codes(0, known)
        assert [list(codes)[code].decode() for code in told.tolist()] == part


def test_what_is_known_is_not_looked_up_again() -> None:
    for names in (
        [f"vm-{at % 1000:04}" for at in range(20_000)],
        [f"vm-{at // 1000:04}" for at in range(20_000)],
    ):
        codes = Codes()
        known = Known(codes.lookup)
        for begin in range(0, 20_000, 1500):
            part = names[begin : begin + 1500]
            columns("".join(f"{name}\n" for name in part).encode(), 1).codes(0, known)
        assert codes.asked <= 1500


def test_lines_of_another_shape_are_left_to_others() -> None:
    for data in (
        b"",
        b"a,b\n1\n",
        b'a,"b"\n',
        b"a\0,b\n",
        b"a,b\rc,d\n",
        b"a," + b"b" * 65 + b"\n",
    ):
        assert plain(data, 2) is None

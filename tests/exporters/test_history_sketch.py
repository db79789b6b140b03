"""Sketches: error of quantiles, merging, and their bytes; blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from exporters.history import blocks, sketch

HOURS = np.arange(288) // 12
BOUND = sketch.RELATIVE_ERROR * 1.0001
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)

values = st.one_of(
    st.just(np.nan),
    st.just(0.0),
    st.floats(0, 100, width=32),
    st.floats(2.0**-20, 2.0**59, width=32),
)
LARGEST = float(np.finfo(np.float32).max)
days = hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(288)), elements=values)


def of(matrix: NDArray[np.float32]) -> sketch.Sketches:
    return sketch.sketch(matrix, matrix, 1000, HOURS)


def same(one: sketch.Sketches, other: sketch.Sketches) -> None:
    for mine, its in zip(one[1:], other[1:], strict=True):
        np.testing.assert_array_equal(mine, its)
    for name in sketch.HEAD.names or ():
        exact = name in ("count", "zeros", "at", "minimum", "maximum", "hour_counts")
        np.testing.assert_allclose(
            one.heads[name], other.heads[name], rtol=0 if exact else 1e-6, err_msg=name
        )


@given(days)
def test_quantiles_are_within_the_stated_error_of_numpy(matrix: NDArray[np.float32]) -> None:
    found = sketch.quantiles(of(matrix), QUANTILES)
    for row, estimates in zip(matrix.astype(np.float64), found, strict=True):
        known = row[~np.isnan(row)]
        if not len(known):
            assert np.isnan(estimates).all()
            continue
        exact = np.quantile(known, QUANTILES)
        assert (np.abs(estimates - exact) <= exact * BOUND + sketch.SMALLEST).all()


@given(days)
def test_a_sketch_comes_back_from_its_bytes(matrix: NDArray[np.float32]) -> None:
    made = of(matrix)
    same(sketch.decode(sketch.encode(made)), made)


@given(days, st.randoms(use_true_random=False))
def test_merging_is_the_sketch_of_all_in_any_order(
    matrix: NDArray[np.float32], random: object
) -> None:
    order = np.arange(len(matrix))
    random.shuffle(order)  # type: ignore[attr-defined]
    parts = sketch.join([of(matrix[[row]]) for row in order])
    merged = sketch.merge(parts, np.zeros(len(matrix), np.int64), 1)
    row = matrix.reshape(1, -1)
    every = sketch.sketch(row, row, 1000, np.tile(HOURS, len(matrix)))
    top = np.fmax.reduce(matrix, axis=None)
    if not np.isnan(top):  # days have the same slots here
        every.heads["at"] = 1000 + np.flatnonzero((matrix == top).any(axis=0))[0]
        same(merged, every)


def test_heads_are_what_numpy_says() -> None:
    generator = np.random.default_rng(1)
    matrix = generator.gamma(1, 20, (50, 288)).astype(np.float32)
    matrix[generator.random(matrix.shape) < 0.3] = np.nan
    maxima = matrix * np.float32(1.5)
    heads = sketch.sketch(matrix, maxima, 1000, HOURS).heads
    exact = matrix.astype(np.float64)
    np.testing.assert_allclose(heads["total"], np.nansum(exact, axis=1), rtol=1e-12)
    np.testing.assert_allclose(heads["squares"], np.nansum(exact**2, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(heads["minimum"], np.nanmin(matrix, axis=1))
    np.testing.assert_array_equal(heads["maximum"], np.nanmax(maxima, axis=1))
    np.testing.assert_array_equal(heads["at"], 1000 + np.nanargmax(maxima, axis=1))
    by_hour = exact.reshape(50, 24, 12)
    np.testing.assert_allclose(heads["hour_sums"], np.nansum(by_hour, axis=2), rtol=1e-12)
    np.testing.assert_array_equal(heads["hour_counts"], (~np.isnan(by_hour)).sum(axis=2))


def test_a_sketch_of_months_is_not_written() -> None:
    many = sketch.join([of(np.ones((1, 288), np.float32))] * 2)
    with pytest.raises(sketch.SketchError, match="one day"):
        sketch.encode(sketch.merge(many, np.zeros(2, np.int64), 1))


def test_heads_alone_are_those_of_the_sketches_and_of_bytes_that_are_whole() -> None:
    matrix = np.random.default_rng(3).uniform(0, 100, (20, 288)).astype(np.float32)
    stored = sketch.encode(of(matrix))
    tops, sizes = [one[: sketch.HEAD_BYTES] for one in stored], [len(one) for one in stored]
    np.testing.assert_array_equal(
        sketch.decode_heads(tops, sizes).heads, sketch.decode(stored).heads
    )
    assert len(sketch.decode_heads([], []).heads) == 0
    for wrong_tops, wrong_sizes in (
        (tops, [sizes[0] + 2, *sizes[1:]]),
        ([tops[0][:-1], *tops[1:]], sizes),
        ([b"\0" + tops[0][1:], *tops[1:]], sizes),
    ):
        with pytest.raises(sketch.SketchError):
            sketch.decode_heads(wrong_tops, wrong_sizes)


@given(st.binary(max_size=300))
def test_bytes_of_anything_are_no_sketch(content: bytes) -> None:
    made = sketch.encode(of(np.ones((1, 288), np.float32)))[0]
    for wrong in (content, made[:-1], made + b"\0", made[:60] + content):
        if wrong != made:
            with pytest.raises(sketch.SketchError):
                sketch.decode([wrong])


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(0, 4), st.sampled_from([276, 288, 300])), elements=values
    ),
    st.booleans(),
)
def test_blocks_come_back_from_their_bytes(matrix: NDArray[np.float32], higher: bool) -> None:
    maxima = matrix * np.float32(2) if higher else matrix
    encoded = blocks.encode(matrix, maxima)
    averages, tops = blocks.decode(encoded, matrix.shape[1])
    np.testing.assert_array_equal(averages, matrix)
    np.testing.assert_array_equal(tops, maxima)
    if not higher:
        assert all(len(block) == 4 + 4 * matrix.shape[1] for block in encoded)


@pytest.mark.parametrize("change", [b"", b"\2", b"\1\0\x20\1" + bytes(10)])
def test_a_damaged_block_is_refused(change: bytes) -> None:
    with pytest.raises(blocks.BlockError):
        blocks.decode([change], 288)
    with pytest.raises(blocks.BlockError):
        blocks.decode(blocks.encode(*[np.zeros((1, 288), np.float32)] * 2), 276)


def test_the_largest_numbers_there_are() -> None:
    """Nobody has them; a damaged row may. Sums of hours end where float32 does, without a word of numpy."""
    made = of(np.full((1, 288), LARGEST, np.float32))
    with np.errstate(all="raise"):
        found = sketch.decode(sketch.encode(made))
    assert (found.heads["hour_sums"] == LARGEST).all()
    assert found.heads["total"] == 288 * LARGEST

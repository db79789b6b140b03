"""Answers of the Prometheus API, decoded or refused."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.promapi import answers
from tests.exporters.promasking import (
    AT,
)

labels = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
numbers = st.floats(width=64)


def as_go(value: float) -> str:
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(value), repr(value))


@given(st.lists(st.tuples(labels, st.lists(numbers, min_size=1, max_size=20)), max_size=5))
def test_every_matrix_is_read_as_it_was_written(
    written: list[tuple[dict[str, str], list[float]]],
) -> None:
    result = [
        {"metric": names, "values": [[AT + n / 8, as_go(v)] for n, v in enumerate(values)]}
        for names, values in written
    ]
    data = json.dumps({"resultType": "matrix", "result": result}).encode()
    read = answers.matrix(data)
    assert [(one.labels, len(one.times)) for one in read] == [(a, len(b)) for a, b in written]
    for one, (_, values) in zip(read, written, strict=True):
        assert np.array_equal(one.values, np.array(values), equal_nan=True)
        assert one.times.tolist() == [AT + n / 8 for n in range(len(values))]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resultType", "result", "metric", "value", "values", "x"]),
            inner | st.sampled_from(["vector", "matrix", "scalar"]),
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read in (answers.envelope, answers.vector, answers.matrix):
        with suppress(answers.Wrong):
            read(data)


@pytest.mark.parametrize("times", [[2, 1], [1, 1]])
def test_times_that_do_not_ascend_are_refused(times: list[float]) -> None:
    result = [{"metric": {}, "values": [[one, "1"] for one in times]}]
    with pytest.raises(answers.Wrong, match="ascend"):
        answers.matrix(json.dumps({"resultType": "matrix", "result": result}).encode())

"""What many resources use of a metric together, slot by slot: weighted sums over stretches of their lives, by group.

Days that are known by their sketches alone have no slots: a group with such a day has no sum.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history.reader import Span, chunks


class Part(NamedTuple):
    """A stretch in which a resource counts for a group, with a weight."""

    group: int
    stretch: Span
    weight: float


class Together(NamedTuple):
    """A row a group, a column a slot of the period: sums of weight × value, and of the weights of which a value is
    known. `whole` says of which groups all that is known is in them."""

    values: NDArray[np.float64]
    known: NDArray[np.float64]
    whole: NDArray[np.bool_]


def together(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    parts: Mapping[str, Sequence[Part]],
    groups: int,
) -> Together:
    """By resource the parts that it counts for. Raises HistoryError."""
    shape = groups, max(0, period.end - period.first)
    found = Together(np.zeros(shape), np.zeros(shape), np.ones(groups, np.bool_))
    for chunk in chunks(connection, metric, period, parts.keys()):
        places = chunk.slots - period.first
        for row, resource in enumerate(chunk.resources):
            for part in parts[resource]:
                own = slice(*np.searchsorted(chunk.slots, part.stretch).tolist())
                values = chunk.averages[row, own]
                there = ~np.isnan(values)
                at = places[own][there]
                found.values[part.group, at] += part.weight * values[there]
                found.known[part.group, at] += part.weight
        for one in chunk.sketches:
            for row in one.rows.tolist():
                for part in parts[chunk.resources[row]]:
                    found.whole[part.group] = False
    return found

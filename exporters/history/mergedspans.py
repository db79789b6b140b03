"""Dated facts of several files as one: at any time one value of an aspect, that which began last."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple


class Dated(NamedTuple):
    """A value from `since` to `until`, None while it lasts."""

    since: float
    until: float | None
    value: str


def unite(out: sqlite3.Connection, inputs: Sequence[sqlite3.Connection]) -> None:
    """Write the spans of all inputs, of which `out` may be one; it knows their resources already."""
    known: dict[tuple[str, str], list[Dated]] = {}
    for connection in inputs:
        for resource, aspect, *dated in connection.execute(
            "SELECT id, aspect, since, until, value FROM spans"
            " JOIN resources ON resources.number = resource"
        ):
            known.setdefault((resource, aspect), []).append(Dated(*dated))
    out.execute("DELETE FROM spans")
    for (resource, aspect), spans in known.items():
        out.executemany(
            "INSERT INTO spans SELECT number, ?, ?, ?, ? FROM resources WHERE id = ?",
            [(aspect, *one, resource) for one in without_overlap(spans)],
        )


def without_overlap(spans: Iterable[Dated]) -> Iterator[Dated]:
    """At any time the span that began last (of two, that of the later `value`, whatever their order), joined where the
    value is the same."""
    spans = [one for one in spans if one.until is None or one.until > one.since]
    moments = sorted({at for one in spans for at in (one.since, one.until) if at is not None})
    last: Dated | None = None
    for begin, end in pairwise([*moments, None]):
        if begin is None:
            break
        there = [
            (one.since, one.value)
            for one in spans
            if one.since <= begin and (one.until is None or one.until > begin)
        ]
        if not there:
            continue
        value = max(there)[1]
        if last and last.value == value and last.until == begin:
            last = last._replace(until=end)
        else:
            if last:
                yield last
            last = Dated(begin, end, value)
    if last:
        yield last

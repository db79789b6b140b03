"""Columns as the lines of one family, in both formats: what encoder.py writes of the same samples.

The labels of things are written once for all their families. A field's own label goes in between,
where its name sorts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress

from collectors.columns import Columns, Things
from collectors.model import Labels
from exporters.prometheus.format import escaped, number, shortest, valid

BLOCK = 4096  # things whose lines are made at once, so that they take little memory


def column_texts(family: str, columns: Columns) -> Iterator[bytes]:
    """The lines of all samples, each with the end of the line before it, some thousands at once."""
    name, width, things = valid(family, ":"), len(columns.fields), columns.things
    for first in range(0, len(things), BLOCK):
        values = columns.values[first * width : (first + BLOCK) * width].tolist()
        numbers = shortest(values)[1:-1].decode().split(",")
        for place, value in enumerate(values):
            if not (1e-4 <= value < 1e6 or value == 0):
                numbers[place] = number(value).decode()
        lines: list[str] = [""] * len(values)
        for column, field in enumerate(columns.fields):
            begin, own = f"\n{name}{field.suffix}", numbers[column::width]
            label = field.label[0] if field.label else ""
            before, behind = (side[first : first + BLOCK] for side in _around(things, label))
            if field.label is None:
                lines[column::width] = [f"{begin}{a}{n}" for a, n in zip(before, own, strict=True)]
            else:
                pair, rows = _pair(field.label), zip(before, behind, own, strict=True)
                lines[column::width] = [f"{begin}{a}{pair}{b}{n}" for a, b, n in rows]
        there = compress(lines, [value == value for value in values])
        yield "".join(there).encode("utf-8", "replace")


def _around(things: Things, label: str) -> tuple[list[str], list[str]]:
    """The text of each thing's labels before and behind where `label` goes; all before without."""
    if label not in things.kept:
        both = [_split(labels, label) for labels in things.labels]
        things.kept[label] = [before for before, _ in both], [behind for _, behind in both]
    return things.kept[label]


def _split(labels: Labels, label: str) -> tuple[str, str]:
    ordered = sorted(labels)
    if not label:
        return (f"{{{','.join(map(_pair, ordered))}}} " if ordered else " "), ""
    before = [_pair(one) for one in ordered if one[0] < label]
    behind = [_pair(one) for one in ordered if one[0] > label]
    return "{" + "".join(f"{one}," for one in before), "".join(f",{one}" for one in behind) + "} "


def _pair(label: tuple[str, str]) -> str:
    return f'{valid(label[0], "")}="{escaped(label[1])}"'

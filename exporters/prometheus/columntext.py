"""Columns as the lines of one family, in both formats: what encoder.py writes of the same samples.

The labels of things are written once for all their families. A field's own label goes in between,
where its name sorts.
"""

from __future__ import annotations

from itertools import compress

from collectors.columns import Columns, Things
from collectors.model import Labels
from exporters.prometheus.format import escaped, number, shortest, valid


def column_text(family: str, columns: Columns) -> bytes:
    """The lines of all samples, each with the end of the line before it."""
    name, width, things = valid(family, ":"), len(columns.fields), columns.things
    values, present = columns.values.tolist(), columns.present()
    numbers = shortest(values)[1:-1].decode().split(",") if values else []
    for place, value in enumerate(values):
        if not (1e-4 <= value < 1e6 or value == 0):
            numbers[place] = number(value).decode()
    lines: list[str] = [""] * len(values)
    for column, field in enumerate(columns.fields):
        begin = f"\n{name}{field.suffix}"
        own = numbers[column::width]
        if field.label is None:
            before, _ = _around(things, "")
            lines[column::width] = [f"{begin}{a}{n}" for a, n in zip(before, own, strict=True)]
        else:
            label, pair = field.label[0], _pair(field.label)
            rows = zip(*_around(things, label), own, strict=True)
            lines[column::width] = [f"{begin}{a}{pair}{b}{n}" for a, b, n in rows]
    if len(present) < len(values):
        lines = list(compress(lines, [value == value for value in values]))
    return "".join(lines).encode("utf-8", "replace")


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

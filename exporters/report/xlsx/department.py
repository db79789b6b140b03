"""A department's sheet, ready to send: its figures, its systems, its showback, and all its resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from exporters.report.columns import Column, Kind, gib, local, some, total
from exporters.report.document import Department, Total
from exporters.report.resourcecolumns import RESOURCES, counted
from exporters.report.usagecolumns import SHOWBACK, SYSTEMS, CostRow, system_columns
from exporters.report.xlsx.page import Page, Shown, Sum
from exporters.report.xlsx.words import WORDS, say
from exporters.usage.words import ADVICE, STATE
from rules.model import Text

# What fits on a page; the others are in the sheets of resources and systems.
_NARROW: Final[Mapping[Kind, int]] = {"amount": 10, "hours": 11, "money": 12, "long": 40}
RESOURCE: Final = tuple(
    it._replace(width=_NARROW.get(it.kind, it.width))
    for it in RESOURCES.some(
        *("name", "resource", "system", "state", "advice"),
        *("granted_vcpus", "granted_memory", "granted_disk", "target_vcpus", "target_memory"),
        *("due_vcpus", "due_memory", "due_disk", "cpu_average", "cpu_p95", "reason"),
    )
)
_SYSTEM: Final = some(
    system_columns(),
    *("system", "resources", "granted_vcpus", "granted_memory", "granted_disk"),
    *("due_vcpus", "due_memory", "due_disk", "cpu_average", "cpu_p95", "cpu_peak"),
    *("state_idle", "state_low", "state_busy", "state_insufficient"),
)
_COST: Final = tuple(
    it._replace(width=_NARROW.get(it.kind, it.width)) for it in SHOWBACK.columns[1:]
)
_SUMS: Final = ("vcpus", "memory", "disk")
_KEYS: Final = ("resources", *(f"{one}_{it}" for one in ("granted", "due") for it in _SUMS))
_LABEL: Final = 26  # width
_SPARE: Final = 20  # rows that are kept for what comes below


def department(page: Page, one: Department, number: int, row: int, rows: int) -> None:
    """From `row` on, with no more than `rows`; `number` makes the names of its tables unique."""
    language, figures = page.language, row
    page.widths(RESOURCE, _SYSTEM, _COST)
    page.sheet.set_column(0, 0, _LABEL)
    row = _figures(page, row, one) + 1
    row = _block(page, row, SYSTEMS.title, _SYSTEM, one.systems, f"systems_{number}")
    if one.showback is not None:
        costs = [CostRow(one.name, one.showback.currency, it) for it in one.showback.lines]
        row = _block(page, row, SHOWBACK.title, _COST, costs, f"showback_{number}")
    inside = [it for it in one.resources if counted(it)]
    outside = [it for it in one.resources if not counted(it)]
    room = max(0, rows - row - len(outside) - _SPARE)
    page.text(row, 0, RESOURCES.title.of(language), "section")
    if len(inside) > room:
        page.text(row, 1, say("rest", language), "note")
    placed = page.table(row + 1, RESOURCE, inside[:room], wrap=True, listed=f"resources_{number}")
    if outside:
        title = WORDS["not_counted"]
        _block(page, placed.last + 2, title, RESOURCE, outside, f"others_{number}", totals=False)
    if 0 < len(inside) <= room:
        _linked(page, figures, placed.totals)


def _block(
    page: Page,
    row: int,
    title: Text,
    columns: Sequence[Column[Any]],
    rows: Sequence[Any],
    name: str,
    totals: bool = True,
) -> int:
    page.text(row, 0, title.of(page.language), "section")
    return page.table(row + 1, columns, rows, totals, listed=name).last + 2


def _pairs(one: Department) -> tuple[tuple[str, Shown, Kind], ...]:
    load, granted, due = one.load, one.granted, one.due
    used = one.used_core_hours if one.known_core_hours else None
    return (
        ("resources", granted.resources, "count"),
        ("granted_vcpus", total(granted.vcpus), "amount"),
        ("granted_memory", gib(total(granted.memory)), "amount"),
        ("granted_disk", gib(total(granted.disk)), "amount"),
        ("due_vcpus", total(due.vcpus), "amount"),
        ("due_memory", gib(total(due.memory)), "amount"),
        ("due_disk", gib(total(due.disk)), "amount"),
        ("average", load.average, "percent"),
        ("p50", load.p50, "percent"),
        ("p95", load.p95, "percent"),
        ("peak", load.peak, "percent"),
        ("peak_at", local(load.peak_at), "moment"),
        ("work", load.work, "percent"),
        ("off", load.off, "percent"),
        ("memory_used", one.memory, "percent"),
        ("change", one.change, "points"),
        ("granted_core_hours", one.granted_core_hours, "hours"),
        ("used_core_hours", used, "hours"),
        ("waste", one.waste, "hours"),
        ("coverage", load.coverage, "percent"),
        ("rank", one.rank, "count"),
        ("rank_before", one.rank_before, "count"),
    )


def _figures(page: Page, row: int, one: Department) -> int:
    language = page.language
    page.text(row, 0, say("own", language), "section")
    for at, (key, value, kind) in enumerate(_pairs(one), row + 1):
        page.text(at, 0, say(key, language), "label")
        page.cell(at, 1, value, kind)
        note = _note(one, key)
        if note is not None:
            page.text(at, 2, note.of(language), "note")
    last = row + 1 + len(_pairs(one))
    states, advice = last + 1, last + 4
    _counts(page, states, "states", [(STATE[s], n) for s, n in _known(STATE, one.states)])
    _counts(page, advice, "advice", [(ADVICE[a], n) for a, n in _known(ADVICE, one.advice)])
    return advice + 2


def _known(words: Mapping[Any, Text], counts: Mapping[str, int]) -> list[tuple[Any, int]]:
    return [(key, counts.get(key, 0)) for key in words]


def _counts(page: Page, row: int, title: str, counts: Sequence[tuple[Text, int]]) -> None:
    page.text(row, 0, say(title, page.language), "label")
    for number, (text, count) in enumerate(counts, 1):
        page.text(row, number, text.of(page.language), "head")
        page.cell(row + 1, number, count, "count")


def _note(one: Department, key: str) -> Text | None:
    if key == "change":
        return one.reason
    sums = {"granted": one.granted, "due": one.due}.get(key.partition("_")[0])
    part = key.partition("_")[2]
    found: Total | None = getattr(sums, part, None) if sums is not None else None
    if found is None or not found.unknown:
        return None
    said = WORDS["size_unknown"]
    return Text(said.zh.format(n=found.unknown), said.en.format(n=found.unknown))


def _linked(page: Page, row: int, totals: Mapping[str, Sum]) -> None:
    """Sums are those of the whole table below, whatever is filtered there."""
    for at, key in enumerate(_KEYS, row + 1):
        if key in totals:
            cells, value = totals[key].cells, totals[key].value
            formula = f'=IF(COUNT({cells})=0,"",SUM({cells}))'
            page.formula(at, 1, formula, value, "amount", "cell")

"""The first and the last sheet: what the report is about, summary, figures and contents; and what its words mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from exporters.report.columns import Kind, local
from exporters.report.document import Document, Figure, Scope
from exporters.report.xlsx.names import link
from exporters.report.xlsx.page import Page, Shown
from exporters.report.xlsx.words import TERMS, say
from exporters.usage.amounts import department, gib

_WIDTHS: Final = (34, 30, 30, 60)
_ACROSS: Final = 4  # links beside each other
_KINDS: Final[dict[str, Kind]] = {"percent": "percent", "money": "money", "count": "count"}


class Entry(NamedTuple):
    """One sheet of the contents."""

    sheet: str
    title: str


def title(scope: Scope, language: str) -> str:
    whose = "" if scope.department is None else f" · {department(scope.department, language)}"
    example = f" · {say('example', language)}" if scope.example else ""
    return f"{scope.city} {scope.month} {say('title', language)}{whose}{example}"


def cover(page: Page, document: Document, contents: Sequence[Entry]) -> None:
    language = page.language
    for number, width in enumerate(_WIDTHS):
        page.sheet.set_column(number, number, width)
    page.text(0, 0, title(document.scope, language), "title")
    row = 1
    if document.scope.under_way:
        page.text(row, 0, say("under_way", language), "note")
        row += 1
    row = _pairs(page, row + 1, "scope", _scope(document.scope, language))
    row = _summary(page, row + 1, document)
    row = _figures(page, row + 1, document.figures)
    page.text(row + 1, 0, say("contents", language), "section")
    for number, entry in enumerate(contents):
        at, column = divmod(number, _ACROSS)
        page.link(row + 2 + at, column, link(entry.sheet), entry.title)
    below = row + 3 + -(-len(contents) // _ACROSS)
    page.text(below, 0, say("empty", language), "note")
    page.sheet.freeze_panes(1, 0)
    page.printed(title(document.scope, language), None)


def _pairs(page: Page, row: int, head: str, pairs: Sequence[tuple[str, Shown, Kind]]) -> int:
    page.text(row, 0, say(head, page.language), "section")
    for number, (key, value, kind) in enumerate(pairs, row + 1):
        page.text(number, 0, say(key, page.language), "label")
        page.cell(number, 1, value, kind)
    return row + 1 + len(pairs)


def _scope(scope: Scope, language: str) -> list[tuple[str, Shown, Kind]]:
    source = scope.source
    found: list[tuple[str, Shown, Kind]] = [("city", scope.city, "text")]
    if scope.department is not None:
        found.append(("department", department(scope.department, language), "text"))
    return [
        *found,
        ("issuer", scope.issuer, "text"),
        ("month", scope.month, "text"),
        ("since", local(scope.since), "moment"),
        ("until", local(scope.until), "moment"),
        ("zone", scope.zone, "text"),
        ("days", scope.days, "count"),
        ("days_in_month", scope.days_in_month, "count"),
        ("workdays", scope.workdays, "count"),
        ("calendar", scope.calendar.of(language), "text"),
        ("coverage", scope.coverage, "percent"),
        ("source", say(source.kind, language).format(source.name), "text"),
        ("error", 100 * source.error, "percent"),
        ("made", local(scope.made), "moment"),
        ("data_hash", scope.data_hash, "text"),
        ("thresholds", scope.thresholds, "text"),
    ]


def _summary(page: Page, row: int, document: Document) -> int:
    page.text(row, 0, say("summary", page.language), "section")
    style, last = page.styles.of("prose"), len(_WIDTHS) - 1
    for number, one in enumerate(document.summary, row + 1):
        page.sheet.merge_range(number, 0, number, last, "", style)
        page.text(number, 0, one.of(page.language), "prose")
        page.sheet.set_row(number, 32)
    return row + 1 + len(document.summary)


def _figures(page: Page, row: int, figures: Sequence[Figure]) -> int:
    page.text(row, 0, say("figures", page.language), "section")
    for number, key in enumerate(("figure", "value", "before", "note")):
        page.text(row + 1, number, say(key, page.language), "head")
    for at, one in enumerate(figures, row + 2):
        kind = _KINDS.get(one.unit, "amount")
        value, before = one.value, one.before
        if one.unit == "bytes":
            value, before = gib(value), gib(before)
        page.text(at, 0, one.title.of(page.language), "label")
        page.cell(at, 1, value, kind)
        page.cell(at, 2, before, kind)
        page.cell(at, 3, one.note.of(page.language), "text")
    return row + 2 + len(figures)


def definitions(page: Page, document: Document) -> None:
    language = page.language
    page.sheet.set_column(0, 0, 34)
    page.sheet.set_column(1, 1, 110)
    page.text(0, 0, say("definitions", language), "title")
    for number, key in enumerate(("term", "meaning")):
        page.text(2, number, say(key, language), "head")
    for at, (term, meaning) in enumerate(TERMS, 3):
        page.text(at, 0, term.of(language), "label")
        page.cell(at, 1, meaning.of(language), "text", "wrapped")
    row = 4 + len(TERMS)
    for number, key in enumerate(("parameter", "value")):
        page.text(row, number, say(key, language), "head")
    for at, (name, value) in enumerate(sorted(document.scope.parameters.items()), row + 1):
        page.text(at, 0, name, "label")
        if isinstance(value, (int, float)):
            page.cell(at, 1, value, "text")
        else:
            page.cell(at, 1, ", ".join(f"{it:g}" for it in value), "text")
    page.sheet.freeze_panes(3, 0)
    page.printed(title(document.scope, language), (2, 2))

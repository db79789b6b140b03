"""The charts of a report: what each is given of the document, in one language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporters.report import plain
from exporters.report.document import Capacity, Document, Figure
from exporters.report.html import charts, chartsbars, figures
from exporters.report.html.figures import NONE, number, short, size
from exporters.report.html.words import say
from exporters.usage import amounts
from exporters.usage.words import STATE

_SPARKS: Final[Mapping[tuple[str, str], str]] = {
    ("cpu", "percent"): "cpu",
    ("granted", "vcpus"): "granted_vcpus",
    ("coverage", "percent"): "coverage",
}


def trend(document: Document, language: str) -> str:
    return charts.trend(
        [
            charts.Month(it.month, it.granted_vcpus, it.cpu, it.memory)
            for it in document.estate.trend
        ],
        language,
    )


def days(document: Document, language: str) -> str:
    return charts.days(
        [charts.Day(it.day, it.average, it.peak, it.workday) for it in document.estate.days],
        language,
    )


def capacity(document: Document, language: str) -> str:
    return chartsbars.capacity(
        [
            chartsbars.Capacity(
                say(it.resource, language),
                it.usable,
                None if it.granted.unknown and not it.granted.value else it.granted.value,
                it.used,
                (
                    say("capacity_unknown", language)
                    if it.usable is None
                    else sized(it, it.usable),
                    granted(it),
                    sized(it, it.used),
                ),
            )
            for it in document.estate.capacity
        ],
        language,
    )


def departments(document: Document, language: str) -> str:
    """Of those that have a rank."""
    return chartsbars.departments(
        [
            chartsbars.Bar(
                plain.name(amounts.department(it.name, language)),
                it.granted_core_hours,
                it.known_core_hours,
                it.used_core_hours,
                it.load.average,
                signed(it.change),
            )
            for it in document.departments
            if it.rank is not None
        ],
        language,
    )


def shares(states: Mapping[str, int], language: str) -> list[chartsbars.Share]:
    """In the order of the words."""
    names: dict[str, str] = {key: words.of(language) for key, words in STATE.items()}
    order = [*names, *sorted(set(states) - set(names))]
    return [
        chartsbars.Share(key, names.get(key) or plain.name(key), states[key])
        for key in order
        if states.get(key)
    ]


def spark(document: Document, figure: Figure, language: str) -> str:
    """Of a figure of the summary that the trend has in the same unit."""
    attribute = _SPARKS.get((figure.key, figure.unit))
    if attribute is None:
        return ""
    values = [getattr(it, attribute) for it in document.estate.trend]
    title = plain.prose(figure.title.of(language))
    return charts.spark(values, say("twelve_months", language).format(title))


def granted(it: Capacity) -> str:
    """A sum of parts none of which is known is not known."""
    known = it.granted.value or not it.granted.unknown
    return sized(it, it.granted.value if known else None)


def sized(it: Capacity, value: float | None) -> str:
    """With its unit."""
    if it.resource != "vcpus":
        return size(value)
    return NONE if value is None else f"{short(value)}{figures.SPACE}vCPU"


def signed(change: float | None) -> str:
    """`▲ 2.1`, of percentage points."""
    if change is None:
        return NONE
    if abs(change) < 0.05:
        return "＝"
    return f"{'▲' if change > 0 else '▼'} {number(abs(change), 1)}"

"""What is picked out of a report: what somebody has to look at, windows of the trend, the lowest scores."""

from __future__ import annotations

from typing import Final, NamedTuple

from exporters.report.document import Document, Ipv6Subject, MonthPoint

WINDOWS: Final = (3, 6, 12)
SOON: Final = 30  # days
MAX_SUBJECTS: Final = 50


class Window(NamedTuple):
    months: int
    known: int
    first: MonthPoint
    last: MonthPoint


def attention(document: Document) -> list[tuple[str, int, str]]:
    """What somebody has to look at: the chapter, how many, and the key of its words."""
    states = document.estate.states
    lines, baseline = document.lines, document.baseline
    found = (
        ("held", sum(it.due for it in document.held), "attend_held"),
        ("departments", states.get("busy", 0), "attend_busy"),
        (
            "held",
            sum(0 <= it.days_left <= SOON for it in document.exemptions),
            "attend_exemptions",
        ),
        (
            "departments",
            sum(it.granted.resources for it in document.departments if not it.name),
            "attend_unassigned",
        ),
        ("lines", sum(it.missed for it in lines.levels) if lines else 0, "attend_lines"),
        (
            "baseline",
            sum(it.days_left < 0 for it in baseline.waivers) if baseline else 0,
            "attend_waivers",
        ),
        ("gaps", states.get("insufficient", 0), "attend_insufficient"),
    )
    return [it for it in found if it[1]]


def windows(document: Document) -> list[Window]:
    """The last 3, 6 and 12 months, of those that there are."""
    trend = document.estate.trend
    return [
        Window(
            months,
            sum(it.cpu is not None or it.granted_vcpus is not None for it in trend[-months:]),
            trend[-months],
            trend[-1],
        )
        for months in WINDOWS
        if len(trend) >= months
    ]


def worst_subjects(document: Document) -> list[Ipv6Subject]:
    """The lowest scores first; then what was not tested."""
    part = document.ipv6
    those = sorted(
        part.subjects if part else (),
        key=lambda it: (it.score is None, it.score or 0.0, it.department, it.name),
    )
    return those[:MAX_SUBJECTS]

"""The archive of monthly reports as pages."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from exporters.console.reports.operations import (
    FileQuery,
    ReportFile,
    ReportsQuery,
    Unavailable,
    file,
    listed,
)
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Page, Shown

_UNITS: Final = ((1 << 20, "MiB"), (1 << 10, "KiB"))


def _list(asker: Asker, given: ReportsQuery) -> Answer:
    try:
        found = listed(asker, given)
    except Unavailable as refused:
        context = {"found": None, "groups": [], "problem": refused.values["problem"]}
        return Shown("reports/list.html.j2", context, refused.status)
    groups = [
        (subject, list(some)) for subject, some in groupby(found.files, key=lambda it: it.subject)
    ]
    whole = asker.person is not None and asker.person.departments is None
    context = {
        "found": found,
        "groups": groups,
        "problem": "",
        "whole": whole,
        "size": size,
        "months": [(one, one) for one in found.months],
    }
    return Shown("reports/list.html.j2", context)


def size(one: ReportFile) -> str:
    for unit, word in _UNITS:
        if one.size >= unit:
            return f"{one.size / unit:.1f} {word}"
    return f"{one.size} B"


PAGES: Final = (
    Page("/reports", "view", _list, ReportsQuery),
    Page("/reports/{name}", "view", file, FileQuery),
)

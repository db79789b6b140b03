"""The first page: how the city stands; and the clauses one by one, as text."""

from __future__ import annotations

from typing import Final

from exporters.console.overview.operations import clauses
from exporters.console.overview.scores import BANDS
from exporters.console.overview.trend import picture
from exporters.console.overview.whole import overview
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Nothing, Page, Shown


def _overview(asker: Asker, _: Nothing) -> Answer:
    found = overview(asker)
    context = {
        "overview": found,
        "picture": picture(found.trend),
        "bands": [round(edge * 100) for edge in BANDS],
    }
    return Shown("overview/overview.html.j2", context)


def _clauses(asker: Asker, _: Nothing) -> Answer:
    return Shown("overview/clauses.html.j2", {"matrices": clauses(asker, Nothing())})


PAGES: Final = (
    Page("/", "view", _overview),
    Page("/clauses", "view", _clauses),
)

"""The first page: how the city stands."""

from __future__ import annotations

from typing import Final

from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Nothing, Page, Shown


def _overview(asker: Asker, _: Nothing) -> Answer:
    return Shown("overview/overview.html.j2")


PAGES: Final = (Page("/", "view", _overview),)

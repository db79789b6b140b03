"""/log: the audit log, for auditors."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from exporters.console.people import logbook
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Page, Shown
from exporters.console.words import actions


def _log(asker: Asker, given: logbook.Filter) -> Answer:
    found = logbook.listed(asker, given)
    asked = {
        name: value
        for name, value in msgspec.to_builtins(given).items()
        if value and name != "before"
    }
    query = urlencode(asked)
    further = urlencode({**asked, "before": found.next}) if found.next else ""
    context = {"found": found, "given": given, "query": query, "further": further}
    return Shown("people/log.html.j2", {**context, "actions": actions.ACTIONS})


PAGES: Final = (
    Page("/log", "audit", _log, logbook.Filter),
    Page("/log/export.csv", "audit", logbook.exported, logbook.Filter),
)

"""The entries of the navigation: those that the asker may open."""

from __future__ import annotations

from typing import Final, NamedTuple

from exporters.console.web.asker import Asker, Permission


class Entry(NamedTuple):
    path: str
    key: str  # of the catalogue
    permission: Permission


ENTRIES: Final = (
    Entry("/", "nav.overview", "view"),
    Entry("/hits", "nav.hits", "view"),
    Entry("/waivers", "nav.waivers", "view"),
    Entry("/manual", "nav.manual", "view"),
    Entry("/hosts", "nav.hosts", "view"),
    Entry("/rules", "nav.rules", "view"),
    Entry("/lines", "nav.lines", "view"),
    Entry("/reports", "nav.reports", "view"),
    Entry("/windows", "nav.windows", "view"),
    Entry("/fleet", "nav.fleet", "view"),
    Entry("/notifications", "nav.notifications", "administer"),
    Entry("/users", "nav.users", "administer"),
    Entry("/log", "nav.log", "audit"),
)


def entries(asker: Asker) -> list[Entry]:
    return [entry for entry in ENTRIES if asker.may(entry.permission)]

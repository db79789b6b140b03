"""Pages of maintenance windows and silences."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Select, select

from exporters.console.attest import maintenancefile, windowstore
from exporters.console.attest.maintenancefile import WindowMonth
from exporters.console.attest.windowstore import (
    WindowCancelled,
    WindowFilter,
    WindowShown,
)
from exporters.console.attest.windowwanted import WindowWanted
from exporters.console.schema import department
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.routing import Answer, Page, Redirect, Reply, Shown


class WindowId(msgspec.Struct, frozen=True):
    id: Id


class _Start(msgspec.Struct, frozen=True):
    """What the form begins with."""

    host: str = ""
    line: str = ""
    rule: str = ""


def create(asker: Asker, given: WindowWanted) -> WindowShown:
    """Make a window; the maintenance file follows."""
    id = windowstore.made(asker, given)
    maintenancefile.renewed(asker)
    return windowstore.one(asker, id)


def cancel(asker: Asker, given: WindowCancelled) -> WindowShown:
    """What is over stays as it was; one that is on ends now."""
    windowstore.cancelled(asker, given)
    maintenancefile.renewed(asker)
    return windowstore.one(asker, given.id)


def _list(asker: Asker, given: WindowFilter) -> Answer:
    query = {k: v for k, v in msgspec.to_builtins(given).items() if v and k != "before"}
    context = {"page": windowstore.listed(asker, given), "given": given, "query": query}
    return Shown("attest/windows.html.j2", context)


def _one(asker: Asker, given: WindowId) -> Answer:
    return Shown("attest/window.html.j2", {"it": windowstore.one(asker, given.id)})


def _new(asker: Asker, given: _Start) -> Answer:
    names: Select[Any] = select(department.c.name).order_by(department.c.name)
    with asker.database.reading() as connection:
        departments = connection.execute(asker.scoped(names, department.c.id)).scalars().all()
    here = asker.now.astimezone(asker.zone).replace(second=0, microsecond=0, tzinfo=None)
    context = {
        "given": given,
        "departments": [name for name in departments if name],
        "now": here.isoformat(timespec="minutes"),
    }
    return Shown("attest/window_new.html.j2", context)


def _create(asker: Asker, given: WindowWanted) -> Answer:
    id = windowstore.made(asker, given)
    done = maintenancefile.renewed(asker)
    return Redirect(f"/windows/{id}", "windows.created" if done else "windows.file_failed")


def _cancel(asker: Asker, given: WindowCancelled) -> Answer:
    windowstore.cancelled(asker, given)
    done = maintenancefile.renewed(asker)
    return Redirect(
        f"/windows/{given.id}", "windows.was_cancelled" if done else "windows.file_failed"
    )


def as_yaml(asker: Asker, given: WindowMonth) -> Reply:
    """Maintenance of lines as the file that the report reads."""
    return maintenancefile.served(asker, given, "yaml")


def as_csv(asker: Asker, given: WindowMonth) -> Reply:
    """The same as CSV."""
    return maintenancefile.served(asker, given, "csv")


PAGES: Final = (
    Page("/windows", "view", _list, WindowFilter),
    Page("/windows", "review", _create, WindowWanted, "POST"),
    Page("/windows.yaml", "view", as_yaml, WindowMonth),
    Page("/windows.csv", "view", as_csv, WindowMonth),
    Page("/windows/new", "review", _new, _Start),
    Page("/windows/{id}", "view", _one, WindowId),
    Page("/windows/{id}/cancel", "review", _cancel, WindowCancelled, "POST"),
)

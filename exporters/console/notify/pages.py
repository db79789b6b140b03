"""Pages of notifications: who is told, what waits, what failed; and the buttons that ask for a ticket."""

from __future__ import annotations

from typing import Final

from exporters.console.notify import operations, service
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Answer, Page, Redirect, Shown


def _listed(asker: Asker, given: service.Listed) -> Answer:
    context = {"box": service.listed(asker, given), "chosen": given.state, "states": _STATES}
    return Shown("notify/notifications.html.j2", context)


def _tested(asker: Asker, given: service.Named) -> Answer:
    service.test(asker, given)
    return Redirect("/notifications", "notify.tested")


def _retried(asker: Asker, given: service.One) -> Answer:
    service.retry(asker, given)
    return Redirect("/notifications", "notify.retried")


def _ticket(asker: Asker, given: service.One) -> Answer:
    return Redirect(f"/hits/{given.id}", operations.ask_one(asker, given).notice)


_STATES: Final = ("waiting", "given_up", "suppressed", "delivered")

PAGES: Final = (
    Page("/hits/{id}/ticket", "review", _ticket, service.One, "POST"),
    Page("/notifications", "administer", _listed, service.Listed),
    Page("/notifications/test", "administer", _tested, service.Named, "POST"),
    Page("/notifications/{id}/retry", "administer", _retried, service.One, "POST"),
)

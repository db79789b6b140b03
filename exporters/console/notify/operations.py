"""Operations of notifications and tickets."""

from __future__ import annotations

from typing import Final

from exporters.console.notify import service, tickets
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Operation


def ask_one(asker: Asker, given: service.One) -> tickets.Asked:
    return tickets.ask(asker, tickets.Wanted((given.id,)))


OPERATIONS: Final = (
    Operation(
        "notifications.list", "GET", "/notifications", "administer", service.listed, service.Listed, service.Outbox
    ),
    Operation(
        "notifications.test", "POST", "/notifications/test", "administer", service.test, service.Named, service.Put
    ),
    Operation(
        "notifications.retry", "POST", "/notifications/{id}/retry", "administer", service.retry, service.One, service.Put
    ),
    Operation("hits.ticket", "POST", "/hits/{id}/ticket", "review", ask_one, service.One, tickets.Asked),
    Operation("hits.tickets", "POST", "/tickets", "review", tickets.ask, tickets.Wanted, tickets.Asked),
)  # fmt: skip

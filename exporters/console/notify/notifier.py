"""The background work: look what happened, make messages of it, deliver those that are due.

One of several consoles does it, by a lease. Should two do it at once, then the look is one transaction at a time and a
message is claimed before it is sent, so that each is told once and in order.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from datetime import datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from exporters.console import leases
from exporters.console.database import Database
from exporters.console.notify import formats, looking, outbox, tickets
from exporters.console.notify.events import Content
from exporters.console.notify.settings import ITSM, ItsmSettings, Receiver
from exporters.console.notify.ticketbody import Refusal, idempotency
from exporters.console.schema import message
from exporters.console.services import Services
from exporters.console.words import say
from exporters.findings.text import cut, neutral
from exporters.report.delivery import webhook
from exporters.report.delivery.mail import Mailer, written
from exporters.report.delivery.outcome import DeliveryError
from exporters.report.delivery.settings import SmtpServer

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

LEASE: Final = "notify"
LEASE_SECONDS: Final = 90.0  # more than a run takes
PER_RECEIVER: Final = 10  # messages of one run: robots take 20 a minute
SECONDS: Final = 60.0  # after which a run begins nothing more
TOLD: Final = 3  # attempts after which a ticket that fails is told of


class Notifier:
    """`run_once` every ten seconds or so. Raises SQLAlchemyError: nothing is lost, the next run goes on."""

    def __init__(self, database: Database, services: Services) -> None:
        self._database, self._services = database, services
        self._holder = leases.holder_name()
        settings = services.settings
        self._site = formats.Site(
            settings.public_url.rstrip("/"), ZoneInfo(settings.zone), settings.example
        )

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do at all."""
        return bool(self._services.settings.notify.receivers or self._services.settings.itsm)

    def run_once(self, now: datetime) -> None:
        """One console at a time; what a second one does in spite of that is told once all the same."""
        if not leases.held(self._database, LEASE, self._holder, LEASE_SECONDS, now):
            return
        with self._database.writing() as connection:
            looking.look(connection, self._database, self._services, now)
            outbox.tidy(connection, now)
        self.deliver(now)

    def deliver(self, now: datetime) -> None:
        """What is due."""
        end = time.monotonic() + SECONDS
        with self._database.reading() as connection:
            receivers = outbox.heads(connection)
        with ExitStack() as stack:
            post = _Post(stack, self._services)
            for receiver in receivers:
                for _ in range(PER_RECEIVER):
                    if time.monotonic() > end:
                        return
                    with self._database.writing() as connection:
                        due = outbox.claimed(connection, receiver, now)
                    if due is None or not self._delivered(due, post, now):
                        break

    def _delivered(self, due: outbox.Due, post: _Post, now: datetime) -> bool:
        refused = hopeless = False
        try:
            if due.receiver == ITSM:
                tickets.send(self._database, self._services, due, now)
            else:
                self._send(due, post, now)
                with self._database.writing() as connection:
                    outbox.delivered(connection, due.id, now)
        except Refusal as error:
            why, refused, hopeless = str(error), error.refused, error.hopeless
        except DeliveryError as error:
            why = error.why.en
        else:
            return True
        self._failed(due, why, refused, hopeless, now)
        return False

    def _send(self, due: outbox.Due, post: _Post, now: datetime) -> None:
        receiver = self._services.settings.notify.receivers.get(due.receiver)
        if receiver is None:
            raise Refusal(say("notify.gone", "en"), hopeless=True)
        content = msgspec.convert(due.content, Content)
        id = idempotency(due.key)
        if receiver.format != "mail":
            request = formats.request(content, receiver, self._site, id, now)
            answer = post.posted(due.receiver, receiver, request)
            if not answer.success:
                raise Refusal(answer.why, refused=answer.refused)
            if why := formats.problem(receiver, answer.body):
                raise Refusal(why)
            return
        subject, body = formats.letter(content, receiver.language, self._site)
        sent = list(due.content.get("sent", ()))
        for box in receiver.to:
            if box.address in sent:
                continue
            post.mailed(box.address, written(post.server, box, subject, body, id, now))
            sent.append(box.address)
            with self._database.writing() as connection:
                connection.execute(
                    message.update()
                    .where(message.c.id == due.id)
                    .values(content={**due.content, "sent": sent})
                )

    def _failed(
        self, due: outbox.Due, why: str, refused: bool, hopeless: bool, now: datetime
    ) -> None:
        problem = harmless(why, self._secrets(due.receiver))
        with self._database.writing() as connection:
            over = outbox.failed(connection, due, now, problem, refused, hopeless)
            if due.kind == "ticket" and (over or due.attempts >= TOLD):
                tickets.failure(connection, self._database, self._services, due, now)
        if over:
            log.error(
                "message %d (%s) to %s was given up: %s", due.id, due.kind, due.receiver, problem
            )
        else:
            log.warning("message %d (%s) to %s: %s", due.id, due.kind, due.receiver, problem)

    def _secrets(self, name: str) -> tuple[str, ...]:
        settings = self._services.settings
        about: Receiver | ItsmSettings | None
        about = settings.itsm if name == ITSM else settings.notify.receivers.get(name)
        return about.secrets if about else ()


class _Post:
    """The connections of one run, each made when it is needed first."""

    def __init__(self, stack: ExitStack, services: Services) -> None:
        self._stack, self._settings = stack, services.settings.notify
        self._clients: dict[str, httpx.Client] = {}
        self._mailer: Mailer | None = None

    @property
    def server(self) -> SmtpServer:
        assert self._settings.smtp is not None  # noqa: S101 - the settings were checked
        return self._settings.smtp

    def posted(self, name: str, receiver: Receiver, request: formats.Request) -> webhook.Answered:
        client = self._clients.get(name)
        if client is None:
            try:
                made = webhook.opened(receiver, request.url, float(receiver.timeout))
            except ValueError as error:
                raise Refusal(str(error)) from error
            client = self._clients[name] = self._stack.enter_context(made)
        return webhook.once(client, "POST", request.url, request.headers, request.body)

    def mailed(self, to: str, letter: EmailMessage) -> None:
        if self._mailer is None:
            self._mailer = self._stack.enter_context(Mailer(self.server))
        self._mailer.send(to, letter)


def harmless(why: str, secrets: tuple[str, ...]) -> str:
    """What went wrong in a line, without anything that nobody should read."""
    for secret in secrets:
        why = why.replace(secret, "***")
    return cut(neutral(why), 300)

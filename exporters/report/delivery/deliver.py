"""A report to all who are to have it: each by itself, so that one that fails stops no other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from exporters.report import files
from exporters.report.delivery import webhook
from exporters.report.delivery.ledger import Ledger, ledger
from exporters.report.delivery.mail import Mailer, letter
from exporters.report.delivery.outcome import DeliveryError, Outcome
from exporters.report.delivery.plan import Edition, Parcel, parcels
from exporters.report.delivery.settings import DeliverySettings
from rules.model import Text


def deliver(
    settings: DeliverySettings,
    editions: Sequence[Edition],
    state: Path,
    now: datetime,
    again: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Deliver what was not delivered by an earlier run, or all of it `again`; what was is kept in the folder
    `state`. Raises LedgerError, and OSError where `state` cannot be written: then nothing more is sent."""
    todo = parcels(settings, editions)
    if not todo:
        return []
    month = todo[0].edition.document.scope.month
    with ExitStack() as stack:
        known = stack.enter_context(ledger(state, month))
        mailer = stack.enter_context(Mailer(settings.smtp)) if settings.smtp else None

        def send(parcel: Parcel) -> None:
            if parcel.channel == "folder":
                _put(parcel)
            elif parcel.channel == "smtp" and mailer and settings.smtp:
                mailer.send(parcel.to, letter(parcel, settings.smtp, now))
            elif settings.webhook:
                webhook.post(parcel, settings.webhook, sleep)

        return [_delivered(parcel, known, now, again, send) for parcel in todo]


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether somebody does not have it: exit status 1."""
    return any(one.state == "failed" for one in outcomes)


def _delivered(
    parcel: Parcel, known: Ledger, now: datetime, again: bool, send: Callable[[Parcel], None]
) -> Outcome:
    last = known.last(parcel)
    if last and not again:
        return Outcome(parcel, "already", at=last.at, other=last.id != parcel.id)
    if parcel.problem.en:
        return Outcome(parcel, "failed", parcel.problem)
    try:
        send(parcel)
    except DeliveryError as error:
        return Outcome(parcel, "failed", error.why)
    known.note(parcel, now)
    return Outcome(parcel, "delivered")


def _put(parcel: Parcel) -> None:
    """All of the month's files in its folder, whole or not at all."""
    folder = os.path.join(parcel.to, parcel.edition.document.scope.month)
    try:
        files.write(folder, {it.name: it.content for it in parcel.files})
    except OSError as error:
        why = f"{error.filename or folder}: {error.strerror or error}"
        raise DeliveryError(Text(why, why)) from error

"""A window that somebody asks for, as it came from a form or the API, and what may be wrong with it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

import msgspec

from exporters.console.attest import texts
from exporters.console.attest.windows import (
    LONGEST,
    LONGEST_OF_MANY,
    Kind,
    Recurs,
    Scope,
    Window,
    last_end,
)
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Natural
from exporters.console.web.refusals import Invalid

EARLIEST: Final = timedelta(days=1)  # before now: nobody excuses last week today


class WindowWanted(msgspec.Struct, frozen=True):
    """A window to be made. Times are of the site's clock, to the minute, with no zone of their own. One that recurs does so
    every week on `weekdays`, Monday is 1, or every month on `days`; it ends with `until`, a day."""

    kind: Kind
    reason: str
    begins: str
    ends: str
    hosts: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    every: Literal["", "week", "month"] = ""
    weekdays: tuple[Natural, ...] = ()
    days: tuple[Natural, ...] = ()
    until: date | None = None


def checked(asker: Asker, given: WindowWanted) -> Window:
    """Without an id and departments. Raises Invalid."""
    begins, ends = (_moment(asker, field, getattr(given, field)) for field in ("begins", "ends"))
    if ends <= begins:
        raise Invalid("windows.order", "ends")
    recurs = None
    if given.every:
        days = tuple(sorted(set(given.weekdays if given.every == "week" else given.days)))
        if not days or days[0] < 1 or days[-1] > (7 if given.every == "week" else 31):
            raise Invalid("windows.days", "days")
        recurs = Recurs(given.every, days, given.until)
    if ends - begins > (LONGEST if recurs is None else LONGEST_OF_MANY):
        raise Invalid(
            "windows.long", "ends", days=(LONGEST if recurs is None else LONGEST_OF_MANY).days
        )
    if recurs is not None and not recurs.on(begins.astimezone(asker.zone).date()):
        raise Invalid("windows.first_day", "begins")
    found = Window(
        id=0,
        kind=given.kind,
        reason=texts.written("reason", given.reason, 500),
        begins=begins,
        ends=ends,
        scope=Scope(
            hosts=texts.patterns("hosts", given.hosts),
            lines=texts.patterns("lines", given.lines),
            rules=texts.patterns("rules", given.rules),
        ),
        zone=asker.zone,
        recurs=recurs,
    )
    if begins < asker.now - EARLIEST:
        raise Invalid("windows.early", "begins")
    over = last_end(found)
    if over is not None and over <= asker.now:
        raise Invalid("windows.over", "ends")
    return found


def _moment(asker: Asker, field: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None or len(text) < len("2026-01-01T00:00"):
            raise ValueError(text)
        if not 2000 <= found.year <= 2200:
            raise ValueError(text)
    except ValueError as error:
        raise Invalid("windows.time", field, name=field) from error
    whole = datetime.combine(found.date(), time(found.hour, found.minute))
    return whole.replace(tzinfo=asker.zone).astimezone(UTC)

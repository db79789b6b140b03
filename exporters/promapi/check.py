"""What is missing in a time-series database before anybody trusts a report of it: `jianwei report --check`.

Themes have files of their own: checkserver.py, checkseries.py, checktime.py, checkfacts.py. What goes wrong while
one is looked into is a finding itself, and the others are looked into all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from exporters.promapi.checkasking import Asked
from exporters.promapi.checkfacts import of_facts
from exporters.promapi.checkseries import NEEDED, of_interval, of_recorded
from exporters.promapi.checkserver import of_server, server
from exporters.promapi.checktable import documents, table
from exporters.promapi.checktime import of_hours, of_months
from exporters.promapi.client import PromClient
from exporters.promapi.finding import Finding, failed, finding
from exporters.promapi.series import RECORDED
from exporters.usage.period import Period
from exporters.usage.source import SourceError

__all__ = ["Finding", "check", "documents", "failed", "table"]


def check(
    client: PromClient,
    period: Period,
    months_before: Sequence[Period],
    now: float,
    zone: ZoneInfo,
) -> list[Finding]:
    """Of the month of a report, and of those before it that changes and trends are told of. Raises nothing."""
    try:
        client.instant("vector(1)", now)
    except SourceError as error:
        return [finding("error", "server.unreachable", why=error)]
    before = min((month.since for month in months_before), default=period.since)
    found = [*of_server(client, server(client), period, before, now)]
    if period.since >= now or period.until <= period.since:
        found.append(finding("error", "month.future", month=period.label))
    else:
        found += _of_month(Asked(client, period, zone), months_before)
    if client.remarks:
        found.append(finding("warning", "server.remarks", client.remarks))
    return found


def _of_month(asked: Asked, months_before: Sequence[Period]) -> Iterator[Finding]:
    if asked.period.under_way:
        yield finding("ok", "month.under_way", month=asked.period.label)
    used: dict[str, float] = {}
    yield from _looked(of_recorded(asked, used))
    if used:
        yield from _looked(_of_hours(asked))
    yield from _looked(of_months(asked, months_before))
    yield from _looked(of_facts(asked, used))


def _of_hours(asked: Asked) -> Iterator[Finding]:
    hours = asked.hours(RECORDED[NEEDED])
    yield from of_interval(hours)
    yield from of_hours(hours, asked.zone)


def _looked(findings: Iterable[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except SourceError as error:
        yield finding("error", "server.refused", why=error)

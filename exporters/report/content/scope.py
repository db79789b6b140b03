"""What the report is about: the month, where the figures are from, and by what they were judged. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from exporters.history.workcalendar import WorkCalendar
from exporters.report.content.words import say
from exporters.report.document import MonthPoint, Scope, Source
from exporters.usage.period import Period
from exporters.usage.source import UsageSource
from rules.model import Text
from rules.usagemodel import PACK
from rules.usagethresholds import Thresholds

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def data_hash(
    digests: Mapping[str, str], files: Mapping[str, str], trend: Sequence[MonthPoint]
) -> str:
    """Of what the source told of each month, of the files that were read, by what they are, and of the sums of
    months of which nothing else was asked."""
    return hashlib.sha256(_ENCODER.encode([digests, files, trend])).hexdigest()


def thresholds_hash(thresholds: Thresholds) -> str:
    return hashlib.sha256(_ENCODER.encode([PACK, thresholds])).hexdigest()


def calendar_text(calendar: WorkCalendar, year: str) -> Text:
    hours = Text(
        "、".join(map(str, calendar.hours)) or say("no_hours").zh,
        ", ".join(map(str, calendar.hours)) or say("no_hours").en,
    )
    key = "calendar" if year in calendar.sources else "calendar_missing"
    return say(key, year=year, source=calendar.sources.get(year, ""), hours=hours)


def source_of(source: UsageSource, estimated: bool) -> Source:
    extent = source.extent()
    since, until = (
        (datetime.fromtimestamp(at, source.zone) for at in extent) if extent else (None, None)
    )
    return Source(source.kind, source.name, since, until, source.error if estimated else 0.0)


def scope(
    source: Source,
    zone: ZoneInfo,
    period: Period,
    calendar: WorkCalendar,
    thresholds: Thresholds,
    *,
    digest: str,
    days: Sequence[bool],
    workdays: int,
    coverage: float | None,
    city: str,
    issuer: str,
    made: float,
) -> Scope:
    """`days` says of each of the month (so far) whether there is anything of it."""
    return Scope(
        city=city,
        month=period.label,
        since=datetime.fromtimestamp(period.since, zone),
        until=datetime.fromtimestamp(period.until, zone),
        zone=zone.key,
        made=datetime.fromtimestamp(made, zone),
        source=source,
        data_hash=digest,
        thresholds=thresholds_hash(thresholds),
        parameters=msgspec.structs.asdict(thresholds),
        days=sum(days),
        days_in_month=len(days),
        under_way=period.under_way,
        coverage=coverage,
        calendar=calendar_text(calendar, period.label[:4]),
        workdays=workdays,
        issuer=issuer,
    )

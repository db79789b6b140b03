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
from exporters.report.document import Document, Scope, Source
from exporters.usage.period import Period
from exporters.usage.source import UsageSource
from rules.model import Text
from rules.usagemodel import PACK
from rules.usagethresholds import Thresholds

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def data_hash(made: Document, digests: Mapping[str, str], files: Mapping[str, str]) -> str:
    """Of what the source told of each month, of the files that were read, by what they are, and of every figure: of
    the document but for when and for whom it was made, names of files, and what the source has of other times. Sums
    count with nine digits: a database may add up in any order."""
    source = msgspec.structs.replace(made.scope.source, name="", since=None, until=None)
    scope = msgspec.structs.replace(
        made.scope,
        source=source,
        data_hash="",
        made=made.scope.until,
        city="",
        issuer="",
        example=False,
    )
    unnamed = {
        name: msgspec.structs.replace(part, source="")
        for name in ("lines", "ipv6", "baseline")
        if (part := getattr(made, name))
    }
    bare = msgspec.structs.replace(
        made,
        scope=scope,
        summary=(),
        estate=msgspec.structs.replace(made.estate, hosts=()),
        departments=tuple(msgspec.structs.replace(it, resources=()) for it in made.departments),
        **unnamed,
    )
    found = hashlib.sha256(_ENCODER.encode([digests, files, _rounded(msgspec.to_builtins(bare))]))
    for one in (*(it for own in made.departments for it in own.resources), *made.estate.hosts):
        found.update(_ENCODER.encode(one))
    return found.hexdigest()


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value


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
    days: Sequence[bool],
    workdays: int,
    coverage: float | None,
    city: str,
    issuer: str,
    example: bool,
    made: float,
) -> Scope:
    """`days` says of each of the month (so far) whether there is anything of it. Its hash is of all, so it comes last."""
    return Scope(
        city=city,
        month=period.label,
        since=datetime.fromtimestamp(period.since, zone),
        until=datetime.fromtimestamp(period.until, zone),
        zone=zone.key,
        made=datetime.fromtimestamp(made, zone),
        source=source,
        data_hash="",
        thresholds=thresholds_hash(thresholds),
        parameters=msgspec.structs.asdict(thresholds),
        days=sum(days),
        days_in_month=len(days),
        under_way=period.under_way,
        coverage=coverage,
        calendar=calendar_text(calendar, period.label[:4]),
        workdays=workdays,
        issuer=issuer,
        example=example,
    )

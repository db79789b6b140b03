"""The part of a report on IPv6 readiness: from results in files, joined as the report of the estate joins them
(exporters/estate/joining.py), or from scores in a time-series database, where each subject has its own alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from math import fsum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from collectors.ipv6.estate.file import load
from collectors.ipv6.estate.model import Estate, EstateRow
from exporters.estate.joining import scored
from exporters.estate.results import read
from exporters.promapi import series
from exporters.report.document import Ipv6Department, Ipv6Part, Ipv6Subject, Outdated
from exporters.report.sections.ofmonth import Window, window
from exporters.report.sections.prometheus import last_within
from exporters.report.sections.settings import Ipv6Settings
from exporters.usage.period import Period

if TYPE_CHECKING:
    from exporters.promapi.asking import Client

MONTH: Final = 31 * 86400.0  # seconds before a month in which a score is that of the month before

Scores = Mapping[str, float | None]  # by name; None was not tested


def ipv6_from_files(
    settings: Ipv6Settings, period: Period, zone: tzinfo, source: str = ""
) -> Ipv6Part:
    """Raises DocumentError for what is wrong with the files."""
    estate = load(settings.estate)
    before: dict[str, EstateRow] = {}
    then: Scores | None = None
    if settings.before:
        old = load(settings.estate_before) if settings.estate_before else estate
        before, then = (
            _by_name(old),
            _of_files(old, settings.before, window(period.since), zone).scores,
        )
    found = _of_files(estate, settings.results, window(period.until), zone)
    part = _part(_by_name(estate), found.scores, before, then, source, found.times)
    return msgspec.structs.replace(part, outdated=found.outdated)


def ipv6_from_prometheus(
    client: Client, period: Period, settings: Ipv6Settings, source: str = ""
) -> Ipv6Part:
    """Of subjects that the estate does not have nobody knows whose they are. Raises what the client does, and
    DocumentError for the estate."""
    rows = _by_name(load(settings.estate))
    now = _asked(client, period.until, period.until - period.since, rows)
    then = _asked(client, period.since, MONTH, rows)
    return _part(rows, now, rows if then else {}, then or None, source)


def _by_name(estate: Estate) -> dict[str, EstateRow]:
    return {row.name: row for row in estate.rows}


class _Found(NamedTuple):
    scores: Scores
    times: Mapping[str, datetime]
    outdated: tuple[Outdated, ...]


def _of_files(estate: Estate, path: str, window: Window, zone: tzinfo) -> _Found:
    """What is out of date was not tested."""
    results = read(path, estate)
    kept = {key: one for key, one in results.items() if window.holds(one.time)}
    rows = _by_name(estate)
    return _Found(
        {it.row.name: it.score if it.tested else None for it in scored(estate.rows, kept)},
        {name: one.time.astimezone(zone) for (_, name), one in kept.items()},
        tuple(
            Outdated(name, _whose(rows, name), one.time.astimezone(zone))
            for (kind, name), one in sorted(results.items(), key=lambda it: (it[1].time, it[0]))
            if (kind, name) not in kept
        ),
    )


def _asked(
    client: Client, at: float, seconds: float, rows: Mapping[str, EstateRow]
) -> dict[str, float | None]:
    """The last scores within some seconds before a moment; where several agents look at one, the lowest."""
    targets = {row.target: row.name for row in rows.values() if row.target}
    found: dict[str, float | None] = {}
    for one in client.instant(last_within(f'{series.IPV6_SCORE}{{layer="total"}}', seconds), at):
        if subject := one.labels.get("subject"):
            # a subject whose name another has as well is told by its target
            name = subject if subject in rows else targets.get(subject, subject)
            known = found.get(name)
            found[name] = one.value if known is None else min(known, one.value)
    return found


def _part(
    rows: Mapping[str, EstateRow],
    now: Scores,
    rows_before: Mapping[str, EstateRow],
    before: Scores | None,
    source: str,
    times: Mapping[str, datetime] = {},
) -> Ipv6Part:
    names = sorted({*rows, *now})
    then = before or {}
    subjects = [
        Ipv6Subject(
            name=name,
            kind=rows[name].kind if name in rows else "",
            department=_whose(rows, name),
            score=now.get(name),
            before=then.get(name),
            time=times.get(name),
        )
        for name in names
    ]
    names_before = sorted({*rows_before, *then})
    departments = [
        Ipv6Department(
            name=name,
            subjects=len(own),
            tested=sum(one.score is not None for one in own),
            score=_mean(one.score for one in own),
            before=_mean(then.get(one) for one in names_before if _whose(rows_before, one) == name),
        )
        for name in sorted({one.department for one in subjects})
        for own in [[one for one in subjects if one.department == name]]
    ]
    return Ipv6Part(
        score=_mean(one.score for one in subjects),
        before=_mean(then.get(name) for name in names_before),
        departments=tuple(sorted(departments, key=lambda one: (_worst_first(one.score), one.name))),
        subjects=tuple(sorted(subjects, key=lambda one: (_worst_first(one.score), one.name))),
        source=source,
    )


def _whose(rows: Mapping[str, EstateRow], name: str) -> str:
    return rows[name].department if name in rows else ""


def _mean(scores: Iterable[float | None]) -> float | None:
    """What was not tested counts as 0, but where nothing was tested nothing is known."""
    every = list(scores)
    tested = [one for one in every if one is not None]
    return fsum(tested) / len(every) if tested else None


def _worst_first(score: float | None) -> float:
    return -1.0 if score is None else score

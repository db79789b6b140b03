"""The part of a report on the security baseline: scores by department, the oldest hits, waivers that expire. From files
(auditfiles.py), or from what agents serve to a time-series database.

A host without an audit is one of its department that was not audited, and in no score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from collectors.ipv6.estate.file import hosts as inventory
from exporters.promapi import series
from exporters.report import plain
from exporters.report.document import BaselinePart, OldHit, Outdated, Waiver
from exporters.report.sections import auditfiles
from exporters.report.sections.audited import Audited, Hosts, counts, departments, instance_host
from exporters.report.sections.ofmonth import aware, window
from exporters.report.sections.prometheus import last_within
from exporters.report.sections.settings import BaselineSettings
from exporters.usage.period import Period
from rules import waivers
from rules.model import OPEN, SEVERITIES, Hit, Text

if TYPE_CHECKING:
    from exporters.promapi.asking import Client

MONTH: Final = 31 * 86400.0  # seconds before a month in which a score is that of the month before
_STATES: Final = "|".join(sorted(OPEN))
_DAY: Final = 86400.0


def baseline_from_files(
    settings: BaselineSettings, period: Period, zone: tzinfo, source: str = ""
) -> BaselinePart:
    """Raises DocumentError for what is wrong with the files."""
    hosts = Hosts(inventory(settings.estate))
    found = auditfiles.audits(settings.audits, hosts, window(period.until), zone)
    now = found.figures(settings.packs)
    before: Mapping[str, Audited] = {}
    if settings.before:
        then = auditfiles.audits(settings.before, hosts, window(period.since), zone)
        before = then.figures(settings.packs)
    hits = _hits(settings, found)
    # of whom there are hits or an audit that found none; with a list of hits, of everybody who was audited
    known = {host for host, it in now.items() if settings.hits or (hits and not it.failed)}
    open_hits = Counter(dict.fromkeys(known, 0))
    for hit in hits or ():
        open_hits[hosts.found(hit.host.name, hit.host.id)] += _open(hit, period)
    return BaselinePart(
        departments=departments(hosts, now, before, open_hits),
        oldest=_oldest(hits or (), hosts, period, settings.oldest, zone),
        waivers=_waivers(settings, hosts, hits, period, zone),
        source=source,
        outdated=_outdated(found.outside, hosts),
    )


def _outdated(times: Mapping[str, datetime], hosts: Hosts) -> tuple[Outdated, ...]:
    """The oldest first."""
    found = [Outdated(host, hosts.whose(host), at) for host, at in times.items()]
    return tuple(sorted(found, key=lambda it: (it.time, it.name)))


def _open(hit: Hit, period: Period) -> bool:
    """Whether it is open, and was there before the period ended."""
    return hit.state in OPEN and aware(hit.first_seen, UTC).timestamp() < period.until


def _hits(settings: BaselineSettings, found: auditfiles.Audits) -> list[Hit] | None:
    """Those of packs that count; None where nobody keeps any."""
    if settings.hits:
        every: Iterable[Hit] = auditfiles.hits(settings.hits)
    elif found.hits:
        every = [hit for _, its in found.hits.values() for hit in its]
    else:
        return None
    return [
        hit
        for hit in every
        if not hit.packs or any(counts(pack, settings.packs) for pack in hit.packs)
    ]


def _oldest(
    hits: Iterable[Hit], hosts: Hosts, period: Period, most: int, zone: tzinfo
) -> tuple[OldHit, ...]:
    """Open ones that were first seen before the end of the period, the longest open first."""
    found = []
    for hit in hits:
        if _open(hit, period):
            first = aware(hit.first_seen, zone)
            host = hosts.found(hit.host.name, hit.host.id)
            found.append(
                OldHit(
                    host=host,
                    department=hosts.whose(host),
                    rule=hit.rule,
                    title=hit.title,
                    severity=hit.severity,
                    instance=plain.name(hit.instance),
                    since=first,
                    days=_days(first.timestamp(), period),
                    state=hit.state,
                )
            )
    return _first(found, most)


def _first(found: list[OldHit], most: int) -> tuple[OldHit, ...]:
    found.sort(
        key=lambda one: (
            one.since, -_severity(one.severity), one.host, one.rule, one.instance,
        )
    )  # fmt: skip
    return tuple(found[:most])


def _severity(name: str) -> int:
    return SEVERITIES.index(name) if name in SEVERITIES else -1


def _days(since: float, period: Period) -> int:
    return max(0, math.floor((period.until - since) / _DAY))


def _waivers(
    settings: BaselineSettings,
    hosts: Hosts,
    hits: Sequence[Hit] | None,
    period: Period,
    zone: tzinfo,
) -> tuple[Waiver, ...]:
    """Those that expired within the period or will soon: for each department that has hosts in their scope."""
    if not settings.waivers:
        return ()
    begin, today = (_date(at, zone) for at in (period.since, period.until))
    found = []
    for one in waivers.load(settings.waivers):
        if not begin <= one.expires <= today + timedelta(days=settings.expiring):
            continue
        own: Counter[str] = Counter()
        for hit in hits or ():
            if hit.state == "waived" and hit.waiver == one.id:
                own[hosts.whose(hosts.found(hit.host.name, hit.host.id))] += 1
        names = {
            hosts.whose(name)
            for name in hosts.departments
            if any(waivers.matches(word, host) for host in one.hosts for word in hosts.words(name))
        }
        for department in sorted(names | set(own)) or [""]:
            found.append(
                Waiver(
                    id=one.id,
                    department=department,
                    reason=one.reason,
                    owner=one.owner,
                    expires=one.expires,
                    days_left=(one.expires - today).days,
                    hits=None if hits is None else own[department],
                )
            )
    return tuple(sorted(found, key=lambda one: (one.expires, one.id, one.department)))


def _date(at: float, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at, zone).date()


def baseline_from_prometheus(
    client: Client, period: Period, settings: BaselineSettings, zone: tzinfo, source: str = ""
) -> BaselinePart:
    """By the hosts of `instance`. Raises what the client does, and DocumentError for the files."""
    hosts = Hosts(inventory(settings.estate))
    seconds = period.until - period.since
    now, outside = _scores(client, period.until, seconds, hosts, settings, zone)
    before, _ = _scores(client, period.since, MONTH, hosts, settings, zone)
    hits: dict[tuple[str, ...], int] = {}
    kept = client.instant(last_within(series.HITS, seconds), period.until)
    open_hits = Counter({_host(hosts, one.labels): 0 for one in kept})
    for one in kept:
        if one.labels.get("state") in OPEN:
            key = _host(hosts, one.labels), one.labels.get("severity", ""), one.labels["state"]
            hits[key] = max(hits.get(key, 0), round(one.value))
    for (host, *_), count in hits.items():
        open_hits[host] += count
    return BaselinePart(
        departments=departments(hosts, now, before, open_hits),
        oldest=_oldest_asked(client, period, hosts, settings.oldest, zone),
        waivers=_waivers(settings, hosts, None, period, zone),
        source=source,
        outdated=_outdated(outside, hosts),
    )


def _host(hosts: Hosts, labels: Mapping[str, str]) -> str:
    return hosts.found(instance_host(labels.get("instance", "")))


def _scores(
    client: Client,
    at: float,
    seconds: float,
    hosts: Hosts,
    settings: BaselineSettings,
    zone: tzinfo,
) -> tuple[dict[str, Audited], dict[str, datetime]]:
    """As each agent told them last within some seconds before a moment; of a host that is told of twice the worst. And when
    those were audited whose audits are out of date: an agent goes on telling of the last."""
    audited: dict[str, datetime] = {}
    for one in client.instant(last_within(series.AUDITED, seconds), at):
        host, time = _host(hosts, one.labels), datetime.fromtimestamp(one.value, zone)
        audited[host] = max(time, audited.get(host, time))
    outside = {host: time for host, time in audited.items() if not window(at).holds(time)}
    found: dict[tuple[str, str], float] = {}
    for one in client.instant(last_within(series.PACK_SCORE, seconds), at):
        if counts(pack := one.labels.get("pack", ""), settings.packs):
            key = _host(hosts, one.labels), pack
            found[key] = min(found.get(key, math.inf), 100 * one.value)
    scores: dict[str, list[float]] = {}
    for (host, _), score in found.items():
        scores.setdefault(host, []).append(score)
    rules: dict[tuple[str, str, str], int] = {}
    for one in client.instant(last_within(series.PACK_VERDICTS, seconds), at):
        if counts(pack := one.labels.get("pack", ""), settings.packs):
            of = _host(hosts, one.labels), pack, one.labels.get("verdict", "")
            rules[of] = max(rules.get(of, 0), round(one.value))
    verdicts: dict[str, Counter[str]] = {}
    for (host, _, verdict), count in rules.items():
        verdicts.setdefault(host, Counter())[verdict] += count
    made: dict[str, Audited] = {}
    for host in {*scores, *verdicts} - outside.keys():
        its, by_verdict = scores.get(host), verdicts.get(host, Counter())
        mean = sum(its) / len(its) if its else None
        failed, unknown, manual = (by_verdict[key] for key in ("fail", "unknown", "manual"))
        times = (audited[host],) if host in audited else ()
        made[host] = Audited(mean, failed, unknown, manual, times)
    return made, outside


def _oldest_asked(
    client: Client, period: Period, hosts: Hosts, most: int, zone: tzinfo
) -> tuple[OldHit, ...]:
    """Of each host and severity the oldest; which rule it is of only the host's hits tell."""
    metric = series.OLDEST_HIT
    seconds = period.until - period.since
    began: dict[tuple[str, str], float] = {}
    # of an agent that tells nothing at the end, the age is that of when it last did: it began then or before
    for one in client.instant(last_within(metric, seconds), period.until):
        began[_host(hosts, one.labels), one.labels.get("severity", "")] = period.until - one.value
    for one in client.instant(f"timestamp({metric}) - {metric}", period.until):
        began[_host(hosts, one.labels), one.labels.get("severity", "")] = one.value
    return _first(
        [
            OldHit(
                host=host,
                department=hosts.whose(host),
                rule="",
                title=Text("", ""),
                severity=severity,
                instance="",
                since=datetime.fromtimestamp(since, zone),
                days=_days(since, period),
                state="",
            )
            for (host, severity), since in began.items()
        ],
        most,
    )

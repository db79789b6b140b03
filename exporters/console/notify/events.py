"""What is told to whom, of what has happened: pure.

A look covers a stretch of time; what happened in it is gathered for each receiver by kind, counted, with the first ten
named. What a maintenance window or silence covers is gathered by itself: it is kept as suppressed and not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from exporters.console.notify.settings import Kind, NotifySettings, QuietHours
from exporters.findings.told import line
from rules.model import SEVERITIES, Severity

NAMED: Final = 10  # of many are named, the others counted
FOLLOWED: Final = 200  # ids of hits that an automatic ticket covers at most


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """A hit, host or waiver in a message. All texts are harmless lines. `department` "" is nobody's; None: of all.
    `detail` is a date, or since when."""

    path: str
    title_zh: str = ""
    title_en: str = ""
    severity: Severity | None = None
    host: str = ""
    department: str | None = None
    detail: str = ""
    rule: str = ""
    id: int = 0

    def title(self, language: str) -> str:
        return self.title_en if language == "en" else self.title_zh


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message says, before it has a language and a format: the JSON in the table."""

    kind: str
    time: datetime
    count: int = 1
    severities: dict[str, int] = {}
    items: tuple[Item, ...] = ()


class State(msgspec.Struct, frozen=True):
    """How far was looked: kept in `setting`. Of hit_event `told` is the last number told and `seen` the last one seen
    at `at`: what is told at a look was seen at an earlier one, so that transactions which commit out of order are
    not passed by. `silent` are hosts told as silent, `held` those silent in a window: neither told nor
    forgotten. `waivers` are told up to so many days."""

    at: datetime
    told: int = 0
    seen: int = 0
    waivers: dict[str, str] = {}
    silent: dict[str, datetime] = {}
    held: dict[str, datetime] = {}


class Notice(NamedTuple):
    """A message to be."""

    receiver: str
    content: Content
    suppressed: bool


class Gathered:
    """What one look found, by receiver and kind."""

    def __init__(self, settings: NotifySettings, now: datetime) -> None:
        self._settings, self._now = settings, now
        self._count: dict[tuple[str, Kind, bool], int] = {}
        self._items: dict[tuple[str, Kind, bool], list[Item]] = {}
        self._severities: dict[tuple[str, Kind, bool], dict[str, int]] = {}

    def take(
        self, kind: Kind, item: Item, departments: Iterable[str] | None, covered: bool
    ) -> None:
        """`departments` are those it is about, None for all of them."""
        of = None if departments is None else frozenset(departments)
        for receiver in wanted(self._settings, kind, item.severity, of):
            key = (receiver, kind, covered)
            self._count[key] = self._count.get(key, 0) + 1
            items = self._items.setdefault(key, [])
            if len(items) < NAMED:
                items.append(item)
            if item.severity:
                by = self._severities.setdefault(key, {})
                by[item.severity] = by.get(item.severity, 0) + 1

    def notices(self) -> Iterator[Notice]:
        for (receiver, kind, covered), count in sorted(self._count.items()):
            key = (receiver, kind, covered)
            severities = self._severities.get(key, {})
            ordered = {str(s): severities[s] for s in reversed(SEVERITIES) if s in severities}
            content = Content(kind, self._now, count, ordered, tuple(self._items[key]))
            yield Notice(receiver, content, covered)


def wanted(
    settings: NotifySettings,
    kind: Kind,
    severity: Severity | None,
    departments: frozenset[str] | None,
) -> list[str]:
    """The receivers that a rule names for such an event, each once."""
    found: dict[str, None] = {}
    for rule in settings.rules:
        if kind not in rule.events:
            continue
        if rule.departments and departments is not None and not departments & {*rule.departments}:
            continue
        if severity and not severe(severity, least(kind, rule.severity)):
            continue
        found |= dict.fromkeys(rule.receivers)
    return list(found)


def least(kind: str, severity: Severity | None) -> Severity:
    return severity or ("critical" if kind == "new" else SEVERITIES[0])


def severe(severity: Severity, at_least: Severity) -> bool:
    return SEVERITIES.index(severity) >= SEVERITIES.index(at_least)


def lowest(settings: NotifySettings, kind: Kind) -> Severity | None:
    """The lowest severity that anybody wants to know of; None: nobody wants any."""
    asked = [least(kind, rule.severity) for rule in settings.rules if kind in rule.events]
    return min(asked, key=SEVERITIES.index, default=None)


class Silent(NamedTuple):
    """How hosts differ from what was told. `fresh`: silent and to be told; `covered`: in a window, first seen now."""

    fresh: list[str]
    covered: list[str]
    back: list[str]
    silent: dict[str, datetime]
    held: dict[str, datetime]


def silences(
    state: State, now_silent: Mapping[str, datetime], covered: Iterable[str], known: Iterable[str]
) -> Silent:
    """`covered` are those of the silent that a window covers; `known` the hosts that still exist of those told."""
    within = set(covered)
    fresh = [h for h, since in now_silent.items() if state.silent.get(h) != since]
    told = [h for h in fresh if h not in within]
    held = {h: now_silent[h] for h in fresh if h in within}
    new = [h for h, since in held.items() if state.held.get(h) != since]
    there = set(known)
    back = [h for h in state.silent if h not in now_silent and h in there]
    silent = {
        h: since for h, since in now_silent.items() if h in told or state.silent.get(h) == since
    }
    return Silent(told, new, back, silent, held)


def expiring(
    state: State, ends: Mapping[str, date], today: date, days: Sequence[int]
) -> tuple[list[str], dict[str, str]]:
    """Waivers to tell of now, and what is told then: by code `LASTDAY:DAYS`. A waiver is told of once for each of
    `days`, the nearest one only."""
    due: list[str] = []
    told: dict[str, str] = {}
    for code, last in ends.items():
        left = (last - today).days
        steps = [step for step in days if 0 <= left <= step]
        if not steps:
            continue
        told[code] = f"{last.isoformat()}:{min(steps)}"
        if state.waivers.get(code) != told[code]:
            due.append(code)
    return due, told


def due(
    quiet: QuietHours | None, zone: ZoneInfo, now: datetime, severities: Mapping[str, Any]
) -> datetime:
    """When a message may go: now, or when the quiet hours end."""
    if quiet is None or (quiet.urgent and "critical" in severities):
        return now
    here = now.astimezone(zone)
    begins, ends, clock = quiet.begins.time, quiet.ends.time, here.time()
    over_midnight = begins > ends
    within = (clock >= begins or clock < ends) if over_midnight else begins <= clock < ends
    if not within:
        return now
    day = here.date() + timedelta(days=1 if over_midnight and clock >= begins else 0)
    return datetime.combine(day, ends, zone).astimezone(now.tzinfo)


def short(text: str, most: int = 200) -> str:
    """One harmless line."""
    told = line(text)
    return told if len(told) <= most else told[: most - 1] + "…"

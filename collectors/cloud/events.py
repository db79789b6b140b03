"""What happened to what is held, for people: events out of spans, and since when something is as it
is. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

import msgspec

from collectors.cloud.owners import Attribution, Owner
from collectors.cloud.spans import Aspect, Known, Span, Value

What = Literal[
    "applied",  # being built: asked for, and not yet there
    "granted",  # there for the first time
    "returned",  # there again after it was released
    "started",
    "stopped",
    "failed",
    "paused",
    "released",
    "resized",
    "moved",  # to another department, system, region or environment
    "transferred",  # to another project
    "attached",
    "detached",
    "renamed",
    "quota",  # changed
]
_STATES: dict[str, What] = {
    "building": "applied",
    "active": "started",
    "available": "started",
    "stopped": "stopped",
    "paused": "paused",
    "error": "failed",
    "released": "released",
}


class Event(msgspec.Struct, frozen=True):
    """`before` is None where nothing was known."""

    at: float
    resource: str
    what: What
    before: Value | None
    after: Value


def events(spans: Iterable[Span]) -> list[Event]:
    """What the spans tell, in the order of time. A first span tells of no change, but that of the
    state that something was granted."""
    aspects: dict[tuple[str, Aspect], list[Span]] = defaultdict(list)
    spans = tuple(spans)
    first = first_seen(spans)
    for span in spans:
        if span.until is None or span.until > span.since:  # else it was never so
            aspects[span.resource, span.aspect].append(span)
    found: list[Event] = []
    for (resource, aspect), of_one in aspects.items():
        of_one.sort(key=lambda span: span.since)
        if aspect == "state":
            found += _states(resource, of_one, first.get(resource))
            continue
        for before, after in pairwise(of_one):
            # what ended in between was released, and that is told by its state
            if before.until == after.since and (what := _what(aspect, before.value, after.value)):
                found.append(Event(after.since, resource, what, before.value, after.value))
    return sorted(found, key=lambda event: (event.at, event.resource))


def _states(resource: str, spans: list[Span], first: float | None) -> Iterator[Event]:
    granted = False
    before: Value | None = None
    for span in spans:
        if span.value == "unknown" and before not in (None, "released"):
            continue  # it may be as it was
        at = span.since
        what = _STATES.get(str(span.value))
        if before == "released":
            what = "returned"
            granted = granted or span.value != "building"
        elif not granted and span.value not in ("building", "unknown", "released"):
            what = "granted"
            granted = True
            if before in (None, "unknown") and first is not None:
                at = min(at, first)  # it was there before it was looked at
        if what is not None and before != span.value:
            yield Event(at, resource, what, before, span.value)
        before = span.value


def _what(aspect: Aspect, before: Value, after: Value) -> What | None:
    if aspect == "size":
        return "resized"
    if aspect == "owner":
        # how it is known may change too
        return "moved" if _owner(before) != _owner(after) else None
    if aspect == "attached":
        return "attached" if after else "detached"
    if aspect == "identity":
        return "renamed" if getattr(before, "name", "") != getattr(after, "name", "") else None
    return "transferred" if aspect == "project" else "quota"


def _owner(value: Value) -> Owner | None:
    return value.owner if isinstance(value, Attribution) else None


def stopped_since(known: Known) -> dict[str, float]:
    """Since when each server that is stopped and still held has been so."""
    return _since(known, "state", "stopped")


def detached_since(known: Known) -> dict[str, float]:
    """Since when each volume that is held and attached to nothing has been so."""
    return _since(known, "attached", ())


def first_seen(spans: Iterable[Span]) -> dict[str, float]:
    """Since when each resource is known: its creation where its cloud told that, else the first
    look."""
    first: dict[str, float] = {}
    for span in spans:
        if span.aspect == "identity":
            first[span.resource] = min(first.get(span.resource, span.since), span.since)
    return first


def _since(known: Known, aspect: Aspect, value: Value) -> dict[str, float]:
    return {
        id: span.since
        for (id, of), span in known.items()
        if of == aspect and span.until is None and span.value == value
    }

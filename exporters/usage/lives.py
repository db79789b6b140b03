"""The lives of resources as a history file has them: what each was, and whose, at any moment of a period."""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from collectors.cloud.model import ResourceKind, Size
from collectors.cloud.owners import Attribution
from collectors.cloud.spans import VALUES, Aspect, decoded
from collectors.cloud.spans import Span as Fact

NOBODYS: Final = Attribution()
NO_SIZE: Final = Size()
AWAY: Final = 86400.0  # seconds after which what comes back begins again


class Life(NamedTuple):
    """One resource; its spans that overlap the period, by aspect and in order."""

    id: str
    kind: ResourceKind
    name: str
    cloud: str
    first_seen: float
    last_seen: float
    spans: Mapping[Aspect, list[Fact]]

    def at(self, aspect: Aspect, moment: float) -> Fact | None:
        """The span of an aspect that holds at a moment."""
        for span in reversed(self.spans.get(aspect, ())):
            if span.since <= moment:
                return span if span.until is None or moment < span.until else None
        return None

    def last(self, aspect: Aspect, until: float) -> Fact | None:
        """The last span of an aspect that begins before a moment, ended or not."""
        return next((s for s in reversed(self.spans.get(aspect, ())) if s.since < until), None)

    def owner(self, until: float) -> Attribution:
        """Whose it was last, before a moment."""
        span = self.last("owner", until)
        return span.value if span and isinstance(span.value, Attribution) else NOBODYS

    def size(self, until: float) -> Size:
        """What it had last, before a moment."""
        span = self.last("size", until)
        return span.value if span and isinstance(span.value, Size) else NO_SIZE

    def changed(self, aspect: Aspect, since: float, until: float) -> list[float]:
        """When an aspect went from one value to another within a period."""
        spans = self.spans.get(aspect, ())
        return [
            after.since
            for before, after in itertools.pairwise(spans)
            if since < after.since < until and _told(before.value) != _told(after.value)
        ]

    def granted(self, until: float) -> float:
        """When it was granted; of one that was released and came back after AWAY, when it came back."""
        back = [
            span.until
            for span in self.spans.get("state", ())
            if span.value == "released"
            and span.until is not None
            and span.until < until
            and span.until - span.since > AWAY
        ]
        return max([self.first_seen, *back])


def _told(value: Any) -> Any:
    """It moved when its department is another one, however that is known."""
    return value.owner.department if isinstance(value, Attribution) else value


def lives(connection: sqlite3.Connection, since: float, until: float) -> Iterator[Life]:
    """Resources that were there at some time of [since, until). Spans are those that overlap it, and the last
    before it."""
    spans: dict[str, list[Fact]] = {}
    for span in facts(connection, until):
        spans.setdefault(span.resource, []).append(span)
    rows = connection.execute(
        "SELECT id, kind, name, cloud, first_seen, last_seen FROM resources"
        " WHERE kind != 'project' AND first_seen < ? AND last_seen >= ? ORDER BY number",
        (until, since),
    ).fetchall()
    for id, kind, name, cloud, first_seen, last_seen in rows:
        by_aspect: dict[Aspect, list[Fact]] = {}
        for span in spans.get(id, ()):
            by_aspect.setdefault(span.aspect, []).append(span)
        life = Life(id, kind, name, cloud, first_seen, last_seen, by_aspect)
        state = life.at("state", since)
        if not (
            state and state.value == "released" and len(life.changed("state", since, until)) == 0
        ):
            yield life


def facts(connection: sqlite3.Connection, until: float = math.inf) -> Iterator[Fact]:
    """All spans that begin before a moment, by resource, aspect and time: those that ended long ago tell when
    something came back."""
    rows: Iterable[tuple[str, Any, float, float | None, str]] = connection.execute(
        "SELECT id, aspect, since, until, value FROM spans JOIN resources ON number = resource"
        " WHERE since < ? ORDER BY number, aspect, since",
        (until,),
    )
    for id, aspect, since, end, value in rows:
        if aspect in VALUES:
            yield Fact(id, aspect, since, end, decoded(aspect, value))


def names(connection: sqlite3.Connection) -> dict[str, str]:
    """The name of each resource by its id."""
    return dict(connection.execute("SELECT id, name FROM resources"))

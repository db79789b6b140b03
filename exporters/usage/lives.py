"""The lives of resources as a history file has them: what each was, and whose, at any moment of a period."""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from collectors.cloud.model import ResourceKind, Size
from collectors.cloud.owners import Attribution
from collectors.cloud.spans import VALUES, Aspect, decoded
from collectors.cloud.spans import Span as Fact

NOBODYS: Final = Attribution()
NO_SIZE: Final = Size()
AWAY: Final = 86400.0  # seconds after which what comes back begins again
RESIZED: Final = 0.02  # of memory: less is what a hypervisor or a kernel reserves at times


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

    def owners(
        self, since: float, until: float, otherwise: Otherwise | None = None
    ) -> list[tuple[float, Attribution]]:
        """Whose it was within a period: since when whose, in order. Before it is known it was whose it is known
        to have been first; where the history does not know it, `otherwise` says."""
        spans = self.spans.get("owner", ())
        ends = [at for span in spans for at in (span.since, span.until) if at is not None]
        cuts = sorted({since, *(at for at in ends if since < at < until)})
        found: list[tuple[float, Attribution]] = []
        for begin, end in itertools.pairwise([*cuts, until]):
            span = spans[0] if spans and begin < spans[0].since else self.at("owner", begin)
            owner = span.value if span and isinstance(span.value, Attribution) else NOBODYS
            if otherwise and owner.how == "unassigned":
                found += otherwise(self, begin, end)
            else:
                found.append((begin, owner))
        return found

    def moved(self, since: float, until: float, otherwise: Otherwise | None = None) -> list[float]:
        """When it went to another department within [since, until), on its first moment as well."""
        before = since - 1 if self.first_seen < since else since
        held = [
            (at, owner.owner.department)
            for at, owner in self.owners(before, until, otherwise)
            if not ((state := self.at("state", at)) and state.value == "released")
        ]
        return [at for (_, one), (at, other) in itertools.pairwise(held) if one != other]

    def resized(self, since: float, until: float) -> list[float]:
        """When its virtual CPUs or its memory became others within a period. No change is one of the disk, one
        of memory by less than RESIZED, and that a size becomes known or unknown."""
        vcpus: float | None = None
        memory: int | None = None
        found = []
        for span in self.spans.get("size", ()):
            size = span.value
            if not isinstance(size, Size):
                continue
            more = None not in (vcpus, size.vcpus) and vcpus != size.vcpus
            if memory and size.memory is not None:
                more = more or abs(size.memory - memory) >= RESIZED * memory
            if more and since < span.since < until:
                found.append(span.since)
            # little by little is held against the size that it last was resized to
            vcpus = size.vcpus if size.vcpus is not None else vcpus
            if more or memory is None:
                memory = size.memory if size.memory is not None else memory
        return found

    def changed(self, aspect: Aspect, since: float, until: float) -> list[float]:
        """When an aspect went from one value to another within a period."""
        spans = self.spans.get(aspect, ())
        return [
            after.since
            for before, after in itertools.pairwise(spans)
            if since < after.since < until and before.value != after.value
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


def known_at(life: Life, until: float) -> Life:
    """As it was known at a moment: what came later is no part of it."""
    spans = {
        aspect: [
            it if it.until is None or it.until < until else msgspec.structs.replace(it, until=None)
            for it in its
        ]
        for aspect, its in life.spans.items()
    }
    return life._replace(last_seen=min(life.last_seen, until), spans=spans)


# Whose a resource was within [since, until) by what the history does not have: since when whose, from its
# beginning on.
Otherwise = Callable[[Life, float, float], Sequence[tuple[float, Attribution]]]


def lives(connection: sqlite3.Connection, since: float, until: float) -> Iterator[Life]:
    """Resources that were there at some time of [since, until). Spans are those that overlap it, and the last
    before it."""
    spans: dict[str, list[Fact]] = {}
    for span in facts(connection, until):
        spans.setdefault(span.resource, []).append(span)
    rows = connection.execute(
        "SELECT id, kind, name, cloud, first_seen, last_seen FROM resources"
        " WHERE kind NOT IN ('project', 'capacity', 'line') AND first_seen < ? AND last_seen >= ? ORDER BY number",
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

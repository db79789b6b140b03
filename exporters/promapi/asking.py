"""Many queries at once, each small enough: of some resources, and of no more points than a server answers.

What a server refuses for its size is asked for again in halves: of resources, then of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from itertools import chain
from threading import Lock
from typing import Final, Protocol, TypeVar

from exporters.promapi.client import Sample, Series, TooMuch
from exporters.promapi.selectors import chosen, shards

POINTS: Final = 10_000  # a series a query; Prometheus answers 11,000
WORKERS: Final = 4  # queries at a time: VictoriaMetrics runs four

Query = Callable[[str], str]  # of the matcher of resources
Progress = Callable[[str, int, int], None]  # of what, how many queries are done, of how many
T = TypeVar("T")


class Client(Protocol):
    """exporters/promapi/client.py; may be used by several threads."""

    def instant(self, query: str, at: float) -> Sequence[Sample]: ...

    def over(self, query: str, since: float, until: float, step: float) -> Sequence[Series]: ...


class Asker:
    """Errors are SourceError. `asked` counts queries."""

    def __init__(self, client: Client, workers: int = WORKERS, progress: Progress | None = None):
        self._client, self._workers, self._progress = client, workers, progress
        self.asked = 0
        self._lock = Lock()

    def together(self, what: str, jobs: Iterable[Callable[[], T]]) -> list[T]:
        """What all of them find, in their order; `what` they are of is for people. The first error ends it."""
        jobs = list(jobs)
        with ThreadPoolExecutor(max(1, self._workers)) as pool:
            running = [pool.submit(job) for job in jobs]
            try:
                for done, one in enumerate(as_completed(running), 1):
                    one.result()
                    if self._progress:
                        self._progress(what, done, len(jobs))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return [one.result() for one in running]

    def instant(self, query: Query, at: float, ids: Sequence[str]) -> list[Sample]:
        """Of these resources, in one query unless that is refused."""
        try:
            return self.once(query(chosen(ids)), at)
        except TooMuch:
            if len(ids) < 2:
                raise
            return list(chain.from_iterable(self.instant(query, at, part) for part in _halves(ids)))

    def once(self, query: str, at: float) -> list[Sample]:
        self._count()
        return list(self._client.instant(query, at))

    def _count(self) -> None:
        with self._lock:
            self.asked += 1

    def over(
        self, query: Query, since: float, until: float, step: int, ids: Sequence[str] | None
    ) -> list[Series]:
        """At each step from `since` to `until`, both included; None is of all resources. A series may come in
        parts."""
        if until < since:
            return []
        steps = int((until - since) // step) + 1
        if steps > POINTS:
            return self._parted(query, since, until, step, ids, POINTS)
        try:
            self._count()
            matcher = "" if ids is None else chosen(ids)
            return list(self._client.over(query(matcher), since, until, step))
        except TooMuch:
            if ids and len(ids) > 1:
                halves = (self.over(query, since, until, step, part) for part in _halves(ids))
                return list(chain.from_iterable(halves))
            if steps < 2:
                raise
            return self._parted(query, since, until, step, ids, (steps + 1) // 2)

    def _parted(
        self,
        query: Query,
        since: float,
        until: float,
        step: int,
        ids: Sequence[str] | None,
        most: int,
    ) -> list[Series]:
        found: list[Series] = []
        while since <= until:
            end = min(until, since + (most - 1) * step)
            found += self.over(query, since, end, step, ids)
            since += most * step
        return found

    def instants(
        self, query: Query, at: float, ids: Sequence[str], copies: int = 1
    ) -> Iterator[Callable[[], list[Sample]]]:
        """Jobs for `together`, one a shard."""
        for part in shards(ids, copies):
            yield partial(self.instant, query, at, part)

    def overs(
        self,
        query: Query,
        since: float,
        until: float,
        step: int,
        ids: Sequence[str] | None,
        copies: int = 1,
    ) -> Iterator[Callable[[], list[Series]]]:
        """Jobs for `together`, one a shard; None is of all resources in one."""
        for part in [None] if ids is None else shards(ids, copies):
            yield partial(self.over, query, since, until, step, part)


def _halves(ids: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    middle = len(ids) // 2
    return ids[:middle], ids[middle:]

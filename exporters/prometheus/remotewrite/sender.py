"""Empties a queue to its receiver: in order, one request at a time, later and later while the receiver does not take it.

A batch holds up to `max_samples`, of one moment or, after an outage, of many. The same batch is sent again byte for byte
until there is an answer, so that a receiver which has it already sees the same samples with the same times. One that is
refused is halved, down to single moments: one bad moment must not cost the others.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Protocol

from exporters.prometheus.pushing import Backoff
from exporters.prometheus.remotewrite.client import Answer
from exporters.prometheus.remotewrite.queue import Fill, Queue
from exporters.prometheus.remotewrite.segment import Block, Position

log = logging.getLogger(__name__)

FEWEST: Final = 100  # samples that a request holds at least, where there are so many
COMPLAIN_EVERY: Final = 300.0  # seconds between two lines about refused samples

Refused = Literal["refused", "repeated"]


class Link(Protocol):
    def send(self, blocks: list[Block]) -> Answer: ...
    def close(self) -> None: ...


class Report(NamedTuple):
    """What became of a receiver's samples since the start. `lost` by reason, those of the queue with them."""

    up: bool
    taken: int
    retries: int
    requests: int
    lost: dict[str, int]
    fill: Fill


class Sender:
    """`turn` sends one request; it is of one thread. `report` is of any."""

    def __init__(
        self,
        name: str,
        queue: Queue,
        link: Link,
        max_samples: int,
        backoff: Backoff | None = None,
        replay: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`replay`: after silence, what was taken in so many seconds before is sent again."""
        self._name, self._queue, self._link = name, queue, link
        self._most, self._limit = max_samples, max_samples
        self._backoff, self._clock = backoff or Backoff(), clock
        self._replay = replay
        self._taken_at: deque[tuple[float, Position]] = deque()  # which `replay` may bring back
        self._batches: list[list[Block]] = []  # the last one is next
        # a process before this one may have sent so much of what waits and not have noted it
        waiting = queue.fill().samples
        self._unsure_until = queue.cursor.total + min(waiting, max_samples)
        self._up = False
        self._taken = self._retries = self._requests = 0
        self._refused: dict[Refused, int] = {"refused": 0, "repeated": 0}
        self._problem = ""
        self._complained = -COMPLAIN_EVERY

    def turn(self) -> float | None:
        """One request. Seconds until the next, None where nothing waits. Raises QueueError."""
        self._settle()
        if self._batches and self._batches[-1][0].begin < self._queue.cursor.total:
            self._batches.clear()  # the queue has let it go meanwhile
        if not self._batches:
            after = self._taken_at[-1][1] if self._taken_at else None
            blocks = self._queue.read(self._limit, after)
            if not blocks:
                return None
            self._batches = _fitting(blocks, self._limit)
        batch = self._batches[-1]
        answer = self._link.send(batch)
        self._requests += 1
        if answer.outcome == "later":
            return self._later(answer, batch)
        self._backoff.went_well()
        if answer.outcome == "taken":
            self._took(answer, batch)
        elif not self._halved(answer, batch):
            self._lose(answer, batch)
        return 0.0

    @property
    def holds(self) -> bool:
        """Whether something is to be done with time, though nothing waits."""
        return bool(self._taken_at)

    def stop(self) -> None:
        """End the request under way; from another thread."""
        self._link.close()

    def report(self) -> Report:
        fill = self._queue.fill()
        lost = {str(reason): count for reason, count in fill.lost.items()}
        lost |= {str(reason): count for reason, count in self._refused.items()}
        return Report(self._up, self._taken, self._retries, self._requests, lost, fill)

    def _later(self, answer: Answer, batch: list[Block]) -> float:
        self._up = False
        self._retries += 1
        if answer.unsure:
            self._unsure_until = max(self._unsure_until, batch[-1].end.total)
            self._limit = max(FEWEST, self._limit // 2)  # of the next batch: this one stays
            if self._taken_at:  # the receiver may have died with it
                self._taken_at.clear()
                self._batches.clear()
        if answer.why != self._problem:
            log.error("samples for %s wait in the queue: %s", self._name, answer.why)
            self._problem = answer.why
        return max(self._backoff.failed(), answer.wait)

    def _took(self, answer: Answer, batch: list[Block]) -> None:
        self._up = True
        count = _samples(batch)
        self._taken += answer.written
        if answer.written < count:
            self._count_refused(count - answer.written, "refused", answer.why)
        if self._problem:
            log.info("%s takes samples again", self._name)
            self._problem = ""
        self._limit = min(self._most, self._limit + max(FEWEST, self._limit // 2))
        self._ended(batch)

    def _halved(self, answer: Answer, batch: list[Block]) -> bool:
        """Whether it goes on in smaller batches: by moments, or where it is too large by series."""
        count = _samples(batch)
        if answer.outcome == "too_large":
            self._limit = max(FEWEST, min(self._limit, count) // 2)
        if len(batch) > 1:
            middle = len(batch) // 2
            self._batches[-1:] = [batch[middle:], batch[:middle]]
            return True
        if answer.outcome == "too_large" and count > 1:
            first, rest = batch[0].cut(count // 2)
            self._batches[-1:] = [[rest], [first]]
            return True
        return False

    def _lose(self, answer: Answer, batch: list[Block]) -> None:
        """It is refused for good; what was sent before without an answer may be there already."""
        self._up = False
        repeated = batch[-1].begin < self._unsure_until
        self._taken += answer.written
        lost = _samples(batch) - answer.written
        self._count_refused(lost, "repeated" if repeated else "refused", answer.why)
        self._ended(batch)

    def _ended(self, batch: list[Block]) -> None:
        self._batches.pop()
        if self._replay:
            self._taken_at.append((self._clock(), batch[-1].end))
        else:
            self._queue.done(batch[-1].end)

    def _settle(self) -> None:
        """What is not brought back any more is done."""
        until = self._clock() - self._replay
        while self._taken_at and self._taken_at[0][0] <= until:
            self._queue.done(self._taken_at.popleft()[1])

    def _count_refused(self, count: int, kind: Refused, why: str) -> None:
        self._refused[kind] += count
        if self._clock() - self._complained >= COMPLAIN_EVERY:
            self._complained = self._clock()
            log.error("%s refused %d samples, which are dropped: %s; further ones are counted in "
                      "jianwei_remote_write_dropped_total", self._name, count, why)  # fmt: skip


def _samples(batch: list[Block]) -> int:
    return sum(block.samples for block in batch)


def _fitting(blocks: list[Block], limit: int) -> list[list[Block]]:
    """Batches, the next one last. One block may be more than a request may hold."""
    if len(blocks) > 1 or blocks[0].samples <= limit:
        return [blocks]
    parts, rest = [], blocks[0]
    while rest.samples > limit:
        head, rest = rest.cut(limit)
        parts.append([head])
    return [[rest], *reversed(parts)]

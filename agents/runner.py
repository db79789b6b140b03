"""Runs collectors apart from each other: one that hangs or raises costs its own series only.

Collectors wait in one queue. A lane is a daemon thread that takes them from it one by one. Usually
one lane does all the work; only when it makes no progress for a moment does another one help, so
that a healthy scrape pays for a single thread. A collector past its deadline is given up: its lane
is free again when the collector ends, and until then the collector is not started again.
"""

from __future__ import annotations

import logging
import operator
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue

from collectors.model import Answer, Collector, Reading, Source
from collectors.observe import Observation, Remembered, failed, observe_again

log = logging.getLogger(__name__)

STUCK = 1.0  # seconds that the lock is never held for
STALL = 0.02  # seconds without progress after which another lane helps
IDLE = 120.0  # seconds that one lane without work is kept: its processor's caches know the work


class _Together:
    """A source for one round: what several collectors want is read once. Lanes may race; then both
    have read it."""

    __slots__ = ("_known", "_shared", "_source")

    def __init__(self, source: Source, shared: frozenset[Reading]) -> None:
        self._source, self._shared = source, shared
        self._known: dict[Reading, Answer] = {}

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        if self._shared.isdisjoint(readings):
            return self._source.answer(readings)
        known = self._known
        answers = dict(self._source.answer([r for r in readings if r not in known]))
        for reading in readings:
            if reading in known:
                answers[reading] = known[reading]
            elif reading in self._shared:
                known[reading] = answers[reading]
        return answers


def _shared(collectors: Sequence[Collector]) -> frozenset[Reading]:
    """The readings that more than one of the collectors wants."""
    count = Counter(reading for one in collectors for reading in set(one.readings()))
    return frozenset(reading for reading, times in count.items() if times > 1)


class _Run:
    """One collector under way; shared by every caller that wants it meanwhile."""

    __slots__ = ("collector", "joined", "observation", "source", "started")

    def __init__(self, collector: Collector, source: Source) -> None:
        self.collector, self.source = collector, source
        self.joined = False
        self.started: float | None = None
        self.observation: Observation | None = None


class Runner:
    """Observes with each collector apart, on one source, with a deadline in seconds for each."""

    def __init__(self, source: Source, deadline: float = 3.0) -> None:
        self._source = source
        self._deadline = deadline
        self._under_way: dict[str, _Run] = {}
        self._lock = threading.Lock()
        self._progress = threading.Condition(self._lock)
        self._handed: SimpleQueue[deque[_Run]] = SimpleQueue()  # for lanes without work
        self._idle = 0
        # by name, with the settings that a reload can change
        self._last: dict[str, tuple[Collector, Remembered]] = {}
        self._together: tuple[list[Collector], frozenset[Reading]] = ([], frozenset())

    def observe(self, collectors: Sequence[Collector]) -> list[Observation]:
        """One observation a collector, in their order; ends within the deadline in any case."""
        begin = time.monotonic()
        source = self._for_one_round(collectors)
        queue: deque[_Run] = deque()
        runs: list[_Run] = []
        with self._lock:
            for collector in collectors:
                run = self._under_way.get(collector.name)
                if run is None:
                    run = self._under_way[collector.name] = _Run(collector, source)
                    queue.append(run)
                else:
                    run.joined = True
                runs.append(run)
            self._hand_over(queue)
            self._supervise(runs, queue, begin)
            for run in queue:  # never begun within the deadline: every lane hangs
                self._under_way.pop(run.collector.name, None)
            queue.clear()
        return [run.observation or self._late(run) for run in runs]

    def stuck(self) -> str:
        """Why nothing can be observed any more; empty if it can. What only takes long is not stuck."""
        if self._lock.acquire(timeout=STUCK):
            self._lock.release()
            return ""
        return "the runner of collectors holds its lock for ever"

    def _for_one_round(self, collectors: Sequence[Collector]) -> Source:
        known, shared = self._together
        if len(known) != len(collectors) or any(map(operator.is_not, known, collectors)):
            known, shared = list(collectors), _shared(collectors)
            self._together = known, shared
        return _Together(self._source, shared) if shared else self._source

    def _supervise(self, runs: list[_Run], queue: deque[_Run], begin: float) -> None:
        """Wait until every run has ended or is past its deadline; holds the condition."""
        left = len(queue)
        while True:
            now = time.monotonic()
            ends = [
                min(run.started or begin, begin) + self._deadline
                for run in runs
                if run.observation is None
            ]
            soonest = min((end for end in ends if end > now), default=now)
            if soonest <= now:
                return
            self._progress.wait(min(STALL, soonest - now) if queue else soonest - now)
            if queue and len(queue) == left:
                self._hand_over(queue)
            left = len(queue)

    def _hand_over(self, queue: deque[_Run]) -> None:
        """Let a lane without work help with a queue, or a new one; holds the lock."""
        if queue:
            self._handed.put(queue)
            if self._handed.qsize() > self._idle:
                threading.Thread(target=self._lane, daemon=True).start()

    def _lane(self) -> None:
        thread = threading.current_thread()
        while (queue := self._next_queue()) is not None:
            thread.name = "lane"
            self._work_off(queue)
            thread.name = "idle lane"

    def _next_queue(self) -> deque[_Run] | None:
        """None where there is no work for long, or another lane waits for it already."""
        with self._lock:
            if self._idle and self._handed.empty():
                return None
            self._idle += 1
        try:
            queue = self._handed.get(timeout=IDLE)
        except Empty:
            queue = None
        with self._lock:
            self._idle -= 1
            if queue is None and not self._handed.empty():  # it came at the last moment
                queue = self._handed.get_nowait()
        return queue

    def _work_off(self, queue: deque[_Run]) -> None:
        run: _Run | None = None
        observation: Observation | None = None
        while True:
            now = time.monotonic()
            with self._lock:
                if run:
                    run.observation = observation
                    self._under_way.pop(run.collector.name, None)
                    if run.joined or not queue:
                        self._progress.notify_all()
                following = queue.popleft() if queue else None
                if following:
                    following.started = now
            if run and run.started and now - run.started > self._deadline:
                log.warning("collector %s ended after its deadline", run.collector.name)
            if not following:
                return
            run = following
            observation = self._run(run.collector, run.source)

    def _run(self, collector: Collector, source: Source) -> Observation:
        start = time.perf_counter()
        try:
            before, last = self._last.get(collector.name, (None, None))
            again = observe_again(source, collector, last if before == collector else None)
        except Exception as error:
            log.exception("collector %s raised", collector.name)
            seconds = time.perf_counter() - start
            return failed(collector, seconds, "bug", f"{type(error).__name__}: {error}")
        self._last[collector.name] = (collector, again)
        return again.observation

    def _late(self, run: _Run) -> Observation:
        seconds = time.monotonic() - run.started if run.started else self._deadline
        reason = f"no end within {self._deadline:g} s"
        return failed(run.collector, seconds, "timeout", reason)

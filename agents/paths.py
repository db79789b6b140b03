"""Traces on schedule and on request, in child processes, and the changes of ways that they show.

Every target is traced once an interval; the prober asks for more when loss begins or the hop limit
of answers changes. Targets are traced many at a time, since a child costs more than a trace.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from agents import children
from collectors.link.path import Path, PathChange, PathSettings, filled, same_way, written
from collectors.link.pathmetrics import Seen, families
from collectors.link.resolve import literal
from collectors.model import AddressFamily, Family, Target

log = logging.getLogger(__name__)

BATCH = 50  # targets of one child
QUEUE = 1000  # targets that may wait
CHANGES = 100  # that are remembered
DEADLINE = 90.0  # seconds for a child; a batch of silent targets takes about 10
GATHER = 0.5  # seconds at most that a request waits for others to share a child
FIRST_DELAY = 2.0  # seconds after start
END_PATIENCE = 2.0  # seconds for the children to be ended
SCHEDULED: Final = "schedule"

Key = tuple[str, AddressFamily]


class _Wanted(NamedTuple):
    address: str
    why: str
    ready: float  # by the monotonic clock


class _State:
    """One target in one family. `known` is the way with all that was seen of it, `last` the last
    trace. `unsettled`: the last trace saw several routers at one hop."""

    __slots__ = ("changed", "changes", "known", "last", "unsettled")

    def __init__(self, path: Path) -> None:
        self.known = self.last = path
        self.changes = 0
        self.changed = 0.0
        self.unsettled = False


class PathSchedule:
    """From `start` to `stop`. `targets` is asked at the beginning of each round for the targets that
    have an address by then."""

    def __init__(self, settings: PathSettings, targets: Callable[[], Sequence[Target]]) -> None:
        self._settings, self._targets = settings, targets
        self._arguments = (
            "path",
            "--json",
            "--method",
            settings.method,
            "--max-hops",
            str(settings.max_hops),
            "--mtu" if settings.mtu else "--no-mtu",
            "--",
        )
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._waiting: dict[Key, _Wanted] = {}
        self._begun: dict[Key, float] = {}
        self._states: dict[Key, _State] = {}
        self._changes: deque[PathChange] = deque(maxlen=CHANGES)
        self._traces = self._failures = self._dropped = 0
        self._threads = [threading.Thread(target=self._sweep, name="paths", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"paths-{number}", daemon=True)
            for number in range(settings.concurrency)
        ]

    def start(self) -> None:
        if self._settings.enabled:
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """Begin no other trace, and end those under way."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + END_PATIENCE
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def request(self, name: str, address: str, family: AddressFamily, why: str) -> bool:
        """Trace a target soon, though not within `minimum` of the last time. Never blocks; False
        where it waits already, or too many do. Raises NotAnAddress."""
        canonical, _ = literal(address)
        key = name, family
        now = time.monotonic()
        with self._changed:
            known = self._waiting.get(key)
            if known and known.address == canonical:
                return False
            if not known and len(self._waiting) >= QUEUE:
                self._dropped += 1
                return False
            ready = now
            if key in self._begun:
                ready = max(ready, self._begun[key] + self._settings.minimum)
            ready = (ready // GATHER + 1) * GATHER  # so that many become ready at once
            self._waiting[key] = _Wanted(canonical, why, ready)
            self._changed.notify()
        return True

    def paths(self) -> list[Path]:
        """The last trace of each target and family."""
        with self._changed:
            return [state.last for state in self._states.values()]

    def changes(self) -> list[PathChange]:
        """The last changes, oldest first."""
        with self._changed:
            return list(self._changes)

    # --- what is traced, and when

    def _sweep(self) -> None:
        """Ask for every target once an interval, a batch at a time, spread over the interval."""
        wait = FIRST_DELAY
        while not self._stop.wait(wait):
            # agents started together must not trace together for ever
            interval = self._settings.interval * random.uniform(0.95, 1.0)  # noqa: S311 - jitter
            begin = time.monotonic()
            try:
                targets = self._targets()
            except Exception:
                log.exception("which targets there are is not known; asked again later")
                targets = ()
            self._forget({(target.name, target.family) for target in targets}, begin)
            batches = [targets[n : n + BATCH] for n in range(0, len(targets), BATCH)]
            for number, batch in enumerate(batches):
                due = begin + interval * number / len(batches)
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                for target in batch:
                    self.request(target.name, target.address, target.family, SCHEDULED)
            wait = max(0.0, begin + interval - time.monotonic())

    def _forget(self, named: set[Key], now: float) -> None:
        """What is no target any more and was not asked for in two intervals is forgotten."""
        oldest = now - 2 * self._settings.interval
        with self._changed:
            for key in [k for k, at in self._begun.items() if k not in named and at < oldest]:
                del self._begun[key]
                self._states.pop(key, None)

    def _work(self) -> None:
        while batch := self._take():
            try:
                self._trace(batch)
            except Exception:
                log.exception("traces failed; the next ones come in their time")
                with self._changed:
                    self._failures += 1

    def _take(self) -> dict[Key, _Wanted]:
        """What is ready, as soon as something is; nothing at the end."""
        with self._changed:
            while not self._stop.is_set():
                now = time.monotonic()
                ready = [key for key, wanted in self._waiting.items() if wanted.ready <= now]
                if ready:
                    self._begun.update(dict.fromkeys(ready[:BATCH], now))
                    return {key: self._waiting.pop(key) for key in ready[:BATCH]}
                first = min((wanted.ready for wanted in self._waiting.values()), default=now + 60)
                self._changed.wait(first - now)
        return {}

    # --- one child and what it found

    def _trace(self, batch: dict[Key, _Wanted]) -> None:
        addresses = dict.fromkeys(wanted.address for wanted in batch.values())
        ended = children.run((*self._arguments, *addresses), DEADLINE, stop=self._stop)
        if self._stop.is_set():
            return
        found: dict[tuple[str, AddressFamily], Path] = {}
        problem = ended.problem
        if not problem and ended.status not in (0, 1):
            problem = f"exit status {ended.status}"
        if not problem:
            try:
                for line in ended.output.splitlines():
                    path = msgspec.json.decode(line, type=Path)
                    found[path.address, path.family] = path
            except msgspec.MsgspecError as error:
                problem = str(error)
        missing = 0
        for (name, family), wanted in batch.items():
            if seen := found.get((wanted.address, family)):
                self._seen(msgspec.structs.replace(seen, target=name), wanted)
            else:
                missing += 1
        with self._changed:
            self._traces += len(batch) - missing
            self._failures += missing
        if missing:
            log.error("%d targets could not be traced: %s", missing, problem or "no result")

    def _seen(self, path: Path, wanted: _Wanted) -> None:
        key = path.target, path.family
        again = False
        change = None
        with self._changed:
            state = self._states.get(key)
            if state is None:
                self._states[key] = _State(path)
                return
            state.last, before = path, state.known
            # a trace while the way is changing sees the old and the new one: the next trace tells
            mixed = any(len(hop.addresses) > 1 for hop in path.hops)
            if path.address != before.address:
                state.known = path
            elif not same_way(before, path):
                change = PathChange(*key, time=path.time, old=before, new=path, why=wanted.why)
                state.known = path
                state.changes += 1
                state.changed = path.time
                self._changes.append(change)
            elif mixed and not state.unsettled and _adds(before, path):
                again = True
            else:
                state.known = filled(before, path)
            state.unsettled = mixed
        if change:
            _tell(change)
        if again:
            self.request(*(path.target, path.address, path.family), f"{wanted.why}, again")

    # --- what is told

    def families(self) -> Sequence[Family]:
        """What is known of each target and family, and how the traces themselves go."""
        with self._changed:
            seen = [
                Seen(*key, last=state.last, changes=state.changes, changed=state.changed)
                for key, state in self._states.items()
            ]
            return families(seen, self._traces, self._failures, self._dropped, len(self._waiting))


def _adds(before: Path, path: Path) -> bool:
    """Whether a trace saw a router where another one was known alone."""
    known = {hop.ttl: hop.addresses for hop in before.hops if hop.addresses}
    return any(set(hop.addresses) - set(known.get(hop.ttl, hop.addresses)) for hop in path.hops)


def _tell(change: PathChange) -> None:
    log.warning(
        "the way to %s over %s has changed at hop %d (%s): %s; before: %s",
        *(change.target, change.family, change.ttl, change.why),
        written(change.new),
        written(change.old),
        extra={
            "event": {
                "kind": "path_change",
                "target": change.target,
                "family": change.family,
                "hop": change.ttl,
                "why": change.why,
                "old": [list(hop.addresses) for hop in change.old.hops],
                "new": [list(hop.addresses) for hop in change.new.hops],
            }
        },
    )

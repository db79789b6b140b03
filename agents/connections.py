"""Continuous probes by modules (TCP, TLS, HTTP, DNS, UDP, STAMP): each target once an interval.

A bounded number of daemon threads does what is due. A target whose last probe has not ended is left
out until it has. Both families side by side; a name is looked up for every probe.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from collectors.columns import Columns, Field, Things
from collectors.link import asked as asking
from collectors.link.lines import LineProbe
from collectors.link.measure import Measure
from collectors.link.metrics import DOWN
from collectors.link.modules import Module
from collectors.link.resolve import Resolved, Resolver
from collectors.link.settings import families_of, own_family
from collectors.link.statistics import window
from collectors.model import AddressFamily, Family, Kind, ProbeResult, Reason, Sample
from exporters.prometheus.allowlist import AllowList
from exporters.prometheus.backend import ProbeRefused
from exporters.prometheus.blackbox import Probed
from exporters.prometheus.probe import outcome

log = logging.getLogger(__name__)

THREADS = 32
LOST = -1.0

Key = tuple[str, AddressFamily, str]  # target, family, prober


class Task(NamedTuple):
    """What is probed in one family: `name` labels it."""

    name: str
    family: AddressFamily
    asked: asking.Asked
    module: Module

    @property
    def key(self) -> Key:
        return self.name, self.family, self.module.prober


class _State:
    """What became of the probes of a task."""

    __slots__ = ("answered", "last", "lost", "outcomes", "running", "since", "streak")

    def __init__(self, window: int) -> None:
        self.outcomes: deque[float] = deque(maxlen=window)
        self.answered = self.lost = self.streak = 0
        self.since = 0.0
        self.last: Probed | None = None
        self.running = False

    def add(self, probed: Probed, at: float) -> None:
        result = probed.result
        self.last = probed
        if result.success:
            self.answered += 1
            self.outcomes.append(result.rtts[0] if result.rtts else result.duration)
        elif result.sent:
            self.lost += 1
            self.outcomes.append(LOST)
        if (self.streak > 0) != result.success or not self.streak:
            self.streak, self.since = 0, at
        self.streak += 1 if result.success else -1


def tasks_of(probes: Sequence[LineProbe], modules: Mapping[str, Module]) -> list[Task]:
    """The probes of lines by modules, in each family; raises ValueError for a target that is none."""
    found = []
    for probe in probes:
        if not probe.module:
            continue
        module = modules[probe.module]
        asked = asking.split(module.prober, probe.target, module.port)
        preferred: AddressFamily = "ipv4" if module.preferred == "ip4" else "ipv6"
        for family in families_of(probe.family):
            allowed = module.falls_back or family == preferred
            if allowed and own_family(asked.host) in (None, family):
                found.append(Task(probe.name, family, asked, module))
    return found


class Connections:
    """Probes of tasks every `interval` seconds, from `start` to `stop`."""

    def __init__(
        self,
        tasks: Sequence[Task],
        interval: float,
        window: int,
        allow: AllowList,
        resolver: Resolver,
    ) -> None:
        self._tasks, self._interval = tuple(tasks), interval
        self._allow, self._resolver = allow, resolver
        self._states = {task.key: _State(window) for task in tasks}
        self._lock = threading.Lock()
        self._due: deque[Task] = deque()
        self._wake = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._things = Things([_labels(task.key) for task in tasks])
        self._threads = [threading.Thread(target=self._pace, name="connections", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"connection-{n}", daemon=True)
            for n in range(min(THREADS, len(tasks)))
        ]

    def start(self) -> None:
        if self._tasks:
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """Begin no other probe; those under way end by themselves."""
        self._stop.set()
        with self._wake:
            self._wake.notify_all()

    def adopt(self, before: Connections) -> None:
        """Go on counting where another one, that has been stopped, ends; before `start`."""
        for key, state in self._states.items():
            if old := before._states.get(key):
                state.answered, state.lost = old.answered, old.lost
                state.streak, state.since, state.last = old.streak, old.since, old.last
                state.outcomes.extend(old.outcomes)

    def _pace(self) -> None:
        step = self._interval / len(self._tasks)
        begin, number = time.monotonic(), 0
        while not self._stop.wait(max(0.0, begin + number * step - time.monotonic())):
            task = self._tasks[number % len(self._tasks)]
            number += 1
            with self._wake:
                state = self._states[task.key]
                if not state.running:
                    state.running = True
                    self._due.append(task)
                    self._wake.notify()

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._wake:
                while not self._due and not self._stop.is_set():
                    self._wake.wait()
                if self._stop.is_set():
                    return
                task = self._due.popleft()
            at = time.time()
            try:
                probed = self._probe(task)
            except Exception as error:
                log.exception("the probe %s failed", task.name)
                probed = _unmade(task, "error", f"{type(error).__name__}: {error}")
            with self._lock:
                state = self._states[task.key]
                state.running = False
                state.add(probed, at)

    def _probe(self, task: Task) -> Probed:
        budget = task.module.timeout or min(5.0, self._interval)
        try:
            (probed,) = outcome(
                task.asked, task.module, (task.family,), budget, self._allow, self._resolver
            )
        except ProbeRefused as error:
            return _unmade(task, "not_allowed", str(error))
        return probed

    # --- reading

    def results(self) -> list[ProbeResult]:
        """The last probe of each."""
        with self._lock:
            return [state.last.result for state in self._states.values() if state.last]

    def measures(self) -> Iterator[Measure]:
        """What is known of each."""
        with self._lock:
            states = [(key, state, list(state.outcomes)) for key, state in self._states.items()]
        for (name, family, prober), state, outcomes in states:
            seen = window(outcomes)
            last = state.last.result if state.last and state.streak < 0 else None
            yield Measure(
                name,
                family,
                prober,
                sent=len(outcomes),
                answered=sum(one >= 0 for one in outcomes),
                streak=state.streak,
                since=state.since,
                reason=last.reason if last else "",
                detail=last.detail if last else "",
                median=seen.median if seen else None,
                p95=seen.p95 if seen else None,
            )

    def families(self) -> Iterator[Family]:
        """The same names as echoes have, and what the probers saw, as blackbox_exporter names it."""
        if not self._tasks:
            return
        with self._lock:
            states = [(state, list(state.outcomes)) for state in self._states.values()]
            lasts = {key: state.last for key, state in self._states.items() if state.last}

        def of(
            name: str, kind: Kind, help: str, value: Callable[[_State, list[float]], float]
        ) -> Family:
            values = array("d", (value(*one) for one in states))
            return Family(f"jianwei_probe_{name}", kind, help, Columns(self._things, values))

        yield of(
            "success", "gauge", "", lambda s, _: float(s.streak > -DOWN) if s.streak else math.nan
        )
        yield of(
            "loss_ratio",
            "gauge",
            "",
            lambda _, o: sum(x < 0 for x in o) / len(o) if o else math.nan,
        )
        yield self._rtts([outcomes for _, outcomes in states])
        yield of("packets_sent_total", "counter", "", lambda s, _: s.answered + s.lost)
        yield of("packets_received_total", "counter", "", lambda s, _: s.answered)
        yield of("packets_lost_total", "counter", "", lambda s, _: s.lost)
        yield from _told(lasts)

    def _rtts(self, outcomes: Sequence[list[float]]) -> Family:
        values = array("d")
        for one in outcomes:
            seen = window(one)
            values.extend(seen[:4] if seen else (math.nan,) * 4)
        fields = tuple(Field(label=("stat", stat)) for stat in ("min", "median", "p95", "max"))
        return Family(
            "jianwei_probe_rtt_seconds", "gauge", "", Columns(self._things, values, fields)
        )


def _labels(key: Key) -> tuple[tuple[str, str], ...]:
    target, family, prober = key
    return (("target", target), ("family", family), ("prober", prober))


def _unmade(task: Task, reason: Reason, detail: str) -> Probed:
    result = ProbeResult(
        target=task.name,
        address="",
        family=task.family,
        prober=task.module.prober,
        sent=0,
        received=0,
        rtts=(),
        reason=reason,
        duration=0.0,
        detail=detail,
    )
    return Probed(result, Resolved((), 0.0))


def _told(lasts: Mapping[Key, Probed]) -> Iterator[Family]:
    """Reasons, and the probers' own families with our labels."""
    yield Family(
        "jianwei_probe_failure_reason",
        "gauge",
        "",
        [
            Sample((*_labels(key), ("reason", last.result.reason)), 1.0)
            for key, last in lasts.items()
            if last.result.reason
        ],
    )
    merged: dict[str, tuple[Family, list[Sample]]] = {}
    for key, last in lasts.items():
        for family in last.families:
            _, samples = merged.setdefault(family.name, (family, []))
            samples += (
                Sample((*_labels(key), *one.labels), one.value, one.suffix)
                for one in family.samples
            )
    for family, samples in merged.values():
        yield Family(family.name, family.kind, family.help, samples)

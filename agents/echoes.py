"""The continuous ICMP probes: an echo to every target each `interval`, for ever.

One daemon thread sends and receives, one looks after gateways and names. Readers get what is known
and never wait for a probe.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence

from collectors.link.gateways import READINGS, default_gateways
from collectors.link.icmp import NAME, results
from collectors.link.icmpflows import SECOND, Flow, Flows, Problem
from collectors.link.icmploop import EchoLoop, Sockets
from collectors.link.measure import Measure
from collectors.link.metrics import Labelled, families, labelled, pace_families
from collectors.link.resolve import Resolver, Wanted, time_to_live
from collectors.link.settings import ProbeSettings, ProbeTarget, families_of, own_family
from collectors.link.statistics import window
from collectors.model import (
    AddressFamily,
    Answers,
    Family,
    ParseError,
    ProbeResult,
    Source,
    Target,
    Unavailable,
    counter,
    sample,
)

log = logging.getLogger(__name__)

GATEWAYS_EVERY = 15.0  # seconds
TTL_LEAST, TTL_MOST, TTL_UNTOLD = 5.0, 3600.0, 60.0  # seconds for which addresses are kept
PATIENCE = 1.0  # seconds before a prober that failed begins again


class Echoes:
    """Echoes to the default gateways and some targets, from `start` to `stop`."""

    def __init__(
        self, settings: ProbeSettings, targets: Sequence[ProbeTarget], source: Source
    ) -> None:
        self._settings, self._source = settings, source
        self._asked = [(spec, family) for spec in targets for family in _families(spec)]
        self._resolver = Resolver()
        self._gateways: Sequence[Target] = ()
        self._names = _Names(self._resolver)
        self._stop, self._changed = threading.Event(), threading.Event()
        self._loop: EchoLoop | None = None
        self._labels: tuple[EchoLoop, int, Labelled] | None = None
        self._failures = 0
        self._threads = [
            threading.Thread(target=self._run, name="probe", daemon=True),
            threading.Thread(target=self._look_after, name="locate", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        self._changed.set()
        if loop := self._loop:
            loop.stop()

    def adopt(self, before: Echoes) -> None:
        """Go on counting where another one, that has been stopped, ends; before `start`."""
        self._loop = before._loop
        self._failures = before._failures

    # --- reading

    def gateways(self) -> Sequence[Target]:
        """The default gateways, asked now."""
        if not self._settings.gateways:
            return ()
        try:
            return default_gateways(Answers(self._source.answer(READINGS)))
        except (ParseError, Unavailable) as error:
            log.warning("the default gateways are not known: %s", error)
            return ()

    def results(self, most: int) -> Sequence[ProbeResult]:
        """What is known of so many targets, those that do not answer first."""
        loop = self._loop
        if loop is None:
            return ()
        streaks = loop.flows.streak
        worst = [number for number, streak in enumerate(streaks) if streak < 0][:most]
        rest = [number for number, streak in enumerate(streaks) if streak >= 0]
        return results(loop, False, sorted(worst + rest[: most - len(worst)]))

    def measures(self) -> Iterator[Measure]:
        """What is known of each target in each family."""
        loop = self._loop
        if loop is None:
            return
        flows, ahead = loop.flows, time.time_ns() - time.monotonic_ns()
        for number, flow in enumerate(flows.flows):
            yield _measure(flows, number, flow, ahead)

    def addresses(self) -> dict[tuple[str, AddressFamily], str]:
        """Where each target is, of those that have an address."""
        loop = self._loop
        if loop is None:
            return {}
        both = zip(loop.flows.flows, loop.addresses, strict=True)
        return {flow.key: address for flow, address in both if address}

    def hop_changes(self) -> dict[tuple[str, AddressFamily], int]:
        """How often the hop limit of each target's answers has changed."""
        loop = self._loop
        if loop is None:
            return {}
        return {
            f.key: n for f, n in zip(loop.flows.flows, loop.flows.hop_changes, strict=True) if n
        }

    def families(self) -> Iterator[Family]:
        """Metrics of each target, and of the prober itself."""
        loop = self._loop
        yield counter(
            "jianwei_probe_failures_total",
            "Times the prober itself failed and began again; the log says why.",
            sample(float(self._failures)),
        )
        if loop is None:
            return
        if self._labels is None or self._labels[:2] != (loop, loop.moves):
            self._labels = (
                loop,
                loop.moves,
                labelled(loop.flows.flows, loop.addresses, loop.flows.histograms),
            )
        yield from families(loop.flows, self._labels[2])
        yield from pace_families(
            loop.sockets.modes, loop.interval, loop.lag, loop.lost_pace, loop.sockets.steps
        )

    # --- the two threads

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._echo()
            except Exception:
                log.exception("the prober failed and begins again")
                self._failures += 1
                self._stop.wait(PATIENCE)

    def _echo(self) -> None:
        """Until the gateways change."""
        flows = [
            *(Flow(gateway) for gateway in self._gateways),
            *(_flow(spec, family) for spec, family in self._asked),
        ]
        if not flows:
            self._loop = None
            self._changed.wait(GATEWAYS_EVERY)
            self._changed.clear()
            return
        settings = self._settings
        table = Flows(
            flows, settings.timeout, settings.interval, settings.window, settings.histograms
        )
        if before := self._loop:
            table.adopt(before.flows)
        with Sockets([flow.target for flow in flows]) as sockets:
            loop = EchoLoop(table, sockets, settings.interval)
            self._names.begin(loop)
            self._loop = loop
            if not self._stop.is_set():
                loop.run()

    def _look_after(self) -> None:
        """Names, and gateways that come and go."""
        every = min(GATEWAYS_EVERY, 5 * self._settings.interval)
        due = time.monotonic()
        while not self._stop.wait(min(1.0, every)):
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + every
                    self._compare(self.gateways())
                self._names.refresh()
            except Exception:
                log.exception("names and gateways could not be looked after")
                self._failures += 1

    def _compare(self, gateways: Sequence[Target]) -> None:
        if gateways != self._gateways:
            self._gateways = gateways
            self._changed.set()
            if loop := self._loop:
                loop.stop()


class _Names:
    """The names among the targets of a loop: looked up again when their time to live is over, and a
    failed one soon. Of several addresses one is kept as long as the name has it."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lock = threading.Lock()
        self._loop: EchoLoop | None = None
        self._flows: dict[Wanted, list[int]] = {}
        self._at: dict[Wanted, str] = {}
        self._due: dict[Wanted, float] = {}

    def begin(self, loop: EchoLoop) -> None:
        """Look after this loop from now on."""
        flows: dict[Wanted, list[int]] = {}
        for number, flow in enumerate(loop.flows.flows):
            if not flow.target.address:
                flows.setdefault((flow.target.text, flow.target.family), []).append(number)
        with self._lock:
            self._loop, self._flows = loop, flows
            self._due = dict.fromkeys(flows, 0.0)
            for one, address in self._at.items():
                for number in flows.get(one, ()):
                    loop.locate(number, address)

    def refresh(self) -> None:
        now = time.monotonic()
        with self._lock:
            loop, due = self._loop, [one for one, at in self._due.items() if at <= now]
        if loop is None or not due:
            return
        for one, resolved in self._resolver.resolve(due).items():
            lives: float | None = TTL_LEAST
            where: str | Problem = Problem(resolved.reason, resolved.detail)
            if resolved.addresses:
                known = self._at.get(one, "")
                where = known if known in resolved.addresses else resolved.addresses[0]
                lives = time_to_live(*one)
                self._at[one] = where
            with self._lock:
                if loop is not self._loop:
                    return
                kept = TTL_UNTOLD if lives is None else min(max(lives, TTL_LEAST), TTL_MOST)
                self._due[one] = time.monotonic() + kept
                for number in self._flows[one]:
                    if loop.addresses[number] != where:
                        loop.locate(number, where)


def _families(spec: ProbeTarget) -> tuple[AddressFamily, ...]:
    """A literal address has one family, a name both: neither is ever left out for the other."""
    own = own_family(spec.address)
    return (own,) if own else families_of(spec.family)


def _flow(spec: ProbeTarget, family: AddressFamily) -> Flow:
    known = spec.address if own_family(spec.address) else ""
    target = Target(spec.name, known, family, text=spec.address)
    return Flow(target, spec.payload, spec.dscp, 0, spec.source, spec.device)


def _measure(flows: Flows, number: int, flow: Flow, ahead: int) -> Measure:
    outcomes, streak = flows.outcomes(number), flows.streak[number]
    seen = window(outcomes)
    problem = flows.problems.get(number, Problem("timeout")) if streak < 0 else Problem("")
    return Measure(
        flow.target.name,
        flow.target.family,
        NAME,
        sent=len(outcomes),
        answered=sum(one != -1 for one in outcomes),
        streak=streak,
        since=(flows.since[number] + ahead) / SECOND if streak else 0.0,
        reason=problem.reason,
        detail=problem.detail,
        median=seen.median / SECOND if seen else None,
        p95=seen.p95 / SECOND if seen else None,
        jitter=flows.jitter[number] / SECOND if flows.answered[number] > 1 else None,
    )

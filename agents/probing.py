"""The continuous link probes: a round to the default gateways and the configured targets, for ever.

One daemon thread makes the rounds. Readers get what the last round brought and never wait for one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from collectors.link.gateways import READINGS, default_gateways
from collectors.link.icmp import IcmpProber
from collectors.link.icmptally import EchoOptions
from collectors.link.metrics import Totals, families
from collectors.link.resolve import Resolver
from collectors.link.settings import ProbeSettings
from collectors.link.targets import Targets, probe
from collectors.model import (
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
from exporters.prometheus.probe import AllowList
from exporters.prometheus.probe import probe as probe_on_demand

log = logging.getLogger(__name__)


class ProbeSchedule:
    """Rounds of probes every `interval` from `start` to `stop`, and probes on demand."""

    def __init__(self, settings: ProbeSettings, source: Source) -> None:
        self._settings, self._source = settings, source
        self._prober = IcmpProber(EchoOptions(settings.count, settings.spacing, settings.timeout))
        self._targets = Targets(settings.targets, Resolver())
        self._totals = Totals()
        self._allow = AllowList(settings)
        self._resolver = Resolver()  # a name that hangs on demand does not hold up the rounds
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._results: Sequence[ProbeResult] = ()
        self._families: Sequence[Family] = ()
        self._rounds = self._failures = 0
        self._thread = threading.Thread(target=self._loop, name="probe", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no other round; one under way ends by itself."""
        self._stop.set()

    def results(self) -> Sequence[ProbeResult]:
        """The last round, empty before the first has ended."""
        with self._lock:
            return self._results

    def families(self) -> Sequence[Family]:
        """The last round and how the rounds themselves go."""
        with self._lock:
            last, rounds, failures = self._families, self._rounds, self._failures
        dropped = self._prober.drops
        return (
            *last,
            counter("jianwei_probe_rounds_total", "Rounds of probes begun.", sample(float(rounds))),
            counter(
                "jianwei_probe_round_failures_total",
                "Rounds of probes that failed as a whole; the log says why.",
                sample(float(failures)),
            ),
            counter(
                "jianwei_probe_replies_dropped_total",
                "Messages that were no answer: not ours, forged, too late or double.",
                *(
                    sample(float(dropped[why]), prober=self._prober.name, why=why)
                    for why in ("stray", "spoofed", "late", "duplicate")
                ),
            ),
        )

    def probe(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Family] | str:
        """One probe for `/probe`; blocks for its timeout. Raises ProbeRefused."""
        gateways = self._gateways() if self._settings.gateways else []
        return probe_on_demand(query, headers, self._allow.with_gateways(gateways), self._resolver)

    def _loop(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            with self._lock:
                self._rounds += 1
            try:
                self._round()
            except Exception:
                log.exception("a round of probes failed; the next one comes in its time")
                with self._lock:
                    self._failures += 1
            # a round that took longer than its interval skips what it has missed
            now = time.monotonic()
            due += self._settings.interval * max(1, -(-(now - due) // self._settings.interval))

    def _round(self) -> None:
        gateways = self._gateways() if self._settings.gateways else []
        results = probe(self._prober, [*gateways, *self._targets.locate()])
        made = families(results, self._totals.add(results), time.time())
        with self._lock:
            self._results, self._families = results, made

    def _gateways(self) -> list[Target]:
        try:
            return default_gateways(Answers(self._source.answer(READINGS)))
        except (ParseError, Unavailable) as error:
            log.warning("the default gateways are not known: %s", error)
            return []

"""What the landing page shows of this host, gathered from the last scrape, probes and audit."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from agents.auditing import AuditSchedule
from collectors import catalogue
from collectors.model import Fact, ProbeResult
from collectors.observe import Observation
from exporters.prometheus.overview import Ipv6State, Overview, PackScore, rated
from exporters.prometheus.selfmetrics import version
from rules.model import PackResult

FRESH = 5.0  # seconds; rates over less than this are noise


class Glance:
    """Remembers an earlier observation, so that the page shows rates rather than totals."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC).astimezone()
        self._lock = threading.Lock()
        self._earlier: tuple[float, Sequence[Observation]] = (0.0, ())
        self._latest: tuple[float, Sequence[Observation]] = (0.0, ())

    def keep(self, observations: Sequence[Observation]) -> None:
        """Remember the observations of a whole scrape."""
        now = time.monotonic()
        with self._lock:
            if now - self._latest[0] >= FRESH:
                self._earlier, self._latest = self._latest, (now, rated(observations))

    def overview(
        self,
        observations: Sequence[Observation],
        probes: Sequence[ProbeResult],
        audits: AuditSchedule,
    ) -> Overview:
        """The page's content; `observations` are from just now."""
        now = time.monotonic()
        with self._lock:
            at, earlier = self._latest if now - self._latest[0] >= FRESH else self._earlier
        seen = {o.collector for o in observations}
        last = audits.last
        return Overview(
            version=version(),
            now=datetime.now(UTC).astimezone(),
            started=self._started,
            observations=observations,
            earlier=earlier,
            apart=now - at if earlier else 0.0,
            disabled=[n for n, e in catalogue.COLLECTORS.items() if e.metrics and n not in seen],
            probes=probes,
            ipv6=_ipv6(observations),
            packs=[_score(pack) for pack in last.packs] if last else (),
            audited=last.time.astimezone() if last else None,
            audit_problem=audits.problem,
        )


def _score(pack: PackResult) -> PackScore:
    return PackScore(
        pack.pack,
        {"zh": pack.title.zh, "en": pack.title.en},
        pack.score,
        passed=pack.counts["pass"],
        failed=pack.counts["fail"],
        unknown=pack.counts["unknown"],
        manual=pack.counts["manual"],
        not_applicable=pack.counts["not_applicable"],
    )


def _ipv6(observations: Sequence[Observation]) -> Ipv6State:
    facts: dict[str, Fact] = {fact.name: fact for o in observations for fact in o.facts}
    addresses, routes = facts.get("ipv6_addresses"), facts.get("ipv6_routes")
    listeners = [
        int(sample.value)
        for o in observations
        for family in o.families
        if family.name == "jianwei_listeners"
        for sample in family.samples
        if ("family", "ipv6") in sample.labels
    ]
    return Ipv6State(
        addresses=None
        if addresses is None or addresses.unavailable
        else tuple(a["address"] for a in addresses.value if a["scope"] == "global"),
        gateways=None
        if routes is None or routes.unavailable
        else tuple(r["gateway"] or r["device"] for r in routes.value),
        listeners=sum(listeners) if listeners else None,
    )

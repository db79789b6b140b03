"""Configured targets as addresses, one of each family, and a round of probes of them all."""

from __future__ import annotations

import time
from collections.abc import Sequence

from collectors.link.icmp import IcmpProber
from collectors.link.resolve import Resolved, Resolver, Wanted
from collectors.link.settings import ProbeTarget, families_of, own_family
from collectors.model import AddressFamily, Prober, ProbeResult, Target, Watch

Located = Target | ProbeResult


class Targets:
    """Targets by name or address. Names are looked up again after `ttl` seconds, failed ones at
    each round; of several addresses one is kept as long as the name has it."""

    def __init__(self, specs: Sequence[ProbeTarget], resolver: Resolver, ttl: float = 60) -> None:
        self._lines = [(spec, family) for spec in specs for family in _families(spec)]
        self._resolver, self._ttl = resolver, ttl
        self._known: dict[Wanted, Resolved] = {}
        self._known_at = 0.0

    def locate(self) -> list[Located]:
        """One target for each name and family, or the result that says why there is none."""
        now = time.monotonic()
        if now - self._known_at > self._ttl:
            old, self._known, self._known_at = self._known, {}, now
        else:
            old = self._known
        missing = {(spec.address, family) for spec, family in self._lines}
        missing -= {one for one, resolved in self._known.items() if resolved.addresses}
        if missing:
            for one, resolved in self._resolver.resolve(sorted(missing)).items():
                self._known[one] = _steady(resolved, old.get(one))
        return [self._one(spec, family) for spec, family in self._lines]

    def _one(self, spec: ProbeTarget, family: AddressFamily) -> Located:
        resolved = self._known[spec.address, family]
        if resolved.addresses:
            return Target(spec.name, resolved.addresses[0], family)
        return unresolved(spec.name, family, resolved)


def unresolved(name: str, family: AddressFamily, resolved: Resolved) -> ProbeResult:
    """The result of a target that has no address."""
    return ProbeResult(
        target=name,
        address="",
        family=family,
        prober=IcmpProber.name,
        sent=0,
        received=0,
        rtts=(),
        reason=resolved.reason,
        duration=resolved.seconds,
        detail=resolved.detail,
    )


def probe(
    prober: Prober, located: Sequence[Located], watch: Watch | None = None
) -> list[ProbeResult]:
    """One round; the results stand where their targets stood."""

    def merged(results: Sequence[ProbeResult]) -> list[ProbeResult]:
        probed = iter(results)
        return [one if isinstance(one, ProbeResult) else next(probed) for one in located]

    targets = [one for one in located if isinstance(one, Target)]
    return merged(prober.probe(targets, watch and (lambda results: watch(merged(results)))))


def _families(spec: ProbeTarget) -> tuple[AddressFamily, ...]:
    """A literal address has one family, a name both: neither is ever left out for the other."""
    own = own_family(spec.address)
    return (own,) if own else families_of(spec.family)


def _steady(resolved: Resolved, before: Resolved | None) -> Resolved:
    if before and before.addresses and before.addresses[0] in resolved.addresses:
        return resolved._replace(addresses=before.addresses)
    return resolved

"""`/probe?target=&module=`: one probe on demand, in blackbox_exporter's metric names.

Modules: `icmp` (IPv6 if the name has it, else IPv4, as blackbox_exporter chooses; never a second
try over the other), `icmp4`, `icmp6`; `family=both` probes both and labels the series of each.

What may be asked for: the configured targets and the default gateways, by name or address, and
what `probes.allow` names. Nothing else is probed, nor even looked up. A name is allowed by name
only, and whoever runs its DNS zone decides what it points at. Therefore it is looked up once, what
was looked at is what is probed, and an address that means this machine or its own link (loopback,
link-local, multicast, unspecified) is refused unless the allow-list has that address.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from collectors.link.icmp import EchoOptions, IcmpProber
from collectors.link.resolve import NotAnAddress, Resolved, Resolver, literal
from collectors.link.settings import ProbeSettings, network, own_family
from collectors.link.statistics import rtt_statistics
from collectors.link.targets import unresolved
from collectors.model import AddressFamily, Family, ProbeResult, Sample, Target, gauge, sample
from exporters.prometheus.backend import ProbeRefused

MODULES: Final[dict[str, tuple[AddressFamily, ...]]] = {
    "icmp": ("ipv6", "ipv4"),  # in order of preference
    "icmp4": ("ipv4",),
    "icmp6": ("ipv6",),
}
PARAMETERS = ("target", "module", "family", "debug")
TIMEOUT = 5.0  # seconds, whatever the scrape would allow
MARGIN = 0.5  # left for the way back
COUNT, SPACING = 3, 0.1

_Phase = Literal["resolve", "setup", "rtt"]


class AllowList:
    """What may be probed on demand. `names` are canonical; targets by name lead to an address."""

    def __init__(self, settings: ProbeSettings) -> None:
        networks = [network(entry) for entry in settings.allow]
        self._networks = [one for one in networks if one]
        self._names = {_canonical(t.address) for t in settings.targets}
        self._names.update(
            _canonical(entry)
            for entry, one in zip(settings.allow, networks, strict=True)
            if one is None
        )
        self._targets = {t.name: (t.address,) for t in settings.targets}

    def with_gateways(self, gateways: Sequence[Target]) -> AllowList:
        """The same and these, which may share a name between their families."""
        more = object.__new__(AllowList)
        more._networks = self._networks
        more._names = self._names | {_canonical(g.address) for g in gateways}
        more._targets = self._targets.copy()
        for gateway in gateways:
            known = more._targets.get(gateway.name, ())
            more._targets[gateway.name] = (*known, gateway.address)
        return more

    def permit(self, target: str) -> tuple[str, ...]:
        """The name, or the addresses, to probe; raises ProbeRefused."""
        wanted = tuple(map(_canonical, self._targets.get(target, (target,))))
        if not all(one in self._names or self._has(one) for one in wanted):
            raise ProbeRefused(
                403, f"{target!r} is not on the allow-list: see probes.targets and probes.allow"
            )
        return wanted

    def permits_address(self, address: str) -> bool:
        """Whether a name that is allowed may lead to this address."""
        parsed = ipaddress.ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        own = mapped.is_loopback or mapped.is_link_local or mapped.is_multicast
        return not (own or mapped.is_unspecified) or address in self._names or self._has(address)

    def _has(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in one for one in self._networks)


def probe(
    query: Mapping[str, str], headers: Mapping[str, str], allow: AllowList, resolver: Resolver
) -> list[Family] | str:
    """The families of one probe, or with `debug=true` its course as a text. Blocks for at most
    `TIMEOUT`, or the scrape's own timeout less `MARGIN`. Raises ProbeRefused (400 or 403)."""
    start = time.perf_counter()
    families, both = _families(query)
    budget = _budget(headers)
    target = _parameter(query, "target")
    permitted = allow.permit(target)
    asked = {family: _of_family(permitted, family) for family in families}
    found = resolver.resolve([(text, family) for family, text in asked.items()], budget / 2)
    resolved = {family: found[text, family] for family, text in asked.items()}
    if not both:
        families = next(((f,) for f in families if resolved[f].addresses), families[:1])
    located = [_locate(target, family, resolved[family], allow) for family in families]
    left = budget - (time.perf_counter() - start)
    results, setup = _echo([one for one in located if isinstance(one, Target)], left)
    probed = iter(results)
    outcome = [one if isinstance(one, ProbeResult) else next(probed) for one in located]
    seconds = time.perf_counter() - start
    if query.get("debug") == "true":
        return "".join(_course(result, resolved[result.family]) for result in outcome)
    made = _exposition(outcome, [resolved[f] for f in families], setup, seconds, both)
    return [family for family in made if family.samples]


def _parameter(query: Mapping[str, str], name: str) -> str:
    if value := query.get(name):
        return value
    raise ProbeRefused(400, f"the parameter {name!r} is missing")


def _families(query: Mapping[str, str]) -> tuple[tuple[AddressFamily, ...], bool]:
    """The families that a query may use, and whether it wants each of them."""
    for name in query:
        if name not in PARAMETERS:
            raise ProbeRefused(
                400, f"unknown parameter {name!r}; there are: {', '.join(PARAMETERS)}"
            )
    module = _parameter(query, "module")
    if module not in MODULES:
        raise ProbeRefused(400, f"unknown module {module!r}; there are: {', '.join(MODULES)}")
    wanted = query.get("family", "")
    if wanted == "both" and len(MODULES[module]) == 2:
        return ("ipv4", "ipv6"), True
    if wanted:
        raise ProbeRefused(400, f"family={wanted}: it can only be both, with the module icmp")
    return MODULES[module], False


def _budget(headers: Mapping[str, str]) -> float:
    """Seconds until an answer is due."""
    text = headers.get("x-prometheus-scrape-timeout-seconds")
    if text is None:
        return TIMEOUT
    try:
        allowed = float(text)
    except ValueError:
        allowed = 0
    if not allowed > 0:  # also what is not a number
        raise ProbeRefused(400, f"X-Prometheus-Scrape-Timeout-Seconds: {text!r} is no timeout")
    return min(TIMEOUT, max(allowed - MARGIN, allowed / 2))


def _of_family(permitted: Sequence[str], family: AddressFamily) -> str:
    """The name, or the address of a family; another one's where there is none."""
    return next((one for one in permitted if own_family(one) in (family, None)), permitted[0])


def _locate(
    target: str, family: AddressFamily, resolved: Resolved, allow: AllowList
) -> Target | ProbeResult:
    if not resolved.addresses:
        return unresolved(target, family, resolved)
    if address := next((a for a in resolved.addresses if allow.permits_address(a)), None):
        return Target(target, address, family)
    raise ProbeRefused(
        403, f"{target!r} leads to {resolved.addresses[0]}, which is not itself on the allow-list"
    )


def _echo(targets: Sequence[Target], seconds: float) -> tuple[list[ProbeResult], float]:
    """One round within `seconds`, and how much of it was not waiting for answers."""
    if not targets:
        return [], 0.0
    seconds = max(seconds, 0.1)
    spacing = min(SPACING, seconds / 10)
    options = EchoOptions(COUNT, spacing, seconds - COUNT * spacing)
    start = time.perf_counter()
    results = IcmpProber(options).probe(targets)
    took = time.perf_counter() - start
    return results, max(0.0, took - max(result.duration for result in results))


def _exposition(
    results: Sequence[ProbeResult],
    resolved: Sequence[Resolved],
    setup: float,
    seconds: float,
    labelled: bool,
) -> list[Family]:
    def of(value: float, result: ProbeResult, **labels: str) -> Sample:
        return sample(float(value), **labels, **({"family": result.family} if labelled else {}))

    rtts = [rtt_statistics(result.rtts) for result in results]
    phases: list[Sample] = []
    for result, name, rtt in zip(results, resolved, rtts, strict=True):
        seconds_of: dict[_Phase, float] = {
            "resolve": name.seconds,
            "setup": setup,
            "rtt": rtt.get("median", 0.0),
        }
        phases += (of(value, result, phase=phase) for phase, value in seconds_of.items())
    return [
        gauge(
            "probe_success",
            "Whether the target answered.",
            *(of(r.success, r) for r in results),
        ),
        gauge("probe_duration_seconds", "How long the whole probe took.", sample(seconds)),
        gauge(
            "probe_dns_lookup_time_seconds",
            "How long the look-up of the name took.",
            *(of(name.seconds, r) for r, name in zip(results, resolved, strict=True)),
        ),
        gauge(
            "probe_ip_protocol",
            "IP version that was used, 4 or 6; 0 where there was no address.",
            *(of((4 if r.family == "ipv4" else 6) if r.address else 0, r) for r in results),
        ),
        gauge(
            "probe_ip_addr_hash",
            "FNV-1a hash of the address: it changes when the address does.",
            *(of(_hash(r.address), r) for r in results),
        ),
        gauge(
            "probe_icmp_duration_seconds",
            "Time by phase: resolve, setup, rtt (median of the echoes; 0 without any answer).",
            *phases,
        ),
        gauge(
            "probe_icmp_reply_hop_limit",
            "Hop limit (TTL) left in the last answer.",
            *(of(r.hop_limit, r) for r in results if r.hop_limit is not None),
        ),
        gauge(
            "jianwei_probe_loss_ratio",
            "Share of the echoes that were not answered in time, 0 to 1.",
            *(of(r.loss, r) for r in results),
        ),
        gauge(
            "jianwei_probe_failure_reason",
            "Why the target did not answer; only where it did not.",
            *(of(1, r, reason=r.reason) for r in results if r.reason),
        ),
    ]


def _course(result: ProbeResult, resolved: Resolved) -> str:
    """One family for people."""
    rtt = ", ".join(f"{value * 1000:.3f}" for value in result.rtts)
    lines = {
        "addresses": ", ".join(resolved.addresses) or "none",
        "looked up in": f"{resolved.seconds:.3f} s",
        "probed": result.address or "nothing",
        "answered": f"{result.received} of {result.sent}",
        "round trips": f"{rtt} ms" if rtt else "none",
        "reason": " ".join(filter(None, (result.reason, result.detail))) or "none",
    }
    return f"{result.family}\n" + "".join(f"  {key}: {text}\n" for key, text in lines.items())


def _hash(address: str) -> int:
    """32-bit FNV-1a of the address in network order, as blackbox_exporter has it."""
    if not address:
        return 0
    value = 0x811C9DC5
    for byte in ipaddress.ip_address(address).packed:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def _canonical(text: str) -> str:
    """An address or a DNS name in its one form."""
    try:
        return literal(text)[0]
    except NotAnAddress:
        return text.lower().rstrip(".")

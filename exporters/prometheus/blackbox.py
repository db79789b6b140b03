"""Results of `/probe` as blackbox_exporter's series, and what it has none for as jianwei_* ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from collectors.link.resolve import Resolved
from collectors.link.statistics import rtt_statistics
from collectors.model import Family, ProbeResult, Sample, gauge, sample


class Probed(NamedTuple):
    """One family of a probe; `families` are the prober's own."""

    result: ProbeResult
    resolved: Resolved
    families: Sequence[Family] = ()


class Fallback(NamedTuple):
    """The family that a module prefers, and why another one was probed."""

    preferred: str
    reason: str


_ICMP_PHASES: Final = ("resolve", "setup", "rtt")


def exposition(
    outcome: Sequence[Probed], seconds: float, labelled: bool, fallback: Fallback | None = None
) -> list[Family]:
    """Every family that has samples; `labelled` with the address family on each sample."""

    def of(value: float, one: Probed, **labels: str) -> Sample:
        return sample(float(value), **labels, **_label(one, labelled))

    made = [
        gauge(
            "probe_success",
            "Whether the target answered as it should.",
            *(of(one.result.success, one) for one in outcome),
        ),
        gauge("probe_duration_seconds", "How long the whole probe took.", sample(seconds)),
        gauge(
            "probe_dns_lookup_time_seconds",
            "How long the look-up of the name took.",
            *(of(one.resolved.seconds, one) for one in outcome),
        ),
        gauge(
            "probe_ip_protocol",
            "IP version that was used, 4 or 6; 0 where there was no address.",
            *(of(_protocol(one.result), one) for one in outcome),
        ),
        gauge(
            "probe_ip_addr_hash",
            "FNV-1a hash of the address: it changes when the address does.",
            *(of(address_hash(one.result.address), one) for one in outcome),
        ),
        gauge(
            "jianwei_probe_failure_reason",
            "Why the probe failed; only where it did.",
            *(of(1, one, reason=one.result.reason) for one in outcome if one.result.reason),
        ),
        gauge(
            "jianwei_probe_fallback",
            "That the preferred family has no address and the other one was probed instead.",
            *(
                [sample(1.0, preferred=fallback.preferred, reason=fallback.reason)]
                if fallback
                else []
            ),
        ),
        *_merged(outcome, labelled),
    ]
    return [family for family in made if family.samples]


def icmp(result: ProbeResult, setup: float) -> tuple[Family, ...]:
    """What an ICMP round tells. `setup` is what it took beyond waiting for answers."""
    seconds = (0.0, setup, rtt_statistics(result.rtts).get("median", 0.0))
    hop_limit = [] if result.hop_limit is None else [sample(float(result.hop_limit))]
    return (
        gauge(
            "probe_icmp_duration_seconds",
            "Time by phase: resolve, setup, rtt (median of the echoes; 0 without any answer).",
            *(sample(s, phase=phase) for phase, s in zip(_ICMP_PHASES, seconds, strict=True)),
        ),
        gauge("probe_icmp_reply_hop_limit", "Hop limit (TTL) left in the last answer.", *hop_limit),
        gauge(
            "jianwei_probe_loss_ratio",
            "Share of the echoes that were not answered in time, 0 to 1.",
            sample(result.loss),
        ),
    )


def course(one: Probed) -> str:
    """One family for people."""
    result, resolved = one.result, one.resolved
    rtt = ", ".join(f"{value * 1000:.3f}" for value in result.rtts)
    lines = {
        "addresses": ", ".join(resolved.addresses) or "none",
        "looked up in": f"{resolved.seconds:.3f} s",
        "probed": result.address or "nothing",
        "prober": result.prober,
        "answered": f"{result.received} of {result.sent}",
        "round trips": f"{rtt} ms" if rtt else "none",
        "phases": ", ".join(f"{name} {s:.3f} s" for name, s in result.phases) or "none",
        "reason": " ".join(filter(None, (result.reason, result.detail))) or "none",
    }
    return f"{result.family}\n" + "".join(f"  {key}: {text}\n" for key, text in lines.items())


def address_hash(address: str) -> int:
    """32-bit FNV-1a of the address in network order, as blackbox_exporter has it."""
    if not address:
        return 0
    value = 0x811C9DC5
    for byte in ipaddress.ip_address(address).packed:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def _merged(outcome: Sequence[Probed], labelled: bool) -> Iterable[Family]:
    """The probers' own families, the samples of one name under one head."""
    heads: dict[str, Family] = {}
    samples: dict[str, list[Sample]] = {}
    for one in outcome:
        for family in _own(one):
            heads.setdefault(family.name, family)
            samples.setdefault(family.name, []).extend(
                Sample((*s.labels, *_label(one, labelled).items()), s.value, s.suffix)
                for s in family.samples
            )
    for name, family in heads.items():
        yield msgspec.structs.replace(family, samples=samples[name])


def _own(one: Probed) -> list[Family]:
    """What the prober tells. The look-up is a phase of the whole, which the prober has not seen."""
    told = [_with_resolve(family, one.resolved.seconds) for family in one.families]
    if one.result.phases and not any(_has_phases(family) for family in told):
        told.append(
            gauge(
                "jianwei_probe_phase_seconds",
                "Time by phase of the probe.",
                sample(one.resolved.seconds, phase="resolve"),
                *(sample(seconds, phase=phase) for phase, seconds in one.result.phases),
            )
        )
    return told


def _has_phases(family: Family) -> bool:
    return family.name.startswith("probe_") and family.name.endswith("_duration_seconds")


def _with_resolve(family: Family, seconds: float) -> Family:
    if not _has_phases(family):
        return family
    resolve = (("phase", "resolve"),)
    samples = [
        Sample(s.labels, s.value + seconds, s.suffix) if s.labels == resolve else s
        for s in family.samples
    ]
    return msgspec.structs.replace(family, samples=samples)


def _label(one: Probed, labelled: bool) -> Mapping[str, str]:
    return {"family": one.result.family} if labelled else {}


def _protocol(result: ProbeResult) -> int:
    if not result.address:
        return 0
    return 4 if result.family == "ipv4" else 6

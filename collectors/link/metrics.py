"""Rounds of probes as metric families. Labels are bounded by the configured targets and gateways."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from collectors.model import Family, ProbeResult, Sample, counter, gauge, sample

Key = tuple[str, str, str]


def rtt_statistics(rtts: Sequence[float]) -> dict[str, float]:
    """Minimum, median, 95th percentile (nearest rank), maximum and mean, empty without any."""
    if not rtts:
        return {}
    ordered = sorted(rtts)
    middle = len(ordered) // 2
    return {
        "min": ordered[0],
        "median": (ordered[middle] + ordered[~middle]) / 2,
        "p95": ordered[math.ceil(0.95 * len(ordered)) - 1],
        "max": ordered[-1],
        "mean": math.fsum(ordered) / len(ordered),
    }


class Totals:
    """Packets since start, kept for the targets of the last round only, so that it stays bounded."""

    def __init__(self) -> None:
        self._packets: dict[Key, tuple[int, int]] = {}

    def add(self, results: Sequence[ProbeResult]) -> Mapping[Key, tuple[int, int]]:
        """Packets sent and received by target, family and prober, after this round."""
        now: dict[Key, tuple[int, int]] = {}
        for result in results:
            sent, received = self._packets.get(_key(result), (0, 0))
            now[_key(result)] = sent + result.sent, received + result.received
        self._packets = now
        return now


def families(
    results: Sequence[ProbeResult], totals: Mapping[Key, tuple[int, int]], time: float
) -> list[Family]:
    """One round that ended at Unix time `time`."""

    def of(value: float, result: ProbeResult, **more: str) -> Sample:
        return sample(
            float(value),
            target=result.target,
            family=result.family,
            prober=result.prober,
            **more,
        )

    modes = sorted({(r.prober, r.family, r.mode) for r in results if r.mode})
    return [
        gauge(
            "jianwei_probe_success",
            "Whether the target answered at least once in the last round.",
            *(of(result.success, result) for result in results),
        ),
        gauge(
            "jianwei_probe_loss_ratio",
            "Share of the last round's probes that were not answered in time, 0 to 1.",
            *(of(result.loss, result) for result in results),
        ),
        gauge(
            "jianwei_probe_rtt_seconds",
            "Round-trip times of the last round: min, median, p95, max.",
            *(
                of(value, result, stat=stat)
                for result in results
                for stat, value in rtt_statistics(result.rtts).items()
                if stat != "mean"
            ),
        ),
        counter(
            "jianwei_probe_packets_sent_total",
            "Probes sent.",
            *(of(totals[_key(result)][0], result) for result in results),
        ),
        counter(
            "jianwei_probe_packets_received_total",
            "Probes answered in time, each counted once.",
            *(of(totals[_key(result)][1], result) for result in results),
        ),
        gauge(
            "jianwei_probe_failure_reason",
            "Why the target did not answer in the last round; only where it did not.",
            *(of(1, result, reason=result.reason) for result in results if result.reason),
        ),
        gauge(
            "jianwei_probe_duration_seconds",
            "How long the last round took for this target.",
            *(of(result.duration, result) for result in results),
        ),
        gauge(
            "jianwei_probe_target_info",
            "The address that is probed.",
            *(of(1, result, address=result.address) for result in results if result.address),
        ),
        gauge(
            "jianwei_probe_socket_info",
            "How packets are sent: by raw sockets, or by datagram sockets for want of privilege.",
            *(sample(1.0, prober=p, family=family, mode=mode) for p, family, mode in modes),
        ),
        gauge(
            "jianwei_probe_timestamp_seconds",
            "Unix time at which the last round ended.",
            sample(time),
        ),
    ]


def _key(result: ProbeResult) -> Key:
    return result.target, result.family, result.prober

"""Continuous ICMP probes as metric families. Labels are bounded by what is configured.

Series are columns (collectors/columns.py) over the flows. smokeping_prober's names are there beside
ours where histograms are on.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from collectors.columns import PLAIN, Columns, Field, Things
from collectors.link.icmp import NAME
from collectors.link.icmpflows import BUCKET, BUCKETS, SECOND, Flow, Flows
from collectors.link.statistics import window
from collectors.model import AddressFamily, Family, Kind, Labels, counter, gauge, sample

DOWN = 3  # losses in a row that make a target one that does not answer

_RTT = tuple(Field(label=("stat", stat)) for stat in ("min", "median", "p95", "max"))
_VARIATION = (Field(label=("kind", "pdv")), Field(label=("kind", "ipdv")))
_HISTOGRAM = (
    *(Field("_bucket", ("le", repr(BUCKET * 2**n / SECOND))) for n in range(BUCKETS)),
    Field("_bucket", ("le", "+Inf")),
    Field("_sum"),
    Field("_count"),
)


class Labelled(NamedTuple):
    """The labels of some flows: ours, ours with the address, and smokeping_prober's."""

    ours: Things
    addressed: Things
    smokeping: Things


def labelled(flows: Sequence[Flow], addresses: Sequence[str], histograms: bool) -> Labelled:
    """The labels of flows that go to these addresses (empty: nowhere); smokeping_prober's only where
    there are histograms."""
    prober = ("prober", NAME)
    family = {one: ("family", one) for one in ("ipv4", "ipv6")}  # one object for all
    ours: list[Labels] = [
        (("target", f.target.name), family[f.target.family], prober) for f in flows
    ]
    places = list(zip(flows, addresses, strict=True)) if histograms else []
    return Labelled(
        Things(ours),
        Things([(*labels, ("address", a)) for labels, a in zip(ours, addresses, strict=True) if a]),
        Things(
            [
                *(
                    (
                        ("host", f.target.name),
                        ("ip", a),
                        ("source", f.source),
                        ("tos", str(f.dscp << 2)),
                    )
                    for f, a in places
                )
            ]
        ),
    )


def families(flows: Flows, labels: Labelled) -> Iterator[Family]:
    """What is known of the flows now."""
    things, numbers = labels.ours, range(len(flows))

    def of(name: str, kind: Kind, help: str, values: array[float], *fields: Field) -> Family:
        return Family(name, kind, help, Columns(things, values, fields or PLAIN))

    yield of(
        "jianwei_probe_success",
        "gauge",
        f"Whether the target answers: 0 after {DOWN} losses in a row.",
        array("d", (float(s > -DOWN) if s else math.nan for s in flows.streak)),
    )
    yield from _of_windows(flows, things)
    for name, help, values in (
        ("sent", "Echoes sent.", (flows.sent(n) for n in numbers)),
        ("received", "Echoes answered in time, each counted once.", flows.answered),
        ("lost", "Echoes that were not answered in time.", flows.lost),
        ("late", "Answers that came when their echo was lost already.", flows.late),
        ("duplicate", "Further answers to echoes that were answered.", flows.duplicates),
    ):
        yield of(f"jianwei_probe_packets_{name}_total", "counter", help, array("d", values))
    yield of(
        "jianwei_probe_jitter_seconds",
        "gauge",
        "Smoothed difference between round-trip times that follow each other (RFC 3550).",
        array("d", (j / SECOND if a > 1 else math.nan for j, a in _pairs(flows))),
    )
    yield of(
        "jianwei_probe_hop_limit",
        "gauge",
        "Hop limit (TTL) left in the last answer.",
        array("d", (float(hops) if hops else math.nan for hops in flows.hop_limit)),
    )
    yield of(
        "jianwei_probe_hop_limit_changes_total",
        "counter",
        "Answers whose hop limit was not that of the answer before: the path has changed.",
        array("d", flows.hop_changes),
    )
    yield of_things("jianwei_probe_target_info", "The address that is probed.", labels.addressed)
    yield from _sparse(flows)
    yield counter(
        "jianwei_probe_replies_dropped_total",
        "Messages that were no answer: not ours, forged, too late or double.",
        *(
            sample(float(flows.drops[why]), prober=NAME, why=why)
            for why in ("stray", "spoofed", "late", "duplicate")
        ),
    )
    if flows.histograms:
        yield from _smokeping(flows, labels.smokeping)


def pace_families(
    modes: Mapping[AddressFamily, str], interval: float, lag: float, lost: float, steps: int
) -> Iterator[Family]:
    """How the prober itself goes. Times in seconds; `steps` is how often the wall clock was set."""
    yield gauge(
        "jianwei_probe_socket_info",
        "How packets are sent: by raw sockets, or by datagram sockets for want of privilege.",
        *(sample(1.0, prober=NAME, family=family, mode=mode) for family, mode in modes.items()),
    )
    yield gauge(
        "jianwei_probe_interval_seconds",
        "Time between two echoes to one target.",
        sample(interval),
    )
    yield gauge(
        "jianwei_probe_pace_lag_seconds",
        "How far the prober was behind its pace at worst in the last minute or two.",
        sample(lag),
    )
    yield counter(
        "jianwei_probe_pace_lost_seconds_total",
        "Time by which the pace was given up, since the prober could not keep it.",
        sample(lost),
    )
    yield counter(
        "jianwei_probe_clock_steps_total",
        "Times the wall clock was set; round-trip times measured across it are dropped.",
        sample(float(steps)),
    )


def of_things(name: str, help: str, things: Things) -> Family:
    """An info family: 1 for each thing."""
    return Family(name, "gauge", help, Columns(things, array("d", [1.0]) * len(things)))


def _pairs(flows: Flows) -> Iterator[tuple[float, int]]:
    return zip(flows.jitter, flows.answered, strict=True)


def _of_windows(flows: Flows, things: Things) -> Iterator[Family]:
    loss, rtts, variation = array("d"), array("d"), array("d")
    for number in range(len(flows)):
        outcomes = flows.outcomes(number)
        lost = sum(one == -1 for one in outcomes)
        loss.append(lost / len(outcomes) if outcomes else math.nan)
        if seen := window(outcomes):
            rtts.extend(one / SECOND for one in seen[:4])
            ipdv = math.nan if seen.ipdv is None else seen.ipdv / SECOND
            variation.extend((seen.pdv / SECOND, ipdv))
        else:
            rtts.extend((math.nan,) * 4)
            variation.extend((math.nan, math.nan))
    yield Family(
        "jianwei_probe_loss_ratio",
        "gauge",
        "Share of the echoes of the window that were not answered in time, 0 to 1.",
        Columns(things, loss),
    )
    yield Family(
        "jianwei_probe_rtt_seconds",
        "gauge",
        "Round-trip times of the window: min, median, p95, max.",
        Columns(things, rtts, _RTT),
    )
    yield Family(
        "jianwei_probe_delay_variation_seconds",
        "gauge",
        "95th percentile of the delay variation in the window (RFC 5481): against the fastest"
        " (pdv), against the one before (ipdv).",
        Columns(things, variation, _VARIATION),
    )


def _sparse(flows: Flows) -> Iterator[Family]:
    """What only some flows have, or what has labels of its own."""
    failing = [
        (flows.flows[n].target, flows.problems.get(n))
        for n, streak in enumerate(flows.streak)
        if streak < 0
    ]
    yield gauge(
        "jianwei_probe_failure_reason",
        "Why the last echo was not answered; only where it was not.",
        *(
            sample(
                1.0,
                target=target.name,
                family=target.family,
                prober=NAME,
                reason=problem.reason if problem else "timeout",
            )
            for target, problem in failing
        ),
    )


def _smokeping(flows: Flows, things: Things) -> Iterator[Family]:
    numbers, size = range(len(flows)), BUCKETS + 1
    values = array("d")
    for number in numbers:
        total = 0
        for count in flows.buckets[number * size : (number + 1) * size]:
            total += count
            values.append(total)
        values.extend((flows.sums[number] / SECOND, total))

    def of(name: str, kind: Kind, help: str, values: array[float], *fields: Field) -> Family:
        return Family(f"smokeping_{name}", kind, help, Columns(things, values, fields or PLAIN))

    yield of("requests_total", "counter", "Echoes sent.", array("d", map(flows.sent, numbers)))
    yield of("response_duration_seconds", "histogram", "Round-trip times.", values, *_HISTOGRAM)
    yield of(
        "response_ttl",
        "gauge",
        "Hop limit (TTL) left in the last answer.",
        array("d", (float(hops) if hops else math.nan for hops in flows.hop_limit)),
    )
    yield of(
        "response_duplicates_total",
        "counter",
        "Further answers to echoes that were answered.",
        array("d", flows.duplicates),
    )

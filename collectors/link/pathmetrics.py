"""Paths as metrics: `jianwei_path_*`, one sample for each target and family of what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from collectors.link.path import Path
from collectors.model import AddressFamily, Family, Sample, counter, gauge, sample


class Seen(msgspec.Struct, frozen=True):
    """The last trace of a target, how often its way changed, and when last (0: never)."""

    target: str
    family: AddressFamily
    last: Path
    changes: int = 0
    changed: float = 0.0


def families(
    seen: Sequence[Seen], traces: int, failures: int, dropped: int, waiting: int
) -> list[Family]:
    """The counts are of traces done, without any result, and not begun for want of room."""

    def each(value: Callable[[Seen], float | None]) -> list[Sample]:
        found = ((one, value(one)) for one in seen)
        return [
            sample(float(number), target=one.target, family=one.family)
            for one, number in found
            if number is not None
        ]

    return [
        gauge(
            "jianwei_path_reached",
            "Whether the last trace reached the target.",
            *each(lambda one: one.last.reached),
        ),
        gauge(
            "jianwei_path_hops",
            "Hops to the target in the last trace, itself included; only where it was reached.",
            *each(lambda one: len(one.last.hops) if one.last.reached else None),
        ),
        gauge(
            "jianwei_path_mtu_bytes",
            "Largest packet that passes whole, with its headers; only where it is known.",
            *each(lambda one: one.last.mtu),
        ),
        gauge(
            "jianwei_path_mtu_black_hole",
            "Whether larger packets vanish without a word to the sender.",
            *each(lambda one: None if one.last.mtu is None else one.last.mtu_black_hole),
        ),
        counter(
            "jianwei_path_changes_total",
            "Traces that contradicted the way known before.",
            *each(lambda one: one.changes),
        ),
        gauge(
            "jianwei_path_change_timestamp_seconds",
            "Unix time of the last change of the way; only where there was one.",
            *each(lambda one: one.changed or None),
        ),
        counter("jianwei_path_traces_total", "Traces done.", sample(float(traces))),
        counter(
            "jianwei_path_failures_total",
            "Traces that brought no result at all; the log says why.",
            sample(float(failures)),
        ),
        counter(
            "jianwei_path_requests_dropped_total",
            "Traces not done because too many were waiting.",
            sample(float(dropped)),
        ),
        gauge("jianwei_path_waiting", "Targets waiting for a trace.", sample(float(waiting))),
    ]

"""What the agent tells of its own history file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collectors.model import Family, counter, gauge, sample


class Report(NamedTuple):
    """What is told of the history itself. `compacted`: whether it went well; None before the first. `dropped` are
    days by what went of them."""

    success: bool
    size: int
    last: float | None
    lost: int
    compacted: bool | None
    dropped: Mapping[str, int]


def history_families(report: Report) -> Sequence[Family]:
    """What is told of a history file."""
    it = report
    return (
        gauge(
            "jianwei_history_success",
            "Whether the history of use could be written the last time; 0 before the first.",
            sample(float(it.success)),
        ),
        gauge(
            "jianwei_history_size_bytes",
            "Bytes of the history file with its journal.",
            sample(float(it.size)),
        ),
        gauge(
            "jianwei_history_last_rollup_timestamp_seconds",
            "Unix time at which the last slot in the history ended; none before the first.",
            *((sample(it.last),) if it.last else ()),
        ),
        counter(
            "jianwei_history_rollups_lost_total",
            "Rollups that could not be written and no longer wait to be, or came too late for their day.",
            sample(float(it.lost)),
        ),
        counter(
            "jianwei_history_dropped_days_total",
            "Days let go before their time, since the file would be larger than it may.",
            *(sample(float(days), what=what) for what, days in sorted(it.dropped.items())),
        ),
        gauge(
            "jianwei_history_compaction_success",
            "Whether days that are over were made blocks the last time; none before the first.",
            *(() if it.compacted is None else (sample(float(it.compacted)),)),
        ),
    )

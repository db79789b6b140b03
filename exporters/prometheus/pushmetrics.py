"""What the agent tells of its own pushes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from collectors.model import Family, Sample, counter, gauge, sample
from exporters.prometheus.remotewrite.sender import Report


class Pushed(NamedTuple):
    """Of a Pushgateway or a file: whether the last push went well, and when one last did (Unix time, 0 for never)."""

    well: bool
    last: float


def remote_write_families(reports: Sequence[tuple[str, Report]], now: float) -> Sequence[Family]:
    """Of each receiver; nothing where there is none. `now` is Unix time."""
    if not reports:
        return ()
    return (
        counter(
            "jianwei_remote_write_samples_total",
            "Samples that the receiver took.",
            *(sample(float(it.taken), receiver=name) for name, it in reports),
        ),
        counter(
            "jianwei_remote_write_dropped_total",
            "Samples that were lost: full, old, damaged and disk are the queue's, refused and repeated the "
            "receiver's; those repeated had been sent before without an answer and may be there.",
            *(
                sample(float(count), receiver=name, reason=reason)
                for name, it in reports
                for reason, count in it.lost.items()
            ),
        ),
        counter(
            "jianwei_remote_write_requests_total",
            "Requests that were sent to the receiver, those sent again with them.",
            *(sample(float(it.requests), receiver=name) for name, it in reports),
        ),
        counter(
            "jianwei_remote_write_retries_total",
            "Requests that failed and were sent again later.",
            *(sample(float(it.retries), receiver=name) for name, it in reports),
        ),
        gauge(
            "jianwei_remote_write_up",
            "Whether the receiver took what it was last sent; the log says why not.",
            *(sample(float(it.up), receiver=name) for name, it in reports),
        ),
        gauge(
            "jianwei_remote_write_queue_bytes",
            "Bytes that wait on disk for the receiver.",
            *(sample(float(it.fill.bytes), receiver=name) for name, it in reports),
        ),
        gauge(
            "jianwei_remote_write_queue_samples",
            "Samples that wait on disk for the receiver.",
            *(sample(float(it.fill.samples), receiver=name) for name, it in reports),
        ),
        gauge(
            "jianwei_remote_write_lag_seconds",
            "Age of the oldest sample that waits; 0 where none does.",
            *(sample(_lag(it, now), receiver=name) for name, it in reports),
        ),
    )


def _lag(report: Report, now: float) -> float:
    oldest = report.fill.oldest
    return 0.0 if oldest is None else max(0.0, now - oldest / 1000)


def page_families(pushes: Sequence[tuple[str, str, Pushed]]) -> Sequence[Family]:
    """Of Pushgateways and of the file: kind, name, and what became of it."""
    if not pushes:
        return ()

    def samples(values: Sequence[float]) -> list[Sample]:
        return [
            sample(value, kind=kind, receiver=name)
            for (kind, name, _), value in zip(pushes, values, strict=True)
        ]

    return (
        gauge(
            "jianwei_push_success",
            "Whether the last push to a Pushgateway, or into the text file, went well; the log says why not.",
            *samples([float(it.well) for _, _, it in pushes]),
        ),
        gauge(
            "jianwei_push_last_success_timestamp_seconds",
            "When a push to a Pushgateway, or into the text file, last went well, as Unix time in seconds; "
            "0 for never.",
            *samples([it.last for _, _, it in pushes]),
        ),
    )

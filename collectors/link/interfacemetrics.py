"""Devices, interfaces and the use of lines as metric families; labels are bounded by what is set up.

Counters are as the device tells them: one of 32 bits wraps, which Prometheus takes for a restart.
Speeds are bytes a second, as node_network_speed_bytes is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from collectors.link.interfaces import DevicePoll, InterfaceCounters
from collectors.link.utilisation import LineUse
from collectors.model import Family, Sample, counter, gauge, sample


def families(polls: Sequence[DevicePoll], uses: Sequence[LineUse]) -> list[Family]:
    """One round. What is not known has no series."""
    rows = [row for poll in polls for row in poll.interfaces]
    return [*_devices(polls), *_interfaces(rows), *_lines(uses)]


def _devices(polls: Sequence[DevicePoll]) -> Iterable[Family]:
    yield gauge(
        "jianwei_device_up",
        "Whether the device answered in the last round.",
        *(sample(float(not poll.reason), device=poll.device) for poll in polls),
    )
    yield gauge(
        "jianwei_device_failure_reason",
        "Always 1, for each device that did not answer as it should; the label reason says why.",
        *(sample(1.0, device=poll.device, reason=poll.reason) for poll in polls if poll.reason),
    )
    yield gauge(
        "jianwei_device_poll_duration_seconds",
        "How long the device was asked in the last round.",
        *(sample(poll.seconds, device=poll.device) for poll in polls),
    )
    yield gauge(
        "jianwei_interface_failure_reason",
        "Always 1, for each interface that was wanted and could not be read.",
        *(
            sample(1.0, device=poll.device, interface=missing.name, reason=missing.reason)
            for poll in polls
            for missing in poll.missing
        ),
    )


def _interfaces(rows: Sequence[InterfaceCounters]) -> Iterable[Family]:
    def of(value: Callable[[InterfaceCounters], float | None]) -> Iterable[Sample]:
        for row in rows:
            found = value(row)
            if found is not None:
                yield sample(float(found), device=row.device, interface=row.name)

    def both(
        inward: Callable[[InterfaceCounters], int | None],
        outward: Callable[[InterfaceCounters], int | None],
    ) -> Iterable[Sample]:
        for direction, value in (("receive", inward), ("transmit", outward)):
            for one in of(value):
                yield Sample((*one.labels, ("direction", direction)), one.value)

    yield gauge(
        "jianwei_interface_up",
        "Whether the interface is operational.",
        *of(lambda row: row.oper == "up"),
    )
    yield gauge(
        "jianwei_interface_speed_bytes",
        "Speed of the interface, bytes a second.",
        *of(lambda row: row.speed and row.speed / 8),
    )
    yield counter(
        "jianwei_interface_receive_bytes_total",
        "Octets received, as the device counts them.",
        *of(lambda row: row.in_octets),
    )
    yield counter(
        "jianwei_interface_transmit_bytes_total",
        "Octets sent, as the device counts them.",
        *of(lambda row: row.out_octets),
    )
    yield counter(
        "jianwei_interface_errors_total",
        "Packets with errors, or that could not be sent for one.",
        *both(lambda row: row.in_errors, lambda row: row.out_errors),
    )
    yield counter(
        "jianwei_interface_discards_total",
        "Packets without an error that were dropped.",
        *both(lambda row: row.in_discards, lambda row: row.out_discards),
    )


def _lines(uses: Sequence[LineUse]) -> Iterable[Family]:
    def both(
        inward: Callable[[LineUse], float | None], outward: Callable[[LineUse], float | None]
    ) -> Iterable[Sample]:
        for use in uses:
            for direction, value in (("receive", inward(use)), ("transmit", outward(use))):
                if value is not None:
                    yield sample(value, line=use.line, direction=direction)

    yield gauge(
        "jianwei_line_utilisation_ratio",
        "Traffic between the last two readings as a share of the contracted bandwidth.",
        *both(lambda use: use.in_ratio, lambda use: use.out_ratio),
    )
    yield gauge(
        "jianwei_line_utilisation_p95_ratio",
        "95th percentile (nearest rank) of the utilisation in the window.",
        *both(lambda use: use.in_p95, lambda use: use.out_p95),
    )
    yield gauge(
        "jianwei_line_bandwidth_bytes",
        "Contracted bandwidth of the line, bytes a second.",
        *(sample(use.bandwidth / 8, line=use.line) for use in uses if use.bandwidth),
    )
    yield gauge(
        "jianwei_line_speed_below_contract",
        "Whether the interface of the line runs at less than the contracted bandwidth.",
        *(sample(float(use.slower), line=use.line) for use in uses if use.slower is not None),
    )
    yield gauge(
        "jianwei_line_rate_failure_reason",
        "Always 1, for each line whose traffic is not known; the label reason says why.",
        *(sample(1.0, line=use.line, reason=use.reason) for use in uses if use.reason),
    )

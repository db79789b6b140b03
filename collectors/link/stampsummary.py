"""What the answers of a STAMP session say of each direction, and as metric families. Pure.

Loss is attributed by the reflector's own sequence numbers (RFC 8762 section 4.3, stateful mode).
Jitter is the mean of |IPDV| of packets that follow each other (RFC 3393). One-way delays are as
good as both clocks: their difference adds to one direction and is taken from the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from collectors.link.clockstate import ClockState
from collectors.link.stamppacket import ErrorEstimate
from collectors.link.stamptally import DROPS, Drop, Tally
from collectors.link.statistics import rtt_statistics
from collectors.model import Family, Sample, gauge, sample


class Direction(NamedTuple):
    """One direction, or the round trip. Delays in seconds, of answers in time, in the order sent.
    The rest is None where nobody can know."""

    delays: tuple[float, ...]
    jitter: float | None
    lost: int | None
    loss: float | None
    reordered: int | None


class Summary(NamedTuple):
    """What a session has shown. `stateful` is None without an answer.

    What was lost after the last answer has no known direction: it is `unattributed`, as is
    everything lost where the reflector keeps no count of its own.
    """

    sent: int
    received: int
    late: int
    duplicates: int
    stateful: bool | None
    round_trip: Direction
    forward: Direction
    backward: Direction
    unattributed: int
    residence: tuple[float, ...]
    reflector: ErrorEstimate | None
    forward_ttl: int | None
    hop_limit: int | None
    clock_steps: int
    drops: Mapping[Drop, int]


def summarise(tally: Tally) -> Summary:
    taken = tally.taken
    late = sum(one.late for one in taken.values())
    received = len(taken) - late
    stateful = any(t.number != tally.first + i for i, t in taken.items()) if taken else None
    there, back, reached, unattributed = _lost(tally) if stateful else (None, None, 0, 0)
    if not stateful:
        unattributed = tally.count - len(taken)
    last = max(taken, default=-1) + 1
    lost = tally.count - received
    arrivals = [one.number for one in taken.values()]
    by_number = [index for _, index in sorted((one.number, i) for i, one in taken.items())]
    times = {i: one.times for i, one in sorted(taken.items()) if one.times and not one.late}
    return Summary(
        sent=tally.count,
        received=received,
        late=late,
        duplicates=tally.duplicates,
        stateful=stateful,
        round_trip=_direction(
            {i: one.round_trip for i, one in times.items()},
            lost,
            tally.count,
            _reordered(taken) if taken else None,
        ),
        forward=_direction(
            {i: one.forward for i, one in times.items()},
            there,
            last,
            _reordered(by_number) if stateful else None,
        ),
        backward=_direction(
            {i: one.backward for i, one in times.items()},
            back,
            reached,
            _reordered(arrivals) if stateful else None,
        ),
        unattributed=unattributed,
        residence=tuple(one.residence for one in times.values()),
        reflector=tally.reflector,
        forward_ttl=tally.ttl,
        hop_limit=tally.hop_limit,
        clock_steps=tally.clock_steps,
        drops=dict(tally.drops),
    )


def _lost(tally: Tally) -> tuple[int, int, int, int]:
    """Lost there, lost back, how many reached the reflector, and lost after the last answer."""
    taken = tally.taken
    first, last = min(taken), max(taken)
    # a reflector may go on counting from an earlier session of the same port
    base = max(0, taken[first].number - first)
    highest = max(*(one.number for one in taken.values()), *tally.again, 0)
    counted = highest - base + 1 - len(tally.again)
    reached = max(len(taken), min(counted, last + 1))
    return last + 1 - reached, reached - len(taken), reached, tally.count - (last + 1)


def _direction(
    delays: Mapping[int, float], lost: int | None, of: int, reordered: int | None
) -> Direction:
    steps = [abs(delays[i] - delays[i - 1]) for i in delays if i - 1 in delays]
    jitter = math.fsum(steps) / len(steps) if steps else None
    loss = lost / of if lost is not None and of else None
    return Direction(tuple(delays.values()), jitter, lost, loss, reordered)


def _reordered(numbers: Iterable[int]) -> int:
    """How many come after a higher one: RFC 4737 section 3.3."""
    highest, found = -1, 0
    for number in numbers:
        found += number < highest
        highest = max(highest, number)
    return found


def statistics(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median, 95th percentile (nearest rank) and maximum; empty without any."""
    return {stat: value for stat, value in rtt_statistics(values).items() if stat != "mean"}


def families(of: Summary, clock: ClockState) -> tuple[Family, ...]:
    """The series of one session; what nobody can know has none."""
    ways = {"round_trip": of.round_trip, "forward": of.forward, "backward": of.backward}
    lost = {name: way.lost for name, way in ways.items() if way.lost is not None}
    lost["unattributed"] = of.unattributed
    packets = {
        "sent": of.sent,
        "received": of.received,
        "late": of.late,
        "duplicate": of.duplicates,
    }
    reflector = of.reflector
    errors = {"sender": clock.error, "reflector": reflector.seconds if reflector else None}
    kept: dict[str, bool] = {"sender": clock.synchronised}
    if reflector:
        kept["reflector"] = reflector.synchronised
    made = [
        gauge(
            "jianwei_probe_stamp_packets",
            "Packets of the session: sent, received in time, late, and duplicates beyond those.",
            *(sample(float(value), state=state) for state, value in packets.items()),
        ),
        gauge(
            "jianwei_probe_stamp_delay_seconds",
            "Delay without the reflector's own time: min, median, p95, max. Forward and backward "
            "are as good as both clocks and may be below 0.",
            *(
                sample(value, direction=name, stat=stat)
                for name, way in ways.items()
                for stat, value in statistics(way.delays).items()
            ),
        ),
        gauge(
            "jianwei_probe_stamp_jitter_seconds",
            "Mean difference of delay between packets that follow each other.",
            *_known(ways, {name: way.jitter for name, way in ways.items()}),
        ),
        gauge(
            "jianwei_probe_stamp_lost_packets",
            "Packets lost; by direction where the reflector counts for itself, unattributed "
            "where no answer came after them or it does not.",
            *(sample(float(value), direction=name) for name, value in lost.items()),
        ),
        gauge(
            "jianwei_probe_stamp_loss_ratio",
            "Share lost of what was sent into a direction up to the last answer, 0 to 1; of the "
            "whole session for round_trip.",
            *_known(ways, {name: way.loss for name, way in ways.items()}),
        ),
        gauge(
            "jianwei_probe_stamp_reordered_packets",
            "Packets that came after one sent later.",
            *_known(ways, {name: way.reordered for name, way in ways.items()}),
        ),
        gauge(
            "jianwei_probe_stamp_reflector_seconds",
            "Time that packets spent in the reflector: min, median, p95, max.",
            *(sample(value, stat=stat) for stat, value in statistics(of.residence).items()),
        ),
        gauge(
            "jianwei_probe_stamp_clock_synchronised",
            "Whether something external keeps each end's clock, as that end says.",
            *(sample(float(value), end=end) for end, value in kept.items()),
        ),
        gauge(
            "jianwei_probe_stamp_clock_error_seconds",
            "Error that each end says its clock may have.",
            *(sample(value, end=end) for end, value in errors.items() if value is not None),
        ),
        gauge(
            "jianwei_probe_stamp_clock_steps",
            "Answers whose times are left out because this machine's clock was set meanwhile.",
            sample(float(of.clock_steps)),
        ),
        gauge(
            "jianwei_probe_stamp_reflector_stateful",
            "Whether the reflector counts packets for itself, so that loss has a direction.",
            *([] if of.stateful is None else [sample(float(of.stateful))]),
        ),
        gauge(
            "jianwei_probe_stamp_forward_hop_limit",
            "Hop limit (TTL) left where the reflector had the last packet answered.",
            *([] if of.forward_ttl is None else [sample(float(of.forward_ttl))]),
        ),
        gauge(
            "jianwei_probe_stamp_dropped_packets",
            "What came and was no answer, by why.",
            *(sample(float(of.drops.get(why, 0)), why=why) for why in DROPS),
        ),
    ]
    return tuple(family for family in made if family.samples)


def _known(ways: Mapping[str, Direction], values: Mapping[str, float | None]) -> list[Sample]:
    return [
        sample(float(value), direction=name) for name in ways if (value := values[name]) is not None
    ]

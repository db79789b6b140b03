"""Rates between two readings of an interface's counters: right, or none and the reason why.

A counter may wrap (RFC 2578 section 7.1.6), start anew with the device or alone (RFC 2863
ifCounterDiscontinuityTime), or be cleared by hand. Only a wrap has a rate. What is told is never
negative and never more than the interface can carry.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from collectors.link.interfaces import InterfaceCounters

RateReason = Literal[
    "",
    "clock",
    "restarted",
    "discontinuity",
    "renumbered",
    "width_changed",
    "backwards",
    "ambiguous",
    "above_speed",
]

TOLERANCE = 1.05  # of the speed: two answers are never exactly as far apart as their counters
FASTEST = 1.6e12  # bit/s; no interface is faster, whatever its speed is said to be
# Devices renew the counters they show every few seconds only (net-snmp 3, many routers 5 to 10), so a
# full line may seem to carry as much more. That is believed, and held at the speed.
STALE = 15.0
UPTIME_WRAP = 2**32 / 100  # seconds: TimeTicks are hundredths in 32 bits, 497 days
SLACK = 5.0  # seconds by which two clocks may drift apart between two readings, and …
DRIFT = 0.05  # … that share of the time between them


class Rate(NamedTuple):
    """Means over `seconds`: bit/s of each direction; errors and discards a second, if told."""

    seconds: float
    in_bits: float
    out_bits: float
    in_errors: float | None = None
    out_errors: float | None = None
    in_discards: float | None = None
    out_discards: float | None = None


class Judged(NamedTuple):
    """A rate, or why there is none."""

    rate: Rate | None
    reason: RateReason = ""


def rate(before: InterfaceCounters, after: InterfaceCounters) -> Judged:
    """The rate between two readings of the same device and name."""
    seconds = after.at - before.at
    if seconds <= 0:
        return Judged(None, "clock")
    if reason := _broken(before, after, seconds):
        return Judged(None, reason)
    steady = None not in (before.uptime, after.uptime)
    speed = max(before.speed or 0.0, after.speed or 0.0)
    octets = _Octets(after.bits, min(speed or FASTEST, FASTEST), bool(speed), seconds, steady)
    inward = octets.rate(before.in_octets, after.in_octets)
    outward = octets.rate(before.out_octets, after.out_octets)
    for bits in (inward, outward):
        if isinstance(bits, str):
            return Judged(None, bits)
    others = (
        _events(old, new, seconds, after.bits if after.wide else 32, steady)
        for old, new in (
            (before.in_errors, after.in_errors),
            (before.out_errors, after.out_errors),
            (before.in_discards, after.in_discards),
            (before.out_discards, after.out_discards),
        )
    )
    return Judged(Rate(seconds, float(inward), float(outward), *others))


def _broken(before: InterfaceCounters, after: InterfaceCounters, seconds: float) -> RateReason:
    """Why the counters of two readings are not one story, or empty."""

    def differ(one: float | None, other: float | None) -> bool:
        return one is not None and other is not None and one != other

    if differ(before.boots, after.boots):
        return "restarted"
    if before.uptime is not None and after.uptime is not None:
        slack = SLACK + DRIFT * seconds
        grown = after.uptime - before.uptime
        if grown < -UPTIME_WRAP / 2:
            grown += UPTIME_WRAP
        if grown < 0 or abs(grown - seconds) > slack:
            return "restarted"
    if differ(before.discontinuity, after.discontinuity):
        return "discontinuity"
    if differ(before.index, after.index):
        return "renumbered"  # a new interface may have the name of an old one
    if (before.bits, before.wide) != (after.bits, after.wide):
        return "width_changed"
    return ""


class _Octets(NamedTuple):
    """How octets of one interface become bit/s; `speed` is the most it can carry."""

    bits: int
    speed: float
    known: bool
    seconds: float
    steady: bool

    def rate(self, old: int, new: int) -> float | RateReason:
        """bit/s between two values of a counter."""
        most = self.speed * (self.seconds * TOLERANCE + STALE) / 8
        if self.bits == 32 and self.known and self.speed * self.seconds / 8 >= 2**32:
            return "ambiguous"  # it may have wrapped more than once
        grown = new - old
        if grown < 0:
            grown += 2**self.bits
            # without a known speed, half of what it holds tells a wrap from a new start; and a
            # device that does not say since when it runs may have started anew
            half = most if self.known else 2 ** (self.bits - 1)
            if not self.steady or not 0 < grown <= min(most, half):
                return "backwards"
        if grown > most:
            return "above_speed"
        bits = grown * 8 / self.seconds
        return bits if bits <= self.speed * TOLERANCE else self.speed


def _events(
    old: int | None, new: int | None, seconds: float, bits: int, steady: bool
) -> float | None:
    """Errors or discards a second; they have no cap but half of what the counter holds."""
    if old is None or new is None:
        return None
    grown = new - old
    if grown < 0:
        grown += 2**bits
        if not steady or not 0 < grown < 2 ** (bits - 1):
            return None
    return grown / seconds

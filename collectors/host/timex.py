"""How the kernel keeps its clock true: adjtimex(2).

Frequencies are in ppm with 16 bits of fraction; `offset` and `jitter` in nanoseconds where the
status has STA_NANO, otherwise in microseconds, as is all else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, Inventory, Kind, Sample, malformed
from collectors.rows import Timex

TIMEX = Inventory("timex")

TIME_ERROR = 5  # the return value of a clock that nothing disciplines
STA_NANO = 0x2000
PPM = 1e6 * (1 << 16)
MICRO = 1e6

# Name, kind, help, field, divisor (0: as STA_NANO says).
FAMILIES: tuple[tuple[str, Kind, str, str, float], ...] = (
    ("offset_seconds", "gauge", "Offset of the clock from its reference.", "offset", 0),
    ("maxerror_seconds", "gauge", "Error of the clock at most.", "maxerror", MICRO),
    ("estimated_error_seconds", "gauge", "Error of the clock, as estimated.", "esterror", MICRO),
    ("status", "gauge", "Status bits (STA_*).", "status", 1),
    ("loop_time_constant", "gauge", "Time constant of the phase-locked loop.", "constant", 1),
    ("tick_seconds", "gauge", "Time between ticks.", "tick", MICRO),
    ("pps_frequency_hertz", "gauge", "Frequency offset by the pulse per second.", "ppsfreq", PPM),
    ("pps_jitter_seconds", "gauge", "Jitter of the pulse per second.", "jitter", 0),
    ("pps_shift_seconds", "gauge", "Interval of the pulse-per-second calibration.", "shift", 1),
    ("pps_stability_hertz", "gauge", "Wander of the pulse per second.", "stabil", PPM),
    ("pps_jitter_total", "counter", "Pulses with too much jitter.", "jitcnt", 1),
    ("pps_calibration_total", "counter", "Calibrations by pulse per second.", "calcnt", 1),
    ("pps_error_total", "counter", "Calibrations that failed.", "errcnt", 1),
    ("pps_stability_exceeded_total", "counter", "Calibrations with too much wander.", "stbcnt", 1),
    ("tai_offset_seconds", "gauge", "Seconds by which TAI is ahead of UTC; 0: not set.", "tai", 1),
)


class TimexCollector(Collector, frozen=True):
    """Whether the clock is synchronised and how well."""

    name: ClassVar[str] = "timex"

    def readings(self) -> tuple[Inventory, ...]:
        return (TIMEX,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("timex"):
            (timex,) = answers.rows(TIMEX, Timex)
            resolution = 1e9 if timex.status & STA_NANO else MICRO
            for name, kind, help, field, divisor in FAMILIES:
                yield _family(name, kind, help, getattr(timex, field) / (divisor or resolution))
            yield _family(
                "frequency_adjustment_ratio",
                "gauge",
                "Speed of the clock in relation to its hardware.",
                1 + timex.freq / PPM,
            )
        yield _family(
            "sync_status",
            "gauge",
            "Whether the clock is synchronised (1) or not (0).",
            float(timex.state != TIME_ERROR),
        )


def _family(name: str, kind: Kind, help: str, value: float) -> Family:
    return Family(f"node_timex_{name}", kind, help, (Sample((), value),))

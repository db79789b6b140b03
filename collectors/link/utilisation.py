"""Utilisation of lines against their contracted bandwidth, from one poll of all devices to the next.

Utilisation is rate ÷ contracted bandwidth, of each direction; the 95th percentile (nearest rank)
is that of the last samples. Pure: no I/O, no clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from collectors.link.devices import MeteredLine
from collectors.link.interfaces import (
    Admin,
    DevicePoll,
    DeviceReason,
    InterfaceCounters,
    InterfaceReason,
    Oper,
)
from collectors.link.rates import RateReason, rate
from collectors.link.statistics import percentile

UseReason = RateReason | DeviceReason | InterfaceReason | Literal["first"]


class Window:
    """The last `limit` samples; a new one takes the place of the oldest."""

    __slots__ = ("_limit", "_next", "_samples")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next = 0
        self._samples = array("d")

    def add(self, value: float) -> None:
        if len(self._samples) < self._limit:
            self._samples.append(value)
        else:
            self._samples[self._next] = value
            self._next = (self._next + 1) % self._limit

    def __len__(self) -> int:
        return len(self._samples)

    def p95(self) -> float | None:
        """The smallest sample that 95 % of them do not exceed; None without any."""
        if not self._samples:
            return None
        return percentile(sorted(self._samples), 0.95)


class LineUse(msgspec.Struct, frozen=True, gc=False):
    """One line after the last poll. Rates are bit/s, ratios and percentiles shares of `bandwidth`.

    What is not known is None, and `reason` says why there is no rate: that of the rate, of the
    device or of the interface, or `first` before a second reading. `samples` are in the window.
    """

    line: str
    device: str
    interface: str
    bandwidth: float | None = None
    in_bits: float | None = None
    out_bits: float | None = None
    in_ratio: float | None = None
    out_ratio: float | None = None
    in_p95: float | None = None
    out_p95: float | None = None
    samples: int = 0
    oper: Oper = "unknown"
    admin: Admin = "unknown"
    speed: float | None = None
    reason: UseReason = ""
    detail: str = ""

    @property
    def slower(self) -> bool | None:
        """Whether the interface runs at less than the contract; None where that is not known."""
        if self.speed is None or self.bandwidth is None:
            return None
        return self.speed < self.bandwidth


class Meter:
    """Turns polls into the use of lines; remembers the last reading and a window of each line."""

    def __init__(self, lines: Sequence[MeteredLine], samples: int) -> None:
        self._lines = tuple(lines)
        self._samples = samples
        self._last: dict[tuple[str, str], InterfaceCounters] = {}
        self._windows: dict[str, tuple[Window, Window]] = {}

    def add(self, polls: Iterable[DevicePoll]) -> list[LineUse]:
        """The use of every line, after this poll."""
        by_device = {poll.device: poll for poll in polls}
        rows = {(r.device, r.name): r for poll in by_device.values() for r in poll.interfaces}
        used = [self._use(line, by_device, rows) for line in self._lines]
        # a reading that failed is skipped: the next rate spans the gap
        self._last.update(rows)
        return used

    def hints(self) -> dict[str, dict[str, int]]:
        """The index that every interface had last, by device and name."""
        found: dict[str, dict[str, int]] = {}
        for (device, name), row in self._last.items():
            if row.index is not None:
                found.setdefault(device, {})[name] = row.index
        return found

    def _use(
        self,
        line: MeteredLine,
        polls: Mapping[str, DevicePoll],
        rows: Mapping[tuple[str, str], InterfaceCounters],
    ) -> LineUse:
        device, name = line.interface.device, line.interface.name
        use = LineUse(line.line, device, name, line.bandwidth)
        poll, now = polls.get(device), rows.get((device, name))
        windows = self._windows.setdefault(
            line.line, (Window(self._samples), Window(self._samples))
        )
        found: dict[str, object] = {}
        if now is None:
            found["reason"], found["detail"] = _why(poll, name)
        else:
            found |= {"oper": now.oper, "admin": now.admin, "speed": now.speed}
            before = self._last.get((device, name))
            judged, reason = rate(before, now) if before else (None, "first")
            found["reason"] = reason
            if judged:
                found |= {"in_bits": judged.in_bits, "out_bits": judged.out_bits}
                if line.bandwidth:
                    ratios = judged.in_bits / line.bandwidth, judged.out_bits / line.bandwidth
                    found |= {"in_ratio": ratios[0], "out_ratio": ratios[1]}
                    for window, ratio in zip(windows, ratios, strict=True):
                        window.add(ratio)
        found |= {
            "in_p95": windows[0].p95(),
            "out_p95": windows[1].p95(),
            "samples": len(windows[0]),
        }
        return msgspec.structs.replace(use, **found)


def _why(poll: DevicePoll | None, name: str) -> tuple[UseReason, str]:
    """Why an interface has no row."""
    if poll is None:
        return "unread", "the device was not asked"
    if poll.reason:
        return poll.reason, poll.detail
    for missing in poll.missing:
        if missing.name == name:
            return missing.reason, missing.detail
    return "no_interface", ""

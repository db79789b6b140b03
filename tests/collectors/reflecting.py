"""What a STAMP reflector has counted. It counts a packet after the answer has left."""

from __future__ import annotations

import time

from collectors.link.stampreflector import Reflector


def counts(reflector: Reflector) -> dict[str, float]:
    """Packets by what became of them, without zeros."""
    packets = reflector.families()[0]
    return {one.labels[0][1]: one.value for one in packets.samples if one.value}


def settled(reflector: Reflector, total: int) -> dict[str, float]:
    """The same, once that many packets have come."""
    end = time.monotonic() + 5
    while sum(counts(reflector).values()) < total and time.monotonic() < end:
        time.sleep(0.002)
    return counts(reflector)

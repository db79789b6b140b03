"""When a target is asked: each at its own place in the interval, a failing one later and later. Pure."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Final

SOON: Final = 30.0  # seconds: a new target is asked within them, and a failing one again
LATE: Final = 1200.0  # seconds, of a target that fails for long, unless the interval is longer
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def place(url: str) -> float:
    """Where in the interval, 0 to 1: the same on every console."""
    return int.from_bytes(hashlib.sha256(url.encode()).digest()[:6], "big") / (1 << 48)


def first(url: str, interval: float, now: datetime) -> datetime:
    return now + timedelta(seconds=place(url) * min(interval, SOON))


def following(url: str, interval: float, now: datetime) -> datetime:
    """After an answer: its next place in the interval, half an interval from now or more."""
    seconds, begins = (now - _EPOCH).total_seconds(), place(url) * interval
    due = begins + ((seconds - begins) // interval + 1) * interval
    return _EPOCH + timedelta(seconds=due if due - seconds >= interval / 2 else due + interval)


def again(failures: int, interval: float, now: datetime) -> datetime:
    """After a failure: twice as late each time, and never all at once."""
    delay = min(min(interval, SOON) * 2.0 ** min(failures - 1, 30), max(interval, LATE))
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    return now + timedelta(seconds=delay * jitter)

"""Rounds of work, one each interval on a thread of its own, that can be brought forward and ended."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

END_PATIENCE = 2.0  # seconds for a round under way to be ended
FIRST_DELAY = 1.0  # seconds after start, so that the first scrape does not compete with it
HASTE = 60.0  # seconds between the starts of two rounds at least, however often one is asked for


class Rounds:
    """Calls `work` soon after `start` and then every `interval` seconds, from start to start, until `stop`.

    `stopping` is set by then: a round hands it to its child. `first` is how many seconds after `start`
    the first round is.
    """

    def __init__(self, name: str, interval: float, work: Callable[[], None]) -> None:
        self._interval, self._work = interval, work
        self.first = FIRST_DELAY
        self.stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no other round, and end the one under way."""
        self.stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)

    def hasten(self) -> None:
        """Have the next round as soon as may be, since something changed."""
        self._wake.set()

    def _loop(self) -> None:
        due, soonest = time.monotonic() + self.first, 0.0
        while not self.stopping.is_set():
            if self._wake.wait(max(0.0, due - time.monotonic())):
                self._wake.clear()
                due = min(due, max(soonest, time.monotonic()))
                continue
            began = time.monotonic()
            soonest = began + HASTE
            self._work()
            # thousands of agents started together must not do so together for ever
            wait = self._interval * random.uniform(0.95, 1.05)  # noqa: S311 - jitter
            due = max(began + wait, time.monotonic() + FIRST_DELAY)

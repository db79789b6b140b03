"""Requests to one cloud under way at once: a few threads, a deadline, and what was not done by then.

A request that hangs is left to its thread, which ends with the request or with the process: the deadline
is kept whatever a server does.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from collectors.cloud.model import Part

Task = Callable[[], None]


class Work:
    """Tasks for parts of a look; a task may add others. `lock` guards what tasks bring together."""

    def __init__(self, threads: int, until: float) -> None:
        self.lock = threading.Lock()
        self.until = until  # time.monotonic()
        self._changed = threading.Condition(self.lock)
        self._tasks: deque[tuple[Part, Task]] = deque()
        self._open: Counter[Part] = Counter()
        self._error: BaseException | None = None
        self._over = False
        self._most, self._threads, self._idle = threads, 0, 0

    def add(self, part: Part, task: Task) -> None:
        with self.lock:
            self._tasks.append((part, task))
            self._open[part] += 1
            if self._threads < self._most and self._idle < len(self._tasks):
                self._threads += 1
                threading.Thread(target=self._run, name=f"cloud-{part}", daemon=True).start()
            self._changed.notify_all()

    def left(self) -> float:
        """Seconds until the deadline; below zero after it."""
        return self.until - time.monotonic()

    def wait(self) -> dict[Part, int]:
        """How many tasks of each part were not done at the deadline. Raises what a task raised."""
        with self.lock:
            while self._error is None and any(self._open.values()) and self.left() > 0:
                self._changed.wait(self.left())
            self._over = True
            self._tasks.clear()
            self._changed.notify_all()
            if self._error is not None:
                raise self._error
            return {part: count for part, count in self._open.items() if count}

    def _run(self) -> None:
        while True:
            with self.lock:
                self._idle += 1
                while not self._tasks and not self._over:
                    self._changed.wait()
                self._idle -= 1
                if self._over:
                    return
                part, task = self._tasks.popleft()
            error: BaseException | None = None
            try:
                task()
            except BaseException as raised:  # noqa: BLE001  # told by wait()
                error = raised
            with self.lock:
                self._open[part] -= 1
                self._error = self._error or error
                self._changed.notify_all()

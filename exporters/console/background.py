"""What a console does beside answering: a thread for each task, which goes on after whatever goes wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that each task has to end


class Task(NamedTuple):
    """`run` is called with the time every so many seconds, counted from the end of the last run."""

    name: str
    every: float
    run: Callable[[datetime], object]


class Background:
    """From `start` to `stop`."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(task,), name=task.name, daemon=True)
            for task in tasks
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _loop(self, task: Task) -> None:
        while True:
            try:
                task.run(datetime.now(UTC))
            except Exception:
                log.exception("%s failed; tried again in %g s", task.name, task.every)
            if self._stopping.wait(task.every):
                return

"""Days of the history that are over become blocks, in a child: what that takes leaves memory with it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from agents import children
from exporters.history.compacted import Compacted
from exporters.history.schema import SLOT
from exporters.history.settings import HistorySettings

log = logging.getLogger(__name__)

END_PATIENCE: Final = 2.0  # seconds for a child to be ended
# Seconds after its first slot, where a day is over in any zone, even one that has 25 hours; and what is late
# of it has come. The day that a file begins with waits longer for it, no other does.
OVER: Final = 25.5 * 3600
SPREAD: Final = (
    3600.0  # seconds more over which agents are spread, since they may share their disks
)
SETTLED: Final = 60.0  # seconds after start before a child may run
AGAIN: Final = 6 * 3600.0  # seconds after the start of one, whatever came of it
DEADLINE: Final = 3600.0


class Compaction:
    """Runs the child when a day is over, once at a time. `well` is whether the last ended so, None before the
    first; `failed` is called after one that did not. `dropped` are days of rollups and of sketches that went
    before their time, and `late` the rollups that came when their day was long over; since start."""

    def __init__(self, path: Path, settings: HistorySettings, failed: Callable[[], None]) -> None:
        self._path, self._settings, self._failed = path, settings, failed
        self.well: bool | None = None
        self.dropped = {"rollups": 0, "sketches": 0}
        self.late = 0
        self._due = time.monotonic() + SETTLED
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def if_due(self, first_slot: Callable[[], int | None], share: float) -> None:
        """Begin one if there is a day for it, by the first slot that is in no block; `share` of SPREAD
        after others may."""
        now = time.monotonic()
        if now < self._due or (self._thread and self._thread.is_alive()):
            return
        self._due = now + SLOT
        first = first_slot()
        if first is not None and time.time() - first * SLOT >= OVER + share * SPREAD:
            self._due = now + AGAIN
            self._thread = threading.Thread(target=self._run, name="compaction", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin no other, and end the one under way: what it has not done, the next does."""
        self._stopping.set()
        if self._thread and self._thread.is_alive():
            self._thread.join(END_PATIENCE)

    def adopt(self, before: Compaction) -> None:
        """Know, after a reload, when the last one was, and what went."""
        self.well, self._due = before.well, before._due
        self.dropped, self.late = before.dropped, before.late

    def _run(self) -> None:
        it = self._settings
        arguments = (
            *("history", "compact", "--history", str(self._path)),
            *("--keep", str(it.rollup_days)),
            *("--keep-sketches", str(it.sketch_days)),
            *("--most", str(it.max_bytes)),
        )
        try:
            ended = children.run(arguments, DEADLINE, stop=self._stopping)
            problem = ended.problem or (f"exit status {ended.status}" if ended.status else "")
            if not problem:
                self._read(ended.output)
        except (OSError, msgspec.MsgspecError) as error:
            problem = str(error)
        if self._stopping.is_set():
            return
        self.well = not problem
        if problem:
            log.error("days of the history could not be made blocks: %s", problem)
            self._failed()

    def _read(self, output: bytes) -> None:
        done = msgspec.json.decode(output, type=Compacted)
        self.dropped = {
            "rollups": self.dropped["rollups"] + len(done.dropped),
            "sketches": self.dropped["sketches"] + len(done.dropped_sketches),
        }
        self.late += done.late
        for loss in done.losses(self._settings.max_bytes):
            log.warning("history: %s", loss)

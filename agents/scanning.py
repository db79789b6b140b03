"""Slow inventories on schedule, in a child process: those that a pack of the audit judges."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from agents import children
from agents.config import Config
from agents.errors import UserError
from agents.inventories import Inventories, Kept
from agents.rounds import Rounds
from collectors import catalogue
from collectors.model import Family, gauge, sample

log = logging.getLogger(__name__)


class ScanSchedule:
    """Scans as soon as it is known what is judged, unless what is kept is young enough, and then every
    interval, until `stop`.

    `done` is called after each round, so that what is new is judged.
    """

    def __init__(self, config_path: str, config: Config, done: Callable[[], None]) -> None:
        self._path, self._done = config_path, done
        self._settings = config.inventories
        self._inventories = Inventories(config)
        self._names: list[str] = []
        self._started = self._under_way = False
        self._rounds = Rounds("inventories", self._settings.interval, self._scan)

    def judges(self, facts: frozenset[str]) -> None:
        """These facts are judged: an audit says so, or one before. What is new is scanned."""
        before = set(self._names)
        if self._settings.enable:
            self._names = catalogue.slow(facts)
        if not self._started:
            return
        if not self._under_way:
            self._begin()
        elif not before.issuperset(self._names):
            self._rounds.hasten()

    def start(self) -> None:
        self._started = True
        self._begin()

    def _begin(self) -> None:
        if self._names and not self._rounds.stopping.is_set():
            self._under_way = True
            # a restart is no reason to walk all file systems again
            oldest = min(kept.scanned if kept else 0.0 for _, kept in self._kept())
            due = oldest + self._settings.interval - time.time()
            self._rounds.first = min(max(due, self._rounds.first), self._settings.interval)
            self._rounds.start()

    def stop(self) -> None:
        """Begin no other scan, and end the one under way."""
        self._rounds.stop()

    def families(self) -> Sequence[Family]:
        """Age and success of each inventory; nothing where none is scanned."""
        return inventory_families(self._kept(), time.time())

    def _kept(self) -> list[tuple[str, Kept | None]]:
        found: list[tuple[str, Kept | None]] = []
        for name in self._names:
            try:
                found.append((name, self._inventories.kept(name)))
            except UserError:
                found.append((name, None))  # damaged: as if there were none
        return found

    def _scan(self) -> None:
        arguments = ("inventory", "scan", "--config", self._path, "--json", *self._names)
        try:
            ended = children.run(arguments, self._settings.deadline, stop=self._rounds.stopping)
            problem = ended.problem or (f"exit status {ended.status}" if ended.status else "")
        except OSError as error:
            problem = str(error)
        if self._rounds.stopping.is_set():
            return
        if problem:
            log.error("inventories could not be scanned: %s", problem)
        self._done()


def inventory_families(kept: Sequence[tuple[str, Kept | None]], now: float) -> Sequence[Family]:
    """What is told of inventories by name as they are kept, at a time in Unix seconds."""
    if not kept:
        return ()
    return (
        gauge(
            "jianwei_inventory_age_seconds",
            "Seconds since the scan of a slow inventory began; none before the first.",
            *(
                sample(max(0.0, now - it.scanned), inventory=name)
                for name, it in kept
                if it and it.scanned
            ),
        ),
        gauge(
            "jianwei_inventory_success",
            "Whether the last scan of a slow inventory ended well and saw the whole.",
            *(
                sample(float(bool(it and it.complete and not it.failure)), inventory=name)
                for name, it in kept
            ),
        ),
    )

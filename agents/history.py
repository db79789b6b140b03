"""The agent's own history: samples of this host and looks at clouds become rollups in one local file.

One thread samples, writes what is over, and once a day has a child make blocks of days that are over.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from agents import children
from agents.config import Config
from agents.hosthistory import SIZE, HostSampler, size_value
from agents.state import state_dir
from collectors.cloud.model import Use
from collectors.model import Family, ParseError, Unavailable, counter, gauge, sample
from collectors.sources.local import LocalSource
from exporters.history.accumulate import LONGEST, Accumulator, Rollup
from exporters.history.rates import Meter
from exporters.history.schema import SLOT

if TYPE_CHECKING:  # SQLite costs memory, and only who keeps a history pays for it
    from agents.historyfile import HistoryFile
    from exporters.history.store import Known, Span

log = logging.getLogger(__name__)

END_PATIENCE: Final = 2.0  # seconds for what is under way to be ended
CLOCK_SET: Final = 1.5  # seconds between two looks by which a clock is not slewed, but set
LOOKS_APART: Final = 3  # intervals; what is further apart is no pair
SILENT: Final = 2 * LONGEST  # seconds after which a cloud is forgotten
NIGHT: Final = 1800.0  # seconds after midnight before a day is made a block: what is late has come
SPREAD: Final = 3600.0  # seconds over which agents do so, since they may share their disks
SETTLED: Final = 60.0  # seconds after start before a child may run
COMPACT_AGAIN: Final = 6 * 3600.0  # seconds after one that failed
COMPACT_DEADLINE: Final = 3600.0


class Clocks:
    """Notices that the wall clock was set, or that the machine slept: the monotonic one does neither."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._set_at = -math.inf

    def set_between(self, wall: float, steady: float) -> bool:
        """Whether it was since the last call; a leap second and a slew are not."""
        ahead, before = wall - steady, self._ahead
        self._ahead = ahead
        if before is None or abs(ahead - before) <= CLOCK_SET:
            return False
        self._set_at = steady
        return True

    def steady(self, at: float, now: float) -> float | None:
        """A wall time as a steady one; None where it was told by a clock that was set since then."""
        found = at - (self._ahead or 0.0)
        return found if self._set_at <= found <= now + CLOCK_SET else None


class _Feed:
    """What is told of one cloud."""

    def __init__(self, longest: float) -> None:
        self.meter = Meter(longest)
        self.slots = Accumulator()
        self.last = time.monotonic()


class Report(NamedTuple):
    """What is told of the history itself. `compacted`: whether it went well; None before the first."""

    success: bool
    size: int
    last: float | None
    lost: int
    compacted: bool | None


class HistorySchedule:
    """Keeps the history from `start` until `stop`; `take` is for who looks at clouds."""

    def __init__(self, config: Config) -> None:
        self._settings, self._root = config.history, config.root
        own = self._settings.file
        self.path = Path(own).expanduser() if own else state_dir(config) / "history.db"
        self._host: HostSampler | None = None
        self._host_slots = Accumulator()
        self._size = ""  # the value of the span that is open
        self._seen_problem = ""
        self._feeds: dict[str, _Feed] = {}
        self._clocks = Clocks()
        self._file: HistoryFile | None = None
        self._mutex = threading.Lock()  # of all above
        self._compacted: bool | None = None
        self._compact_due = time.monotonic() + SETTLED
        self._compaction: threading.Thread | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="history", daemon=True)

    def start(self) -> None:
        if self._settings.enable:
            from agents.historyfile import HistoryFile

            if self._file is None:
                self._file = HistoryFile(self.path, self._settings.zone)
            self._thread.start()

    def stop(self) -> None:
        """Writes what there is of slots under way, if it is enough of them."""
        self._stopping.set()
        for thread in (self._thread, self._compaction):
            if thread and thread.is_alive():
                thread.join(END_PATIENCE)

    def adopt(self, before: HistorySchedule) -> None:
        """Go on, after a reload, where one that was stopped has ended, if the settings are the same."""
        if (before._settings, before._root, before.path) != (
            *(self._settings, self._root, self.path),
        ) or before._thread.is_alive():
            return
        self._host, self._host_slots, self._size = before._host, before._host_slots, before._size
        self._feeds, self._clocks, self._file = before._feeds, before._clocks, before._file
        self._compacted, self._compact_due = before._compacted, before._compact_due

    def families(self) -> Sequence[Family]:
        """Whether the history is written; nothing where none is kept."""
        file = self._file
        if file is None:
            return ()
        return history_families(
            Report(not file.problem, file.size(), file.last, file.lost, self._compacted)
        )

    def open_spans(self) -> list[Span] | None:
        """What is true until now, of all resources; None where that is not known now."""
        with self._mutex:
            return self._file.open_spans() if self._file else None

    def take(
        self,
        cloud: str,
        interval: float,
        began: float,
        uses: Iterable[Use],
        resources: Sequence[Known] = (),
        spans: Sequence[Span] = (),
    ) -> bool:
        """One look at a cloud that is looked at every `interval` seconds; this one began at a Unix time. Whether
        resources and spans are in the file; uses become rollups as slots end, and wait for the disk."""
        with self._mutex:
            if self._file is None or self._stopping.is_set():
                return False
            wall, steady = self._look_at_clocks()
            feed = self._feeds.get(cloud)
            if feed is None:
                feed = self._feeds[cloud] = _Feed(LOOKS_APART * interval)
            for use in uses:
                at = self._clocks.steady(use.at, steady)
                if at is not None:
                    for stretch in feed.meter.measure(use, at, use.at):
                        feed.slots.add(stretch)
            feed.last = steady
            feed.meter.forget(steady - LONGEST)
            return self._file.write(feed.slots.close(min(began, wall)), resources, spans)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._mutex:
                    self._sample()
                self._compact_if_due()
            except Exception:
                log.exception("the history could not be kept")
            self._stopping.wait(self._until_next())
        with self._mutex:
            if self._file:
                for slots in (self._host_slots, *(feed.slots for feed in self._feeds.values())):
                    if unfinished := slots.unfinished():
                        self._write_host(unfinished)
                self._file.close()

    def _until_next(self) -> float:
        """Seconds until the next sample: at the same places of each slot, and elsewhere on each host."""
        every = self._settings.sample_interval
        place = self._share() * every
        return every - (time.time() - place) % every

    def _share(self) -> float:
        """This host's place among all, 0 to 1."""
        return int(self._host.identity.id[:8], 16) / 2**32 if self._host else 0.0

    def _look_at_clocks(self) -> tuple[float, float]:
        """Both clocks; where the one was set, what was under way is over."""
        wall, steady = time.time(), time.monotonic()
        if self._clocks.set_between(wall, steady):
            log.info("the clock was set, or this machine slept: a slot of the history is cut short")
            self._write_host(self._host_slots.interrupt())
            for feed in self._feeds.values():
                feed.meter.forget()
                self._write_host(feed.slots.interrupt())
        return wall, steady

    def _sample(self) -> None:
        wall, steady = self._look_at_clocks()
        for name in [n for n, feed in self._feeds.items() if steady - feed.last > SILENT]:
            self._write_host(self._feeds.pop(name).slots.interrupt())
        first = self._host is None
        try:
            if self._host is None:
                longest = LOOKS_APART * self._settings.sample_interval
                self._host = HostSampler(LocalSource(self._root), longest)
            found = self._host.sample(steady, wall)
        except (Unavailable, ParseError) as error:
            self._complain(str(error))
            return
        self._complain("; ".join(self._host.problems))
        for stretch in found:
            self._host_slots.add(stretch)
        over = self._host_slots.close(wall)
        if over or first:
            self._write_host(over)

    def _complain(self, problem: str) -> None:
        """Once of each problem."""
        if problem and problem != self._seen_problem:
            log.warning("the history lacks some of what this host uses: %s", problem)
        self._seen_problem = problem

    def _write_host(self, rollups: dict[int, list[Rollup]]) -> None:
        """Rollups of any resource, and with them what is known of this host."""
        if self._host is None or self._file is None:
            return
        from exporters.history.store import Known, Span

        now, it = time.time(), self._host.identity
        spans: list[Span] = []
        if (value := size_value(self._host.size)) != self._size:
            told = self._file.open_spans()
            if told is not None:
                mine = [s for s in told if s.resource == it.id and s.aspect == SIZE]
                if [s.value for s in mine] != [value]:
                    spans = [s._replace(until=max(now, s.since)) for s in mine if s.since < now]
                    spans.append(Span(it.id, SIZE, now, None, value))
        if self._file.write(rollups, (Known(it.id, "host", it.name, "", now, now),), spans):
            self._size = value

    def _compact_if_due(self) -> None:
        """Days that are over become blocks, in a child: what that takes leaves memory with it."""
        steady = time.monotonic()
        if steady < self._compact_due or self._file is None:
            return
        if self._compaction and self._compaction.is_alive():
            return
        self._compact_due = steady + SLOT
        with self._mutex:
            first = self._file.first_slot()
            zone = self._file.zone
        if first is None or zone is None:
            return
        day = datetime.fromtimestamp(time.time() - NIGHT - self._share() * SPREAD, zone).date()
        if datetime.fromtimestamp(first * SLOT, zone).date() < day:
            self._compact_due = steady + COMPACT_AGAIN
            self._compaction = threading.Thread(target=self._compact, name="compact", daemon=True)
            self._compaction.start()

    def _compact(self) -> None:
        it = self._settings
        arguments = ("history", "compact", "--history", str(self.path))
        bounds = (
            *("--rollup-days", str(it.rollup_days)),
            *("--sketch-months", str(it.sketch_months)),
            *("--max-bytes", str(it.max_bytes)),
        )
        try:
            ended = children.run((*arguments, *bounds), COMPACT_DEADLINE, stop=self._stopping)
            problem = ended.problem or (f"exit status {ended.status}" if ended.status else "")
        except OSError as error:
            problem = str(error)
        if not self._stopping.is_set():
            self._compacted = not problem
            if problem:
                log.error("days of the history could not be made blocks: %s", problem)


def history_families(report: Report) -> Sequence[Family]:
    """What is told of a history file."""
    it = report
    return (
        gauge(
            "jianwei_history_success",
            "Whether the history of use could be written the last time.",
            sample(float(it.success)),
        ),
        gauge(
            "jianwei_history_size_bytes",
            "Bytes of the history file with its journal.",
            sample(float(it.size)),
        ),
        gauge(
            "jianwei_history_last_rollup_timestamp_seconds",
            "Unix time at which the last slot in the history ended; none before the first.",
            *((sample(it.last),) if it.last else ()),
        ),
        counter(
            "jianwei_history_rollups_lost_total",
            "Rollups that could not be written and no longer wait to be.",
            sample(float(it.lost)),
        ),
        gauge(
            "jianwei_history_compaction_success",
            "Whether days that are over were made blocks the last time; none before the first.",
            *(() if it.compacted is None else (sample(float(it.compacted)),)),
        ),
    )

"""The agent's own history: samples of this host and looks at clouds become rollups in one local file.

One thread samples, writes what is over, and once a day has a child make blocks of days that are over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from agents.clocks import Clocks
from agents.compaction import Compaction
from agents.config import Config
from agents.historymetrics import Report, history_families
from agents.hosthistory import SIZE, HostSampler, size_value
from agents.linehistory import LineSeconds, LineSlot, LineSlots
from agents.state import history_file
from agents.usemetrics import use_families
from collectors.cloud.model import Use
from collectors.model import Family, ParseError, Unavailable
from collectors.sources.local import LocalSource
from exporters.history.accumulate import LONGEST, Accumulator, Rollup, Stretch
from exporters.history.rates import Meter

if TYPE_CHECKING:  # SQLite costs memory, and only who keeps a history pays for it
    from agents.historyfile import HistoryFile
    from exporters.history.store import Known, Span

log = logging.getLogger(__name__)

END_PATIENCE: Final = 2.0  # seconds for what is under way to be ended
LOOKS_APART: Final = 3  # intervals; what is further apart is no pair
SILENT: Final = 2 * LONGEST  # seconds after which a cloud is forgotten


class _Feed:
    """What is told of one cloud."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.slots = Accumulator()
        self.last = time.monotonic()
        self.latest: Sequence[Stretch] = ()
        self.apart = LONGEST


class HistorySchedule:
    """Keeps the history from `start` until `stop`; `take` is for who looks at clouds, and lines are asked for."""

    def __init__(self, config: Config, lines: Callable[[], LineSeconds] | None = None) -> None:
        self._settings, self._root = config.history, config.root
        self.path = history_file(config)
        self._host: HostSampler | None = None
        self._host_slots = Accumulator()
        self._size = ""  # the value of the span that is open
        self._seen_problem = ""
        self._feeds: dict[str, _Feed] = {}
        self._lines, self._line_slots = lines, LineSlots()
        self._clocks = Clocks()
        self._file: HistoryFile | None = None
        self._mutex = threading.Lock()  # of all above
        self._compaction = Compaction(self.path, self._settings, self._suspect)
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
        self._compaction.stop()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)

    def adopt(self, before: HistorySchedule) -> None:
        """Go on, after a reload, where one that was stopped has ended, if the settings are the same."""
        if (before._settings, before._root, before.path) != (
            *(self._settings, self._root, self.path),
        ) or before._thread.is_alive():
            return
        self._host, self._host_slots, self._size = before._host, before._host_slots, before._size
        self._feeds, self._clocks, self._file = before._feeds, before._clocks, before._file
        self._line_slots = before._line_slots
        self._compaction.adopt(before._compaction)

    def families(self) -> Sequence[Family]:
        """Whether the history is written; nothing where none is kept."""
        file = self._file
        if file is None:
            return ()
        made = self._compaction
        lost = file.lost + made.late
        report = Report(not file.problem, file.size(), file.last, lost, made.well, made.dropped)
        return [*history_families(report), *use_families(self._latest())]

    def _latest(self) -> list[tuple[str, Sequence[Stretch]]]:
        """By cloud; none of one that was not looked at for a while."""
        steady = time.monotonic()
        return [
            (name, feed.latest)
            for name, feed in list(self._feeds.items())
            if steady - feed.last <= feed.apart
        ]

    def open_spans(self) -> list[Span] | None:
        """What is true until now, of all resources; None where that is not known now."""
        with self._mutex:
            if self._file is None or self._stopping.is_set():
                return None  # who has stopped must not open it again
            return self._file.open_spans()

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
            feed = self._feeds.setdefault(cloud, _Feed())
            feed.meter.longest = feed.apart = LOOKS_APART * interval
            found = []
            for use in uses:
                at = self._clocks.steady(use.at, steady)
                if at is not None:
                    found += feed.meter.measure(use, at, use.at)
            for stretch in found:
                feed.slots.add(stretch)
            if found:
                feed.latest = tuple(found)
            feed.last = steady
            feed.meter.forget(steady - LONGEST)
            return self._file.write(feed.slots.close(min(began, wall)), resources, spans)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._mutex:
                    self._sample()
                self._compaction.if_due(self._first_slot, self._share())
            except Exception:
                log.exception("the history could not be kept")
            self._stopping.wait(self._until_next())
        with self._mutex:
            if self._file:
                for slots in (self._host_slots, *(feed.slots for feed in self._feeds.values())):
                    if unfinished := slots.unfinished():
                        self._write(unfinished)
                if slot := self._line_slots.unfinished():
                    self._write_lines(slot)
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
            self._write(self._host_slots.interrupt())
            self._line_slots.interrupt()
            for feed in self._feeds.values():
                feed.meter.forget()
                self._write(feed.slots.interrupt())
        return wall, steady

    def _sample(self) -> None:
        wall, steady = self._look_at_clocks()
        for name in [n for n, feed in self._feeds.items() if steady - feed.last > SILENT]:
            self._write(self._feeds.pop(name).slots.interrupt())
        if self._lines and (slot := self._line_slots.look(wall, self._lines())):
            self._write_lines(slot)
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
            self._write(over)

    def _complain(self, problem: str) -> None:
        """Once of each problem."""
        if problem and problem != self._seen_problem:
            log.warning("the history lacks some of what this host uses: %s", problem)
        self._seen_problem = problem

    def _write(self, rollups: dict[int, list[Rollup]]) -> None:
        """Rollups of any resource, and with them what is known of this host."""
        if self._file is None:
            return
        if self._host is None:
            self._file.write(rollups)
            return
        from exporters.history.store import Known

        now, it = time.time(), self._host.identity
        value = size_value(self._host.size)
        spans = () if value == self._size else self._sized(value, now)
        known = Known(it.id, "host", it.name, "", now, now)
        if self._file.write(rollups, (known,), spans or ()) and spans is not None:
            self._size = value

    def _write_lines(self, slot: LineSlot) -> None:
        """Some lines at a time, so that their rows are not in memory all at once."""
        from exporters.history.store import Known

        now, left = time.time(), len(slot)
        for part in slot.parts():
            known = [Known(*one, now, now) for one in part.resources]
            left -= len(part.rows)
            if self._file and not self._file.write({slot.number: part.rows}, known):
                self._file.lost += left  # those of the part wait
                return

    def _sized(self, value: str, now: float) -> Sequence[Span] | None:
        """How the spans change where the host has another size; None where they cannot be read."""
        from exporters.history.store import Span

        if self._file is None or self._host is None or (told := self._file.open_spans()) is None:
            return None
        host = self._host.identity.id
        mine = [one for one in told if (one.resource, one.aspect) == (host, SIZE)]
        if [one.value for one in mine] == [value]:
            return ()
        ended = [one._replace(until=max(now, one.since)) for one in mine]
        return [*ended, Span(host, SIZE, now, None, value)]

    def _first_slot(self) -> int | None:
        with self._mutex:
            return self._file.first_slot() if self._file else None

    def _suspect(self) -> None:
        """The file may be damaged where only its days that are over are kept."""
        with self._mutex:
            if self._file:
                self._file.suspect()

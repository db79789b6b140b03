"""Tells receivers what became of hits: each has a queue on disk and a thread that empties it.

A receiver that is down is tried again, later and later; meanwhile its queue fills, up to its bound. A message may
come twice, never not at all while the queue has room for it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from collectors.model import Family, counter, gauge, sample
from exporters.findings.settings import FindingsSettings
from exporters.findings.text import cut, neutral
from rules.model import Change, Rule

if TYPE_CHECKING:  # SQLite, TLS and formats cost memory, and most agents tell nobody
    from exporters.findings.delivery import Sink
    from exporters.findings.queue import Message, Queue
    from exporters.findings.told import Told

log = logging.getLogger(__name__)

FOLDER: Final = "queue"  # in the agent's state folder
SINKS: Final = ("ocsf_file", "ocsf_https", "cef")  # keys of the settings, and folders
END_PATIENCE: Final = 2.0  # seconds for a batch under way to be ended
MAX_SAID: Final = 500  # columns of a message that is given up
COMPLAIN_EVERY: Final = 60.0  # seconds between two lines about the same full queue


class Patience(NamedTuple):
    """Seconds to wait after the first failure, doubled after each, and at most."""

    first: float = 1.0
    most: float = 60.0


class Teller:
    """Queues changes for every receiver of the settings, and sends them from `start` to `stop`."""

    def __init__(
        self, settings: FindingsSettings, state: Path, patience: Patience | None = None
    ) -> None:
        self._settings, self._folder = settings, state / FOLDER
        self._patience = patience or Patience()
        self._channels: list[_Channel] = []

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to tell."""
        it = self._settings
        return bool(it.ocsf_file or it.ocsf_https or it.cef)

    def start(self) -> None:
        for name, encode, sink in _receivers(self._settings):
            channel = _Channel(name, encode, sink, self._patience)
            self._channels.append(channel)
            channel.start(self._folder / name, self._settings.max_bytes)

    def stop(self) -> None:
        """Begin no other batch; one that is under way may be sent again after a restart."""
        for channel in self._channels:
            channel.stop()
        self._channels.clear()

    def put(self, changes: Sequence[Change], rules: Mapping[str, Rule]) -> bool:
        """Whether every queue has them, on disk; else the log says why, and who keeps them puts them again."""
        if self.wanted and not self._channels:
            return False  # not started, or stopped already
        taken = [channel.put(changes, rules) for channel in self._channels]
        if not all(taken):
            return False
        for channel in self._channels:
            channel.settle()
        return True

    def families(self) -> Sequence[Family]:
        """Of each receiver; nothing where there is none."""
        reports = [(channel.name, channel.report()) for channel in self._channels]
        return _families(reports) if reports else ()


class _Report(NamedTuple):
    bytes: int
    oldest: float  # seconds
    sent: int
    dropped: int
    refused: int
    well: bool


class _Channel:
    """One receiver."""

    def __init__(
        self, name: str, encode: Callable[[Told], bytes], sink: Sink, patience: Patience
    ) -> None:
        self.name = name
        self._encode, self._sink, self._patience = encode, sink, patience
        self._queue: Queue | None = None
        self._had: set[tuple[int, str]] = (
            set()
        )  # changes that it has and another receiver has not yet
        self._problem = ""
        self._complained = -COMPLAIN_EVERY
        self._place = Path(), 0
        self._stopping, self._work = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"tell-{name}", daemon=True)

    def start(self, folder: Path, max_bytes: int) -> None:
        self._place = folder, max_bytes
        if self._opened() is None:
            log.error("findings for %s cannot be queued: %s", self.name, self._problem)

    def _opened(self) -> Queue | None:
        """The queue, opened again where it could not be; None where it still cannot."""
        from exporters.findings.queue import Queue, QueueError

        if self._queue is None and not self._stopping.is_set():
            try:
                self._queue = Queue(*self._place)
            except QueueError as error:
                self._problem = str(error)
                return None
            self._problem = ""
            if self._queue.started_anew:
                log.error("findings for %s: the queue was damaged and is empty; the old one is in %s",
                          self.name, self._place[0])  # fmt: skip
            self._thread.start()
        return self._queue

    def stop(self) -> None:
        self._stopping.set()
        self._work.set()
        self._sink.close()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)
        if self._queue:
            self._queue.close()

    def put(self, changes: Sequence[Change], rules: Mapping[str, Rule]) -> bool:
        """Whether the queue has them, on disk; those that it had before are not put again."""
        from exporters.findings import told
        from exporters.findings.queue import QueueError

        new = {(it.number, it.hit.fingerprint): it for it in changes}
        bodies = [
            self._encode(told.of_change(change, rules))
            for key, change in new.items()
            if key not in self._had
        ]
        try:
            queue = self._opened()
            if queue is None:
                raise QueueError(self._problem)
            dropped = queue.put(bodies)
        except QueueError as error:
            log.error("%d findings for %s cannot be queued: %s", len(bodies), self.name, error)
            return False
        self._had |= new.keys()
        self._work.set()
        if dropped and time.monotonic() - self._complained >= COMPLAIN_EVERY:
            self._complained = time.monotonic()
            log.error(
                "the queue of findings for %s is full: %d oldest messages were dropped; "
                "jianwei_findings_dropped_total counts them",
                self.name,
                dropped,
            )
        return True

    def settle(self) -> None:
        """Every receiver has them: they will not be put again."""
        self._had.clear()

    def report(self) -> _Report:
        from exporters.findings.queue import QueueError

        try:
            fill = self._queue.fill() if self._queue else None
        except QueueError as error:
            self._problem, fill = str(error), None
        if fill is None:
            return _Report(0, 0.0, 0, 0, 0, well=False)
        age = max(0.0, time.time() - fill.oldest) if fill.oldest is not None else 0.0
        return _Report(fill.bytes, age, fill.sent, fill.dropped, fill.refused, not self._problem)

    def _loop(self) -> None:
        from exporters.findings.delivery import SinkError
        from exporters.findings.queue import QueueError

        delay = self._patience.first
        while not self._stopping.is_set():
            self._work.clear()
            try:
                idle = not self._send_batch()
            except (SinkError, QueueError) as error:
                if self._stopping.is_set():
                    return
                self._tell_problem(str(error))
                # a receiver that comes back must not be met by all agents at once
                self._stopping.wait(delay * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
                delay = min(2 * delay, self._patience.most)
                continue
            delay = self._patience.first
            if idle:
                self._work.wait()

    def _send_batch(self) -> bool:
        """Whether there was one."""
        from exporters.findings.delivery import SinkError

        queue = self._queue
        assert queue is not None  # noqa: S101 - the thread is not started without one
        messages = queue.first(self._sink.batch)
        if messages:
            try:
                self._sink.send([message.body for message in messages])
            except SinkError as error:
                if error.taken:
                    queue.taken(messages[error.taken - 1].id)
                if not error.refused:
                    raise
                self._set_aside(queue, messages[error.taken], str(error))
                return True
            queue.taken(messages[-1].id)
            if self._problem:
                log.info("findings for %s are delivered again", self.name)
                self._problem = ""
        return bool(messages)

    def _set_aside(self, queue: Queue, message: Message, problem: str) -> None:
        queue.refused(message.id)
        said = cut(neutral(message.body.decode("utf-8", "replace")), MAX_SAID)
        log.error("a finding for %s was refused and is given up: %s: %s", self.name, problem, said)

    def _tell_problem(self, problem: str) -> None:
        if problem != self._problem:
            log.error("findings for %s wait in the queue: %s", self.name, problem)
            self._problem = problem


def _receivers(
    settings: FindingsSettings,
) -> Iterator[tuple[str, Callable[[Told], bytes], Sink]]:
    """Name, encoder and sink of each."""
    if settings.ocsf_file or settings.ocsf_https:
        from exporters.findings import ocsf
    if settings.ocsf_file:
        from exporters.findings.ocsffile import FileSink

        yield "ocsf_file", ocsf.encode, FileSink(settings.ocsf_file)
    if settings.ocsf_https:
        from exporters.findings.ocsfhttps import HttpsSink

        yield "ocsf_https", ocsf.encode, HttpsSink(settings.ocsf_https)
    if settings.cef:
        from exporters.findings import cef
        from exporters.findings.syslog import DatagramSink, StreamSink, message

        facility = settings.cef.facility
        udp = settings.cef.transport == "udp"
        yield (
            "cef",
            lambda event: message(event, cef.cef(event), facility),
            DatagramSink(settings.cef) if udp else StreamSink(settings.cef),
        )


def _families(reports: Sequence[tuple[str, _Report]]) -> Sequence[Family]:
    return (
        gauge(
            "jianwei_findings_queue_bytes",
            "Bytes that wait on disk for the receiver.",
            *(sample(float(it.bytes), sink=name) for name, it in reports),
        ),
        gauge(
            "jianwei_findings_oldest_seconds",
            "Age of the oldest message that waits; 0 where none does.",
            *(sample(it.oldest, sink=name) for name, it in reports),
        ),
        gauge(
            "jianwei_findings_delivery_success",
            "Whether the receiver took what it was last sent; the log says why not.",
            *(sample(float(it.well), sink=name) for name, it in reports),
        ),
        counter(
            "jianwei_findings_sent_total",
            "Messages that the receiver took, since the queue was made.",
            *(sample(float(it.sent), sink=name) for name, it in reports),
        ),
        counter(
            "jianwei_findings_dropped_total",
            "Messages that were lost since the queue was full.",
            *(sample(float(it.dropped), sink=name) for name, it in reports),
        ),
        counter(
            "jianwei_findings_refused_total",
            "Messages that the receiver refused while it took others, and that were given up.",
            *(sample(float(it.refused), sink=name) for name, it in reports),
        ),
    )

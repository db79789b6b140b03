"""Receivers of remote write: each has a queue on disk and a thread that empties it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from collectors.model import Family
from exporters.prometheus.pushing import wanted
from exporters.prometheus.pushsettings import RemoteWriteSettings
from exporters.prometheus.remotewrite.client import Client
from exporters.prometheus.remotewrite.queue import Queue, QueueError
from exporters.prometheus.remotewrite.sender import Report, Sender
from exporters.prometheus.remotewrite.series import Book

log = logging.getLogger(__name__)

END_PATIENCE: Final = 2.0  # seconds for a request under way to be ended
SETTLE: Final = 1.0  # seconds between two looks at what was taken and may have to be sent again
AGAIN: Final = 10.0  # seconds after which a queue that could not be used is tried again


class RemoteWriting:
    """One receiver."""

    def __init__(self, settings: RemoteWriteSettings, folder: Path, instance: str) -> None:
        self.name, self.interval = settings.known_as, float(settings.interval)
        self._settings, self._folder = settings, folder / self.name
        labels = {"job": "jianwei", "instance": instance, **settings.external_labels}
        self._book = Book(labels, wanted(settings.keep, settings.drop))
        self._queue: Queue | None = None
        self._sender: Sender | None = None
        self._problem = ""
        self._stopping, self._work = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name="remote-write", daemon=True)
        self._opened()

    def _opened(self, patience: float | None = None) -> Queue | None:
        """The queue, opened again where it could not be; None where it still cannot."""
        if self._queue is None and not self._stopping.is_set():
            it = self._settings
            try:
                self._queue = Queue(self._folder, it.max_bytes, it.max_age, patience=patience)
            except QueueError as error:
                self._tell(str(error))
                return None
            self._sender = Sender(
                self.name, self._queue, Client(it), it.max_samples, replay=float(it.replay or 0)
            )
            self._thread.start()
        return self._queue

    def take(self, families: Sequence[Family], time: int) -> None:
        snapshot = self._book.snapshot(families, time)
        try:
            # all receivers wait for this thread: it waits for nobody
            if (queue := self._opened(patience=0.0)) and snapshot.series:
                queue.put(snapshot)
                self._problem = ""
        except QueueError as error:
            self._tell(str(error))
        self._work.set()

    def report(self) -> Report | None:
        """None before the queue could be opened."""
        return self._sender.report() if self._sender else None

    def stop(self) -> None:
        """Begin no other request; what is not taken stays on disk."""
        self._stopping.set()
        self._work.set()
        if self._sender:
            self._sender.stop()

    def close(self) -> None:
        """After `stop`."""
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)
        if self._queue:
            self._queue.close()

    def _loop(self) -> None:
        sender = self._sender
        assert sender is not None  # noqa: S101 - the thread is not started without one
        while not self._stopping.is_set():
            self._work.clear()
            try:
                wait = sender.turn()
            except QueueError as error:
                if self._stopping.is_set():
                    return
                self._tell(str(error))
                wait = AGAIN
            except Exception:  # a bug in one batch must not end all sending
                log.exception("samples for %s could not be sent", self.name)
                wait = AGAIN
            if wait is None:
                self._work.wait(SETTLE if sender.holds else None)
            elif wait:
                self._stopping.wait(wait)

    def _tell(self, problem: str) -> None:
        if problem != self._problem and not self._stopping.is_set():
            log.error("samples for %s cannot be queued: %s", self.name, problem)
            self._problem = problem


def opened(
    receivers: Sequence[RemoteWriteSettings], folder: Path, instance: str
) -> list[RemoteWriting]:
    """All of them, and a line in the log for each queue that is nobody's any more."""
    names = {one.known_as for one in receivers}
    if folder.is_dir():
        for left in sorted(it.name for it in folder.iterdir() if it.name not in names):
            log.warning("%s is the queue of no receiver in the configuration", folder / left)
    return [RemoteWriting(one, folder, instance) for one in receivers]

"""Pushes the agent's own page where no Prometheus can pull it: by remote write, to a Pushgateway, into a text file.

What is on the page is collected once for all that are due. Nothing is imported and no thread runs where nothing is
configured.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from collectors.model import Family
from exporters.prometheus.pushsettings import PushSettings

if TYPE_CHECKING:
    from agents.pagepush import PagePush
    from agents.remotewriting import RemoteWriting

log = logging.getLogger(__name__)

FOLDER: Final = "push"  # in the agent's state folder
END_PATIENCE: Final = 2.0  # seconds for a collection under way


class Receiver(Protocol):
    """Who gets the page every `interval` seconds. `take` must not wait for anybody."""

    @property
    def interval(self) -> float: ...
    def take(self, families: Sequence[Family], time: int) -> None:
        """The page, and when it was collected, in Unix milliseconds."""
        ...


class MetricsPush:
    """`start` and `stop` once each; `scrape` gives the page."""

    def __init__(
        self, settings: PushSettings, state: Path, scrape: Callable[[], Sequence[Family]]
    ) -> None:
        self._settings, self._folder, self._scrape = settings, state / FOLDER, scrape
        self._writing: list[RemoteWriting] = []
        self._pages: list[PagePush] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if not self._settings:
            return
        from agents import pagepush, remotewriting

        instance = socket.gethostname()
        self._writing = remotewriting.opened(self._settings.remote_write, self._folder, instance)
        self._pages = pagepush.opened(self._settings, instance)
        self._thread = threading.Thread(target=self._loop, name="push", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for writing in self._writing:
            writing.stop()
        for page in self._pages:
            page.stop()
        if self._thread:
            self._thread.join(END_PATIENCE)
        for writing in self._writing:
            writing.close()

    def families(self) -> Sequence[Family]:
        if not self._thread:
            return ()
        from exporters.prometheus import pushmetrics

        reports = [(one.name, it) for one in self._writing if (it := one.report())]
        pages = [(one.kind, one.name, one.report()) for one in self._pages]
        return (
            *pushmetrics.remote_write_families(reports, time.time()),
            *pushmetrics.page_families(pages),
        )

    def _loop(self) -> None:
        receivers: list[Receiver] = [*self._writing, *self._pages]
        # thousands of agents started at once must not push at once: each has its own moment
        share = zlib.crc32(socket.gethostname().encode()) / (1 << 32)
        due = {id(one): _first(one.interval, share) for one in receivers}
        while not self._stopping.is_set():
            now = time.monotonic()
            ready = [one for one in receivers if due[id(one)] <= now]
            if not ready:
                self._stopping.wait(min(due.values()) - now)
                continue
            for one in ready:
                due[id(one)] += one.interval * (1 + (now - due[id(one)]) // one.interval)
            began = int(time.time() * 1000)
            try:
                families = self._scrape()
                for one in ready:
                    if not self._stopping.is_set():
                        one.take(families, began)
            except Exception:  # a bug in one page must not end all pushing
                log.exception("a page could not be pushed")


def _first(interval: float, share: float) -> float:
    """The first moment, by the monotonic clock: the wall clock's multiples of the interval, and the host's share of it
    later, which a restart does not change."""
    wall = time.time()
    wait = (share * interval - wall) % interval
    return time.monotonic() + wait

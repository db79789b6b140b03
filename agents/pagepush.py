"""The page as text, to a Pushgateway or into a file: only the newest counts, so nothing waits on disk."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from collectors.model import Family
from collectors.strictyaml import Regex
from exporters.aside import replacing
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.pushgateway import Gateway, PushError
from exporters.prometheus.pushing import wanted
from exporters.prometheus.pushmetrics import Pushed
from exporters.prometheus.pushsettings import PushSettings

log = logging.getLogger(__name__)

END_PATIENCE: Final = 2.0  # seconds for a request under way to be ended


class PagePush:
    """One place. Its thread puts the newest page there; one that is still under way when the next comes is skipped."""

    def __init__(
        self,
        kind: str,
        name: str,
        interval: float,
        chosen: tuple[Regex | None, Regex | None],
        put: Callable[[bytes], None],
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind, self.name, self.interval = kind, name, interval
        self._put, self._end = put, end
        self._wanted = wanted(*chosen)
        self._encoder = Encoder()
        self._waiting: bytes | None = None
        self._report, self._problem = Pushed(False, 0.0), ""
        self._stopping, self._work = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"push-{kind}", daemon=True)
        self._thread.start()

    def take(self, families: Sequence[Family], time: int) -> None:
        self._waiting = self._encoder.encode(_chosen(families, self._wanted))
        self._work.set()

    def report(self) -> Pushed:
        return self._report

    def stop(self) -> None:
        self._stopping.set()
        self._work.set()
        self._end()
        self._thread.join(END_PATIENCE)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._work.wait()
            self._work.clear()
            page, self._waiting = self._waiting, None
            if page is None or self._stopping.is_set():
                continue
            try:
                self._put(page)
            except (PushError, OSError) as error:
                self._failed(error)
            else:
                self._report = Pushed(True, time.time())
                if self._problem:
                    log.info("%s %s is pushed to again", self.kind, self.name)
                self._problem = ""

    def _failed(self, error: PushError | OSError) -> None:
        if self._stopping.is_set():
            return
        self._report = self._report._replace(well=False)
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if problem != self._problem:
            log.error("the %s %s cannot be pushed to: %s", self.kind, self.name, problem)
            self._problem = problem


def _chosen(families: Sequence[Family], wanted: Callable[[str], bool] | None) -> Sequence[Family]:
    if wanted is None:
        return families
    found = []
    for family in families:
        samples = [it for it in family.samples if wanted(family.name + it.suffix)]
        if samples:
            found.append(msgspec.structs.replace(family, samples=samples))
    return found


def _written(path: Path) -> Callable[[bytes], None]:
    def write(page: bytes) -> None:
        with replacing(path) as file:
            os.fchmod(file.fileno(), 0o644)  # node_exporter is another user, whatever our umask is
            file.write(page)

    return write


def opened(settings: PushSettings, instance: str) -> list[PagePush]:
    pages = []
    for one in settings.pushgateway:
        gateway = Gateway(one, instance)
        pages.append(
            PagePush(
                "pushgateway", one.url, float(one.interval), (one.keep, one.drop), gateway.put,
                gateway.close,
            )
        )  # fmt: skip
    if it := settings.textfile:
        write = _written(Path(it.path))
        pages.append(PagePush("textfile", it.path, float(it.interval), (it.keep, it.drop), write))
    return pages

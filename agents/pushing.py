"""Pushes each audit to the review console, for agents that it cannot ask: POST /api/v1/findings with the agent's token.

Only the newest audit waits. Between audits a sign of life goes every interval, and the console says if it lacks the
audit that there is. There is a thread where there is a console; one is looked for at the start and after each audit.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from agents.consolelink import ConsoleSettings
from collectors.model import Family, counter, gauge, sample

if TYPE_CHECKING:
    from exporters.findings.posting import Poster

log = logging.getLogger(__name__)

FIRST: Final = 2.0  # seconds to wait after a failure, doubled after each, up to the interval
END_PATIENCE: Final = 2.0  # seconds for a request under way to be ended


class Report(NamedTuple):
    well: bool
    pushed: int
    failed: int
    last: float  # Unix time; 0 for never


class Pusher:
    """`put` an audit, from any thread. `start` and `stop` once each."""

    def __init__(self, settings: ConsoleSettings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._waiting: bytes | None = None  # the newest audit that the console has not
        self._newest: bytes | None = None
        self._report = Report(False, 0, 0, 0.0)
        self._problem = ""
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._poster: Poster | None = None

    def start(self) -> None:
        self._begin()

    def stop(self) -> None:
        with self._lock:
            self._stopping.set()
        self._wake.set()
        if poster := self._poster:
            poster.close()
        if self._thread:
            self._thread.join(END_PATIENCE)

    def adopt(self, before: Pusher) -> None:
        """Go on where another one ended; before `start`."""
        self._waiting, self._newest, self._report = (
            before._waiting,
            before._newest,
            before._report,
        )

    def put(self, content: bytes) -> None:
        """The newest audit, as /findings serves it; one that still waits is not sent any more."""
        self._waiting = self._newest = content
        self._begin()
        self._wake.set()

    def families(self) -> Sequence[Family]:
        return families(self._report) if self._thread else ()

    def _begin(self) -> None:
        """The thread, if there is a console now."""
        from agents import consolelink

        try:
            wanted = consolelink.find(self._settings, self._folder) is not None
        except consolelink.LinkError:
            wanted = True  # the thread tells it
        with self._lock:
            if wanted and self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._loop, name="push", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        from agents.consolecalls import CallError

        delay, failures = 0.0, 0
        while not self._stopping.is_set():
            if self._wake.wait(delay) and failures == 0:
                delay = 0.0
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self._call()
            except CallError as error:
                if self._stopping.is_set():
                    return
                failures += 1
                self._tell_problem(str(error))
                delay = max(min(FIRST * 2.0 ** min(failures - 1, 20), self._most), error.wait)
            else:
                failures, delay = 0, self._most
                if self._problem:
                    log.info("audits are pushed to the console again")
                self._problem = ""
            delay *= random.uniform(0.75, 1.0)  # noqa: S311 - jitter
            if failures:
                # a new audit replaces the one that waits, and brings nothing forward
                self._stopping.wait(delay)
                delay = 0.0

    @property
    def _most(self) -> float:
        return float(self._settings.interval)

    def _call(self) -> None:
        """The audit that waits, or else a sign of life. Raises CallError."""
        from agents.consolecalls import Calls

        with Calls.to(self._settings, self._folder) as calls:
            self._poster = calls.poster
            try:
                content = self._waiting
                if content is None and calls.alive(self._newest):
                    content = self._newest
                if content is not None:
                    calls.push(content)
                    if self._waiting is content:
                        self._waiting = None
                    self._report = self._report._replace(
                        pushed=self._report.pushed + 1, last=time.time()
                    )
                self._report = self._report._replace(well=True)
            finally:
                self._poster = None

    def _tell_problem(self, problem: str) -> None:
        self._report = self._report._replace(well=False, failed=self._report.failed + 1)
        if problem != self._problem:
            log.error("the console cannot be told: %s", problem)
            self._problem = problem


def families(report: Report) -> Sequence[Family]:
    return (
        gauge(
            "jianwei_console_push_success",
            "Whether the review console took what it was last sent; the log says why not.",
            sample(float(report.well)),
        ),
        gauge(
            "jianwei_console_push_last_success_timestamp_seconds",
            "When the review console last took an audit, as Unix time in seconds; 0 for never.",
            sample(report.last),
        ),
        counter(
            "jianwei_console_push_audits_total",
            "Audits that the review console took.",
            sample(float(report.pushed)),
        ),
        counter(
            "jianwei_console_push_failures_total",
            "Requests that the review console did not take, or did not answer.",
            sample(float(report.failed)),
        ),
    )

"""Audits on schedule, each in a child process: CEL and what it imports leave memory with the child.

The child is niced, has a deadline and an output cap, and prints an `AuditResult` as JSON.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from agents import children
from collectors.model import Family, gauge, sample
from collectors.strictyaml import DocumentError
from exporters.findings.metrics import audit_families
from rules import pack as packs
from rules.linerows import FACT
from rules.model import AuditResult
from rules.settings import AuditSettings

log = logging.getLogger(__name__)

END_PATIENCE = 2.0  # seconds for the child to be ended
FIRST_DELAY = 1.0  # seconds after start, so that the first scrape does not compete with it
HASTE = 60.0  # seconds between the starts of two audits at least, however often one is asked for


class Findings(NamedTuple):
    """The last audit: as it is served, as a struct, and as metrics."""

    content: bytes
    result: AuditResult
    families: Sequence[Family]


class AuditSchedule:
    """Audits at start and then every interval, until `stop`.

    `last` is the last audit that succeeded; `problem` why there is no newer one, or empty. `lines`
    gives `{"lines": [...]}` as JSON; it is called, before each audit, only if a pack judges lines.
    """

    def __init__(
        self,
        config_path: str,
        settings: AuditSettings,
        lines: Callable[[], bytes] | None = None,
    ) -> None:
        self._arguments = (
            "audit",
            "--config",
            config_path,
            "--format",
            "json",
            "--fail-on",
            "none",
        )
        self._settings = settings
        self._lines = lines
        self._needs_lines: bool | None = None  # None: the packs were not looked at
        self._stop = threading.Event()
        self._wake = threading.Event()
        self.last: Findings | None = None
        self.problem = (
            "the first audit has not ended yet" if settings.packs else "audit.packs is empty"
        )
        self._thread = threading.Thread(target=self._loop, name="audit", daemon=True)

    def start(self) -> None:
        if self._settings.packs:
            self._thread.start()

    def stop(self) -> None:
        """Begin no other audit, and end the one under way."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)

    def hasten(self) -> None:
        """Have the next audit as soon as may be, since something changed."""
        self._wake.set()

    def families(self) -> Sequence[Family]:
        """Metrics of the last audit, and whether audits succeed at all."""
        return [
            *(self.last.families if self.last else ()),
            gauge(
                "jianwei_audit_success",
                "Whether the last audit on schedule ended well; 0 before the first.",
                sample(0 if self.problem else 1),
            ),
        ]

    def _loop(self) -> None:
        due, soonest = time.monotonic() + FIRST_DELAY, 0.0
        while not self._stop.is_set():
            if self._wake.wait(max(0.0, due - time.monotonic())):
                self._wake.clear()
                due = min(due, max(soonest, time.monotonic()))
                continue
            soonest = time.monotonic() + HASTE
            self._audit()
            # thousands of agents started together must not audit together for ever
            wait = self._settings.interval * random.uniform(0.95, 1.05)  # noqa: S311 - jitter
            due = time.monotonic() + wait

    def _audit(self) -> None:
        try:
            with self._given() as (arguments, given):
                ended = children.run(
                    arguments, self._settings.deadline, stop=self._stop, given=given
                )
            if ended.problem or ended.status:
                raise _AuditFailed(ended.problem or f"exit status {ended.status}")
            result = msgspec.json.decode(ended.output, type=AuditResult)
        except (OSError, _AuditFailed, msgspec.MsgspecError) as error:
            self.problem = f"the audit failed: {error}"
            log.error("%s", self.problem)
        else:
            self.last, self.problem = Findings(ended.output, result, audit_families(result)), ""

    @contextlib.contextmanager
    def _given(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """The arguments of an audit, and its standard input."""
        if self._lines is None or not self._judges_lines():
            yield self._arguments, subprocess.DEVNULL
            return
        content = self._lines()
        # a file in memory: no pipe that blocks where the child does not read
        given = os.memfd_create("facts")
        try:
            with open(given, "wb", closefd=False) as file:
                file.write(content)
            os.lseek(given, 0, os.SEEK_SET)
            yield (*self._arguments, "--facts", "-"), given
        finally:
            os.close(given)

    def _judges_lines(self) -> bool:
        """Whether a rule of the packs is about lines. A pack that cannot be read is the audit's to
        tell."""
        if self._needs_lines is None:
            try:
                outlines = [packs.outline(name) for name in self._settings.packs]
            except (OSError, DocumentError):
                return False
            self._needs_lines = any(FACT in r.facts for pack in outlines for r in pack.rules)
        return self._needs_lines


class _AuditFailed(Exception):
    pass

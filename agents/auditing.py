"""Audits on schedule, each in a child process: CEL and what it imports leave memory with the child.

The child is niced, has a deadline and an output cap, and prints an `AuditResult` as JSON.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agents import children
from collectors.model import Family, gauge, sample
from exporters.findings.metrics import audit_families
from rules.model import AuditResult
from rules.settings import AuditSettings

log = logging.getLogger(__name__)

END_PATIENCE = 2.0  # seconds for the child to be ended
FIRST_DELAY = 1.0  # seconds after start, so that the first scrape does not compete with it


class Findings(NamedTuple):
    """The last audit: as it is served, as a struct, and as metrics."""

    content: bytes
    result: AuditResult
    families: Sequence[Family]


class AuditSchedule:
    """Audits at start and then every interval, until `stop`.

    `last` is the last audit that succeeded; `problem` why there is no newer one, or empty.
    """

    def __init__(self, config_path: str, settings: AuditSettings) -> None:
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
        self._stop = threading.Event()
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
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)

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
        # thousands of agents started together must not audit together for ever
        wait = FIRST_DELAY
        while not self._stop.wait(wait):
            self._audit()
            wait = self._settings.interval * random.uniform(0.95, 1.05)  # noqa: S311 - jitter

    def _audit(self) -> None:
        try:
            ended = children.run(self._arguments, self._settings.deadline, stop=self._stop)
            if ended.problem or ended.status:
                raise _AuditFailed(ended.problem or f"exit status {ended.status}")
            result = msgspec.json.decode(ended.output, type=AuditResult)
        except (OSError, _AuditFailed, msgspec.MsgspecError) as error:
            self.problem = f"the audit failed: {error}"
            log.error("%s", self.problem)
        else:
            self.last, self.problem = Findings(ended.output, result, audit_families(result)), ""


class _AuditFailed(Exception):
    pass

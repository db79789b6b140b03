"""The fact `usage` of the last whole month, for audits by the pack `utilisation`: judged once a month, in a
child that reads the history."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from agents import children
from agents.config import Config
from agents.state import history_file
from rules.settings import is_path
from rules.usagemodel import PACK

log = logging.getLogger(__name__)

DEADLINE = 600.0  # seconds
AGAIN = 3600.0  # seconds after what failed before it is tried again


class LastMonth:
    """`rows` is called by one thread; `stopping` ends the child under way. `steady` is a clock that nobody sets."""

    def __init__(
        self,
        config_path: str,
        config: Config,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._history, self._now = config_path, config.history, now
        self._file, self._steady = history_file(config), steady
        # packs of one's own may judge it as well
        self._wanted = config.history.enable and any(
            pack == PACK or is_path(pack) for pack in config.audit.packs
        )
        self._rows: list[dict[str, Any]] | None = None
        self._month = ""
        self._failed: float | None = None
        self.stopping = threading.Event()

    def rows(self) -> list[dict[str, Any]] | None:
        """One row a resource; None where no pack can judge it, or the history cannot be read."""
        if not self._wanted:
            return None
        first = self._now().astimezone(ZoneInfo(self._history.zone)).replace(day=1)
        month = (first - timedelta(days=1)).strftime("%Y-%m")
        if month != self._month:
            self._rows, self._month = None, month
        if self._rows is None and self._may_try():
            self._rows = self._judged(month)
            self._failed = self._steady() if self._rows is None else None
        return self._rows

    def _may_try(self) -> bool:
        """Audits are often, and what failed a moment ago will do so again."""
        if self._failed is not None and self._steady() - self._failed < AGAIN:
            return False
        try:
            return self._file.exists()  # none was written yet: nothing is wrong
        except OSError:
            return True  # the child tells why it cannot be read

    def _judged(self, month: str) -> list[dict[str, Any]] | None:
        arguments = ("usage", "--config", self._path, "--month", month, "--format", "facts")
        try:
            ended = children.run(arguments, DEADLINE, stop=self.stopping)
            if ended.problem or ended.status not in (0, 1):  # 1: nothing of that month
                log.error("use of %s is not judged: %s", month, ended.problem or ended.status)
                return None
            return msgspec.json.decode(ended.output, type=dict[str, list[dict[str, Any]]])["usage"]
        except (OSError, msgspec.MsgspecError, KeyError) as error:
            log.error("use of %s is not judged: %s", month, error)
            return None

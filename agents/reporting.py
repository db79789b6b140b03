"""The monthly report by itself: once an hour a look at whether last month's was made, and if it was not a child
that makes it when it is due (docs/report-delivery.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from agents import children
from agents.config import Config
from agents.rounds import Rounds
from agents.state import state_dir
from collectors.model import Family, gauge, sample
from exporters.report.delivery import schedule

log = logging.getLogger(__name__)

EVERY: Final = 3600.0  # seconds
SETTLED: Final = 120.0  # seconds after start before the first look
DEADLINE: Final = 3600.0


class ReportSchedule:
    """Looks from `start` until `stop`, where a profile is set. `problem` is why the last month has no report yet
    though it should, or empty; None before the first look."""

    def __init__(
        self,
        config_path: str,
        config: Config,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._profile = config.report.profile
        self._arguments = (
            *("report", "--schedule", "--config", config_path, "--profile", self._profile),
        )
        self._file, self._zone = (
            schedule.file_of(state_dir(config), self._profile),
            ZoneInfo(config.history.zone),
        )
        self._now = now
        self.problem: str | None = None
        self.last: float | None = None
        self._rounds = Rounds("report", EVERY, self._look)
        self._rounds.first = SETTLED

    def start(self) -> None:
        if self._profile:
            self._rounds.start()

    def stop(self) -> None:
        """Begin no other, and end the one under way: the next run makes it."""
        self._rounds.stop()

    def families(self) -> Sequence[Family]:
        """Whether the last report was made and delivered, and when; nothing without a profile."""
        return report_families(self.problem, self.last) if self._profile else ()

    def _look(self) -> None:
        try:
            problem = self._made()
        except (OSError, schedule.ScheduleError) as error:
            problem = str(error)
        if self._rounds.stopping.is_set():
            return
        if problem and problem != self.problem:
            log.error("the monthly report: %s", problem)
        self.problem = problem

    def _made(self) -> str:
        """Have it made if it is not, and say what is wrong, if anything is."""
        now = self._now().astimezone(self._zone)
        month = schedule.last_month(now)
        missing = month not in schedule.read(self._file).done and now.time() >= schedule.AT
        if missing or self.problem is None:  # at first, so that a wrong profile is told at once
            ended = children.run(self._arguments, DEADLINE, stop=self._rounds.stopping)
            if ended.problem or ended.status:
                return ended.problem or f"jianwei report --schedule: exit status {ended.status}"
        made = schedule.read(self._file)
        self.last = max((at.timestamp() for at in made.done.values()), default=None)
        return next((it.problem for it in made.failed.values()), "")


def report_families(problem: str | None, last: float | None) -> Sequence[Family]:
    """What is told of the monthly report."""
    return (
        gauge(
            "jianwei_report_success",
            "Whether the last monthly report that was due was made and delivered; none before the first look.",
            *(() if problem is None else (sample(float(not problem)),)),
        ),
        gauge(
            "jianwei_report_timestamp_seconds",
            "Unix time at which the last monthly report was made and delivered; none before the first.",
            *(() if last is None else (sample(last),)),
        ),
    )

"""Clouds on schedule: every round in a child process, whose cloud clients leave memory with it.

The child (agents/cloudlook.py) asks all clouds, attributes what they have and prints a `Look`; here it is
served with its age, and handed to the history.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import msgspec

from agents import children
from agents.cloudlook import CloudLook, Look
from agents.history import HistorySchedule
from agents.rounds import Rounds
from collectors.cloud.settings import CloudsSettings
from collectors.model import Family, gauge, sample

log = logging.getLogger(__name__)

START_PATIENCE = 30.0  # seconds beyond the clouds' deadline, for the child to start and to print


class CloudSchedule:
    """Looks soon after `start` and then every interval, until `stop`.

    `history` keeps what was seen. `problem` says why there is no newer look, or is empty.
    """

    def __init__(
        self, config_path: str, settings: CloudsSettings, history: HistorySchedule
    ) -> None:
        self._arguments = ("cloud", "gather", "--config", config_path)
        self._settings, self._history = settings, history
        self._families: Sequence[Family] = ()
        self._looks: Sequence[CloudLook] = ()
        self._seen: dict[str, float] = {}  # when each cloud was last seen, as Unix time
        self._told: dict[str, list[tuple[str, str]]] = {}
        self.problem = "the first round has not ended yet"
        self._rounds = Rounds("clouds", settings.interval, self._round)

    def start(self) -> None:
        if self._settings.sources:
            self._rounds.start()

    def stop(self) -> None:
        """Begin no other round, and end the one under way."""
        self._rounds.stop()

    def adopt(self, before: CloudSchedule) -> None:
        """Keep, after a reload, what was seen if the settings are the same."""
        if self._settings == before._settings:
            self._families, self._looks = before._families, before._looks
            self._seen, self.problem = before._seen, before.problem

    def families(self) -> Sequence[Family]:
        """The last look, and how old it is; nothing without clouds."""
        if not self._settings.sources:
            return ()
        names = [source.name for source in self._settings.sources]
        return (*self._families, *cloud_families(names, self._looks, self._seen, time.time()))

    def _round(self) -> None:
        try:
            ended = children.run(
                self._arguments,
                self._settings.deadline + START_PATIENCE,
                stop=self._rounds.stopping,
            )
            if ended.problem or ended.status:
                raise _RoundFailed(ended.problem or f"exit status {ended.status}")
            look = msgspec.json.decode(ended.output, type=Look)
        except (OSError, _RoundFailed, msgspec.MsgspecError) as error:
            if self._rounds.stopping.is_set():
                return
            self.problem = f"the clouds could not be asked: {error}"
            log.error("%s", self.problem)
            self._families, self._looks = (), ()  # what was seen last is not so now
            return
        self.problem = ""
        for one in look.clouds:
            if one.success:
                self._seen[one.cloud] = one.began
            self._tell(one)
            self._history.take(
                one.cloud,
                self._settings.interval,
                one.began,
                one.uses,
                one.resources,
                one.spans,
            )
        self._families = look.families
        self._looks = [
            msgspec.structs.replace(it, uses=(), resources=(), spans=()) for it in look.clouds
        ]

    def _tell(self, look: CloudLook) -> None:
        """Once of each problem, until there is another one."""
        told: list[tuple[str, str]] = [(it.part, it.reason) for it in look.problems]
        if told != self._told.get(look.cloud, []):
            for problem in look.problems:
                log.warning(
                    "cloud %s: %s %s: %s",
                    look.cloud,
                    problem.part,
                    problem.resource,
                    problem.reason,
                )
        self._told[look.cloud] = told


class _RoundFailed(Exception):
    pass


def cloud_families(
    sources: Sequence[str], looks: Sequence[CloudLook], seen: Mapping[str, float], now: float
) -> Sequence[Family]:
    """What is told of looks themselves; `seen` and `now` are Unix times."""
    success = dict.fromkeys(sources, 0.0) | {one.cloud: float(one.success) for one in looks}
    answered = [one for one in looks if one.success]
    return (
        gauge(
            "jianwei_cloud_success",
            "Whether a cloud answered in the last round; parts of it may be missing. 0 before the first.",
            *(sample(value, cloud=cloud) for cloud, value in success.items()),
        ),
        gauge(
            "jianwei_cloud_age_seconds",
            "Seconds since the last look at a cloud that succeeded began; none before the first.",
            *(sample(max(0.0, now - at), cloud=cloud) for cloud, at in seen.items()),
        ),
        gauge(
            "jianwei_cloud_gather_seconds",
            "How long the last look at a cloud took.",
            *(sample(one.seconds, cloud=one.cloud) for one in answered),
        ),
        gauge(
            "jianwei_cloud_api_requests",
            "Requests that the last look at a cloud sent.",
            *(sample(float(one.requests), cloud=one.cloud) for one in answered),
        ),
        gauge(
            "jianwei_cloud_problems",
            "What the last look at a cloud could not see, by part: whole parts, and single resources.",
            *(
                sample(float(count), cloud=one.cloud, part=part)
                for one in looks
                for part, count in one.counts.items()
            ),
        ),
    )

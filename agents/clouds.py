"""Clouds on schedule: every round in a child process, whose cloud clients leave memory with it.

The child (agents/cloudlook.py) asks all clouds, attributes what they have and prints a `Look`; here it is
served with its age, and handed to the history.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from agents import children
from agents.cloudlook import CloudStatus, Look
from agents.rounds import Rounds
from collectors.cloud.settings import CloudsSettings
from collectors.model import Family, gauge, sample

log = logging.getLogger(__name__)

START_PATIENCE = 30.0  # seconds beyond the clouds' deadline, for the child to start and to print


class CloudSchedule:
    """Looks soon after `start` and then every interval, until `stop`.

    `take` gets each look. `problem` says why there is no newer one, or is empty.
    """

    def __init__(
        self, config_path: str, settings: CloudsSettings, take: Callable[[Look], None]
    ) -> None:
        self._arguments = ("cloud", "gather", "--config", config_path)
        self._settings, self._take = settings, take
        self._families: Sequence[Family] = ()
        self._status: Sequence[CloudStatus] = ()
        self._seen: dict[str, float] = {}  # when each cloud was last seen, as Unix time
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
            self._families, self._status = before._families, before._status
            self._seen, self.problem = before._seen, before.problem

    def families(self) -> Sequence[Family]:
        """The last look, and how old it is; nothing without clouds."""
        if not self._settings.sources:
            return ()
        return (*self._families, *cloud_families(self._status, self._seen, time.time()))

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
            # what was seen last is not so now
            self._families, self._status = (
                (),
                [CloudStatus(source.name, False) for source in self._settings.sources],
            )
            return
        self.problem = ""
        for one in look.clouds:
            if one.success:
                self._seen[one.cloud] = one.began
            for problem in one.problems:
                log.warning("cloud %s: %s: %s", one.cloud, problem.part, problem.reason)
        self._families, self._status = look.families, look.clouds
        self._take(look)


class _RoundFailed(Exception):
    pass


def cloud_families(
    status: Sequence[CloudStatus], seen: dict[str, float], now: float
) -> Sequence[Family]:
    """What is told of looks themselves; `seen` and `now` are Unix times."""
    return (
        gauge(
            "jianwei_cloud_success",
            "Whether a cloud answered in the last round; parts of it may be missing.",
            *(sample(float(one.success), cloud=one.cloud) for one in status),
        ),
        gauge(
            "jianwei_cloud_age_seconds",
            "Seconds since the last look at a cloud that succeeded began; none before the first.",
            *(sample(max(0.0, now - at), cloud=cloud) for cloud, at in seen.items()),
        ),
        gauge(
            "jianwei_cloud_gather_seconds",
            "How long the last look at a cloud took.",
            *(sample(one.seconds, cloud=one.cloud) for one in status if one.success),
        ),
        gauge(
            "jianwei_cloud_api_requests",
            "Requests that the last look at a cloud sent.",
            *(sample(one.requests, cloud=one.cloud) for one in status if one.success),
        ),
        gauge(
            "jianwei_cloud_problems",
            "Parts of a cloud that the last look could not see, whole or of some resources.",
            *(
                sample(float(count), cloud=one.cloud, part=part)
                for one in status
                for part, count in one.counts.items()
            ),
        ),
    )

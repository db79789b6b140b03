"""Clouds on schedule: every round in a child process, whose cloud clients leave memory with it.

The child (agents/cloudlook.py) asks all clouds and prints lines (agents/cloudlines.py) as they answer: what a
cloud tells is served, with its age, and its use is measured, however long another one takes. Who holds what
comes when all have answered or were given up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from itertools import chain

import msgspec

from agents import children
from agents.cloudlines import ESTATE, Ended, Kept, Line, Looked, Shown, Used
from agents.history import HistorySchedule
from agents.rounds import Rounds
from collectors.cloud.model import Use
from collectors.cloud.settings import CloudsSettings
from collectors.model import Family, gauge, sample
from exporters.prometheus.families import merged

log = logging.getLogger(__name__)

START_PATIENCE = 30.0  # seconds beyond the clouds' deadline, for the child to start and to print

_ByCloud = dict[str, tuple[Family, ...]]


class CloudSchedule:
    """Looks soon after `start` and then every interval, until `stop`.

    `history` keeps what was seen. `problem` says what the last round lacks, or is empty.
    """

    def __init__(
        self, config_path: str, settings: CloudsSettings, history: HistorySchedule
    ) -> None:
        self._arguments = ("cloud", "gather", "--config", config_path)
        self._settings, self._history = settings, history
        self._shown: _ByCloud = {}  # replaced as a whole: scrapes read it on other threads
        self._page: tuple[_ByCloud, Sequence[Family]] = ({}, ())
        self._looks: dict[str, Looked] = {}
        self._seen: dict[str, float] = {}  # when each cloud was last seen, as Unix time
        self._knows: bool | None = None  # whether the last round knew whose everything is
        self._attributed: float | None = None  # when the last one that did began
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
        """Keep, after a reload, what was seen of clouds that are the same, until the round that follows at
        once; and of the estate, if all of its clouds are."""
        same = {one.name for one in before._settings.sources if one in self._settings.sources}
        self._seen = {name: at for name, at in before._seen.items() if name in same}
        self._looks = {name: one for name, one in before._looks.items() if name in same}
        self._told = {name: told for name, told in before._told.items() if name in same | {ESTATE}}
        if len(same) == len(before._settings.sources):
            same.add(ESTATE)
            self._knows, self._attributed = before._knows, before._attributed
            self.problem = before.problem
        self._shown = {name: one for name, one in before._shown.items() if name in same}

    def families(self) -> Sequence[Family]:
        """The last look at each cloud, and how old it is; nothing without clouds."""
        if not self._settings.sources:
            return ()
        shown = self._shown
        if self._page[0] is not shown:
            self._page = shown, merged([*chain.from_iterable(shown.values())])
        names = [source.name for source in self._settings.sources]
        return (
            *self._page[1],
            *cloud_families(names, [*self._looks.values()], dict(self._seen), time.time()),
            *attribution_families(self._knows, self._attributed, time.time()),
        )

    def _round(self) -> None:
        lines = _Lines(self)
        try:
            ended = children.run(
                self._arguments,
                max(self._settings.deadline + START_PATIENCE, self._settings.interval),
                stop=self._rounds.stopping,
                lines=lines.take,
            )
            if ended.problem or ended.status or not lines.ended:
                raise _RoundFailed(ended.problem or f"exit status {ended.status}")
        except (OSError, _RoundFailed, msgspec.MsgspecError) as error:
            if self._rounds.stopping.is_set():
                return
            self.problem = f"the clouds could not be asked: {error}"
            log.error("%s", self.problem)
            self._knows = False
        # what was seen last is not so now
        self._shown = {name: one for name, one in self._shown.items() if name in lines.whole}
        self._looks = {name: one for name, one in self._looks.items() if name in lines.whole}

    def _looked(self, look: Looked, families: tuple[Family, ...]) -> None:
        self._shown = {**self._shown, look.cloud: families}
        self._looks = {**self._looks, look.cloud: look}
        if look.success:
            self._seen = {**self._seen, look.cloud: look.began}
        told: list[tuple[str, str]] = [(it.part, it.reason) for it in look.problems]
        if self._is_news(look.cloud, told):
            for problem in look.problems:
                log.warning(
                    "cloud %s: %s %s: %s",
                    look.cloud,
                    problem.part,
                    problem.resource,
                    problem.reason,
                )

    def _ended(self, end: Ended, families: tuple[Family, ...]) -> None:
        self._shown = {**self._shown, ESTATE: families}
        self._knows = not end.problem
        if self._knows:
            self._attributed = end.began
        self.problem = end.problem and f"nobody knows whose anything is: {end.problem}"
        if self._is_news(ESTATE, [("", end.problem)] if end.problem else []) and end.problem:
            log.error("%s", self.problem)

    def _is_news(self, cloud: str, told: list[tuple[str, str]]) -> bool:
        """Once of each problem, until there is another one."""
        before, self._told[cloud] = self._told.get(cloud, []), told
        return told != before


class _Lines:
    """The lines of one round; `whole` are the clouds (and the estate) of which everything came."""

    def __init__(self, schedule: CloudSchedule) -> None:
        self._of = schedule
        self._coming: dict[str, list[Family]] = {}
        self._using: dict[str, list[Use]] = {}
        self._decoder = msgspec.json.Decoder(Line)
        self.whole: set[str] = set()
        self.ended = False

    def take(self, line: bytes) -> None:
        """Raises MsgspecError."""
        of = self._of
        history, interval = of._history, of._settings.interval
        match self._decoder.decode(line):
            case Used(cloud, began, uses, more):
                # all of a look at once: with a part of it the history ends the slots before it
                together = self._using.setdefault(cloud, [])
                together.extend(uses)
                if not more:
                    history.take(cloud, interval, began, self._using.pop(cloud))
            case Shown(cloud, families):
                self._coming.setdefault(cloud, []).extend(families)
            case Looked() as look:
                of._looked(look, self._came(look.cloud))
            case Kept(cloud, began, resources, spans):
                history.take(cloud, interval, began, (), resources, spans)
            case Ended() as end:
                of._ended(end, self._came(ESTATE))
                self.ended = True

    def _came(self, cloud: str) -> tuple[Family, ...]:
        self.whole.add(cloud)
        return tuple(self._coming.pop(cloud, ()))


class _RoundFailed(Exception):
    pass


def cloud_families(
    sources: Sequence[str], looks: Sequence[Looked], seen: Mapping[str, float], now: float
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


def attribution_families(known: bool | None, began: float | None, now: float) -> Sequence[Family]:
    """Whether it is known whose everything is, and since when what is told of it is; Unix times."""
    return (
        gauge(
            "jianwei_attribution_success",
            "Whether the last round over all clouds ended and knew whose everything is. Where not (a table of "
            "owners is wrong), nobody is told to hold anything. None before the first.",
            *((sample(float(known)),) if known is not None else ()),
        ),
        gauge(
            "jianwei_attribution_age_seconds",
            "Seconds since the last round began that knew whose everything is; none before the first.",
            *((sample(max(0.0, now - began)),) if began is not None else ()),
        ),
    )

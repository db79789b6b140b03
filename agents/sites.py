"""Checks of sites on schedule, in a child process: IPv6 readiness of each, and whether checks work."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence

import msgspec

from agents import children
from agents.rounds import Rounds
from collectors.ipv6.sitesettings import SiteSettings
from collectors.model import Family, gauge, sample
from exporters.findings.readinessmetrics import Scored, scored_site
from rules.readinessmodel import Readiness

log = logging.getLogger(__name__)

START_PATIENCE = 30.0  # seconds for the child to start and to print


class SiteSchedule:
    """Checks at start and then every interval, until `stop`. `results` are those of the last round
    that ended well, by URL; `problem` why there is no newer one, or empty."""

    def __init__(self, config_path: str, settings: SiteSettings) -> None:
        self._arguments = ("ipv6", "check", "--config", config_path, "--configured", "--json")
        self._settings = settings
        rounds = math.ceil(len(settings.sites) / settings.check.workers)
        self._deadline = settings.check.timeout * rounds + START_PATIENCE
        self._scored: Sequence[Scored] = ()
        self._ended = 0.0
        self.results: Sequence[Readiness] = ()
        self.problem = "the first round has not ended yet"
        self._rounds = Rounds("sites", settings.interval, self._round)

    def start(self) -> None:
        if self._settings.sites:
            self._rounds.start()

    def stop(self) -> None:
        """Begin no other round, and end the one under way."""
        self._rounds.stop()

    def adopt(self, before: SiteSchedule) -> None:
        """Keep, after a reload, what was seen if the settings are the same."""
        if self._settings == before._settings:
            self.results, self._scored = before.results, before._scored
            self.problem, self._ended = before.problem, before._ended
            if self._ended:  # a reload is no reason to ask other people's sites again
                due = self._ended + self._settings.interval - time.time()
                self._rounds.first = max(due, self._rounds.first)

    def scored(self) -> Sequence[Scored]:
        """The last round's sites."""
        return self._scored

    def families(self) -> Sequence[Family]:
        """Whether rounds succeed; without sites nothing."""
        if not self._settings.sites:
            return ()
        return (
            gauge(
                "jianwei_ipv6_sites_success",
                "Whether the last round over all sites ended well; 0 before the first.",
                sample(float(not self.problem)),
            ),
            gauge(
                "jianwei_ipv6_sites_timestamp_seconds",
                "Unix time at which the last round over all sites ended; none before the first.",
                *((sample(self._ended),) if self._ended else ()),
            ),
        )

    def _round(self) -> None:
        results: list[Readiness] = []
        try:
            ended = children.run(self._arguments, self._deadline, stop=self._rounds.stopping)
            results = _read(ended.output)
            problem = ended.problem or (f"exit status {ended.status}" if ended.status else "")
        except (OSError, msgspec.MsgspecError) as error:
            problem = str(error)
        if self._rounds.stopping.is_set():
            return
        missing = len(self._settings.sites) - len(results)
        self.problem = problem and f"{missing} sites could not be checked: {problem}"
        if problem:
            log.error("%s", self.problem)
        if results or not problem:  # those that were checked count, whatever became of the others
            self._tell_changes(results)
            self.results, self._scored = results, [scored_site(one) for one in results]
            self._ended = time.time()

    def _tell_changes(self, results: Sequence[Readiness]) -> None:
        """One line a site whose score has changed."""
        before = {one.subject.target: one.score for one in self.results}
        for one in results:
            old = before.get(one.subject.target, one.score)
            if old != one.score:
                log.warning("IPv6 readiness of %s: %s, was %s", one.subject.target, one.score, old)


def _read(output: bytes) -> list[Readiness]:
    """The results on whole lines; raises MsgspecError."""
    decoder = msgspec.json.Decoder(Readiness)
    whole, _, _ = output.rpartition(b"\n")
    return sorted(map(decoder.decode, whole.splitlines()), key=lambda one: one.subject.name)

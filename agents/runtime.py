"""The resident agent: what HTTP serves, from one configuration that can be replaced as it runs."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from agents import children
from agents import config as configuration
from agents.advertisements import AdvertisementWatch
from agents.auditing import AuditSchedule
from agents.errors import UserError
from agents.glance import Glance
from agents.history import HistorySchedule
from agents.lastmonth import LastMonth
from agents.metricspush import MetricsPush
from agents.probing import ProbeSchedule, Probing
from agents.pushing import Pusher
from agents.reporting import ReportSchedule
from agents.runner import Runner
from agents.scanning import ScanSchedule
from agents.sites import SiteSchedule
from agents.state import state_dir
from agents.steady import SteadyCpu
from agents.telling import Teller
from collectors.ipv6.wire.advertisers import FACT as ADVERTISERS
from collectors.link.stampreflector import Reflector
from collectors.model import Family
from collectors.observe import Observation
from collectors.sources.local import LocalSource
from collectors.strictyaml import DocumentError
from exporters.findings.readinessmetrics import Scored, readiness_families
from exporters.prometheus.backend import NotYet, ReloadError, UnknownCollector
from exporters.prometheus.families import with_scrape_series
from exporters.prometheus.overview import Overview
from exporters.prometheus.selfmetrics import SelfMetrics, config_families
from rules.linerows import FACT as LINES
from rules.linethresholds import PACK
from rules.settings import AuditSettings
from rules.usagemodel import FACT as USAGE

if TYPE_CHECKING:
    from agents.clouds import CloudSchedule

log = logging.getLogger(__name__)

CHECK_DEADLINE = 30.0  # seconds


class _Active:
    """Everything that a reload replaces."""

    def __init__(
        self,
        path: str,
        config: configuration.Config,
        probing: Probing,
        runner: Runner,
        page: Callable[[_Active], Sequence[Family]],
    ) -> None:
        self.config = config
        self.runner = runner
        self.collectors = {collector.name: collector for collector in config.scraped()}
        self.probes = ProbeSchedule(probing, LocalSource(config.root), path)
        self.watch = AdvertisementWatch(config.ipv6_watch)
        self.month = LastMonth(path, config)
        told = {
            LINES: self.probes.lines,
            ADVERTISERS: self.watch.advertisers,
            USAGE: self.month.rows,
        }
        self.teller = Teller(config.findings, state_dir(config))
        tell = self.teller.put if self.teller.wanted else None
        self.audits = AuditSchedule(path, config.audit, told, tell)
        self.pusher = Pusher(config.console, state_dir(config))
        self.audits.when_audited(self.pusher.put)
        self.push = MetricsPush(config.push, state_dir(config), lambda: page(self))
        self.probes.when_lines_change(self.audits.hasten)
        self.watch.when_unexpected_change(self.audits.hasten)
        self.scans = ScanSchedule(path, config, self.audits.hasten)
        self.audits.when_judged(self.scans.judges)
        self.sites = SiteSchedule(path, config.ipv6_sites)
        self.history = HistorySchedule(config, self.probes.line_seconds)
        self.report = ReportSchedule(path, config)
        self.clouds = _clouds(path, config, self.history)
        reflects = config.stamp_reflector.enable
        self.reflector = Reflector(config.stamp_reflector) if reflects else None

        self._scored: tuple[Sequence[Scored], Sequence[Scored]] = ((), ())
        self._readiness: Sequence[Family] = ()

    def readiness(self) -> Sequence[Family]:
        """IPv6 readiness of this host and of the sites, the same families until one of them is new."""
        scored = self.audits.scored(), self.sites.scored()
        if scored[0] is not self._scored[0] or scored[1] is not self._scored[1]:
            self._scored, self._readiness = scored, readiness_families([*scored[0], *scored[1]])
        return self._readiness

    def start(self) -> None:
        self.teller.start()
        self.pusher.start()
        self.probes.start()
        self.scans.start()
        self.audits.start()
        self.sites.start()
        self.history.start()
        self.report.start()
        if self.clouds:
            self.clouds.start()
        self.watch.start()
        if self.reflector:
            self.reflector.start()
        self.push.start()

    def stop(self) -> None:
        self.month.stopping.set()
        self.push.stop()
        self.report.stop()
        self.probes.stop()
        self.audits.stop()
        self.scans.stop()
        self.teller.stop()
        self.pusher.stop()
        self.sites.stop()
        if self.clouds:
            self.clouds.stop()
        self.history.stop()
        self.watch.stop()
        if self.reflector:
            self.reflector.stop()


class Runtime:
    """The agent's `Backend`. Raises DocumentError or UserError for a bad configuration file."""

    def __init__(self, path: str | None) -> None:
        # children run elsewhere
        self._path = configuration.DEFAULT_PATH if path is None else path and os.path.abspath(path)
        self._reloading = threading.Lock()
        self._loaded_at = time.time()
        self._reload_problem = ""
        self._self = SelfMetrics()
        self._glance = Glance()
        self._steady = SteadyCpu()
        config, probing = _checked(self._path)
        self._active = _Active(self._path, config, probing, _runner(config), self._page)

    @property
    def config(self) -> configuration.Config:
        return self._active.config

    def start(self) -> None:
        self._active.start()

    def stop(self) -> None:
        self._active.stop()

    def scrape(self, include: frozenset[str], exclude: frozenset[str]) -> Sequence[Family]:
        active = self._active
        for name in include | exclude:
            if name not in active.collectors:
                raise UnknownCollector(name, list(active.collectors))
        observations = self._observe(active, include, exclude)
        if include:
            return self._steady.hold(with_scrape_series(observations))
        return self._whole(active, observations, bool(exclude))

    def _page(self, active: _Active) -> Sequence[Family]:
        """What a scrape without parameters gives."""
        return self._whole(active, self._observe(active, frozenset(), frozenset()))

    def _whole(
        self, active: _Active, observations: list[Observation], partly: bool = False
    ) -> Sequence[Family]:
        if not partly:
            self._glance.keep(observations)
        return [
            *self._steady.hold(with_scrape_series(observations)),
            *active.probes.families(),
            *active.audits.families(),
            *active.scans.families(),
            *active.teller.families(),
            *active.pusher.families(),
            *active.push.families(),
            *active.sites.families(),
            *active.history.families(),
            *active.report.families(),
            *(active.clouds.families() if active.clouds else ()),
            *active.readiness(),
            *active.watch.families(),
            *(active.reflector.families() if active.reflector else ()),
            *self._self.families(),
            *config_families(not self._reload_problem, self._loaded_at),
        ]

    def _observe(
        self, active: _Active, include: frozenset[str], exclude: frozenset[str]
    ) -> list[Observation]:
        wanted = include or frozenset(active.collectors) - exclude
        return active.runner.observe([c for name, c in active.collectors.items() if name in wanted])

    def probe(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Family] | str:
        return self._active.probes.probe(query, headers)

    def findings(self) -> bytes:
        last = self._active.audits.last
        if last is None:
            raise NotYet(self._active.audits.problem)
        return last.content

    def reload(self) -> None:
        """Replace everything but the listen addresses, or change nothing."""
        with self._reloading:
            try:
                config, probing = _checked(self._path)
            except (DocumentError, UserError) as error:
                self._reload_problem = str(error)
                raise ReloadError(str(error)) from error
            before = self._active
            if config.web != before.config.web:
                log.warning("the web section has changed: that takes a restart")
            # what hangs is known to the runner, and must not be started again by a reload
            same = (config.root, config.collectors.deadline) == (
                before.config.root,
                before.config.collectors.deadline,
            )
            runner = before.runner if same else _runner(config)
            active = _Active(self._path, config, probing, runner, self._page)
            if config.audit == before.config.audit:
                active.audits.adopt(before.audits)
            active.sites.adopt(before.sites)
            before.stop()
            active.pusher.adopt(before.pusher)
            active.probes.adopt(before.probes)
            active.watch.adopt(before.watch)
            active.history.adopt(before.history)
            if active.clouds and before.clouds:
                active.clouds.adopt(before.clouds)
            active.start()
            self._active, self._loaded_at, self._reload_problem = active, time.time(), ""
            log.info("configuration reloaded from %s", self._path)

    def stuck(self) -> str:
        """Why no page can be made any more; empty if one can."""
        return self._active.runner.stuck()

    def ready(self) -> str:
        # The page is complete from the first scrape; audits and probes come with time.
        return ""

    def overview(self) -> Overview:
        active = self._active
        observations = self._observe(active, frozenset(), frozenset())
        return self._glance.overview(observations, active.probes.results(), active.audits)


def _checked(path: str) -> tuple[configuration.Config, Probing]:
    """The configuration and what it probes; packs and parameters beyond ours, and tables of owners, are checked in
    a child, since the engine is not loaded here. Raises DocumentError and UserError."""
    config = configuration.load(path)
    owners = config.attribution.overrides_file or config.attribution.systems_file
    if owners or config.audit.params or config.audit.packs != AuditSettings().packs:
        checked = children.run(("check-config", path), CHECK_DEADLINE, subprocess.STDOUT)
        if checked.problem or checked.status:
            told = checked.output.decode("utf-8", "replace").strip().removeprefix("jianwei: ")
            raise UserError(told or f"{path} could not be checked: {checked.problem}")
    return config, _probing(config)


def _probing(config: configuration.Config) -> Probing:
    return Probing.load(
        config.probes, config.paths, config.bandwidth, config.audit.params.get(PACK, {})
    )


def _clouds(
    path: str, config: configuration.Config, history: HistorySchedule
) -> CloudSchedule | None:
    if not config.clouds.sources:
        return None
    from agents.clouds import CloudSchedule  # what it imports costs memory

    return CloudSchedule(path, config.clouds, history)


def _runner(config: configuration.Config) -> Runner:
    return Runner(LocalSource(config.root), config.collectors.deadline)

"""The report of a month, out of the profile of a city: its source is opened, the months are judged, and every part that
the profile names is made (exporters/report/content).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from agents.cli.historyfile import opened
from agents.config import Config
from agents.errors import UserError
from agents.reportprofile import Profile
from agents.state import history_file
from agents.usagemonths import Months, by_table
from collectors import strictyaml
from collectors.cloud.model import Size
from exporters.history import workcalendar
from exporters.history.reader import reading
from exporters.history.schema import ZONE
from exporters.report.content import followup, followupfile, followupnow, prices, showback
from exporters.report.content.making import Inputs, document
from exporters.report.document import BaselinePart, Document, FollowUps, Ipv6Part, LinesPart
from exporters.report.sections import baseline, ipv6, lines
from exporters.usage.historysource import HistorySource
from exporters.usage.period import Period
from exporters.usage.shares import shares
from exporters.usage.source import CapacityTold, UsageSource
from exporters.usage.summary import summarise
from rules import exemptionsfile
from rules.usagejudgement import Judgement
from rules.usagethresholds import Thresholds
from rules.utilisation import NOBODY

TREND: Final = 12  # months
Watch = Callable[[str], None]


class Opened(NamedTuple):
    """`client` is of a time-series database, `connection` of a history file."""

    source: UsageSource
    client: Any = None
    connection: Any = None


class Made(NamedTuple):
    """`carry` writes the follow-up file, when the report itself has been written."""

    document: Document
    carry: Callable[[], object]


@contextmanager
def source_of(profile: Profile, config: Config, watch: Watch) -> Iterator[Opened]:
    """Raises UserError and SourceError."""
    if profile.prometheus is None:
        path = Path(profile.history) if profile.history else history_file(config)
        with opened(path) as connection, reading(connection):
            yield Opened(HistorySource(connection, path.name), connection=connection)
        return
    from exporters.promapi.client import PromClient
    from exporters.promapi.source import PrometheusSource

    zone = ZoneInfo(config.history.zone or ZONE)
    with PromClient(profile.prometheus) as client:
        source = PrometheusSource(client, client.name, zone, time.time())
        yield Opened(source, client=client)


class Maker:
    """Makes the report of one month. Everything raises UserError, DocumentError and SourceError."""

    def __init__(
        self, profile: Profile, config: Config, thresholds: Thresholds, watch: Watch
    ) -> None:
        self.profile, self.config, self.thresholds, self.watch = profile, config, thresholds, watch
        holidays = profile.holidays or workcalendar.CHINA
        self.calendar = workcalendar.load(holidays, profile.hours)
        self.exemptions = exemptionsfile.load(profile.exemptions) if profile.exemptions else NOBODY
        self.prices = prices.load(profile.prices) if profile.prices else None

    def make(self, it: Opened, label: str) -> Made:
        source = it.source
        row = max(
            getattr(self.thresholds, f"{name}_months") for name in ("reclaim", "shrink", "grow")
        )
        months = Months(label, source.zone, row + 1)
        trend = Months(label, source.zone, TREND)
        owner = by_table(self.config, source.zone)
        read = months.read(source, self.calendar, owner, self.watch)
        judged = months.judged(read, self.thresholds, self.exemptions)
        before = months.judged(read[:-1], self.thresholds, self.exemptions)
        period = months.last
        shown = self._showback(source, period, judged, owner)
        gone = source.lives(months.periods[0].since, period.until) if it.connection else []
        released = followupnow.released_of(gone, period.until, source.zone)
        follow_up, carry = self._follow_up(label, judged, source.zone, released)
        inputs = Inputs(
            source=source,
            period=period,
            before=trend.periods[:-1],
            judgements=judged,
            calendar=self.calendar,
            thresholds=self.thresholds,
            now=time.time(),
            judgements_before=before,
            otherwise=owner,
            city=self.profile.city,
            issuer=self.profile.issuer,
            example=self.profile.example,
            capacity=self._capacity(),
            files=self._hashes(),
            exemptions=self.exemptions,
            unpriced=self.prices.unmatched(shown.departments) if self.prices and shown else (),
            showback=shown.estate if shown else None,
            showbacks=shown.departments if shown else {},
            follow_ups=follow_up,
            lines=self._lines(it, period),
            ipv6=self._ipv6(it, period),
            baseline=self._baseline(it, period),
        )
        return Made(document(inputs, self.watch), carry)

    def _showback(
        self, source: UsageSource, period: Period, judged: list[Judgement], owner: Any
    ) -> showback.Shown | None:
        if self.prices is None:
            return None
        from exporters.report.content.sums import added

        due = {
            one.name: added([it for it in judged if it.department == one.name]).due
            for one in summarise(judged).departments
        }

        def shares_of(since: float, until: float) -> Any:
            return shares(source, Period(period.label, since, until), owner)

        return showback.showback(self.prices, period, source.zone, shares_of, due, source.extent())

    def _follow_up(
        self,
        label: str,
        judged: list[Judgement],
        zone: ZoneInfo,
        released: Mapping[str, followupnow.Now],
    ) -> tuple[FollowUps | None, Callable[[], object]]:
        path = self.profile.follow_up
        if not path:
            return None, lambda: None
        saved = None
        if self.prices is not None:
            table, of_month = self.prices, showback.Month.of(label, zone)

            def saved(department: str, amount: Any) -> float | None:
                return showback.monthly(table, department, amount, of_month)

        today = datetime.now(zone).date()
        facts = followup.Facts(label, today, judged, followupnow.now_of(judged, released), saved)
        language = self.profile.language
        shown = followupfile.carry(path, facts, language, write=False)
        return shown, lambda: followupfile.carry(path, facts, language)

    def _lines(self, it: Opened, period: Period) -> LinesPart | None:
        settings = self.profile.lines
        if settings is None:
            return None
        self.watch("lines")
        if it.client is not None:
            return lines.lines_from_prometheus(
                it.client, period, settings, it.source.zone, it.source.name
            )
        return lines.lines_from_history(
            it.connection, period, settings, it.source.zone, it.source.name
        )

    def _ipv6(self, it: Opened, period: Period) -> Ipv6Part | None:
        settings = self.profile.ipv6
        if settings is None:
            return None
        self.watch("ipv6")
        if settings.results:
            return ipv6.ipv6_from_files(
                settings, period, it.source.zone, Path(settings.results).name
            )
        return ipv6.ipv6_from_prometheus(
            self._client(it, "ipv6.results"), period, settings, it.source.name
        )

    def _baseline(self, it: Opened, period: Period) -> BaselinePart | None:
        settings, zone = self.profile.baseline, it.source.zone
        if settings is None:
            return None
        self.watch("baseline")
        if settings.audits:
            return baseline.baseline_from_files(settings, period, zone, Path(settings.audits).name)
        client = self._client(it, "baseline.audits")
        return baseline.baseline_from_prometheus(client, period, settings, zone, it.source.name)

    def _client(self, it: Opened, key: str) -> Any:
        if it.client is None:
            raise UserError(
                f"{key} of the profile is missing: without --prometheus there are but files"
            )
        return it.client

    def _capacity(self) -> CapacityTold | None:
        size = self.profile.capacity.size
        return CapacityTold(Size(), size) if size != Size() else None

    def _hashes(self) -> Mapping[str, str]:
        """Of the files that figures hang on."""
        profile = self.profile
        files = {
            "exemptions": profile.exemptions,
            "prices": profile.prices,
            "holidays": profile.holidays,
        }
        return {
            name: hashlib.sha256(strictyaml.read(path)).hexdigest()
            for name, path in files.items()
            if path
        }

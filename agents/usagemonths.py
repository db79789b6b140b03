"""Judgements of a month out of a source of usage, with the months before it; whose each resource is, where the
history does not know it, by the override table of the configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from datetime import time as clock
from functools import lru_cache
from zoneinfo import ZoneInfo

from agents.config import Config
from collectors.cloud import ownerfiles
from collectors.cloud.attribution import Attributor
from collectors.cloud.model import Resource, ResourceKind
from collectors.cloud.override import Seen
from collectors.cloud.owners import Attribution
from exporters.history.workcalendar import WorkCalendar
from exporters.usage.lives import Life, Otherwise
from exporters.usage.period import Period, month, months_before, resource_uses
from exporters.usage.source import UsageSource
from rules.exemptions import Exemptions
from rules.usagejudgement import Judgement
from rules.usagemodel import ResourceUse
from rules.usagethresholds import Thresholds
from rules.utilisation import judge


class Months:
    """The months that a judgement of `label` looks at, oldest first. Raises ValueError of a label that is no
    month."""

    def __init__(self, label: str, zone: ZoneInfo, count: int) -> None:
        now = time.time()
        self.zone = zone
        self.periods = [month(one, zone, now) for one in months_before(label, count)]

    @property
    def last(self) -> Period:
        return self.periods[-1]

    def read(
        self,
        source: UsageSource,
        calendar: WorkCalendar,
        owner: Otherwise | None,
        watch: Callable[[str], None] = lambda _: None,
    ) -> list[list[ResourceUse]]:
        """The use of every resource in each month; `watch` gets the label of the month under way."""
        extent, found = source.extent(), []
        for period in self.periods:
            watch(period.label)
            there = extent is not None and period.until > extent[0]
            found.append(resource_uses(source, period, calendar, owner) if there else [])
        return found

    def judged(
        self,
        months: Sequence[Sequence[ResourceUse]],
        thresholds: Thresholds,
        exemptions: Exemptions,
    ) -> list[Judgement]:
        """Of every resource that was there in the last of `months`, which are the first of these."""
        found: dict[str, list[ResourceUse]] = {}
        for uses in months:
            # a month without the resource ends what counts in a row
            found = {use.resource: [*found.get(use.resource, ()), use] for use in uses}
        last = self.periods[len(months) - 1]
        on = datetime.fromtimestamp(max(last.until - 1, last.since), self.zone).date()
        return [judge(uses, thresholds, exemptions, on, self.zone) for uses in found.values()]


def by_table(config: Config, zone: ZoneInfo) -> Otherwise | None:
    """Whose a resource was when, by the override table alone and its days; None without one. Raises
    DocumentError."""
    if not config.attribution.overrides_file:
        return None
    table = ownerfiles.load(config.attribution).table
    attributor = Attributor({}, config.attribution, table)

    @lru_cache(None)
    def of(id: str, name: str, kind: ResourceKind, day: date) -> Attribution:
        return attributor.of(Resource(id, kind, name, "unknown"), day)

    @lru_cache(None)
    def changes(id: str, name: str, kind: ResourceKind) -> list[float]:
        rows = table.ever(Seen(id, name, kind, "", ""))
        days = sorted({day for one in rows for day in one.row.changes})
        return [datetime.combine(day, clock(), zone).timestamp() for day in days]

    def dated(life: Life, since: float, until: float) -> list[tuple[float, Attribution]]:
        it = life.id, life.name, life.kind
        begins = [since, *(at for at in changes(*it) if since < at < until)]
        return [(at, of(*it, datetime.fromtimestamp(at, zone).date())) for at in begins]

    return dated

"""The part of a report on lines: out of a history file (agents/linehistory.py) or a time-series database with the recording
rules of deploy/prometheus/jianwei-lines-rules.yml, which record the same every five minutes.

Days of a history that are known by their sketches alone are not known here: nobody can tell which of their time
was maintenance.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from collectors.link import linesfile
from collectors.link import modules as modular
from exporters.history.reader import Span, chunks, span
from exporters.history.schema import SLOT
from exporters.history.units import LINE, LINE_KNOWN, LINE_UP, line_id
from exporters.promapi import series
from exporters.report.document import LinesPart
from exporters.report.sections import maintenancefile
from exporters.report.sections.linefigures import Block, Calendar, Facts, lines_part, tallies
from exporters.report.sections.prometheus import LATE, last_within, recorded
from exporters.report.sections.settings import LinesSettings
from exporters.usage.period import Period

if TYPE_CHECKING:
    from exporters.promapi.asking import Client

BUDGET: Final = 8 << 20  # bytes of matrices at a time
SHARD: Final = 100  # lines at a time: 900,000 samples of a month


def lines_from_history(
    connection: sqlite3.Connection,
    period: Period,
    settings: LinesSettings,
    zone: tzinfo,
    source: str = "",
) -> LinesPart | None:
    """None where the history has no lines, and no file says that there are any. Raises HistoryError, and DocumentError
    for what is wrong with the files."""
    wanted = span(period.since, period.until)
    facts = of_file(settings)
    names: dict[str, str] = {
        id: id.removeprefix(line_id(""))
        for (id,) in connection.execute(
            "SELECT id FROM resources WHERE kind = ? AND first_seen < ?", (LINE, period.until)
        )
    }
    calendar = Calendar(_windows(settings, zone), wanted, facts)
    if not names and not facts:
        return None
    found = tallies(_of_history(connection, wanted, names), calendar) if names else {}
    return lines_part(found, facts, calendar, settings, source)


def lines_from_prometheus(
    client: Client, period: Period, settings: LinesSettings, zone: tzinfo, source: str = ""
) -> LinesPart | None:
    """None where neither the database nor a file has lines. Raises what the client does, and DocumentError."""
    wanted = span(period.since, period.until)
    facts = {**_of_labels(client, period), **of_file(settings)}
    if not facts:
        return None
    calendar = Calendar(_windows(settings, zone), wanted, facts)
    found = tallies(_of_prometheus(client, wanted, sorted(facts)), calendar)
    return lines_part(found, facts, calendar, settings, source)


def of_file(settings: LinesSettings) -> dict[str, Facts]:
    """What the file of lines says of each."""
    if not settings.lines:
        return {}
    modules = modular.load(settings.modules or None)
    probers = {name: module.prober for name, module in modules.items()}
    return {
        line.name: Facts(line.site, line.level or "", line.carrier)
        for line in linesfile.load(settings.lines, probers).lines
    }


def _windows(settings: LinesSettings, zone: tzinfo) -> Sequence[maintenancefile.Window]:
    return maintenancefile.load(settings.maintenance, zone) if settings.maintenance else ()


def _of_history(
    connection: sqlite3.Connection, period: Span, names: Mapping[str, str]
) -> Iterator[Block]:
    has = {name for (name,) in connection.execute("SELECT name FROM metrics")}
    if LINE_KNOWN not in has:
        return
    for known in chunks(connection, LINE_KNOWN, period, names, BUDGET):
        up = np.full_like(known.averages, np.nan)
        rows = {resource: row for row, resource in enumerate(known.resources)}
        if LINE_UP in has:
            for chunk in chunks(connection, LINE_UP, period, rows, BUDGET):
                up[[rows[one] for one in chunk.resources]] = chunk.averages
        yield Block([names[one] for one in known.resources], known.slots, up, known.averages)


def _of_labels(client: Client, period: Period) -> dict[str, Facts]:
    """What the labels say of each line that there was within the period: the last of them, if they are there at its end."""
    found = {}
    for query in (last_within(series.LINE_INFO, period.until - period.since), series.LINE_INFO):
        its = client.instant(query, period.until)
        for labels in sorted((one.labels for one in its), key=lambda one: sorted(one.items())):
            if name := labels.get("line"):
                site, level, carrier = (labels.get(k, "") for k in ("site", "level", "carrier"))
                found[name] = Facts(site or name, level, carrier)
    return found


def _of_prometheus(client: Client, period: Span, names: Sequence[str]) -> Iterator[Block]:
    slots = np.arange(period.first, period.end)
    for start in range(0, len(names), SHARD):
        part = list(names[start : start + SHARD])
        rows = {name: row for row, name in enumerate(part)}
        known = np.full((len(part), len(slots)), np.nan)
        up = known.copy()
        for into, metric in ((known, series.LINE_KNOWN), (up, series.LINE_UP)):
            for one in recorded(client, metric, "line", part, period, SHARD):
                at = slot_of(one.times) - period.first
                inside = (at >= 0) & (at < len(slots))
                into[rows[one.labels["line"]], at[inside]] = one.values[inside]
        yield Block(part, slots, up, known)


def slot_of(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """The slots that values told for these moments are of."""
    return np.rint((times - LATE) / SLOT).astype(np.int64)

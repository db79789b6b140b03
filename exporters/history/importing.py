"""CSV files into a history file: first all is read and judged, then written day by day.

Nothing is written before all lines were seen, so that a refusal leaves the file as it was. Each day is one
transaction: a kill leaves whole days, and the same import again completes the rest.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.history.badlines import BadLines, ImportRefused
from exporters.history.catalogue import Catalogue
from exporters.history.csvlines import opened
from exporters.history.csvvalues import BadField
from exporters.history.days import Days
from exporters.history.file import connect, zone_of
from exporters.history.gaps import Gaps
from exporters.history.landing import Landed, land
from exporters.history.longcsv import LongReader
from exporters.history.schema import SLOT, ZONE
from exporters.history.seriescodes import Metrics, Resources, SeriesTable
from exporters.history.spool import TOP, Records, Spool
from exporters.history.widecsv import DAY, DEFAULT_STEP, WideReader, offsets

_SAMPLES: Final = 8_000_000  # of a day at a time


class Form(msgspec.Struct, frozen=True):
    """How the files are to be understood."""

    wide: bool = False
    metric: str = ""
    unit: str = ""
    start: int | None = None
    step: int | None = None
    kind: str = "server"
    zone: str = ""  # of a file that is made new


class Imported(msgspec.Struct):
    """What an import did. `written`, `unchanged` and `kept` are days of series; `replaced` are slots that had other
    values. `wide_gaps` are metrics whose values are regularly some seconds apart, more than a slot, though no step
    was told."""

    samples: int = 0
    missing: int = 0
    duplicates: int = 0
    bad: int = 0
    reasons: dict[str, int] = {}
    resources: int = 0
    series: int = 0
    written: int = 0
    unchanged: int = 0
    kept: int = 0
    replaced: int = 0
    seconds: float = 0.0
    like_ratio: list[str] = []
    wide_gaps: dict[str, int] = {}
    quoted: list[str] = []


class Progress(msgspec.Struct, frozen=True):
    """How far it is; `whole` is 0 where that is not known."""

    stage: str  # reading, writing
    done: int
    whole: int
    samples: int
    seconds: float
    stage_seconds: float


def load(
    path: Path,
    files: Sequence[str],
    form: Form,
    strict: bool = False,
    told: Callable[[Progress], None] = lambda _: None,
) -> Imported:
    """Import CSV files (`-` is standard input) into the history file `path`.

    Raises ImportRefused, HistoryError, or OSError where there is no space."""
    begin, bad, done = time.monotonic(), BadLines(strict), Imported()
    resources, series = Resources(), SeriesTable()
    zone, metrics = zone_for(path, form), Metrics(_units(path, form), form.unit)
    days = Days(zone)
    _check(form, metrics)
    with Spool(path.resolve().parent, days) as spool:
        for name in files:
            with opened(name) as source:
                bad.file = name
                reader = _reader(form, resources, metrics, series, spool, bad, zone)
                for chunk in source.chunks(bad):
                    done.samples += reader.read(chunk)
                    spent = time.monotonic() - begin
                    told(Progress("reading", source.read, source.size, done.samples, spent, spent))
                done.missing += reader.missing
        done.bad, done.quoted, done.reasons = bad.count, bad.quoted, dict(bad.reasons)
        done.like_ratio = [
            one.name for one in metrics.told if one.told == "percent" and 0 < one.highest <= 1
        ]
        done.resources, done.series = len(set(series.resources)), len(series)
        if done.samples:
            _begin_file(path)
            with closing(connect(path, create=True, zone=zone.key)) as connection:
                names = Catalogue(connection, resources, metrics, series, form.kind)
                gaps = Gaps() if form.step is None and not form.wide else None
                landed = _write(connection, days, spool, names, done, told, begin, gaps)
            done.written, done.unchanged, done.kept, done.replaced = landed
            if gaps:
                done.wide_gaps = dict(gaps.wide(list(metrics.numbers).__getitem__))
    done.seconds = time.monotonic() - begin
    return done


def _begin_file(path: Path) -> None:
    """A new one is for its owner alone, as those of agents are."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def zone_for(path: Path, form: Form) -> ZoneInfo:
    """The zone of the file, or of the one that will be made. Raises ImportRefused, HistoryError."""
    if not path.exists():
        return ZoneInfo(form.zone or ZONE)
    with closing(connect(path, create=True, zone=form.zone or ZONE)) as connection:
        zone = zone_of(connection)
    if form.zone and form.zone != zone.key:
        raise ImportRefused(f"{path}: its days are of {zone.key}, not of {form.zone}")
    return zone


def _units(path: Path, form: Form) -> dict[str, str]:
    """The metrics of the file and their units."""
    if not path.exists():
        return {}
    with closing(connect(path)) as connection:
        return dict(connection.execute("SELECT name, unit FROM metrics"))


def _check(form: Form, metrics: Metrics) -> None:
    if form.wide and not form.metric:
        raise ImportRefused("--wide: say the metric by --metric")
    if not form.wide and form.start is not None:
        raise ImportRefused("--start is for --wide; a long CSV has its times")
    if form.step is not None and (
        not 0 < form.step <= DAY or (form.step > SLOT and form.step % SLOT)
    ):
        raise ImportRefused("--step is at most 5m, or a multiple of 5m up to 1d")
    if form.metric:
        try:
            metrics.metric(form.metric.encode())
        except BadField as error:
            raise ImportRefused(f"--metric: {error}") from error


def _reader(
    form: Form,
    resources: Resources,
    metrics: Metrics,
    series: SeriesTable,
    spool: Spool,
    bad: BadLines,
    zone: ZoneInfo,
) -> LongReader | WideReader:
    if not form.wide:
        step = offsets(form.step or DEFAULT_STEP)
        return LongReader(resources, metrics, series, spool, bad, zone, form.metric, step)
    metric = metrics.told[metrics.metric(form.metric.encode())]
    return WideReader(resources, metric, series, spool, bad, zone, form.start, form.step)


def _write(
    connection: sqlite3.Connection,
    days: Days,
    spool: Spool,
    names: Catalogue,
    done: Imported,
    told: Callable[[Progress], None],
    begin: float,
    gaps: Gaps | None,
) -> Landed:
    landed, started = Landed(), time.monotonic()
    connection.execute("PRAGMA cache_size = -65536")
    every = spool.days()
    for at, day in enumerate(every):
        parts = -(-spool.count(day) // _SAMPLES)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for part in range(parts):
                whole = [_part(one, part, parts) for one in spool.parts(day)]
                landed = landed.plus(
                    _write_part(connection, days, day, np.concatenate(whole), names, done, gaps)
                )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        now = time.monotonic()
        told(Progress("writing", at + 1, len(every), done.samples, now - begin, now - started))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return landed


def _part(records: Records, part: int, parts: int) -> Records:
    """Those of some series."""
    return records if parts == 1 else records[(records["series"] & ~np.uint32(TOP)) % parts == part]


def _write_part(
    connection: sqlite3.Connection,
    days: Days,
    day: int,
    records: Records,
    names: Catalogue,
    done: Imported,
    gaps: Gaps | None,
) -> Landed:
    if not len(records):
        return Landed()
    first, slots = days.span(day)
    top = (records["series"] & TOP) != 0
    tops = records[top] if top.any() else records[:0]
    records = records[~top] if len(tops) else records
    own = np.flatnonzero(np.bincount(records["series"]))
    rows = np.zeros(int(own[-1]) + 1, np.int64)
    rows[own] = np.arange(len(own))

    def cells(of: Records) -> NDArray[np.int64]:
        found: NDArray[np.int64] = rows[of["series"] & ~np.uint32(TOP)] * slots
        found += of["at"] // SLOT
        found -= first
        return found

    averages, maxima, twice = _gather(records, cells(records), len(own) * slots)
    done.duplicates += twice
    if len(tops):
        _, higher, _ = _gather(tops, cells(tops), len(own) * slots)
        maxima = np.fmax(maxima, higher)
    averages, maxima = averages.reshape(-1, slots), maxima.reshape(-1, slots)
    if gaps:
        gaps.look(names.metrics_of(own), np.isfinite(averages))
    numbers = names.numbers(own, _seen(averages, first))
    order = np.argsort(numbers)
    return land(connection, days, day, numbers[order], averages[order], maxima[order])


def _gather(
    records: Records, cells: NDArray[np.int64], size: int
) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Average and maximum of each cell, NaN of none, and how many samples were there twice."""
    averages = np.full(size, np.nan, np.float32)
    if np.bincount(cells, minlength=size).max() == 1:
        averages[cells] = records["value"]
        return averages, averages, 0
    exact = cells * SLOT + records["at"] % SLOT
    order = np.argsort(exact, kind="stable")
    exact = exact[order]
    last = np.flatnonzero(np.diff(exact, append=-1) != 0)  # of the same moment
    kept, values = cells[order[last]], records["value"][order[last]]
    starts = np.flatnonzero(np.diff(kept, prepend=-1) != 0)
    counts = np.diff(starts, append=len(kept))
    sums = np.add.reduceat(values.astype(np.float64), starts)
    highest = np.maximum.reduceat(values, starts)
    maxima = averages.copy()
    # an average of equal values may be above them by a rounding
    averages[kept[starts]] = np.minimum((sums / counts).astype(np.float32), highest)
    maxima[kept[starts]] = highest
    return averages, maxima, len(records) - len(last)


def _seen(averages: NDArray[Any], first: int) -> NDArray[np.int64]:
    """Begin of the first and end of the last slot of each row, as Unix times."""
    known = np.isfinite(averages)
    begin = known.argmax(axis=1)
    end = averages.shape[1] - known[:, ::-1].argmax(axis=1)
    return (np.stack([begin, end], axis=1) + first) * SLOT

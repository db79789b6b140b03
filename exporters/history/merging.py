"""Several agents' history files as one: resources by id, their spans united, of each slot the value of the file
that has more of that day.

A new file is made aside and takes its name when it is whole. Into one of the inputs all goes in one transaction, in
its place, so that what others write meanwhile is not lost. Of files that have equally much of a day the higher value
counts, so that their order makes no difference; a sketch whose rollups are gone, where it is of more samples.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.aside import replacing
from exporters.history import sketch
from exporters.history.compaction import transaction
from exporters.history.days import Days
from exporters.history.file import HistoryError, connect, zone_of
from exporters.history.fuller import Fuller
from exporters.history.information import problems
from exporters.history.landing import land
from exporters.history.mergedspans import unite
from exporters.history.schema import SLOT, key
from exporters.history.stored import day_of, present, sketches_of

_SERIES: Final = 2000  # at a time
_RESOURCE: Final = """
INSERT INTO resources (id, kind, name, cloud, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    kind = iif((excluded.last_seen, excluded.kind) > (last_seen, kind), excluded.kind, kind),
    name = iif((excluded.last_seen, excluded.name) > (last_seen, name), excluded.name, name),
    cloud = iif((excluded.last_seen, excluded.cloud) > (last_seen, cloud), excluded.cloud, cloud),
    first_seen = min(first_seen, excluded.first_seen),
    last_seen = max(last_seen, excluded.last_seen)
"""


class Clones(msgspec.Struct):
    """Names that files have for one id, which they tell different values of: more than one machine, it seems."""

    id: str
    names: list[str]


class Merged(msgspec.Struct):
    """`differing` are slots of which files have different values."""

    files: int = 0
    resources: int = 0
    days: int = 0
    series_days: int = 0
    differing: int = 0
    clones: list[Clones] = []


class _Input(NamedTuple):
    connection: sqlite3.Connection
    own: bool  # it is the one that is written
    series: NDArray[np.int64]  # numbers in this file
    into: NDArray[np.int64]  # and in the new one, in order


def merge(
    out: Path, inputs: Sequence[Path], told: Callable[[int, int], None] = lambda done, whole: None
) -> Merged:
    """`out` may be among the inputs; else it must not exist. `told` gets days done and all. Raises HistoryError,
    sqlite3.Error, OSError."""
    given, inputs = len(inputs), _distinct(inputs)
    own = [out.exists() and one.exists() and out.samefile(one) for one in inputs]
    if out.exists() and not any(own):
        raise HistoryError(f"{out}: is there already; name it among the files to keep what it has")
    with ExitStack() as opened:
        connections = []
        for path, writes in zip(inputs, own, strict=True):
            connections.append(opened.enter_context(closing(connect(path))))
            # all of it as it is now; of the one that is written nobody writes until then
            connections[-1].execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        zone = _checked(inputs, connections)
        if any(own):
            done = _unite(connections[own.index(True)], inputs, connections, told)
            done.files = given
            return done
        for end in ("-wal", "-shm"):
            if (side := out.with_name(f"{out.name}{end}")).exists():
                raise HistoryError(f"{side}: is of a file that is gone; move it away")
        with (
            replacing(out, 0o600, new=True) as file,
            closing(connect(Path(file.name), create=True, zone=zone)) as connection,
        ):
            done = _unite(connection, inputs, connections, told)
            done.files = given
            return done


def _distinct(inputs: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in inputs:
        if not path.exists() or not any(one.exists() and one.samefile(path) for one in found):
            found.append(path)
    return found


def _checked(paths: Sequence[Path], connections: Sequence[sqlite3.Connection]) -> str:
    """The zone that all have."""
    for path, connection in zip(paths, connections, strict=True):
        if found := problems(connection):
            raise HistoryError(f"{path}: is damaged: {found[0]}; nothing is merged")
    zones = {zone_of(one).key: path for path, one in zip(paths, connections, strict=True)}
    if len(zones) > 1:
        told = ", ".join(f"{path}: {zone}" for zone, path in zones.items())
        raise HistoryError(f"the files have days of different zones: {told}")
    return next(iter(zones))


def _unite(
    out: sqlite3.Connection,
    paths: Sequence[Path],
    connections: Sequence[sqlite3.Connection],
    told: Callable[[int, int], None],
) -> Merged:
    days = Days(zone_of(out))
    out.execute("PRAGMA cache_size = -65536")
    in_place, names = out.in_transaction, _names_of(connections)
    with nullcontext() if in_place else transaction(out):
        known = [
            _Input(one, one is out, *_names(path, one, out))
            for path, one in zip(paths, connections, strict=True)
        ]
        unite(out, connections)
    done, fuller = Merged(), Fuller(_suspects(out, names))
    numbers = np.unique(np.concatenate([[], *(one.into for one in known if not one.own)]))
    every = sorted(set().union(*(_days_of(one.connection, days) for one in known if not one.own)))
    for at, day in enumerate(every):
        with nullcontext() if in_place else transaction(out):
            for start in range(0, len(numbers), _SERIES):
                part = numbers[start : start + _SERIES].astype(np.int64)
                done.series_days += _blocks(out, days, day, part, known, fuller)
            for one in known:
                if not one.own:
                    _sketches(out, day, one)
        told(at + 1, len(every))
    if in_place:
        out.execute("COMMIT")
    [(done.resources,)] = out.execute("SELECT count(*) FROM resources")
    done.days = len(set().union(*(_days_of(one.connection, days) for one in known)))
    done.differing = fuller.differing
    done.clones = [Clones(one, sorted(names)) for one, names in sorted(fuller.clones.items())]
    out.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return done


def _names(
    path: Path, connection: sqlite3.Connection, out: sqlite3.Connection
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Take over resources, metrics and series; numbers of series here and there."""
    if connection is out:
        numbers = [one for (one,) in out.execute("SELECT number FROM series ORDER BY number")]
        return np.array(numbers, np.int64), np.array(numbers, np.int64)
    out.executemany(
        _RESOURCE,
        connection.execute("SELECT id, kind, name, cloud, first_seen, last_seen FROM resources"),
    )
    kept = dict(out.execute("SELECT name, unit FROM metrics"))
    for name, unit in connection.execute("SELECT name, unit FROM metrics"):
        if kept.setdefault(name, unit) != unit:
            raise HistoryError(f"{path}: has {name} in {unit}, and another file in {kept[name]}")
        out.execute("INSERT OR IGNORE INTO metrics (name, unit) VALUES (?, ?)", (name, unit))
    own, into = [], []
    for number, metric, resource in connection.execute(
        "SELECT series.number, metrics.name, resources.id FROM series"
        " JOIN metrics ON metrics.number = metric JOIN resources ON resources.number = resource"
        " ORDER BY series.number"
    ):
        where = (metric, resource)
        out.execute(
            "INSERT OR IGNORE INTO series (metric, resource)"
            " SELECT metrics.number, resources.number FROM metrics, resources WHERE metrics.name = ? AND id = ?",
            where,
        )
        [(there,)] = out.execute(
            "SELECT series.number FROM series"
            " JOIN metrics ON metrics.number = metric JOIN resources ON resources.number = resource"
            " WHERE metrics.name = ? AND id = ?",
            where,
        )
        own.append(number)
        into.append(there)
    order = np.argsort(np.array(into, np.int64))
    return np.array(own, np.int64)[order], np.array(into, np.int64)[order]


def _names_of(connections: Sequence[sqlite3.Connection]) -> dict[str, set[str]]:
    """The names of each resource; what was imported has none but its id."""
    names: dict[str, set[str]] = {}
    for connection in connections:
        for id_, name in connection.execute("SELECT id, name FROM resources WHERE name != id"):
            names.setdefault(id_, set()).add(name)
    return names


def _suspects(
    out: sqlite3.Connection, names: Mapping[str, set[str]]
) -> dict[int, tuple[str, set[str]]]:
    """Series of resources of which files have different names: their ids and names."""
    return {
        number: (id_, names[id_])
        for number, id_ in out.execute(
            "SELECT series.number, id FROM series JOIN resources ON resources.number = resource"
        )
        if len(names.get(id_, ())) > 1
    }


def _days_of(connection: sqlite3.Connection, days: Days) -> set[int]:
    found = {
        day for table in ("blocks", "sketches") for day in present(connection, table, 0, 1 << 30)
    }
    after = -1
    while True:
        [(slot,)] = connection.execute("SELECT min(slot) FROM rollups WHERE slot > ?", (after,))
        if slot is None:
            return found
        found.add(day := days.of(slot * SLOT))
        after = sum(days.span(day)) - 1


def _blocks(
    out: sqlite3.Connection,
    days: Days,
    day: int,
    numbers: NDArray[np.int64],
    inputs: Sequence[_Input],
    fuller: Fuller,
) -> int:
    """Some series of a day, of all inputs."""
    fuller.begin(numbers, days.span(day)[1])
    for one in inputs:
        low, high = np.searchsorted(one.into, [numbers[0], numbers[-1] + 1])
        wanted = np.isin(one.into[low:high], numbers)
        series, into = one.series[low:high][wanted], one.into[low:high][wanted]
        order = np.argsort(series)
        if len(order):
            its = day_of(one.connection, days, day, series[order])
            fuller.add(np.searchsorted(numbers, into[order]), its.averages, its.maxima)
    has = ~np.isnan(fuller.averages).all(axis=1)
    return land(out, days, day, numbers[has], fuller.averages[has], fuller.maxima[has]).written


def _sketches(out: sqlite3.Connection, day: int, one: _Input) -> None:
    """Those of more samples than what is there already."""
    for start in range(0, len(one.series), _SERIES):
        part = slice(start, start + _SERIES)
        its = np.argsort(one.series[part])
        at, theirs = sketches_of(one.connection, day, one.series[part][its])
        order = np.argsort(one.into[part][its][at])
        numbers = one.into[part][its][at][order]
        counts = np.zeros(len(numbers), np.int64)
        there, ours = sketches_of(out, day, numbers)
        counts[there] = ours.heads["count"]
        fuller = theirs.heads["count"][order] > counts
        encoded = sketch.encode(theirs)
        for place in np.flatnonzero(fuller).tolist():
            own = key(day, int(numbers[place]))
            out.execute("DELETE FROM blocks WHERE key = ?", (own,))
            out.execute(
                "INSERT OR REPLACE INTO sketches VALUES (?, ?)", (own, encoded[order[place]])
            )

"""One look at all clouds, as the child of the agent makes it: what is served, and what the history keeps.

The history file is read for what was known before: spans that last, when each cloud was last seen, and how
much of its CPUs each server used of late.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from agents.config import Config
from agents.state import history_file
from collectors.cloud import capacities, holdingmetrics, openstackmetrics, ownerfiles, remembered
from collectors.cloud.gathering import gather
from collectors.cloud.holdings import Holdings, holdings
from collectors.cloud.hosts import hosts
from collectors.cloud.life import changes, forgotten
from collectors.cloud.model import CloudView
from collectors.cloud.ownerfiles import OwnerFiles
from collectors.cloud.owners import Attribution, clean
from collectors.cloud.spans import VALUES, Identity, Key, decoded, encoded, joined
from collectors.cloud.spans import Span as Fact
from collectors.model import Family
from collectors.strictyaml import DocumentError
from exporters.history.file import HistoryError, connect, zone_of
from exporters.history.schema import SLOT
from exporters.history.store import Known, Span
from exporters.prometheus.families import merged


class CloudLook(NamedTuple):
    """What the history keeps of a look at one cloud that began at a Unix time."""

    cloud: str
    began: float
    resources: tuple[Known, ...]
    spans: tuple[Span, ...]


class Look(NamedTuple):
    """All clouds at once: what takes knowing whose everything is. `problem` says why that is not known
    (a table of owners is wrong), and there is nothing else then."""

    clouds: tuple[CloudLook, ...] = ()
    families: tuple[Family, ...] = ()
    problem: str = ""


class Past(NamedTuple):
    """What the history knows; `spans` is None where it cannot be read now."""

    spans: Mapping[Key, Fact] | None
    last: Mapping[str, float] = {}
    cpu: Mapping[str, float] = {}  # of late, 0 to 1, by resource
    seen: Mapping[str, float] = {}  # when each resource was last seen
    zone: tzinfo = ZoneInfo("Asia/Shanghai")


class Seen(NamedTuple):
    """Clouds as they are now, and whose everything is."""

    views: list[CloudView]
    attributions: dict[str, Attribution]
    holdings: Holdings
    past: Past
    kept: Mapping[str, Attribution]  # those that the history is told


def see(config: Config, done: Callable[[CloudView], None] | None = None) -> Seen:
    """Ask all clouds that are configured. Raises DocumentError where a table of owners is wrong: whose
    everything is would be wrong then."""
    files = ownerfiles.load(config.attribution)
    past = _past(config)
    return _whose(config, files, _views(config, past, done), past)


def look(config: Config, done: Callable[[CloudView], None] | None = None) -> Look:
    """What the resident agent is told beside the views themselves, which `done` gets."""
    past = _past(config)
    views = _views(config, past, done)
    try:
        files = ownerfiles.load(config.attribution)
    except DocumentError as error:
        return Look(problem=str(error))
    seen = _whose(config, files, views, past)
    known: Mapping[Key, Fact] | None = seen.past.spans
    names = [source.name for source in config.clouds.sources]
    past_looks = seen.past.last
    side = hosts(seen.views, known or {}, seen.past.seen, config.clouds.interval, past_looks)
    # Nova before libvirt: it is the one to tell of what both know
    views = sorted(seen.views, key=lambda view: view.kind == "libvirt")
    spans: dict[str, list[Fact]] = {name: [] for name in names}
    for view in views:
        if known is None:
            break
        spans[view.cloud] += changes(
            known,
            view,
            seen.kept,
            view.began,
            last=seen.past.last.get(view.cloud),
            clouds=names,
            zone=seen.past.zone,
            hosts=side,
        )
        spans[view.cloud] += capacities.changes(known, view)
        known = joined(known, spans[view.cloud])
    if known and views:
        spans[views[0].cloud] += forgotten(known, views, seen.past.seen, views[0].began)
    clouds = {view.cloud: _cloud(view, spans[view.cloud]) for view in views}
    estate = holdingmetrics.families(seen.holdings, seen.views, seen.attributions)
    return Look(tuple(clouds[name] for name in names), tuple(merged(estate)))


def families(view: CloudView) -> list[Family]:
    """What a cloud tells by itself, whoever holds what."""
    own = openstackmetrics.families(view) if view.kind == "openstack" else []
    return merged([*view.families, *own])


def _views(config: Config, past: Past, done: Callable[[CloudView], None] | None) -> list[CloudView]:
    known = past.spans or {}

    def filled(view: CloudView) -> None:
        if done:
            done(remembered.filled(view, known))

    views = gather(config.clouds.sources, config.clouds, done=filled)
    return [remembered.filled(view, known) for view in views]


def _whose(config: Config, files: OwnerFiles, views: list[CloudView], past: Past) -> Seen:
    today = datetime.now(past.zone).date()
    known = past.spans or {}
    owners, kept = remembered.owners(views, config.attribution, files.table, today, known)
    own = None if past.spans is None else _libvirts_with_own(past.spans)
    found = holdings(views, owners, past.cpu, today, files.registry, own)
    return Seen(views, owners, found, past, kept)


def _libvirts_with_own(known: Mapping[Key, Fact]) -> set[str]:
    """Those that have told of a machine of which no Nova ever told."""
    return {
        span.value.cloud
        for span in known.values()
        if isinstance(span.value, Identity) and span.value.told_by == "libvirt"
    }


def _cloud(view: CloudView, spans: Sequence[Fact]) -> CloudLook:
    told: dict[str, tuple[str, str, float | None]] = {
        it.id: (it.kind, it.name, it.created) for it in view.resources
    }
    told.update({it.id: ("project", it.name, None) for it in view.projects})
    if view.capacity:
        told[capacities.id_of(view.cloud)] = (capacities.KIND, view.cloud, None)
    return CloudLook(
        view.cloud,
        view.began,
        tuple(
            Known(id, kind, clean(name), view.cloud, created or view.began, view.began)
            for id, (kind, name, created) in told.items()
        ),
        tuple(
            Span(span.resource, span.aspect, span.since, span.until, encoded(span.value))
            for span in spans
        ),
    )


def _past(config: Config) -> Past:
    path = history_file(config)
    zone = ZoneInfo(config.history.zone)
    if not config.history.enable or not path.exists():
        return Past({}, zone=zone)
    try:
        with closing(connect(path)) as connection:
            return Past(
                _lasting(connection),
                _last(connection),
                _cpu(connection),
                _seen(connection),
                zone_of(connection),
            )
    except (HistoryError, sqlite3.Error, msgspec.MsgspecError):
        # the agent tells of a file that cannot be used; changes are seen when it can be again
        return Past(None, zone=zone)


def _lasting(connection: sqlite3.Connection) -> dict[Key, Fact]:
    rows = connection.execute(
        "SELECT id, aspect, since, value FROM spans JOIN resources ON number = resource"
        " WHERE until IS NULL AND cloud != ''"
    )
    return {
        (id, aspect): Fact(id, aspect, since, None, decoded(aspect, value))
        for id, aspect, since, value in rows
        if aspect in VALUES
    }


def _last(connection: sqlite3.Connection) -> dict[str, float]:
    return dict(
        connection.execute(
            "SELECT cloud, max(last_seen) FROM resources"
            " WHERE cloud != '' AND last_seen <= ? GROUP BY cloud",
            (time.time(),),
        )
    )


def _seen(connection: sqlite3.Connection) -> dict[str, float]:
    return dict(connection.execute("SELECT id, last_seen FROM resources WHERE cloud != ''"))


def _cpu(connection: sqlite3.Connection) -> dict[str, float]:
    """The last rollup of each of those that have one of the last three slots."""
    now = int(time.time() // SLOT)  # a slot of a clock that was wrong is none of late
    rows = connection.execute(
        "SELECT id, average FROM rollups JOIN series ON series.number = series"
        " JOIN resources ON resources.number = resource JOIN metrics ON metrics.number = metric"
        " WHERE metrics.name = 'cpu' AND slot <= ?"
        " AND slot > (SELECT max(slot) - 3 FROM rollups WHERE slot <= ?) ORDER BY slot",
        (now, now),
    )
    return {id: average / 100 for id, average in rows}

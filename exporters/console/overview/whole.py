"""How the estate stands, for the first page and for `overview.get`: from tallies and indexes alone."""

from __future__ import annotations

import msgspec

from exporters.console.overview.attention import (
    EndingWaiver,
    OldHit,
    QuietHost,
    ending,
    oldest,
    quiet,
)
from exporters.console.overview.departments import OpenHits, Ranked, ranked
from exporters.console.overview.matrix import Matrix, matrices
from exporters.console.overview.scores import PackScore, scores
from exporters.console.overview.tallied import outcomes
from exporters.console.overview.trend import Day, trend
from exporters.console.web.asker import Asker


class Overview(msgspec.Struct, frozen=True):
    """`unheard`, `unaudited` and `stale` are hosts, as of a department; `ending` is how many waivers end soon."""

    hosts: int
    unheard: int
    unaudited: int
    stale: int
    packs: tuple[PackScore, ...]
    open: tuple[OpenHits, ...]
    trend: tuple[Day, ...]
    clauses: tuple[Matrix, ...]
    oldest: tuple[OldHit, ...]
    ending: int
    waivers: tuple[EndingWaiver, ...]
    quiet: tuple[QuietHost, ...]
    departments: tuple[Ranked, ...]


def overview(asker: Asker) -> Overview:
    with asker.database.reading() as connection:
        came = outcomes(connection, asker)
        packs, of_departments = scores(connection, asker, came)
        departments, hits, groups = ranked(connection, asker, of_departments)
        end, waivers = ending(connection, asker)
        return Overview(
            hosts=sum(one.hosts for one in departments),
            unheard=sum(one.unheard for one in departments),
            unaudited=sum(one.unaudited for one in departments),
            stale=sum(one.stale for one in departments),
            packs=packs,
            open=hits,
            trend=trend(connection, asker),
            clauses=matrices(connection, asker, came),
            oldest=oldest(connection, asker, groups),
            ending=end,
            waivers=waivers,
            quiet=quiet(connection, asker),
            departments=departments,
        )

"""How the estate scores: of each pack the mean over hosts, how the hosts spread, and what was not seen beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, case, func, select

from exporters.console.overview.tallied import Came
from exporters.console.schema import host, host_pack
from exporters.console.services import Services
from exporters.console.web.asker import Asker
from rules.model import OUTCOMES, Outcome, Text

BANDS: Final = (0.6, 0.7, 0.8, 0.9)  # where the next band of scores begins


class PackScore(msgspec.Struct, frozen=True):
    """`mean` is that of the `scored` hosts, 0 to 1, null where nothing counted on any. `bands` are hosts below 60, from
    60, from 70, from 80, and from 90 points of 100. `outcomes` are rules by outcome, over all hosts."""

    pack: str
    title: Text
    hosts: int
    scored: int
    mean: float | None
    bands: tuple[int, ...]
    outcomes: dict[Outcome, int]


class DepartmentScore(NamedTuple):
    """The mean over all packs of all hosts."""

    mean: float | None
    scored: int


def scores(
    connection: Connection, asker: Asker, came: Iterable[Came]
) -> tuple[tuple[PackScore, ...], Mapping[int, DepartmentScore]]:
    """By pack, and by department; `came` are all outcomes."""
    score = host_pack.c.score
    edges = (0.0, *BANDS, 1.1)
    statement = (
        select(
            host_pack.c.pack,
            host.c.department_id,
            func.count().label("hosts"),
            func.count(score).label("scored"),
            func.coalesce(func.sum(score), 0.0).label("points"),
            *(
                func.count(case(((score >= low) & (score < high), 1))).label(f"band{number}")
                for number, (low, high) in enumerate(pairwise(edges))
            ),
        )
        .join_from(host_pack, host, host.c.id == host_pack.c.host_id)
        .group_by(host_pack.c.pack, host.c.department_id)
    )
    packs: dict[str, _Sum] = defaultdict(_Sum)
    departments: dict[int, _Sum] = defaultdict(_Sum)
    for row in connection.execute(asker.scoped(statement, host.c.department_id)):
        bands = tuple(row[5:])
        for found in (packs[row.pack], departments[row.department_id]):
            found.add(row.hosts, row.scored, row.points, bands)
    outcomes = _outcomes(came)
    return (
        tuple(
            PackScore(
                name,
                title(asker.services, name),
                one.hosts,
                one.scored,
                one.mean,
                tuple(one.bands),
                outcomes.get(name, dict.fromkeys(OUTCOMES, 0)),
            )
            for name, one in sorted(packs.items())
        ),
        {key: DepartmentScore(one.mean, one.scored) for key, one in departments.items()},
    )


class _Sum:
    def __init__(self) -> None:
        self.hosts = self.scored = 0
        self.points = 0.0
        self.bands = [0] * (len(BANDS) + 1)

    def add(self, hosts: int, scored: int, points: float, bands: tuple[int, ...]) -> None:
        self.hosts, self.scored, self.points = (
            self.hosts + hosts,
            self.scored + scored,
            self.points + points,
        )
        self.bands = [one + other for one, other in zip(self.bands, bands, strict=True)]

    @property
    def mean(self) -> float | None:
        return self.points / self.scored if self.scored else None


def _outcomes(came: Iterable[Came]) -> dict[str, dict[Outcome, int]]:
    found: dict[str, dict[Outcome, int]] = {}
    for one in came:
        of_pack = found.setdefault(one.pack, dict.fromkeys(OUTCOMES, 0))
        of_pack[OUTCOMES[one.outcome]] += one.hosts
    return found


def title(services: Services, pack: str) -> Text:
    """Of a pack that this console does not have, its name."""
    known = services.packs.get(pack)
    return known.title if known else Text(pack, pack)

"""Operations of the first page: how the estate stands, and the clauses of GB/T 22239."""

from __future__ import annotations

from typing import Final

from exporters.console.overview.matrix import Matrix, matrices
from exporters.console.overview.tallied import outcomes
from exporters.console.overview.whole import Overview, overview
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Nothing, Operation


def clauses(asker: Asker, _: Nothing) -> tuple[Matrix, ...]:
    """By level, 3 first."""
    with asker.database.reading() as connection:
        return matrices(connection, asker, outcomes(connection, asker))


def _overview(asker: Asker, _: Nothing) -> Overview:
    return overview(asker)


OPERATIONS: Final = (
    Operation("clauses.matrix", "GET", "/clauses", "view", clauses, gives=tuple[Matrix, ...]),
    Operation("overview.get", "GET", "/overview", "view", _overview, gives=Overview),
)

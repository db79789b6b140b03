"""A console on each database; PostgreSQL is started once for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consolelab import Console, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if why := Postgres.unavailable():
        pytest.skip(why)
    with Postgres() as running:
        yield running


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """On SQLite."""
    made = Console(f"sqlite:///{tmp_path}/console.db")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_console(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Console]:
    """On either database, one after the other."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/console.db"
    else:
        url = request.getfixturevalue("postgres").url()
    made = Console(url)
    yield made
    made.close()

"""A console on each database; PostgreSQL is started once for all tests that ask for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters.console.database import Database
from tests.consolelab import Console, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if why := Postgres.unavailable():
        pytest.skip(why)
    with Postgres(durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables, to be copied: to make them takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "console.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def console(tmp_path: Path, migrated: Path) -> Iterator[Console]:
    """On SQLite."""
    shutil.copy(migrated, tmp_path / "console.db")
    made = Console(f"sqlite:///{tmp_path}/console.db")
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_console(
    request: pytest.FixtureRequest, tmp_path: Path, migrated: Path
) -> Iterator[Console]:
    """On either database, one after the other."""
    if request.param == "sqlite":
        shutil.copy(migrated, tmp_path / "console.db")
        url = f"sqlite:///{tmp_path}/console.db"
    else:
        url = request.getfixturevalue("postgres").url()
    made = Console(url)
    yield made
    made.close()

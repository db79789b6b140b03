"""How a console starts: what it logs, what it refuses, and what it says where."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import text

from agents import logs
from agents.cli import console as commands
from agents.errors import UserError
from exporters.console.database import Database
from exporters.console.settings import ConsoleSettings
from tests.consolelab import Console


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("logging_as_it_was")
def test_no_url_is_logged(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    with console.served() as url:
        logs.set_up("debug", "text")
        httpx.get(f"{url}/robot/send?key=s3cret", trust_env=False)
        Database(console.settings.db).migrate()
    logged = capsys.readouterr().err
    assert "httpx" not in logged
    assert "httpcore" not in logged
    assert "alembic" not in logged


@pytest.mark.usefixtures("logging_as_it_was")
def test_tables_of_a_newer_version_are_one_line(each_console: Console) -> None:
    with each_console.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match=r"its tables are of a newer version.*back-up") as told:
        commands.serve(ConsoleSettings(db=each_console.settings.db))
    assert "\n" not in str(told.value)

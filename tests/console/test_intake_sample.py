"""The sample of the other tests goes in whole, on either database."""

from __future__ import annotations

from sqlalchemy import select

from exporters.console.codes import STATE
from exporters.console.intake.verify import wrong_tallies
from exporters.console.schema import hit, host
from tests.consolelab import Console
from tests.consolesample import fill


def test_the_sample_has_every_state_and_its_tallies_are_right(each_console: Console) -> None:
    fill(each_console)
    with each_console.database.reading() as connection:
        states = set(connection.execute(select(hit.c.state)).scalars())
        assert states == set(STATE.values())
        assert len(connection.execute(select(host)).all()) == 12
        assert wrong_tallies(connection) == []

"""Recorded hosts: verdicts and scores as in tests/readiness/hosts.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import readiness
from agents.config import Config
from rules import pack as packs
from rules.readinessmodel import PACK
from tests.readinesslab import read_table, seen

TESTS = Path(__file__).parents[1]
MACHINES = TESTS / "fixtures/machines"
TABLE = read_table((TESTS / "readiness/hosts.yaml").read_bytes())
READINESS = packs.load(PACK)


def test_the_table_has_every_recording() -> None:
    assert set(TABLE) == {path.name for path in MACHINES.iterdir() if path.is_dir()}


@pytest.mark.parametrize("name", TABLE)
def test_a_host_comes_out_as_the_table_says(name: str) -> None:
    recorded = str(MACHINES / name)
    found = readiness.host(Config(), READINESS, READINESS.params, recorded=recorded)
    assert seen(found) == TABLE[name]
    assert "bug" not in str(found.checks)

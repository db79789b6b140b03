"""Commands that read a history file without a lock, since they may not write beside it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from agents.cli.historyfile import opened
from agents.errors import UserError
from exporters.history.store import HistoryWriter
from tests.exporters.test_history_store import HOST, rows


@pytest.mark.parametrize("written", [False, True])
def test_what_is_written_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    path = tmp_path / "h.db"
    with closing(HistoryWriter(path)) as writer:
        writer.add(1, rows(1), [HOST])
    told = []
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    try:
        with opened(path) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM rollups")
            assert count == len(rows(1))
            if written:
                with closing(HistoryWriter(path)) as writer:
                    writer.add(2, rows(2))
    except UserError as error:
        told.append(str(error))
    assert told == ([f"{path}: somebody wrote it meanwhile; ask again"] if written else [])

"""Every trap of the grammar and of how rules are taken together, under both meanings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collectors.strictyaml import Document
from rules.sca.regex import Semantics
from tests.rules.sca import lab

TABLE = Path(__file__).parent / "semantics.yaml"
ROWS: list[dict[str, Any]] = Document(TABLE.read_bytes(), str(TABLE)).data
_MACHINE = ("files", "denied", "folders", "links", "commands", "processes")
_DOCUMENT = ("condition", "engine", "variables", "requirements")
_MEANINGS: tuple[Semantics, ...] = (4, 5)


@pytest.mark.parametrize("semantics", _MEANINGS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"].replace(" ", "-"))
def test_row(row: dict[str, Any], semantics: Semantics, tmp_path: Path) -> None:
    source = lab.machine(tmp_path, **{key: row[key] for key in _MACHINE if key in row})
    more = {key: row[key] for key in _DOCUMENT if key in row}
    verdict = lab.verdict(source, row["rules"], semantics, **more)
    assert verdict.verdict == row[f"v{semantics}"], verdict
    assert verdict.reason or verdict.verdict == "pass"
    known = {*_MACHINE, *_DOCUMENT, "name", "rules", "v4", "v5", "wazuh"}
    assert set(row) <= known

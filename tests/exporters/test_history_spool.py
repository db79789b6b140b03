"""What does not fit in memory is spooled, and makes no difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporters.history import importing, spool
from exporters.history.days import Days
from exporters.history.spool import Spool
from tests.historylab import START, imported, long_csv, samples


def test_a_small_memory_makes_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(4)
    lines = [
        f"{START + int(at)},r{int(own)},cpu,{at % 89}"
        for at, own in zip(
            generator.integers(0, 5 * 86400, 20_000), generator.integers(0, 9, 20_000), strict=True
        )
    ]
    path = long_csv(tmp_path / "c", *lines)
    whole = imported(tmp_path / "whole", path)
    used = []

    class Small(Spool):
        def _write(self) -> None:
            used.append(1)
            super()._write()

    def small(folder: Path, days: Days) -> Spool:
        return Small(folder, days, 30_000)

    monkeypatch.setattr(importing, "Spool", small)
    monkeypatch.setattr(importing, "_SAMPLES", 1000)
    parts = imported(tmp_path / "parts", path)
    assert len(used) > 3
    assert (whole.samples, whole.duplicates) == (parts.samples, parts.duplicates)

    assert samples(tmp_path / "whole") == samples(tmp_path / "parts")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c", "parts", "whole"]


def test_a_record_is_twelve_bytes() -> None:
    assert spool.RECORD.itemsize == 12

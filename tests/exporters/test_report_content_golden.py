"""The report of a small estate as JSON, whole: `make golden` rewrites it, and its diff is what to review."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from collectors.cloud.model import Size
from exporters.report.content.making import document
from exporters.report.document import Document
from exporters.usage.source import CapacityTold
from rules.exemptions import Exemption, Exemptions
from tests.reportestate import (
    GIB,
    OCTOBER,
    SEPTEMBER,
    Array,
    City,
    at,
    inputs,
    owned,
    slot,
    source_of,
)

GOLDEN = Path(__file__).parents[1] / "report/small.json"


def steps(base: float) -> Array:
    """Of September and October: more on workdays' mornings, in values that float32 has exactly."""
    number = slot(OCTOBER.until) - slot(SEPTEMBER.since)
    hour = np.arange(number) // 12 % 24
    return np.where((hour >= 9) & (hour < 12), base * 2, base)


@pytest.fixture
def report(tmp_path: Path) -> Document:
    city = City(tmp_path / "history.db")
    for n in range(3):
        city.server(f"tax-{n}", "市税务局", "金税", vcpus=8, memory=16 * GIB)
        city.measured("cpu", f"tax-{n}", SEPTEMBER.since, steps(2.0 + n))
    city.server("edu-0", "市教育局", "学籍")
    city.measured("cpu", "edu-0", SEPTEMBER.since, steps(40.0))
    city.measured("memory", "edu-0", SEPTEMBER.since, steps(30.0))
    city.server("dr-0", "市教育局", "学籍")
    city.measured("cpu", "dr-0", SEPTEMBER.since, steps(1.0))
    city.server("dark", "市档案馆")
    city.server("stray", "", vcpus=None)
    city.holds(
        "loose",
        ("owner", at(9), None, owned("市税务局", "金税")),
        ("size", at(9), None, Size(None, None, 200 * GIB)),
        ("state", at(9), None, "available"),
        ("attached", at(9, 10), None, ()),
        kind="volume",
    )
    exempt = Exemption(
        *("E-2026-001", "容灾备机，平时不承载业务", "张伟", "李敏", date(2026, 11, 15)),
        resources=("dr-*",),
    )
    told = CapacityTold(Size(32, 128 * GIB, None), Size(64, 128 * GIB, None))
    with source_of(city.path) as source:
        made = document(
            inputs(
                *(source, OCTOBER, Exemptions((exempt,))),
                trend=3,
                city="汕头市",
                issuer="市政务服务和数据管理局",
                capacity=told,
            )
        )
    city.writer.close()
    return made


@pytest.mark.golden
def test_the_report_of_a_small_estate(
    report: Document, golden: Callable[[Path, str], None]
) -> None:
    rounded = _rounded(msgspec.to_builtins(report))
    golden(GOLDEN, msgspec.json.format(msgspec.json.encode(rounded), indent=1).decode() + "\n")


def _rounded(value: object) -> object:
    """To nine digits: the last of sums in floating point are no matter. The hash is of all of them."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {
            str(key): "…" if key == "data_hash" else _rounded(one) for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value

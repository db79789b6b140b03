"""The lab of real servers: what goes in comes out, with every character a label may have."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.promlab import month, needs_prometheus, needs_victoria, prometheus, quoted, victoria

SINCE = 1_793_462_400
IDS = ["plain", 'a"b\\c', "龙湖.*", "two\nlines", "{x}"]


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(prometheus, marks=needs_prometheus),
        pytest.param(victoria, marks=needs_victoria),
    ],
)
def test_what_goes_in_comes_out(server: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    values = np.random.default_rng(1).random((len(IDS), 12))
    values[0, 3] = np.nan
    with server(tmp_path, month("jianwei:resource_cpu:percent", values, SINCE, IDS)) as url:
        for id, row in zip(IDS, values, strict=True):
            query = f"sum_over_time(jianwei:resource_cpu:percent{{resource={quoted(id)}}}[1h])"
            asked = urllib.parse.urlencode({"query": query, "time": SINCE + 3600})
            with urllib.request.urlopen(f"{url}/api/v1/query?{asked}", timeout=10) as answer:
                [found] = json.load(answer)["data"]["result"]
            assert found["metric"]["resource"] == id
            assert float(found["value"][1]) == pytest.approx(np.nansum(row), rel=1e-9)

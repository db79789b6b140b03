"""The pack link-quality: its scenarios, no lines, lines that nobody could look at."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from collectors.link.linefacts import LinesCollector
from collectors.link.lines import LEVELS
from collectors.model import Answers, Fact
from rules import pack as packs
from rules import scenarios
from rules.engine import judge
from rules.linethresholds import configured, thresholds_of

PACK = packs.load("link-quality")


def outcomes(*lines: dict[str, Any], **params: Any) -> dict[str, str]:
    facts = {"lines": Fact("lines", list(lines))}
    return {v.rule: v.verdict for v in judge(PACK, facts, params, "h")}


def test_every_scenario_comes_out_as_it_says() -> None:
    results = list(scenarios.run(PACK))
    assert len(results) > 45
    assert [r for r in results if not r.right] == []


def test_without_lines_nothing_is_judged() -> None:
    (fact,) = LinesCollector().parse(Answers({}))
    assert isinstance(fact, Fact)
    assert set(outcomes(*fact.value).values()) == {"not_applicable"}


def test_outline_is_the_pack_without_a_check() -> None:
    assert packs.outline("link-quality") == PACK


def test_thresholds_of_levels() -> None:
    found = thresholds_of(PACK.params)
    assert set(found) == {*LEVELS, ""}
    assert found["city"].loss == 0.01
    assert found[""].rtt == 0.1
    some = thresholds_of({**PACK.params, "loss": {"city": 0.5, "default": 0.25}, "rtt": 1})
    assert (some["city"].loss, some["town"].loss, some[""].rtt) == (0.5, 0.25, 1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("loss", value) for value in ({}, {"city": 1}, "x", True, -1, float("nan"))),
        *(("down_after", value) for value in (0, 1.5, True, "3")),
    ],
)
def test_thresholds_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"'{name}'"):
        thresholds_of({**PACK.params, name: value})


def test_thresholds_that_a_site_sets() -> None:
    found = configured({"down_after": 5, "loss": {"default": 0.3}})
    assert (found["city"].down_after, found["city"].loss, found["city"].rtt) == (5, 0.3, 0.05)
    with pytest.raises(ValueError, match="did you mean 'down_after'"):
        configured({"down_aftr": 5})


def test_who_probes_does_not_carry_what_judges() -> None:
    code = (
        "import sys; from rules.linethresholds import configured; import rules.linestate;"
        "configured({}); print([m for m in ('cel', 're2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_text_is_there() -> None:
    for rule in PACK.rules:
        assert rule.why
        assert rule.fix
        assert msgspec.json.encode(rule)

"""Thresholds of lines per level, out of the parameters of the pack `link-quality`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from collectors.link.lines import LEVELS

PACK = "link-quality"
DEFAULT = "default"  # in a map by level: what holds for every level that is not named


class Thresholds(msgspec.Struct, frozen=True, gc=False):
    """What makes a line of one level down, degraded and well again; times in seconds.

    `down_after` losses and `up_after` answers in a row decide over a probe. Loss (a share), `rtt`
    (95th percentile) and `jitter` above their thresholds degrade; a line is well again after
    `recovered_after` updates in a row with all of them at most `clear` × threshold.
    """

    loss: float = 0.05
    rtt: float = 0.1
    jitter: float = 0.05
    down_after: int = 3
    up_after: int = 3
    recovered_after: int = 3
    clear: float = 0.8
    least: int = 10  # probes that are settled, before their loss is judged


def thresholds_of(params: Mapping[str, Any]) -> dict[str, Thresholds]:
    """By level, and by "" for lines without one; raises ValueError that names the parameter."""
    return {
        level: Thresholds(
            loss=_number(params, "loss", level),
            rtt=_number(params, "rtt", level),
            jitter=_number(params, "jitter", level),
            down_after=_count(params, "down_after"),
            up_after=_count(params, "up_after"),
            recovered_after=_count(params, "recovered_after"),
            clear=_number(params, "clear_ratio", level),
            least=_count(params, "least_probes"),
        )
        for level in (*LEVELS, "")
    }


def configured(overrides: Mapping[str, Any]) -> dict[str, Thresholds]:
    """The pack's own parameters with some overridden (`audit.params` of the configuration); no
    expression is compiled for it. Raises ValueError."""
    from rules.pack import outline, resolve  # the resident agent has lines to think of, or not

    return thresholds_of(resolve(outline(PACK), overrides))


def _number(params: Mapping[str, Any], name: str, level: str) -> float:
    value = params.get(name)
    if isinstance(value, Mapping):
        value = value.get(level, value.get(DEFAULT))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        where = f" of the level {level or DEFAULT}"
        raise ValueError(f"parameter {name!r} of pack {PACK}: {value!r}{where} is not a number")
    if value < 0:
        raise ValueError(f"parameter {name!r} of pack {PACK}: {value!r} is below 0")
    return float(value)


def _count(params: Mapping[str, Any], name: str) -> int:
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"parameter {name!r} of pack {PACK}: {value!r} is not 1 or more")
    return value

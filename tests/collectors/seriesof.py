"""What a probe's result has told, by name of a series."""

from __future__ import annotations

from collectors.model import Family, ProbeResult


def value(result: ProbeResult, name: str) -> float:
    (sample,) = family(result, name).samples
    return sample.value


def family(result: ProbeResult, name: str) -> Family:
    (found,) = (one for one in result.families if one.name == name)
    return found


def names(result: ProbeResult) -> set[str]:
    return {one.name for one in result.families}

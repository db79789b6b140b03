"""Sizes of resources as people read them: virtual CPUs, GiB and TiB as flavours have them."""

from __future__ import annotations

from typing import Final

from exporters.usage import holdingwords
from rules.usagejudgement import Amount

GIB: Final = 2**30
TIB: Final = 2**40


def plain(value: float | None) -> str:
    """Empty where it is not known."""
    if value is None:
        return ""
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"  # a little is not nothing


def gib(size: float | None) -> float | None:
    return None if size is None else size / GIB


def tib(size: float | None) -> float | None:
    return None if size is None else size / TIB


def short(amount: Amount) -> str:
    """`8 vCPU 16 GiB`, a size that is not known as `?`; empty where neither is."""
    if amount.vcpus is None and amount.memory is None:
        return ""
    memory = plain(gib(amount.memory)) or "?"
    return f"{plain(amount.vcpus) or '?'} vCPU {memory} GiB"


def department(name: str, language: str) -> str:
    return name or holdingwords.say("unassigned", language)

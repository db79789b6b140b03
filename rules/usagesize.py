"""The size that a resource needs by what it used: in steps of flavours, with headroom. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from rules.usagejudgement import Amount
from rules.usagethresholds import GIB, Thresholds

N = TypeVar("N", int, float)
LARGEST = 1e15  # of any size; what is said to be more, or not above 0, is not known


def known(value: float | None) -> bool:
    """Whether a size is one to reckon with."""
    return value is not None and 0 < value <= LARGEST


def granted(vcpus: float | None, memory: int | None, disk: int | None) -> Amount:
    """What was granted, without what cannot be. A server without a disk of its own has 0 of it."""
    return Amount(
        float(vcpus) if vcpus is not None and known(vcpus) else None,
        int(memory) if memory is not None and known(memory) else None,
        int(disk) if disk is not None and 0 <= disk <= LARGEST else None,
    )


def smaller(
    size: Amount, cpu: float, memory: float | None, peak: float | None, limits: Thresholds
) -> Amount:
    """For use in percent of `size`: never more than was granted. Memory that is missing ends programs, where
    a missing CPU makes them slow, so memory is never below the highest use of any moment (`peak`)."""
    vcpus = gigabytes = None
    if size.vcpus is not None and size.vcpus >= 1:
        need = size.vcpus * _share(cpu) * (1 + limits.headroom / 100)
        vcpus = min(_step(need, limits.vcpu_steps), size.vcpus)
    if size.memory is not None and memory is not None and peak is not None:
        need = max(_share(memory) * (1 + limits.headroom / 100), _share(peak)) * size.memory
        gigabytes = min(_step_of_memory(need, limits), size.memory)
    return Amount(vcpus, gigabytes)


def larger(size: Amount, cpu: float | None, memory: float | None, limits: Thresholds) -> Amount:
    """The same for what is busy by CPU, by memory or by both: more of that, and of the other as it was."""
    vcpus, gigabytes = size.vcpus, size.memory
    if vcpus is not None and cpu is not None:
        need = vcpus * _share(cpu) * (1 + limits.headroom / 100)
        vcpus = max(_step(max(need, _above(vcpus)), limits.vcpu_steps), vcpus)
    if gigabytes is not None and memory is not None:
        need = gigabytes * _share(memory) * (1 + limits.headroom / 100)
        gigabytes = max(_step_of_memory(max(need, gigabytes + 1), limits), gigabytes)
    return Amount(vcpus, gigabytes)


def between(size: Amount, target: Amount) -> Amount:
    """What comes free. A smaller flavour leaves the disk as it is."""
    return Amount(
        None if size.vcpus is None or target.vcpus is None else size.vcpus - target.vcpus,
        None if size.memory is None or target.memory is None else size.memory - target.memory,
        0,
    )


def _share(percent: float) -> float:
    """More than all of it cannot be used, whatever a counter said."""
    return min(percent, 100.0) / 100


def _above(vcpus: float) -> float:
    return math.floor(vcpus) + 1


def _step(need: float, steps: Sequence[N]) -> float:
    """The first step that is enough; beyond the last one whole CPUs."""
    return float(next((step for step in steps if step >= need), math.ceil(need)))


def _step_of_memory(need: float, limits: Thresholds) -> int:
    """The same of memory, beyond the last step in whole GiB."""
    beyond = math.ceil(need / GIB) * GIB
    return next((step for step in limits.memory_steps if step >= need), beyond)

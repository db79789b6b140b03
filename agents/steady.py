"""CPU times that do not go back.

The kernel reckons idle and iowait anew at each reading, and its result can be a little smaller than
before. Prometheus takes that for a restart and shows a huge rate. A collector is pure and has no
memory, so the resident agent remembers what it said last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import msgspec

from collectors.model import Family, Labels, Sample

NAME = "node_cpu_seconds_total"
RESET = 3.0  # seconds; a CPU that went back by more was taken out and put in again


class SteadyCpu:
    """Holds each series of `node_cpu_seconds_total` at its maximum."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[Labels, float] = {}

    def hold(self, families: Iterable[Family]) -> list[Family]:
        """The same families; a CPU time that fell by less than `RESET` stays where it was."""
        return [self._held(family) if family.name == NAME else family for family in families]

    def _held(self, family: Family) -> Family:
        with self._lock:
            samples = []
            for now in family.samples:
                said = self._said.get(now.labels, 0.0)
                samples.append(Sample(now.labels, said) if 0 < said - now.value < RESET else now)
            self._said = {sample.labels: sample.value for sample in samples}
        return msgspec.structs.replace(family, samples=samples)

"""The kernel's pool of randomness: /proc/sys/kernel/random, random(4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

AVAILABLE = File("/proc/sys/kernel/random/entropy_avail")
POOL = File("/proc/sys/kernel/random/poolsize")


class EntropyCollector(Collector, frozen=True):
    """Bits of randomness in the pool, and what it can hold; both 256 on newer kernels."""

    name: ClassVar[str] = "entropy"

    def readings(self) -> tuple[File, ...]:
        return (AVAILABLE, POOL)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/proc/sys/kernel/random"):
            available, pool = float(answers.text(AVAILABLE)), float(answers.text(POOL))
        yield gauge("node_entropy_available_bits", "Randomness in the pool.", sample(available))
        yield gauge("node_entropy_pool_size_bits", "Randomness the pool can hold.", sample(pool))

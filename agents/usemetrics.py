"""What resources of clouds used of late, as metrics: between the last two looks, each a rate that no scrape can
take from counters which change once in five minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from collectors.cloud.owners import clean
from collectors.model import Family, gauge, sample
from exporters.history.accumulate import Stretch

_METRICS: Final = (
    ("cpu", "jianwei_resource_cpu_ratio", 100.0, "Share of its virtual CPUs that a resource used"),
    ("steal", "jianwei_resource_steal_ratio", 100.0, "Share of its virtual CPUs that its host did not give"),
    ("memory", "jianwei_resource_memory_ratio", 100.0, "Share of its memory that a resource used"),
    ("net_rx", "jianwei_resource_receive_bytes_per_second", 1.0, "Bytes that a resource received a second"),
    ("net_tx", "jianwei_resource_transmit_bytes_per_second", 1.0, "Bytes that a resource sent a second"),
)  # fmt: skip


def use_families(latest: Iterable[tuple[str, Sequence[Stretch]]]) -> Sequence[Family]:
    """Of the last stretches by cloud. Nothing of what is not known."""
    told = [(cloud, one) for cloud, stretches in latest for one in stretches]
    if not told:
        return ()
    return tuple(
        gauge(
            name,
            f"{words} between the last two looks at its cloud.",
            *(
                sample(one.value / whole, resource=clean(one.resource), cloud=cloud)
                for cloud, one in told
                if one.metric == metric
            ),
        )
        for metric, name, whole, words in _METRICS
    )

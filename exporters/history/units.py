"""Metrics of the history and their units. Each metric has one unit in a file, whatever was imported."""

from __future__ import annotations

from typing import Final

# unit as it is told → the unit it is kept in, and the factor between them
UNITS: Final[dict[str, tuple[str, float]]] = {
    "percent": ("percent", 1.0),
    "ratio": ("percent", 100.0),
    "bytes": ("bytes", 1.0),
    "kib": ("bytes", 2.0**10),
    "mib": ("bytes", 2.0**20),
    "gib": ("bytes", 2.0**30),
    "tib": ("bytes", 2.0**40),
    "bytes_per_second": ("bytes_per_second", 1.0),
    "bits_per_second": ("bytes_per_second", 0.125),
    "seconds": ("seconds", 1.0),
    "milliseconds": ("seconds", 0.001),
    "count": ("count", 1.0),
}

# what we write ourselves; a metric of another name has the unit it was first imported with
METRICS: Final[dict[str, str]] = {
    "cpu": "percent",  # of the virtual CPUs granted, or of the host's
    "steal": "percent",
    "memory": "percent",  # used, of what the machine has; unknown without a balloon driver
    "disk": "percent",  # space used, of all local file systems together
    "net_rx": "bytes_per_second",
    "net_tx": "bytes_per_second",
    "disk_read": "bytes_per_second",
    "disk_write": "bytes_per_second",
}

# Of a line, a resource of the kind `line`: how much of a slot is known (seconds up, degraded or down), and how much of what
# is known it was up or degraded. A state is dated back to the probe that it began with and counted once it
# is decided, so `line_known` of a slot may be some seconds above 100, and that before below.
LINE: Final = "line"
LINE_UP, LINE_KNOWN = "line_up", "line_known"
LINE_METRICS: Final[dict[str, str]] = {LINE_UP: "percent", LINE_KNOWN: "percent"}
ALL_METRICS: Final[dict[str, str]] = {**METRICS, **LINE_METRICS}


def line_id(name: str) -> str:
    """The id of a line as a resource."""
    return f"{LINE}:{name}"

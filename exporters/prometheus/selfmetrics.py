"""The agent's own figures, under the names that Prometheus client libraries use.

Memory and times of this process come from statm and stat of proc(5), descriptors and threads are its folders
there, its CPU time is its own clock's. psutil would tell the same for a MB of memory.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from collectors.model import Family, counter, gauge, sample


class SelfMetrics:
    """Figures of the process that makes it."""

    def __init__(self) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._constant = (
            gauge(
                "jianwei_build_info",
                "The version of the agent and of the Python that runs it; always 1.",
                sample(1, version=version(), python=sys.version.split()[0]),
            ),
            gauge(
                "process_start_time_seconds",
                "When the agent started, as Unix time in seconds.",
                sample(started()),
            ),
            gauge(
                "process_max_fds",
                "How many descriptors the agent may have open.",
                sample(math.inf if soft == resource.RLIM_INFINITY else soft),
            ),
        )

    def families(self) -> list[Family]:
        whole, resident = memory()
        return [
            *self._constant,
            counter(
                "process_cpu_seconds_total",
                "CPU time of the agent in user and kernel mode, in seconds.",
                sample(time.process_time()),
            ),
            gauge(
                "process_resident_memory_bytes",
                "Memory of the agent that is in RAM, in bytes.",
                sample(resident),
            ),
            gauge(
                "process_virtual_memory_bytes",
                "Address space of the agent, in bytes.",
                sample(whole),
            ),
            gauge(
                "process_open_fds",
                "Descriptors the agent has open.",
                sample(len(os.listdir("/proc/self/fd"))),
            ),
            gauge(
                "process_threads",
                "Threads of the agent.",
                sample(len(os.listdir("/proc/self/task"))),
            ),
        ]


def memory() -> tuple[int, int]:
    """Bytes of this process's address space, and of it in RAM."""
    with open("/proc/self/statm", "rb", buffering=0) as file:
        whole, resident = file.read().split()[:2]
    page = resource.getpagesize()
    return int(whole) * page, int(resident) * page


def started() -> float:
    """When this process started, in Unix seconds: ticks since the system did."""
    # the name in parentheses may hold anything, so count from the last one
    ticks = Path("/proc/self/stat").read_bytes().rpartition(b") ")[2].split()[19]
    for line in Path("/proc/stat").read_bytes().splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1]) + int(ticks) / os.sysconf("SC_CLK_TCK")
    return math.nan


def version() -> str:
    """The version installed, or `unknown` in a checkout that is not.

    It is in the name of the folder that installers write; importlib.metadata would tell the same
    for 4 MB of memory.
    """
    for folder in dict.fromkeys(sys.path):
        for found in Path(folder).glob("jianwei-*.dist-info"):
            return found.name.removesuffix(".dist-info").removeprefix("jianwei-")
    return "unknown"


def config_families(right: bool, loaded_at: float) -> Sequence[Family]:
    """Whether the configuration file was right when last read, and how old the one in force is."""
    return (
        gauge(
            "jianwei_config_last_reload_successful",
            "Whether the configuration file was right when it was last read.",
            sample(1.0 if right else 0.0),
        ),
        gauge(
            "jianwei_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read, as Unix time in seconds.",
            sample(loaded_at),
        ),
    )

"""The agent's own figures, under the names that Prometheus client libraries use.

Memory, descriptors and times of this process come from psutil, its CPU time from its own clock.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

from collectors.model import Family, counter, gauge, sample


class SelfMetrics:
    """Figures of the process that makes it."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        soft, _ = self._process.rlimit(psutil.RLIMIT_NOFILE)
        self._constant = (
            gauge(
                "jianwei_build_info",
                "The version of the agent and of the Python that runs it; always 1.",
                sample(1, version=version(), python=sys.version.split()[0]),
            ),
            gauge(
                "process_start_time_seconds",
                "When the agent started, as Unix time in seconds.",
                sample(self._process.create_time()),
            ),
            gauge(
                "process_max_fds",
                "How many descriptors the agent may have open.",
                sample(math.inf if soft < 0 else soft),
            ),
        )

    def families(self) -> list[Family]:
        memory = self._process.memory_info()
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
                sample(memory.rss),
            ),
            gauge(
                "process_virtual_memory_bytes",
                "Address space of the agent, in bytes.",
                sample(memory.vms),
            ),
            gauge(
                "process_open_fds",
                "Descriptors the agent has open.",
                sample(self._process.num_fds()),
            ),
            gauge(
                "process_threads",
                "Threads of the agent.",
                sample(len(os.listdir("/proc/self/task"))),
            ),
        ]


def version() -> str:
    """The version installed, or `unknown` in a checkout that is not.

    It is in the name of the folder that installers write; importlib.metadata would tell the same
    for 4 MB of memory.
    """
    for folder in dict.fromkeys(sys.path):
        for found in Path(folder).glob("jianwei-*.dist-info"):
            return found.name.removesuffix(".dist-info").removeprefix("jianwei-")
    return "unknown"

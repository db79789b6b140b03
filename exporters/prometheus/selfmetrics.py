"""The agent's own figures, under the names that Prometheus client libraries use.

CPU time, memory, descriptors and threads of this process come from psutil.
"""

from __future__ import annotations

import math
import sys
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
        with self._process.oneshot():
            cpu = self._process.cpu_times()
            memory = self._process.memory_info()
            descriptors = self._process.num_fds()
            threads = self._process.num_threads()
        return [
            *self._constant,
            counter(
                "process_cpu_seconds_total",
                "CPU time of the agent in user and kernel mode, in seconds.",
                sample(cpu.user + cpu.system),
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
            gauge("process_open_fds", "Descriptors the agent has open.", sample(descriptors)),
            gauge("process_threads", "Threads of the agent.", sample(threads)),
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

"""How many processes and threads there are, by state (proc(5)), and how many there may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Family,
    File,
    Inventory,
    Reading,
    Sample,
    gauge,
    malformed,
    sample,
)
from collectors.rows import Process

PROCESSES = Inventory("processes")
MAX_PROCESSES = File("/proc/sys/kernel/pid_max")
MAX_THREADS = File("/proc/sys/kernel/threads-max")


class ProcessesCollector(Collector, frozen=True):
    """Processes and threads by state. It looks at each of them, hence it is off by default."""

    name: ClassVar[str] = "processes"

    def readings(self) -> tuple[Reading, ...]:
        return PROCESSES, MAX_PROCESSES, MAX_THREADS

    def parse(self, answers: Answers) -> Iterable[Family]:
        processes = answers.rows(PROCESSES, Process)
        states = Counter(process.state for process in processes)
        threads = Counter("".join(process.thread_states for process in processes))
        yield gauge("node_processes_pids", "Processes.", sample(len(processes)))
        yield gauge("node_processes_threads", "Threads.", sample(sum(p.threads for p in processes)))
        yield gauge("node_processes_state", "Processes by state.", *_by("state", states))
        yield gauge(
            "node_processes_threads_state", "Threads by state.", *_by("thread_state", threads)
        )
        for name, reading, help_ in (
            ("processes", MAX_PROCESSES, "Process ids there are."),
            ("threads", MAX_THREADS, "Threads there may be at most."),
        ):
            with malformed(reading.path):
                limit = float(answers.text(reading))
            yield gauge(f"node_processes_max_{name}", help_, sample(limit))


def _by(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [Sample(((label, state),), count) for state, count in sorted(counts.items())]

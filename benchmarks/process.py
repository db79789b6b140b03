"""Running a command and measuring it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """One command: its output, wall and CPU time in seconds, most resident bytes."""

    output: bytes
    wall: float
    cpu: float
    memory: int


def run(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Raises RuntimeError unless the command ends well."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        process = subprocess.Popen(argv, stdout=out, env=environment)
        memory = 0  # ru_maxrss would be that of this process where it is larger
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            memory = max(memory, _most_resident(process.pid))
            time.sleep(0.01)
        wall, (_, status, usage) = time.perf_counter() - start, ended
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{argv[0]}: exit status {process.returncode}")
        out.seek(0)
        return Run(out.read(), wall, usage.ru_utime + usage.ru_stime, memory)


def _most_resident(pid: int) -> int:
    """VmHWM of a process that may just have ended."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0

"""`python -m benchmarks.historyagent`: what the agent's own history of one host costs.

CPU of a sample and of a rollup on disk, the file a day, and what a running agent pays for both.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agents.historyfile import HistoryFile
from agents.hosthistory import HostSampler
from benchmarks.agent import Figure
from collectors.sources.local import LocalSource
from exporters.history.accumulate import Accumulator, Rollup
from exporters.history.schema import SLOT
from exporters.history.store import Known
from exporters.history.units import METRICS

SAMPLES = 500
SAMPLES_A_SLOT = 10
SETTLE = 12.0  # seconds for an agent to begin
CONFIG = """
state_dir: {folder}
audit: {{packs: []}}
inventories: {{enable: false}}
probes: {{gateways: false}}
history: {{enable: {enable}, sample_interval: 1s}}
"""


def samples() -> Iterator[Figure]:
    """Looks at this machine, and the slots made of them."""
    host, slots = HostSampler(LocalSource(), 90.0), Accumulator()
    begin = time.thread_time()
    for number in range(SAMPLES):
        for stretch in host.sample(number * 30.0, 1e9 + number * 30.0):
            slots.add(stretch)
        slots.close(1e9 + number * 30.0)
    each = (time.thread_time() - begin) / SAMPLES
    yield Figure("CPU per sample of the host", each * 1e3, "ms")
    yield Figure("CPU of samples in five minutes", each * SAMPLES_A_SLOT * 1e3, "ms", target=10)


def rollups(folder: Path, days: int) -> Iterator[Figure]:
    """Rollups of one host as they go to disk, and how large days under way are."""
    file, count = HistoryFile(folder / "history.db", "Asia/Shanghai"), days * 86400 // SLOT
    file.open_spans()
    begin, waited = time.thread_time(), time.perf_counter()
    for slot in range(count):
        rows = [Rollup("h", name, slot * 1.1, slot * 1.2) for name in METRICS]
        file.write({slot: rows}, [Known("h", "host", "h", "", 1.0, float(slot))])
    cpu, wall = time.thread_time() - begin, time.perf_counter() - waited
    file.close()
    yield Figure(f"CPU per rollup of {len(METRICS)} metrics", cpu / count * 1e3, "ms", target=1)
    yield Figure("time of a rollup, on disk", wall / count * 1e3, "ms")
    yield Figure("file for a day under way", file.size() / days / 1e6, "MB")


def memory(folder: Path, enable: bool) -> dict[str, float]:
    """MB of an agent that keeps a history, or none."""
    config = folder / "agent.yaml"
    config.write_text(CONFIG.format(folder=folder / "state", enable=str(enable).lower()))
    argv = (sys.executable, "-m", "agents", "run", "--config", str(config))
    with subprocess.Popen(
        [*argv, "--web.listen-address", "127.0.0.1:0"], stdout=subprocess.DEVNULL
    ) as process:
        time.sleep(SETTLE)
        told = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        process.terminate()
    found = re.findall(r"^(Rss|Pss|Private_Dirty): +(\d+)", told, re.MULTILINE)
    return {name: int(value) / 1024 for name, value in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=5)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for figure in (*samples(), *rollups(folder, days)):
            print(figure)
        without, with_it = memory(folder, False), memory(folder, True)
        for kind, value in with_it.items():
            print(Figure(f"{kind} of an agent with a history", value, "MB", without[kind]))


if __name__ == "__main__":
    main()

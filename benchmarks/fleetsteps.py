"""What each step of a deployment costs: CPU seconds of a host and of the machine that deploys.

One host after the other, with a rest after each step for what it leaves running; then a look of the next deployment.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from agents.fleet import bundle as bundles
from agents.fleet import bundlefiles, inventory, overssh
from agents.fleet.configuring import MAIN
from agents.fleet.hands import Hand
from agents.fleet.model import FleetHost
from tests.fleetlab import Fleet

REST = 0.3  # seconds
FIRST_WORK = 10.0  # seconds: the agent's first audit is over
READY_WITHIN = 60.0  # seconds


class Spent:
    """CPU time of a cgroup from now on."""

    def __init__(self, cgroup: Path) -> None:
        self._file = cgroup / "cpu.stat"
        self._before = self._now()

    def _now(self) -> float:
        return int(self._file.read_text().split()[1]) / 1e6

    def seconds(self) -> float:
        return self._now() - self._before


class _Costs:
    """Of steps at one host after the other."""

    def __init__(self) -> None:
        self.there: defaultdict[str, float] = defaultdict(float)
        self.here: defaultdict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def of(self, step: str, cgroup: Path, rest: float = REST) -> Iterator[None]:
        spent, began = Spent(cgroup), time.process_time()
        yield
        self.here[step] += time.process_time() - began
        time.sleep(rest)
        self.there[step] += spent.seconds()


def table(hosts: Fleet, bundle: Path) -> str:
    """A line a step, the mean of the hosts."""
    costs = _Costs()
    hosts.inventory(path := hosts.folder / "steps.yaml")
    for known, host in zip(inventory.load(str(path)), hosts, strict=True):
        cgroup = hosts.cgroup / host.name
        _deploy(known, cgroup, bundle, costs)
        with costs.of("first work", cgroup, FIRST_WORK):
            pass
        with contextlib.ExitStack() as ends:
            with costs.of("connect again", cgroup):
                hand = _connected(known, ends)
            with costs.of("look again", cgroup):
                hand.look()
    count = len(hosts)
    lines = [
        f"  {step:14}{costs.there[step] / count:6.2f} s{costs.here[step] / count:6.2f} s"
        for step in costs.there
    ]
    return "\n".join(("CPU of a step:  host    here", *lines))


def _deploy(known: FleetHost, cgroup: Path, bundle: Path, costs: _Costs) -> None:
    sent, files = bundles.opened(str(bundle)), bundlefiles.read(str(bundle))
    with contextlib.ExitStack() as ends:
        with costs.of("connect", cgroup):
            hand = _connected(known, ends)
        with costs.of("look", cgroup):
            hand.look()
        with costs.of("upload", cgroup):
            hand.upload(sent, lambda count: None)
        with costs.of("unpack", cgroup):
            hand.unpack(sent)
        with costs.of("configure", cgroup):
            hand.configure({MAIN: files.config}, sent.version)
        with costs.of("activate", cgroup, 0.0):  # what comes then is its first work
            hand.activate(sent.version, READY_WITHIN)


def _connected(known: FleetHost, ends: contextlib.ExitStack) -> Hand:
    return ends.enter_context(overssh.reach(known, lambda text: None))

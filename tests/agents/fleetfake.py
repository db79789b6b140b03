"""Hosts that are folders: what host.sh would leave there is kept in a file, so that a deployer may be killed.

As a program it rolls a bundle out to them: `python -m tests.agents.fleetfake FOLDER COUNT SECONDS`.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from agents.fleet.configuring import Configurations
from agents.fleet.hands import Hand, Progress
from agents.fleet.hostlog import Write
from agents.fleet.hostside import Bundle, HostError, digest
from agents.fleet.journal import Journal
from agents.fleet.model import FleetHost, Outcome, Seen
from agents.fleet.plan import Wanted
from agents.fleet.rollout import Halt, Pace, roll
from agents.fleet.tasks import Deploying, Task
from agents.fleet.working import Worker
from collectors.sources.ssh.target import SshError

EMPTY = Seen(arch="x86_64", system="debian 12", systemd="252", free=1 << 32)
CONFIG = b"web: {listen: ['127.0.0.1:9808']}\n"
UNIT = "e" * 64
FOUR = Pace(parallel=4)


class FakeBundle(msgspec.Struct, frozen=True):
    version: str = "1.0"
    sha256: str = "b" * 64
    size: int = 1000
    path: str = ""


def wanted(bundle: FakeBundle) -> Wanted:
    return Wanted(
        version=bundle.version,
        arch="x86_64",
        sha256=bundle.sha256,
        size=bundle.size,
        room=4000,
        unit=UNIT,
    )


def named(count: int) -> list[FleetHost]:
    return [FleetHost(name=f"h{n:03}", address=f"ssh://10.0.0.{n}") for n in range(count)]


class KeptHosts:
    """Hosts in a folder. `unreachable` and `broken` are names; `broken` is by step as well: `h1 upload`.
    `before` is called before each step, by the thread that does it. `done` are the steps, in order;
    `refusing` say why they are not looked at; `log` is what an agent said where one broke."""

    def __init__(
        self,
        folder: Path,
        unreachable: frozenset[str] = frozenset(),
        broken: Mapping[str, str] | None = None,
        before: Callable[[str, str], None] = lambda host, step: None,
        refusing: Mapping[str, SshError] | None = None,
    ) -> None:
        self._folder = folder
        self.unreachable, self.broken, self.before = unreachable, dict(broken or {}), before
        self.refusing = refusing or {}
        self.done: list[tuple[str, str]] = []
        self.log = ["what the agent said"]
        folder.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def reach(self, host: FleetHost, say: Write) -> Iterator[Hand]:
        if host.name in self.unreachable:
            raise SshError(f"{host.name}: cannot connect: no route to host")
        yield KeptHand(self, host, say)

    def seen(self, host: str) -> Seen:
        path = self._folder / f"{host}.json"
        return msgspec.json.decode(path.read_bytes(), type=Seen) if path.exists() else EMPTY

    def put(self, host: str, **changed: object) -> None:
        new = msgspec.structs.replace(self.seen(host), **changed)
        aside = self._folder / f"{host}.new"
        aside.write_bytes(msgspec.json.encode(new))
        aside.replace(self._folder / f"{host}.json")

    def steps(self, host: str) -> list[str]:
        return [step for name, step in self.done if name == host]


class KeptHand:
    def __init__(self, hosts: KeptHosts, host: FleetHost, say: Write) -> None:
        self._hosts, self._host, self._say = hosts, host, say

    def _step(self, name: str) -> None:
        host = self._host.name
        self._hosts.before(host, name)
        self._hosts.done.append((host, name))
        for key in (host, f"{host} {name}"):
            if why := self._hosts.broken.get(key):
                raise HostError(why, self._hosts.log)

    def look(self) -> Seen:
        if error := self._hosts.refusing.get(self._host.name):
            self._hosts.done.append((self._host.name, "look"))
            raise error
        return self._hosts.seen(self._host.name)

    def upload(self, bundle: Bundle, progress: Progress) -> None:
        self._step("upload")
        progress(bundle.size)
        self._hosts.put(self._host.name, staged=bundle.sha256)

    def unpack(self, bundle: Bundle) -> None:
        self._step("unpack")
        versions = (*self.look().versions, bundle.version)
        self._hosts.put(self._host.name, staged="", versions=versions)

    def configure(self, files: Mapping[str, bytes], version: str) -> None:
        self._step("configure")
        self._hosts.put(self._host.name, config=digest(files))

    def activate(self, version: str, seconds: float) -> None:
        self._step("activate")
        seen = self.look()
        previous = seen.current if seen.current != version else seen.previous
        self._hosts.put(
            self._host.name,
            current=version,
            previous=previous,
            unit=UNIT,
            active=True,
            enabled=True,
            ready=True,
        )

    def rollback(self, seconds: float) -> None:
        self._step("rollback")
        seen = self.look()
        self._hosts.put(self._host.name, current=seen.previous, previous="")

    def uninstall(self, keep_state: bool) -> None:
        self._step("uninstall")
        self._hosts.put(self._host.name, **msgspec.structs.asdict(EMPTY))


class Quiet:
    """Nobody watches."""

    def began(self, host: str) -> None: ...

    def step(self, host: str, name: str, why: str) -> None: ...

    def sent(self, host: str, count: int) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...


def rolled(
    kept: KeptHosts,
    hosts: list[FleetHost],
    state: Path,
    task: Task | None = None,
    halt: Halt | None = None,
    pace: Pace = FOUR,
) -> dict[str, Outcome]:
    """One run, as `fleet deploy` does it."""
    halt = Halt() if halt is None else halt
    with contextlib.closing(Journal(state)) as journal:
        journal.began("deploy", "b" * 64, [host.name for host in hosts])
        worker = Worker(kept.reach, task or deploying(), Quiet(), halt, journal)
        return {it.host: it for it in roll(hosts, worker, pace, halt)}


def deploying(
    bundle: FakeBundle | None = None, folder: Path = Path("/"), upgrade: bool = False
) -> Deploying:
    bundle = bundle or FakeBundle()
    made = Configurations(str(folder), CONFIG)
    return Deploying(bundle, wanted(bundle), made, 5, upgrade)


if __name__ == "__main__":
    where, number, each = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    slow = KeptHosts(where / "hosts", before=lambda host, step: time.sleep(each))
    for one in rolled(slow, named(number), where / "state").values():
        print(one.host, one.state, flush=True)

"""What a rollout is for: deploying, going back, removing, or only looking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from agents.fleet import plan as plans
from agents.fleet.configuring import Configurations, Files
from agents.fleet.hands import Hand, Progress
from agents.fleet.hostside import Bundle
from agents.fleet.model import FleetHost, Seen, Step
from agents.fleet.plan import Plan, Wanted


class Task(Protocol):
    """`files`: the configuration that the task is about, if it is about one. `do` gives the version that is in
    force after a step, where that step tells; else None."""

    def files(self, host: FleetHost) -> Files | None: ...

    def plan(self, host: FleetHost, seen: Seen) -> Plan: ...

    def do(self, hand: Hand, host: FleetHost, step: Step, progress: Progress) -> str | None: ...


class Deploying:
    """Have a bundle and a configuration there. `wanted` is without a configuration: each host has its own.
    `seconds`: for an agent to become ready."""

    def __init__(
        self,
        bundle: Bundle,
        wanted: Wanted,
        configurations: Configurations,
        seconds: float,
        upgrade: bool = False,
        deployed: Mapping[str, str] | None = None,
    ) -> None:
        """`deployed`: host → the SHA-256 of the configuration that was put there last."""
        self._deployed = deployed or {}
        self._bundle, self._wanted, self._seconds = bundle, wanted, seconds
        self._configurations, self._upgrade = configurations, upgrade

    def files(self, host: FleetHost) -> Files:
        return self._configurations.of(host)

    def plan(self, host: FleetHost, seen: Seen) -> Plan:
        config = self.files(host).sha256
        deployed = self._deployed.get(host.name, "")
        wanted = msgspec.structs.replace(self._wanted, config=config, deployed=deployed)
        return plans.plan(host, seen, wanted, upgrade=self._upgrade)

    def do(self, hand: Hand, host: FleetHost, step: Step, progress: Progress) -> str | None:
        match step.name:
            case "upload":
                hand.upload(self._bundle, progress)
            case "unpack":
                hand.unpack(self._bundle)
            case "configure":
                hand.configure(self.files(host).files, self._wanted.version)
            case "activate":
                hand.activate(self._wanted.version, self._seconds)
                return self._wanted.version
            case _:
                raise AssertionError(step)
        return None


class GoingBack:
    """Have the version before run again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def files(self, host: FleetHost) -> None:
        return None

    def plan(self, host: FleetHost, seen: Seen) -> Plan:
        return plans.back(seen)

    def do(self, hand: Hand, host: FleetHost, step: Step, progress: Progress) -> None:
        hand.rollback(self._seconds)


class Removing:
    """Have nothing of ours there."""

    def __init__(self, keep_state: bool) -> None:
        self._keep_state = keep_state

    def files(self, host: FleetHost) -> None:
        return None

    def plan(self, host: FleetHost, seen: Seen) -> Plan:
        return plans.away(seen, self._keep_state)

    def do(self, hand: Hand, host: FleetHost, step: Step, progress: Progress) -> None:
        hand.uninstall(self._keep_state)


class Looking:
    """Nothing is done."""

    def files(self, host: FleetHost) -> None:
        return None

    def plan(self, host: FleetHost, seen: Seen) -> Plan:
        return Plan()

    def do(self, hand: Hand, host: FleetHost, step: Step, progress: Progress) -> None:
        raise AssertionError(step)

"""What is to be done on a host, from what was seen there and what is wanted. Nothing is read or asked here."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import msgspec

from agents.fleet.model import FleetHost, Seen, Step, StepName

FOREIGN: Final = "an agent that was installed otherwise is here: move its jianwei-agent.service and /etc/jianwei away"
AGENT: Final = "jianwei-agent"  # the bundle that has the agent alone
FULL: Final = "jianwei"  # and the one that has the console and the report as well
MARGIN: Final = 32 << 20  # bytes that a host keeps free
_NAMES: Final = {"amd64": "x86_64", "arm64": "aarch64"}  # as uname(1) has them


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle and a configuration. `size` and `room` are the bytes of the bundle and of what is in it;
    `config` and `unit` are SHA-256 as in Seen, empty where they do not matter; `deployed` is the configuration that
    was last put there from here, empty where nobody knows."""

    name: str = AGENT
    version: str
    arch: str
    sha256: str
    size: int
    room: int = 0
    config: str = ""
    deployed: str = ""
    unit: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps in order; none if nothing is to do. With a `problem` nothing may be done.

    `absent`: nothing is there that could be changed, which is what an upgrade leaves alone."""

    steps: tuple[Step, ...] = ()
    problem: str = ""
    send: int = 0  # bytes
    absent: bool = False


def plan(host: FleetHost, seen: Seen | str, wanted: Wanted, *, upgrade: bool = False) -> Plan:
    """How the host comes to have what is wanted. `seen` is a problem where it could not be looked at;
    `upgrade`: only where an agent is."""
    if isinstance(seen, str):
        return Plan(problem=seen)
    if upgrade and not seen.current:
        return Plan(
            problem="no agent is here to upgrade: jianwei fleet deploy puts one", absent=True
        )
    if seen.foreign:
        return Plan(problem=FOREIGN)
    if upgrade and older(wanted.version, seen.current):
        return Plan(
            problem=f"{seen.current} runs, the bundle has {wanted.version}: rollback or deploy goes back"
        )
    if not seen.systemd:
        return Plan(problem="no systemd is here, which is to run the agent")
    if _arch(seen.arch) != _arch(wanted.arch):
        return Plan(
            problem=f"the host is {seen.arch or 'of an unknown architecture'}, the bundle for "
            f"{wanted.arch}: give it a bundle of its own"
        )
    if wanted.version in (seen.current, seen.previous) and _other(seen, wanted):
        return Plan(
            problem=f"release {wanted.version} is there with other content: "
            "give the new build another version"
        )
    steps = tuple(_steps(seen, wanted))
    names = [step.name for step in steps]
    replaced = "unpack" in names or seen.current != wanted.version
    if replaced and (seen.bundle_name, wanted.name) == (FULL, AGENT):
        return Plan(
            problem="the full bundle (console, report) is here, and would lose its place: "
            f"upgrade this host with the bundle jianwei-{wanted.version}"
        )
    send = wanted.size if "upload" in names else 0
    room = send + (wanted.room if "unpack" in names else 0)
    if room and seen.free < room + MARGIN:
        return Plan(
            problem=f"no room on the disk: {mebibytes(seen.free)} are free for /opt/jianwei, "
            f"{mebibytes(room + MARGIN)} are needed"
        )
    return Plan(steps=steps, send=send)


def back(seen: Seen) -> Plan:
    """How the host goes back to the version before."""
    if not seen.previous:
        return Plan(problem="there is no version before this one to go back to")
    return Plan(steps=(Step("rollback", f"from {seen.current or 'none'} to {seen.previous}"),))


def away(seen: Seen, keep_state: bool) -> Plan:
    """How the agent goes. What host.sh cannot see is not there."""
    if seen.foreign and not seen.versions:
        return Plan(problem=FOREIGN)
    there = bool(seen.versions or seen.current or seen.config or seen.unit or seen.staged)
    if not there:
        return Plan(absent=True)
    what = "all but its state" if keep_state else "all of it"
    return Plan(steps=(Step("uninstall", f"{what} goes, {seen.current or 'no release'} with it"),))


def _steps(seen: Seen, wanted: Wanted) -> list[Step]:
    steps: list[Step] = []

    def add(name: StepName, why: str) -> None:
        steps.append(Step(name, why))

    why = ""
    if wanted.version not in seen.versions:
        why = f"{wanted.version} is not there"
    elif seen.bundles.get(wanted.version) == "damaged":
        why = f"{wanted.version} is damaged"
    elif _other(seen, wanted):
        why = f"{wanted.version} is there with other content"
    if why:
        if seen.staged != wanted.sha256:
            add("upload", why)
        add("unpack", why)
    if wanted.config and seen.config != wanted.config:
        add("configure", _differs(seen, wanted))
    if why := _restart(seen, wanted, {step.name for step in steps}):
        add("activate", why)
    return steps


def _differs(seen: Seen, wanted: Wanted) -> str:
    """How the configuration there came to be another."""
    if not seen.config:
        return "there is none yet"
    if not wanted.deployed:
        return "the configuration differs"
    there, here = seen.config != wanted.deployed, wanted.config != wanted.deployed
    if there and here:
        return "the configuration was changed here, and on the host"
    return f"the configuration was changed {'on the host' if there else 'here'}"


def _other(seen: Seen, wanted: Wanted) -> bool:
    """Whether the version is there, of another bundle; nobody knows of what install.sh or dpkg put there."""
    origin = seen.bundles.get(wanted.version, "")
    return origin not in ("", "console", "damaged", wanted.sha256)


def _restart(seen: Seen, wanted: Wanted, before: Collection[StepName]) -> str:
    """Why the agent is to be started anew; empty if it is not."""
    if seen.current != wanted.version:
        if not seen.current:
            return "the first version"
        back = "back, " if older(wanted.version, seen.current) else ""
        return f"{back}from {seen.current} to {wanted.version}"
    if wanted.unit and seen.unit != wanted.unit:
        return "the unit differs" if seen.unit else "the unit is not there"
    if "unpack" in before:
        return f"{wanted.version} is put there anew"
    if "configure" in before:
        return "the configuration is new"
    if not seen.active:
        return "it does not run"
    if not seen.enabled:
        return "it would not start with the host"
    return "" if seen.ready else "it runs and is not ready"


def older(version: str, other: str) -> bool:
    """Whether a version comes before another: 1.9 and 1.10rc1 before 1.10."""
    return _order(version) < _order(other)


def _order(version: str) -> tuple[tuple[int, int, str], ...]:
    def part(text: str) -> tuple[int, int, str]:
        if text.isdigit():
            return 3, int(text), ""
        return (2 if text in ("+", "post") else 0), 0, text

    return (*map(part, re.findall(r"[0-9]+|[A-Za-z]+|[+~]", version)), (1, 0, ""))


def mebibytes(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"


def _arch(name: str) -> str:
    return _NAMES.get(name, name)

"""Lines of the extranet: what people write of each, and what is probed for it.

docs/lines.md describes the file for people who write one; `linesfile` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, NamedTuple, get_args

import msgspec

from collectors.link.devices import Device, InterfaceRef, MeteredLine
from collectors.link.linevalues import Bandwidth, Dscp
from collectors.link.settings import PAYLOAD, Families, ProbeTarget, own_family

Level = Literal["province", "city", "county", "town", "village"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
Role = Literal["main", "backup"]

MAX_TARGETS = 16  # of one line
# Modules that are there without a modules file, with their probers.
MODULES: Final[Mapping[str, str]] = {
    "icmp": "icmp",
    "icmp4": "icmp",
    "icmp6": "icmp",
    "tcp_connect": "tcp",
    "http_2xx": "http",
}

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=150)]
Words = Annotated[str, msgspec.Meta(max_length=150)]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class ModuleProbe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A probe by a module of the modules file; `target` as `/probe` takes it."""

    module: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line. `site` is what it connects, by default its own name; `peer` is the other line of a
    pair of main and backup; `bandwidth` is what the contract says, in bit/s.

    Echoes go to every one of `targets` in every family it has, out of `source` (an address or a
    device) with `dscp` and `payload` bytes (None: the prober's own).
    """

    name: Name
    targets: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=MAX_TARGETS)]
    site: Words = ""
    level: Level | None = None
    carrier: Words = ""
    role: Role = "main"
    peer: Words = ""
    bandwidth: Bandwidth | None = None
    family: Families = "both"
    probes: tuple[Literal["icmp"] | ModuleProbe, ...] = ("icmp",)
    dscp: Dscp = Dscp(0)
    payload: Annotated[int, msgspec.Meta(ge=12, le=1400)] | None = None
    source: Words = ""
    interface: InterfaceRef | None = None


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units of each level there are to connect; None: as many as there are sites."""

    province: Annotated[int, msgspec.Meta(ge=0)] | None = None
    city: Annotated[int, msgspec.Meta(ge=0)] | None = None
    county: Annotated[int, msgspec.Meta(ge=0)] | None = None
    town: Annotated[int, msgspec.Meta(ge=0)] | None = None
    village: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Lines(msgspec.Struct, frozen=True):
    """A whole file. `warnings` are for people."""

    lines: tuple[Line, ...] = ()
    units: Units = Units()
    devices: Mapping[str, Device] = {}
    modules: Mapping[str, str] = msgspec.field(default_factory=lambda: MODULES)
    modules_file: str | None = None
    warnings: tuple[str, ...] = ()


class LineProbe(NamedTuple):
    """One thing that is probed for a line. `name` is the label `target` of its series.

    `module` is empty for echoes, which go out as the line says.
    """

    line: str
    name: str
    prober: str
    module: str
    target: str
    family: Families


def probes_of(line: Line, modules: Mapping[str, str] = MODULES) -> list[LineProbe]:
    """Everything that is probed for a line.

    Echoes are named as the line, from the second target on `LINE#2`; modules `LINE/MODULE`.
    """
    found: list[LineProbe] = []
    counts: dict[str, int] = {}
    for probe in line.probes:
        if probe == "icmp":
            for target in line.targets:
                name = _numbered(line.name, counts)
                found.append(LineProbe(line.name, name, "icmp", "", target, line.family))
        elif isinstance(probe, ModuleProbe):
            name = _numbered(f"{line.name}/{probe.module}", counts)
            prober = modules.get(probe.module, "")
            found.append(
                LineProbe(line.name, name, prober, probe.module, probe.target, line.family)
            )
    return found


def targets_of(lines: Iterable[Line]) -> list[ProbeTarget]:
    """The targets of echoes, in the order of the lines."""
    return [
        ProbeTarget(
            probe.name,
            probe.target,
            probe.family,
            dscp=int(line.dscp),
            payload=line.payload or PAYLOAD,
            source=line.source if own_family(line.source) else "",
            device="" if own_family(line.source) else line.source,
        )
        for line in lines
        for probe in probes_of(line)
        if not probe.module
    ]


def metered(whole: Lines) -> list[MeteredLine]:
    """The lines that end at an interface of a device that is known."""
    return [
        MeteredLine(line.name, line.interface, float(line.bandwidth) if line.bandwidth else None)
        for line in whole.lines
        if line.interface and line.interface.device in whole.devices
    ]


def _numbered(name: str, counts: dict[str, int]) -> str:
    counts[name] = number = counts.get(name, 0) + 1
    return name if number == 1 else f"{name}#{number}"

"""One row as people wrote it becomes a line, or everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from collectors import rowsfile
from collectors.csvtable import Row as Row
from collectors.link import asked as asking
from collectors.link.lines import LEVELS, MAX_TARGETS, Line, ModuleProbe
from collectors.link.resolve import valid_name
from collectors.rowsfile import LEVEL_WORDS, Problem, text_problem
from collectors.rowsfile import nearest as nearest

# The same values in Chinese, and in other words that stand in inventories.
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "level": LEVEL_WORDS,
    "role": {
        **dict.fromkeys(("主", "主用", "主线", "主线路"), "main"),
        **dict.fromkeys(("备", "备用", "备线", "备份", "备线路"), "backup"),
    },
    "family": {
        **dict.fromkeys(("双栈", "dual"), "both"),
        **dict.fromkeys(("IPv4", "IPV4", "v4"), "ipv4"),
        **dict.fromkeys(("IPv6", "IPV6", "v6"), "ipv6"),
    },
}

# what must be there, and what stands for it where it is wrong
_STAND_INS: Final[Row] = {"name": "?", "targets": ["stand.in"]}
_CHOICES: Final = {"level": LEVELS, "role": ("main", "backup"), "family": ("both", "ipv4", "ipv6")}
_DEVICE = re.compile(r"[^\s/:%]{1,15}")


def converted(row: Row) -> tuple[Line, list[Problem]]:
    """The row as a line without what is wrong, and everything that is wrong with it."""
    return rowsfile.converted(row, Line, _STAND_INS, _explained)


def _explained(key: str, value: Any, message: str) -> Problem:
    """msgspec's words in ours; a part of the value is named behind the key."""
    problem, _, where = message.partition(" - at `$")
    part = key + where.rstrip("`")
    if match := re.match(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        valid = ("device", "name") if key == "interface" else ("module", "target")
        return part, f"unknown key {match[1]!r:.60}; valid keys: {', '.join(valid)}"
    if match := re.match(r"Object missing required field `(.*)`", problem):
        return part, f"the key {match[1]!r} is missing"
    if part.startswith("probes"):
        return part, f"{value!r:.60} is not a list of icmp and {{module: NAME, target: TEXT}}"
    if part == "targets" and isinstance(value, (list, tuple)):
        return part, f"has {len(value)} entries; write from 1 to {MAX_TARGETS}"
    return rowsfile.explained(key, value, message, _CHOICES)


def translated(row: Row) -> Row:
    return rowsfile.translated(row, VALUES)


def problems_of(line: Line, modules: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the values of one line."""
    for key in ("name", "site", "carrier", "peer"):
        if problem := text_problem(getattr(line, key)):
            yield key, problem
    if line.peer and line.peer == line.name:
        yield "peer", "is the line itself; name the other line of the pair"
    own = set()
    for number, target in enumerate(line.targets):
        key = f"targets[{number}]"
        family = family_of(target)
        own.add(family)
        if problem := _target_problem(target):
            yield key, problem
        elif family and line.family not in ("both", family):
            yield key, f"{target} is an {family} address, and family is {line.family}"
        if target in line.targets[:number]:
            yield key, f"{target} is there twice"
    if line.source:
        yield from _source_problems(line, own)
    yield from _probe_problems(line, modules)


def _target_problem(target: str) -> str:
    try:
        address = ip_address(target)
    except ValueError:
        if valid_name(target):
            return ""
        hint = ""
        if "/" in target or re.fullmatch(r".+:\d+", target):
            hint = "; a URL or port is probed by probes: [{module: NAME, target: TEXT}]"
        return f"{target!r:.60} is no address and no DNS name{hint}"
    if address.is_unspecified or address.is_multicast or target == "255.255.255.255":
        return f"{target} is not the address of one host"
    if isinstance(address, IPv6Address) and address.is_link_local and not address.scope_id:
        return f"{target} is link-local and needs its device: {target}%eth0"
    return ""


def _source_problems(line: Line, own: set[str | None]) -> Iterator[Problem]:
    """A source address has one family, so the line must have no other."""
    family = family_of(line.source)
    if not family:
        if not _DEVICE.fullmatch(line.source) or line.source in (".", ".."):
            yield "source", f"{line.source!r:.60} is no address and no device of this host"
        return
    probed = {one or line.family for one in own}
    if probed - {family}:
        yield (
            "source",
            f"{line.source} is an {family} address, and the line is probed over "
            f"{'both families' if 'both' in probed else ' and '.join(sorted(probed))}; "
            f"write family: {family}, or the name of the device",
        )


def _probe_problems(line: Line, modules: Mapping[str, str]) -> Iterator[Problem]:
    if not line.probes:
        yield "probes", "is an empty list; leave the key out for icmp"
    for number, probe in enumerate(line.probes):
        if isinstance(probe, ModuleProbe):
            if probe.module in modules:
                try:
                    asking.split(modules[probe.module], probe.target)
                except ValueError as error:
                    yield f"probes[{number}].target", str(error)
            else:
                hint = nearest(probe.module, modules)
                yield f"probes[{number}].module", f"there is no module {probe.module!r}; {hint}"
        if probe in line.probes[:number]:
            yield f"probes[{number}]", "is there twice"


def family_of(target: str) -> Any:
    """The family of a literal address, None of anything else."""
    if ":" not in target and not target[-1:].isdigit():
        return None  # most names; an exception costs ten times as much
    try:
        return "ipv4" if isinstance(ip_address(target), IPv4Address) else "ipv6"
    except ValueError:
        return None

"""Rows as people wrote them become lines, and every mistake in them is told, not the first only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

import msgspec

from collectors.link.lines import LEVELS, MAX_TARGETS, Line, ModuleProbe, probes_of
from collectors.link.resolve import valid_name
from collectors.strictyaml import DocumentError, decode

MAX_SHOWN = 100  # mistakes

Row = dict[str, Any]
Tell = Callable[[int, str, str], DocumentError]  # row, key (or empty), what is wrong
Problem = tuple[str, str]  # key, what is wrong

# The same values in Chinese, and in other words that stand in inventories.
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "level": {
        **dict.fromkeys(("省", "省级", "省直"), "province"),
        **dict.fromkeys(("市", "市级", "地市", "市直"), "city"),
        **dict.fromkeys(("县", "县级", "区县", "区", "县区"), "county"),
        **dict.fromkeys(("乡镇", "乡", "镇", "街道", "乡镇街道", "乡镇级"), "town"),
        **dict.fromkeys(("村", "社区", "行政村", "村社区", "村级"), "village"),
    },
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

_FIELDS: Final = {field.name: field.type for field in msgspec.structs.fields(Line)}
_REQUIRED: Final = ("name", "targets")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DEVICE = re.compile(r"[^\s/:%]{1,15}")


class Checked:
    """The lines that are right, and all that is wrong or odd."""

    def __init__(self, rows: Sequence[Row], tell: Tell, modules: Mapping[str, str]) -> None:
        self.lines: list[Line] = []
        self.mistakes: list[DocumentError] = []
        self.warnings: list[DocumentError] = []
        self._tell, self._modules = tell, modules
        self._names: dict[str, int] = {}  # names of all rows, whether they are right or not
        self._by_name: dict[str, tuple[int, Line]] = {}
        self._numbers: list[int] = []
        for number, row in enumerate(rows):
            self._row(number, row)
        self._series_names()
        self._pairs()
        self._shared_targets()
        self._levels_of_sites()

    def _row(self, number: int, row: Row) -> None:
        row = _translated(row)
        name = row.get("name")
        known = self._names.get(name) if isinstance(name, str) else None
        if known is not None:
            where = self._tell(known, "name", "").line
            self._wrong(number, "name", f"the line {name!r} is on line {where} already; rename one")
        elif isinstance(name, str):
            self._names[name] = number
        line, problems = converted(row)
        if line:
            problems = list(_problems(line, self._modules))
        for key, problem in problems:
            self._wrong(number, key, problem)
        if line and not problems and known is None:
            if not line.site:
                line = msgspec.structs.replace(line, site=line.name)
            self.lines.append(line)
            self._numbers.append(number)
            self._by_name[line.name] = number, line
            if line.family == "both" and "family" in row:
                self._one_family_only(number, line)

    @property
    def devices(self) -> Iterator[tuple[int, str]]:
        """The devices that lines name, with the rows."""
        for number, line in zip(self._numbers, self.lines, strict=True):
            if line.interface:
                yield number, line.interface.device

    def _wrong(self, number: int, key: str, problem: str) -> None:
        self.mistakes.append(self._tell(number, key, problem))

    def _odd(self, number: int, key: str, problem: str) -> None:
        self.warnings.append(self._tell(number, key, problem))

    def _one_family_only(self, number: int, line: Line) -> None:
        own = {_family(target) for target in line.targets}
        if len(own) == 1 and (family := own.pop()):
            self._odd(number, "family", f"is both, but every target is an {family} address")

    def _series_names(self) -> None:
        """`a#2` is the second target of `a`, and must not be another line's name."""
        for number, line in zip(self._numbers, self.lines, strict=True):
            if len(line.targets) == 1 and line.probes == ("icmp",):
                continue
            for probe in probes_of(line, self._modules):
                other = self._names.get(probe.name, number)
                if other != number:
                    problem = (
                        f"{probe.name!r} is how a target of the line {line.name!r} is called; "
                        "rename one of the two"
                    )
                    self._wrong(other, "name", problem)

    def _pairs(self) -> None:
        for number, line in zip(self._numbers, self.lines, strict=True):
            if not line.peer:
                if line.role == "backup":
                    self._odd(number, "peer", "a backup line without peer backs up nothing")
            elif line.peer not in self._names:
                hint = ""
                if len(self.mistakes) < MAX_SHOWN:  # a look through ten thousand names
                    hint = f"; {_nearest(line.peer, self._names)}"
                self._wrong(number, "peer", f"there is no line {line.peer!r}{hint}")
            elif line.peer in self._by_name:
                self._pair(number, line, *self._by_name[line.peer])

    def _pair(self, number: int, line: Line, other_number: int, other: Line) -> None:
        if other.peer != line.name:
            says = f"names {other.peer!r} as its peer" if other.peer else "names no peer"
            self._wrong(number, "peer", f"{other.name!r} {says}; write there peer: {line.name}")
        elif number > other_number:  # told once, at the second of the two
            if line.role == other.role:
                self._wrong(
                    number,
                    "role",
                    f"this line and its peer {other.name!r} are both {line.role}; "
                    "one must be main and one backup",
                )
            if line.site != other.site:
                self._wrong(
                    number,
                    "site",
                    f"is {line.site!r}, and that of the peer {other.name!r} is {other.site!r}; "
                    "a pair ends at one site",
                )

    def _shared_targets(self) -> None:
        seen: dict[str, tuple[int, Line]] = {}
        for number, line in zip(self._numbers, self.lines, strict=True):
            for target in line.targets:
                first_number, first = seen.setdefault(target.lower(), (number, line))
                if first is not line:
                    where = self._tell(first_number, "targets", "").line
                    self._odd(
                        number,
                        "targets",
                        f"{target} is a target of the line {first.name!r} (line {where}) too",
                    )

    def _levels_of_sites(self) -> None:
        seen: dict[str, Line] = {}
        for number, line in zip(self._numbers, self.lines, strict=True):
            first = seen.setdefault(line.site, line)
            if first.level != line.level:
                self._odd(
                    number,
                    "level",
                    f"the site {line.site!r} is {first.level} by the line {first.name!r}; "
                    "here it counts as another site",
                )


def converted(row: Row) -> tuple[Line | None, list[Problem]]:
    """The row as a line, or everything that is wrong with its keys and types."""
    try:
        return msgspec.convert(row, Line, strict=False, dec_hook=decode), []
    except msgspec.ValidationError:
        problems = []
    for key, value in row.items():
        if key not in _FIELDS:
            problems.append((key, f"unknown key; {_nearest(key, _FIELDS)}"))
            continue
        try:
            msgspec.convert(value, _FIELDS[key], strict=False, dec_hook=decode)
        except msgspec.ValidationError as error:
            problems.append(_explained(key, value, str(error)))
    problems += [(key, "is missing") for key in _REQUIRED if key not in row]
    return None, problems


def _explained(key: str, value: Any, message: str) -> Problem:
    """msgspec's words in ours; a part of the value is named behind the key."""
    problem, _, where = message.partition(" - at `$")
    key += where.rstrip("`")
    if match := re.match(r"Invalid enum value '(.*)'", problem, re.DOTALL):
        choices = {"level": LEVELS, "role": ("main", "backup")}.get(key, ("both", "ipv4", "ipv6"))
        return key, f"{match[1]!r:.60} is not one of: {', '.join(choices)}"
    if match := re.match(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        valid = ("device", "name") if key == "interface" else ("module", "target")
        return key, f"unknown key {match[1]!r:.60}; valid keys: {', '.join(valid)}"
    if match := re.match(r"Object missing required field `(.*)`", problem):
        return key, f"the key {match[1]!r} is missing"
    if key.startswith("probes"):
        return key, f"{value!r:.60} is not a list of icmp and {{module: NAME, target: TEXT}}"
    if key == "targets" and isinstance(value, (list, tuple)):
        return key, f"has {len(value)} entries; write from 1 to {MAX_TARGETS}"
    if "of length >= 1" in problem:
        return key, "is empty"
    if match := re.search(r"of length <= (\d+)", problem):
        return key, f"is longer than {match[1]} characters"
    if problem.startswith("Expected") and problem.endswith("got `null`"):
        return key, "is empty; write a value or leave the key out"
    for theirs, ours in (("`", ""), ("Expected", "expected"), ("object", "mapping")):
        problem = problem.replace(theirs, ours)
    problem = problem.replace("array", "list").replace("str", "text")
    if "expected text" in problem:
        problem += f"; put it in quotes: {str(value)!r:.60}"
    return key, problem


def _translated(row: Row) -> Row:
    for key, words in VALUES.items():
        value = row.get(key)
        if isinstance(value, str) and value in words:
            row = {**row, key: words[value]}
    return row


def _problems(line: Line, modules: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the values of one line."""
    for key in ("name", "site", "carrier", "peer"):
        text = getattr(line, key)
        if _CONTROL.search(text):
            yield key, f"{text!r:.60} has a control character"
        elif text != text.strip():
            yield key, f"{text!r:.60} begins or ends with a space"
    if line.peer and line.peer == line.name:
        yield "peer", "is the line itself; name the other line of the pair"
    own = set()
    for number, target in enumerate(line.targets):
        key = f"targets[{number}]"
        family = _family(target)
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
    family = _family(line.source)
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
        if isinstance(probe, ModuleProbe) and probe.module not in modules:
            hint = _nearest(probe.module, modules)
            yield f"probes[{number}].module", f"there is no module {probe.module!r}; {hint}"
        if probe in line.probes[:number]:
            yield f"probes[{number}]", "is there twice"


def _family(target: str) -> Any:
    """The family of a literal address, None of anything else."""
    if ":" not in target and not target[-1:].isdigit():
        return None  # most names; an exception costs ten times as much
    try:
        return "ipv4" if isinstance(ip_address(target), IPv4Address) else "ipv6"
    except ValueError:
        return None


def _nearest(name: str, valid: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, valid, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    few = ", ".join(list(valid)[:20])
    return f"there are: {few}" + (" …" if len(valid) > 20 else "")

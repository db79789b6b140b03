"""Rows as people wrote them become lines, and every mistake in them is told, not the first only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from collectors.link.linerow import Row, converted, family_of, nearest, problems_of, translated
from collectors.link.lines import Line, probes_of
from collectors.rowsfile import ENOUGH, Tell
from collectors.strictyaml import DocumentError


class Checked:
    """The lines that are right, and all that is wrong or odd."""

    def __init__(self, rows: Sequence[Row], tell: Tell, modules: Mapping[str, str]) -> None:
        self.lines: list[Line] = []
        self.mistakes: list[DocumentError] = []
        self.warnings: list[DocumentError] = []
        self._tell, self._modules = tell, modules
        self._names: dict[str, int] = {}
        self._numbers: list[int] = []  # of the rows of `lines`
        self._by_name: dict[str, tuple[int, Line]] = {}
        self._wrong_keys: dict[int, set[str]] = {}  # by row
        for number, row in enumerate(rows):
            self._row(number, translated(row))
        self._series_names()
        self._pairs()
        self._shared_targets()
        self._levels_of_sites()

    def _row(self, number: int, row: Row) -> None:
        line, problems = converted(row)
        problems += problems_of(line, self._modules)
        for key, problem in problems:
            self._wrong(number, key, problem)
        name = row.get("name")
        if isinstance(name, str) and (known := self._names.setdefault(name, number)) != number:
            where = self._tell(known, "name", "").line
            self._wrong(number, "name", f"the line {name!r} is on line {where} already; rename one")
        elif line.name == name:
            if not line.site:
                line = msgspec.structs.replace(line, site=name)
            self.lines.append(line)
            self._numbers.append(number)
            self._by_name[name] = number, line
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
        self._wrong_keys.setdefault(number, set()).add(key)

    def _odd(self, number: int, key: str, problem: str) -> None:
        self.warnings.append(self._tell(number, key, problem))

    def _one_family_only(self, number: int, line: Line) -> None:
        own = {family_of(target) for target in line.targets}
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
                if line.role == "backup" and number not in self._wrong_keys:
                    self._odd(number, "peer", "a backup line without peer backs up nothing")
            elif line.peer not in self._names:
                hint = ""
                if len(self._names) * len(self.mistakes) < ENOUGH:
                    hint = f"; {nearest(line.peer, self._names)}"
                self._wrong(number, "peer", f"there is no line {line.peer!r}{hint}")
            elif line.peer in self._by_name:
                self._pair(number, line, *self._by_name[line.peer])

    def _pair(self, number: int, line: Line, other_number: int, other: Line) -> None:
        wrong = self._wrong_keys.get(number, set()) | self._wrong_keys.get(other_number, set())
        if "peer" in wrong:
            return
        if other.peer != line.name:
            says = f"names {other.peer!r} as its peer" if other.peer else "names no peer"
            self._wrong(number, "peer", f"{other.name!r} {says}; write there peer: {line.name}")
        elif number > other_number:  # told once, at the second of the two
            if line.role == other.role and "role" not in wrong:
                self._wrong(
                    number,
                    "role",
                    f"this line and its peer {other.name!r} are both {line.role}; "
                    "one must be main and one backup",
                )
            if line.site != other.site and "site" not in wrong:
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

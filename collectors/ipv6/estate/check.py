"""Rows of the estate as people wrote them become structs, and every mistake in them is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from collectors import rowsfile
from collectors.csvtable import Row
from collectors.ipv6.estate.model import KINDS, LEVELS, LOCAL, RECORDED, EstateRow
from collectors.link import weburl
from collectors.rowsfile import ENOUGH, Problem, Tell, nearest, text_problem
from collectors.sources.ssh.target import SshError, parse_address
from collectors.strictyaml import DocumentError

_STAND_INS: Row = {"name": "?", "kind": "host"}
_CHOICES = {"kind": KINDS, "level": LEVELS}
_PLACES = "write ssh://user@host, local, or recorded: DIR"


class Checked:
    """The rows that are right, and all that is wrong."""

    def __init__(self, rows: Sequence[Row], tell: Tell) -> None:
        self.rows: list[EstateRow] = []
        self.mistakes: list[DocumentError] = []
        self._tell = tell
        self._names: dict[str, int] = {}
        self._targets: dict[str, int] = {}
        self._kinds: dict[str, Any] = {}
        self._numbers: list[int] = []
        for number, row in enumerate(rows):
            self._row(number, row)
        for number, one in zip(self._numbers, self.rows, strict=True):
            self._behind(number, one)

    def _wrong(self, number: int, key: str, problem: str) -> None:
        self.mistakes.append(self._tell(number, key, problem))

    def _row(self, number: int, row: Row) -> None:
        one, problems = rowsfile.converted(row, EstateRow, _STAND_INS, _explained)
        wrong = {key.partition("[")[0] for key, _ in problems}
        problems += _texts(one)
        if "kind" not in wrong:
            problems += _place(one, wrong)
        for key, problem in problems:
            self._wrong(number, key, problem)
        name = row.get("name")
        if not isinstance(name, str) or one.name != name:
            return
        if (known := self._names.setdefault(name, number)) != number:
            where = self._tell(known, "name", "").line
            problem = f"the name {name!r:.160} is on line {where} already; rename one"
            self._wrong(number, "name", problem)
            return
        self._kinds[name] = None if "kind" in wrong else one.kind
        self._once(number, one)
        self.rows.append(one)
        self._numbers.append(number)

    def _once(self, number: int, one: EstateRow) -> None:
        """A subject that is there twice would count twice."""
        key = "url" if one.kind == "site" else "host"
        same = _same(one)
        if same and (known := self._targets.setdefault(same, number)) != number:
            where = self._tell(known, key, "").line
            problem = f"{one.target!r:.160} is on line {where} already; leave one of the two out"
            self._wrong(number, key, problem)

    def _behind(self, number: int, one: EstateRow) -> None:
        for index, name in enumerate(one.hosts):
            key = f"hosts[{index}]"
            if name in one.hosts[:index]:
                self._wrong(number, key, f"{name!r:.160} is there twice")
            elif name not in self._names:
                few = len(self._names) * len(self.mistakes) < ENOUGH
                hosts = {n: 0 for n, kind in self._kinds.items() if kind == "host"} if few else {}
                hint = f"; {nearest(name, hosts)}" if hosts else "; add a row of kind host for it"
                self._wrong(number, key, f"there is no host {name!r:.160}{hint}")
            elif self._kinds.get(name) == "site":
                self._wrong(number, key, f"{name!r:.160} is a site; name rows of kind host")


def _explained(key: str, value: Any, message: str) -> Problem:
    if key == "host" and not isinstance(value, str):
        return key, f"{value!r:.60} is no place of a host; {_PLACES}"
    if key == "hosts" and not isinstance(value, list):
        return key, f"{value!r:.60} is not a list of names of hosts"
    return rowsfile.explained(key, value, message, _CHOICES)


def _texts(one: EstateRow) -> Iterator[Problem]:
    for key in ("name", "department", "owner"):
        if problem := text_problem(getattr(one, key)):
            yield key, problem


def _place(one: EstateRow, wrong: set[str]) -> Iterator[Problem]:
    """A site has a URL, a host a place where it is asked, and neither has the other's."""
    if one.kind == "site":
        if one.url is None and "url" not in wrong:
            yield "url", "is missing; a site has one, such as https://www.example.gov.cn/"
        if one.host is not None:
            yield "host", "is of a host; name what stands behind a site in hosts"
        if one.url is not None:
            try:
                weburl.parse(one.url)
            except ValueError as error:
                yield "url", f"{error}; write for example https://www.example.gov.cn/"
        return
    for key in ("url", "hosts"):
        if getattr(one, key):
            yield key, "is of a site, and this row is a host"
    if one.host is None:
        if "host" not in wrong:
            yield "host", f"is missing; {_PLACES}"
    elif problem := _host_problem(one.host):
        yield "host", problem


def _host_problem(place: str) -> str:
    if problem := text_problem(place):
        return problem
    if place == LOCAL:
        return ""
    if place.startswith(RECORDED):
        return "" if place.removeprefix(RECORDED).strip() else f"names no folder; {_PLACES}"
    if not place.startswith("ssh://"):
        return f"{place!r:.160} is no place of a host; {_PLACES}"
    try:
        parse_address(place)
    except SshError as error:
        return str(error)
    return ""


def _same(one: EstateRow) -> str:
    """What is equal where two rows are one subject; empty where it is not known."""
    if one.kind == "host":
        return f"host {one.host}" if one.host else ""
    try:
        return f"site {weburl.parse(one.url or '')}"
    except ValueError:
        return ""

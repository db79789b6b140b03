"""Exemptions: resources that may be idle until a day, for a reason. A YAML document kept under review.

    exemptions:
      - id: E-2026-004
        resources: [dr-*]             # ids or names; * and ? as in a shell
        departments: [市大数据局]      # these three: one or more of them, and each that is given must fit
        systems: [统一备份]
        states: [idle, low]           # optional: idle, low, busy, stopped, detached; all but busy if left out
        reason: 容灾备机，平时不承载业务
        owner: 张伟
        approver: 李敏
        expires: 2027-03-31           # its last day

After its last day it is in force for nothing, and what it was for says so.
"""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

import msgspec

from collectors import strictyaml
from collectors.rowsfile import text_problem
from collectors.strictyaml import Document
from rules.usagemodel import ResourceUse
from rules.waivers import PLAIN, person

Exemptible = Literal["idle", "low", "busy", "stopped", "detached"]
SCOPES = ("resources", "departments", "systems")


class Exemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One exemption: its scope, from which states, why, whose it is, who approved it, until when."""

    id: str
    reason: str
    owner: str
    approver: str
    expires: date
    resources: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    states: tuple[Exemptible, ...] = ("idle", "low", "stopped", "detached")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    exemptions: tuple[Exemption, ...]


class Exemptions:
    """All of them, found by resource: 10,000 resources are not held against each in turn."""

    def __init__(self, exemptions: Iterable[Exemption] = ()) -> None:
        self.all = tuple(exemptions)
        self._named: dict[str, list[int]] = defaultdict(list)  # by name, department, system
        self._patterns: list[tuple[re.Pattern[str], int]] = []
        for number, one in enumerate(self.all):
            # one scope is enough to find it by; `_fits` looks at all of them
            for name in one.resources or one.departments or one.systems:
                if one.resources and ("*" in name or "?" in name):
                    self._patterns.append((_compiled(name), number))
                else:
                    self._named[name].append(number)
        # one look for nearly all resources, which none of the patterns is for
        self._any = re.compile("|".join(pattern.pattern for pattern, _ in self._patterns))
        self._resources = [[_compiled(name) for name in one.resources] for one in self.all]

    def of(self, use: ResourceUse) -> Sequence[Exemption]:
        """Those whose scope a resource is in, in the order of the file."""
        if not self.all:
            return ()
        names = (use.resource, use.name)
        numbers = {
            number
            for text in (*names, use.department, use.system)
            for number in self._named.get(text, ())
        }
        if self._patterns and any(map(self._any.fullmatch, names)):
            numbers |= {n for pattern, n in self._patterns if any(map(pattern.fullmatch, names))}
        return [self.all[n] for n in sorted(numbers) if self._fits(n, use)]

    def _fits(self, number: int, use: ResourceUse) -> bool:
        one, patterns = self.all[number], self._resources[number]
        names = (use.resource, use.name)
        return (
            (not patterns or any(p.fullmatch(name) for p in patterns for name in names))
            and (not one.departments or use.department in one.departments)
            and (not one.systems or use.system in one.systems)
        )


def load(path: str) -> Exemptions:
    """The exemptions of a file; raises DocumentError."""
    document = Document(strictyaml.read(path), path)
    exemptions = document.convert(_File).exemptions
    seen: dict[str, int] = {}
    for number, one in enumerate(exemptions):
        _check(document, number, one)
        if one.id in seen:
            line = document.line(("exemptions", seen[one.id], "id"))
            raise document.error(
                ("exemptions", number, "id"), f"{one.id!r} is on line {line} already"
            )
        seen[one.id] = number
    return Exemptions(exemptions)


def _check(document: Document, number: int, one: Exemption) -> None:
    where = ("exemptions", number)
    for part in ("id", "reason", "owner", "approver"):
        text = getattr(one, part)
        if problem := text_problem(text) if text.strip() else "is empty":
            raise document.error((*where, part), problem)
    if not any(getattr(one, scope) for scope in SCOPES):
        raise document.error(
            where, f"names nothing; write one of {', '.join(SCOPES)}, such as resources: [dr-*]"
        )
    for scope in SCOPES:
        for n, name in enumerate(getattr(one, scope)):
            if not name.strip():
                raise document.error((*where, scope, n), "is empty")
    if "states" in document.data["exemptions"][number] and not one.states:
        raise document.error((*where, "states"), "is empty; leave it out for all but busy")
    if person(one.owner) == person(one.approver):
        raise document.error((*where, "approver"), "nobody approves an exemption of their own")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.translate(PLAIN)))

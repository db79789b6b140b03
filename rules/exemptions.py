"""Exemptions: resources that may be idle until a day, for a reason. rules/exemptionsfile.py reads them.

After its last day an exemption is in force for nothing, and what it was for says so.
"""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, Literal, get_args

import msgspec

from rules.usagejudgement import Judgement
from rules.usagemodel import ResourceUse
from rules.waivers import PLAIN

Exemptible = Literal["idle", "low", "busy", "stopped", "detached"]
EXEMPTIBLE: Final[tuple[Exemptible, ...]] = get_args(Exemptible)
SCOPES: Final = ("resources", "departments", "systems")


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

    def of(self, use: ResourceUse | Judgement) -> Sequence[Exemption]:
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

    def unmatched(self, uses: Iterable[ResourceUse | Judgement]) -> Sequence[Exemption]:
        """Those that no resource is in the scope of: mistyped, or of what is gone."""
        met = {one.id for use in uses for one in self.of(use)}
        return [one for one in self.all if one.id not in met]

    def _fits(self, number: int, use: ResourceUse | Judgement) -> bool:
        one, patterns = self.all[number], self._resources[number]
        names = (use.resource, use.name)
        return (
            (not patterns or any(p.fullmatch(name) for p in patterns for name in names))
            and (not one.departments or use.department in one.departments)
            and (not one.systems or use.system in one.systems)
        )


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.translate(PLAIN)))

"""Rows of the override table as people wrote them become structs, and every mistake in them is
told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

from collectors import rowsfile
from collectors.cloud.model import ResourceKind
from collectors.cloud.override import DATE_REMEDY, Override, dated, day_before
from collectors.cloud.owners import FIELDS, clean
from collectors.cloud.ownersettings import Aliases
from collectors.csvtable import Row
from collectors.rowsfile import Problem, Tell, text_problem
from collectors.strictyaml import DocumentError

KINDS: Final[tuple[str, ...]] = get_args(ResourceKind)
SELECTORS: Final = ("resource", "name", "project")
_STAND_INS: Row = {"department": "?"}
_TEXTS: Final = (*SELECTORS, *FIELDS, "note")


class Checked:
    """The rows that are right with their numbers, and all that is wrong."""

    def __init__(self, rows: Sequence[Row], tell: Tell, aliases: Aliases) -> None:
        self.rows: list[tuple[int, Override]] = []
        self.mistakes: list[DocumentError] = []
        self._tell, self._aliases = tell, aliases
        self._same: dict[tuple[str | None, ...], list[tuple[int, Override]]] = {}
        for number, row in enumerate(rows):
            self._row(number, row)

    def _row(self, number: int, row: Row) -> None:
        row = {key: dated(it) if key.startswith("valid_") else it for key, it in row.items()}
        one, problems = rowsfile.converted(row, Override, _STAND_INS, _explained)
        wrong = {key.partition("[")[0] for key, _ in problems}
        problems += [problem for problem in _texts(one) if problem[0] not in wrong]
        if not any(row.get(key) for key in SELECTORS):
            problems.append(("resource", "is missing; write an id, or a name or a project"))
        if one.valid_from and one.valid_to and one.valid_to < one.valid_from:
            problem = f"{one.valid_to} is before valid_from, {one.valid_from}; exchange them"
            problems.append(("valid_to", problem))
        for key, problem in problems:
            self.mistakes.append(self._tell(number, key, problem))
        if not problems:
            self._once(number, one)
            self.rows.append((number, one))

    def _once(self, number: int, one: Override) -> None:
        """On one day a resource has one owner: two rows of one selector that overlap must agree."""
        known = self._same.setdefault(one.selector, [])
        for before, other in known:
            if one.overlaps(other) and self._owner(one) != self._owner(other):
                line = self._tell(before, "", "").line
                problem = (
                    f"is of the same resource as line {line}, on the same days, with another owner"
                    f"; {_remedy(one, other)}"
                )
                self.mistakes.append(self._tell(number, _selector_key(one), problem))
                break
        known.append((number, one))

    def _owner(self, one: Override) -> tuple[str, ...]:
        return tuple(self._aliases.of(field, getattr(one, field)) for field in FIELDS)


def _selector_key(one: Override) -> str:
    return next(key for key in SELECTORS if getattr(one, key) is not None)


def _remedy(one: Override, other: Override) -> str:
    earlier, later = sorted(
        (one, other), key=lambda it: it.valid_from.toordinal() if it.valid_from else 0
    )
    if later.valid_from and later.valid_from != earlier.valid_from:
        return f"end the earlier one with valid_to {day_before(later.valid_from)}"
    return "give them days that do not overlap, or leave one out"


def _explained(key: str, value: Any, message: str) -> Problem:
    if key.startswith("valid_") and value is not None:
        return key, f"{str(value)!r:.60} is no date; {DATE_REMEDY}"
    return rowsfile.explained(key, value, message, {"kind": KINDS})


def _texts(one: Override) -> Iterator[Problem]:
    for key in _TEXTS:
        if problem := text_problem(getattr(one, key) or ""):
            yield key, problem
    if not clean(one.department) and one.department:
        yield "department", f"{one.department!r:.60} is no department; leave the row out"

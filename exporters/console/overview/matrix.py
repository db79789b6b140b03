"""The clauses of GB/T 22239 by how the rules that are about them came out, from the tallies.

A clause is as bad as the worst of its results (a result is one rule on one host): failed, then unknown, then manual, then
passed, then not applicable. Where a person answered that it is not met, it failed; no other answer makes a manual one
anything else: it is told beside it. What no rule is
about is said to be not covered, and what no host has told of yet has no result: neither is a pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final, Literal, get_args

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.codes import OPEN_STATES, OUTCOME
from exporters.console.overview import answered
from exporters.console.overview.answered import Answered
from exporters.console.overview.tallied import Came
from exporters.console.schema import hit_tally, rule, rule_clause
from exporters.console.web.asker import Asker
from rules import clauses
from rules.model import OUTCOMES, Outcome, Text

Verdict = Literal["fail", "unknown", "manual", "pass", "not_applicable", "no_result", "not_covered"]
WORST: Final[tuple[Outcome, ...]] = ("fail", "unknown", "manual", "pass", "not_applicable")
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
LEVELS: Final[Mapping[int, str]] = {2: "7.", 3: "8."}


class Cell(msgspec.Struct, frozen=True):
    """One clause. `results` are rules on hosts by outcome; of the manual ones `answered` says what people answered;
    `open` counts open hits of its rules, `rules` the rules that told something."""

    clause: str
    unit: str
    control: Text
    summary: Text
    verdict: Verdict
    results: dict[Outcome, int]
    answered: Answered
    open: int
    rules: tuple[str, ...]

    @property
    def count(self) -> int | None:
        """How many results are as the verdict says."""
        if self.verdict == "no_result" or self.verdict == "not_covered":
            return None
        told = self.answered.failed if self.verdict == "fail" else 0
        return self.results[self.verdict] + told

    @property
    def attested(self) -> str:
        """Of a manual clause the worst of what people answered, or did not."""
        if self.verdict != "manual":
            return ""
        told = self.answered
        return "open" if told.open else "expired" if told.expired else "answered"


class Matrix(msgspec.Struct, frozen=True):
    """`counts` are clauses by verdict."""

    level: int
    cells: tuple[Cell, ...]
    counts: dict[Verdict, int]

    @property
    def controls(self) -> list[tuple[Text, list[Cell]]]:
        """The clauses of each control together."""
        found: list[tuple[Text, list[Cell]]] = []
        for control, cells in groupby(self.cells, key=lambda cell: cell.control):
            found.append((control, list(cells)))
        return found


class _Found:
    """Of one clause."""

    def __init__(self) -> None:
        self.results: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        self.answers = Answered()
        self.rules: dict[str, int] = {}


class _Clauses:
    """Which clauses a rule of a pack is about: as this console's packs say, else as audits told."""

    def __init__(self, connection: Connection, asker: Asker) -> None:
        self._known = {
            (name, one.id): one.maps.get(clauses.STANDARD, ())
            for name, pack in asker.services.packs.items()
            for one in pack.rules
        }
        self._told: dict[int, list[str]] = defaultdict(list)
        for row in connection.execute(
            select(rule_clause.c.rule_id, rule_clause.c.clause).where(
                rule_clause.c.standard == clauses.STANDARD
            )
        ):
            self._told[row.rule_id].append(row.clause)
        self.covered = {one for ones in self._known.values() for one in ones}
        self.covered.update(one for ones in self._told.values() for one in ones)

    def of(self, pack: str, rule_id: int, name: str) -> tuple[str, ...]:
        known = self._known.get((pack, name))
        if known is not None:
            return known
        return tuple(self._told.get(rule_id, ()))


def matrices(connection: Connection, asker: Asker, came: Iterable[Came]) -> tuple[Matrix, ...]:
    """Of level 3 and of level 2, from all outcomes."""
    about = _Clauses(connection, asker)
    found: dict[str, _Found] = defaultdict(_Found)
    people = answered.by_rule(connection, asker)
    names = {row.id: row.name for row in connection.execute(select(rule.c.id, rule.c.name))}
    for told in came:
        name = names[told.rule_id]
        for clause in about.of(told.pack, told.rule_id, name):
            one = found[clause]
            one.results[OUTCOMES[told.outcome]] += told.hosts
            one.rules[name] = told.rule_id
            if told.outcome == OUTCOME["manual"]:
                unanswered = Answered(open=told.hosts)
                one.answers += people.get((told.pack, told.rule_id), unanswered)
    hits = _open_by_rule(connection, asker)
    return tuple(_matrix(level, found, about.covered, hits) for level in (3, 2))


def _matrix(
    level: int, found: Mapping[str, _Found], covered: set[str], hits: Mapping[int, int]
) -> Matrix:
    cells = []
    for clause in clauses.catalogue().values():
        if not clause.id.startswith(LEVELS[level]):
            continue
        one = found.get(clause.id) or _Found()
        cells.append(
            Cell(
                clause.id,
                clause.unit,
                clause.control,
                clause.summary,
                _verdict(one, clause.id in covered),
                one.results,
                one.answers,
                sum(hits.get(number, 0) for number in one.rules.values()),
                tuple(sorted(one.rules)),
            )
        )
    counts: dict[Verdict, int] = {
        word: sum(cell.verdict == word for cell in cells) for word in VERDICTS
    }
    return Matrix(level, tuple(cells), counts)


def _verdict(found: _Found, covered: bool) -> Verdict:
    if found.answers.failed:
        return "fail"
    for outcome in WORST:
        if found.results[outcome]:
            return outcome
    return "no_result" if covered else "not_covered"


def _open_by_rule(connection: Connection, asker: Asker) -> dict[int, int]:
    tally = hit_tally.c
    statement = (
        select(tally.rule_id, func.sum(tally.hits).label("hits"))
        .where(tally.state.in_(OPEN_STATES))
        .group_by(tally.rule_id)
    )
    rows = connection.execute(asker.scoped(statement, tally.department_id))
    return {row.rule_id: int(row.hits) for row in rows}

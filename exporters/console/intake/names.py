"""The numbers of departments and rules, which get one when they are first told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, delete, select

from exporters.console.codes import SEVERITY
from exporters.console.database import Database
from exporters.console.intake import bulk, foreign
from exporters.console.intake.foreign import Pair
from exporters.console.schema import department, rule, rule_clause, rule_pack
from exporters.console.services import Services
from exporters.findings.told import line
from rules.model import AuditResult, Rule, Text, Verdict

_TEXTS: Final = ("title_zh", "title_en", "severity", "question_zh", "question_en")


MAX_REMEMBERED: Final = 20_000  # rules, by pack


class _Told(NamedTuple):
    """A rule that is in the tables as a verdict told of it."""

    id: int
    title: Text
    severity: str


class Names:
    """Of one transaction: what it has looked up once it knows."""

    def __init__(self, database: Database, connection: Connection, services: Services) -> None:
        self._database = database
        self._connection = connection
        self._services = services
        self._departments: dict[str, int] = {}
        self._rules: dict[str, int] = {}
        self._fresh: dict[Pair, _Told] = {}

    def department(self, label: str) -> int:
        if label not in self._departments:
            find = select(department.c.id).where(department.c.name == label)
            found = self._connection.execute(find).scalar()
            if found is None:
                self._insert(department, [{"name": label}])
                found = self._connection.execute(find).scalar_one()
            self._departments[label] = found
        return self._departments[label]

    def rules(self, result: AuditResult) -> tuple[AuditResult, Mapping[str, int]]:
        """The audit, without the rules there is no room for, and the numbers of its rules by name (there may be others
        in it), with their texts, packs and clauses in the tables."""
        told = {
            (pack.pack, verdict.rule): verdict for pack in result.packs for verdict in pack.verdicts
        }
        fresh: dict[Pair, Verdict] = {}
        for key, verdict in told.items():
            known = self._fresh.get(key) or self._database.rules.get(key)
            if known is None or (known.title, known.severity) != (verdict.title, verdict.severity):
                fresh[key] = verdict
            else:
                self._rules[verdict.rule] = known.id
        gone = foreign.without_room(self._connection, self._services, fresh)
        result = foreign.without(result, self._services, gone)
        fresh = {key: verdict for key, verdict in fresh.items() if key not in gone}
        if fresh:
            self._texts({rule_name: verdict for (_, rule_name), verdict in fresh.items()})
            self._maps(fresh)
            for key, verdict in fresh.items():
                self._fresh[key] = _Told(self._rules[verdict.rule], verdict.title, verdict.severity)
        return result, self._rules

    def remember(self) -> None:
        """What was written is committed."""
        if len(self._database.rules) > MAX_REMEMBERED:
            self._database.rules.clear()
        self._database.rules.update(self._fresh)

    def _texts(self, told: Mapping[str, Verdict]) -> None:
        wanted = {one: self._row(one, told[one]) for one in sorted(told)}
        known = self._numbered(wanted)
        missing = [row for one, row in wanted.items() if one not in known]
        if missing:
            self._insert(rule, missing)
            known |= self._numbered(row["name"] for row in missing)
        stale = [
            {"old_id": known[one].id, **{part: row[part] for part in _TEXTS}}
            for one, row in wanted.items()
            if any(getattr(known[one], part) != row[part] for part in _TEXTS)
        ]
        bulk.change(self._database, self._connection, rule, ["id"], stale)
        self._rules.update((one, row.id) for one, row in known.items())

    def _numbered(self, names: Iterable[str]) -> dict[str, Any]:
        found = self._connection.execute(select(rule).where(rule.c.name.in_(list(names))))
        return {row.name: row for row in found}

    def _row(self, rule_name: str, verdict: Verdict) -> dict[str, Any]:
        """This console's own texts where it has the rule: agents of several versions would take turns."""
        own: Rule | None = self._services.rules.get(rule_name)
        title = own.title if own else verdict.title
        question = (own.manual if own else verdict.question) or Text("", "")
        return {
            "name": rule_name,
            "title_zh": line(title.zh),
            "title_en": line(title.en),
            "severity": SEVERITY[own.severity if own else verdict.severity],
            "question_zh": line(question.zh),
            "question_en": line(question.en),
        }

    def _maps(self, told: Iterable[Pair]) -> None:
        """One agent's word would be for the hosts of all: this console's packs have no other rules than they have here,
        and clauses those that its own rules have."""
        own = self._services.rules
        names = {self._rules[rule_name]: rule_name for _, rule_name in told}
        found = self._rows(rule_pack, names)
        pairs = {(self._rules[rule_name], pack) for pack, rule_name in told} | found
        self._make(rule_pack, found, {row for row in pairs if self._may(row[1], names[row[0]])})
        clauses = {
            (number, standard, clause)
            for number, rule_name in names.items()
            if rule_name in own
            for standard, ones in own[rule_name].maps.items()
            for clause in ones
        }
        self._make(rule_clause, self._rows(rule_clause, names), clauses)

    def _may(self, pack: str, rule_name: str) -> bool:
        if foreign.foreign(self._services, (pack, rule_name)):
            return True
        return any(one.id == rule_name for one in self._services.packs[pack].rules)

    def _rows(self, table: Table, ids: Iterable[int]) -> set[Any]:
        found = self._connection.execute(select(table).where(table.c.rule_id.in_(list(ids))))
        return {tuple(row) for row in found}

    def _make(self, table: Table, found: set[Any], wanted: set[Any]) -> None:
        """Other versions of this console had others."""
        columns = [column.name for column in table.columns]
        for row in sorted(found - wanted):
            at = (table.c[name] == value for name, value in zip(columns, row, strict=True))
            self._connection.execute(delete(table).where(*at))
        rows = [dict(zip(columns, row, strict=True)) for row in sorted(wanted - found)]
        self._insert(table, rows)

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Another console may have them in at the same time."""
        bulk.upsert(self._database, self._connection, table, rows)

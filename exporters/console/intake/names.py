"""The numbers of departments and rules, which get one when they are first told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, select, update

from exporters.console.codes import SEVERITY
from exporters.console.database import Database
from exporters.console.schema import department, rule, rule_clause, rule_pack
from exporters.console.services import Services
from exporters.findings.told import line
from rules.model import AuditResult, Rule, Text, Verdict

_TEXTS: Final = ("title_zh", "title_en", "severity", "question_zh", "question_en")


class Names:
    """Of one transaction: what it has looked up once it knows."""

    def __init__(self, database: Database, connection: Connection, services: Services) -> None:
        self._database = database
        self._connection = connection
        self._services = services
        self._departments: dict[str, int] = {}
        self._rules: dict[str, int] = {}
        self._mapped: set[tuple[str, str]] = set()  # (pack, rule) whose maps are there

    def department(self, name: str) -> int:
        if name not in self._departments:
            find = select(department.c.id).where(department.c.name == name)
            found = self._connection.execute(find).scalar()
            if found is None:
                self._insert(department, [{"name": name}])
                found = self._connection.execute(find).scalar_one()
            self._departments[name] = found
        return self._departments[name]

    def department_name(self, number: int) -> str:
        find = select(department.c.name).where(department.c.id == number)
        return str(self._connection.execute(find).scalar_one())

    def rules(self, result: AuditResult) -> Mapping[str, int]:
        """The numbers of the rules of an audit by name (there may be others in it), with their texts, packs and
        clauses in the tables."""
        told = {
            (pack.pack, verdict.rule): verdict for pack in result.packs for verdict in pack.verdicts
        }
        fresh = {key: verdict for key, verdict in told.items() if key not in self._mapped}
        if fresh:
            self._texts({name: verdict for (_, name), verdict in fresh.items()})
            self._maps(fresh)
            self._mapped.update(fresh)
        return self._rules

    def _texts(self, told: Mapping[str, Verdict]) -> None:
        wanted = {name: self._row(name, told[name]) for name in sorted(told)}
        known = self._numbered(wanted)
        missing = [row for name, row in wanted.items() if name not in known]
        if missing:
            self._insert(rule, missing)
            known |= self._numbered(row["name"] for row in missing)
        stale = [
            {"b_id": known[name].id, **{f"b_{part}": row[part] for part in _TEXTS}}
            for name, row in wanted.items()
            if any(getattr(known[name], part) != row[part] for part in _TEXTS)
        ]
        if stale:
            values: dict[str, Any] = {part: bindparam(f"b_{part}") for part in _TEXTS}
            self._connection.execute(
                update(rule).where(rule.c.id == bindparam("b_id")).values(values), stale
            )
        self._rules.update((name, row.id) for name, row in known.items())

    def _numbered(self, names: Iterable[str]) -> dict[str, Any]:
        found = self._connection.execute(select(rule).where(rule.c.name.in_(list(names))))
        return {row.name: row for row in found}

    def _row(self, name: str, verdict: Verdict) -> dict[str, Any]:
        """This console's own texts where it has the rule: agents of several versions would take turns."""
        own: Rule | None = self._services.rules.get(name)
        title = own.title if own else verdict.title
        question = (own.manual if own else verdict.question) or Text("", "")
        return {
            "name": name,
            "title_zh": line(title.zh),
            "title_en": line(title.en),
            "severity": SEVERITY[own.severity if own else verdict.severity],
            "question_zh": line(question.zh),
            "question_en": line(question.en),
        }

    def _maps(self, told: Mapping[tuple[str, str], Verdict]) -> None:
        ids = sorted({self._rules[name] for _, name in told})
        packs = {(self._rules[name], pack) for pack, name in told}
        clauses = {
            (self._rules[name], standard, clause)
            for (_, name), verdict in told.items()
            for standard, ones in verdict.maps.items()
            for clause in ones
        }
        self._missing(rule_pack, ids, packs)
        self._missing(rule_clause, ids, clauses)

    def _missing(self, table: Table, ids: list[int], wanted: set[Any]) -> None:
        found = self._connection.execute(select(table).where(table.c.rule_id.in_(ids)))
        names = [column.name for column in table.columns]
        missing = sorted(wanted - {tuple(row) for row in found})
        if missing:
            self._insert(table, [dict(zip(names, row, strict=True)) for row in missing])

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Another console may have them in at the same time."""
        self._connection.execute(self._database.upsert(table).on_conflict_do_nothing(), rows)

"""A filter of the hits as conditions on the tables.

Names are looked up in the small tables first (departments, hosts, rules, packs, clauses, users); what is left are
conditions on a hit's own columns, which `walks.py` answers from an index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
)

from exporters.console.codes import OPEN_STATES, SEVERITY, STATE
from exporters.console.review.filters import NOBODY, HitFilter
from exporters.console.schema import department, host, rule, rule_clause, rule_pack, user
from exporters.console.web.asker import Asker
from rules.clauses import STANDARD


@dataclass(frozen=True)
class Narrowed:
    """A filter as conditions on the columns of `hit`; None: no condition. An empty set matches nothing.
    `owner` is a user's id, 0 for those that are nobody's. `needle` is looked for in a hit's own texts beside the
    rules and hosts whose names have it."""

    states: tuple[int, ...]
    severities: tuple[int, ...] | None = None
    departments: tuple[int, ...] | None = None
    rules: tuple[int, ...] | None = None
    hosts: tuple[int, ...] | None = None
    owner: int | None = None
    verdict: str = ""
    ticket: str = ""
    after: datetime | None = None  # first seen not before
    before: datetime | None = None  # first seen not after
    needle: str = ""
    needle_rules: tuple[int, ...] = ()
    needle_hosts: tuple[int, ...] = ()

    @property
    def nothing(self) -> bool:
        sets = (self.severities, self.departments, self.rules, self.hosts, self.states)
        return any(one is not None and not one for one in sets)

    @property
    def tallied(self) -> bool:
        """Whether tallies may count it: nothing but states, severities, departments, rules and hosts is asked."""
        return not self.columns - {"state", "severity", "department_id", "rule_id", "host_id"}

    @property
    def columns(self) -> set[str]:
        """Of `hit`, what the conditions look at."""
        used = {"state"}
        for name, one in (
            ("severity", self.severities),
            ("department_id", self.departments),
            ("rule_id", self.rules),
            ("host_id", self.hosts),
            ("owner_id", self.owner),
        ):
            if one is not None:
                used.add(name)
        if self.verdict in ("fail", "unknown"):
            used.add("unseen_since")
        if self.ticket:
            used.add("ticket")
        if self.after or self.before:
            used.add("first_seen")
        if self.needle:
            used |= {"instance", "actual", "rule_id", "host_id"}
        return used

    def conditions(self, columns: Any) -> list[ColumnElement[bool]]:
        """On the columns of `hit`, or of a subquery that has those of `columns`."""
        found = [among(columns.state, self.states)]
        for column, one in (
            ("severity", self.severities),
            ("department_id", self.departments),
            ("rule_id", self.rules),
            ("host_id", self.hosts),
        ):
            if one is not None:
                found.append(among(columns[column], one))
        if self.owner is not None:
            owned = (
                columns.owner_id.is_(None) if self.owner == 0 else columns.owner_id == self.owner
            )
            found.append(owned)
        if self.verdict in ("fail", "unknown"):
            unseen = columns.unseen_since
            found.append(unseen.is_(None) if self.verdict == "fail" else unseen.is_not(None))
        if self.ticket:
            # the second one is what the index is of
            found += [columns.ticket == self.ticket, columns.ticket != literal_column("''")]
        if self.after:
            found.append(columns.first_seen >= self.after)
        if self.before:
            found.append(columns.first_seen <= self.before)
        if self.needle:
            found.append(self._has_needle(columns))
        return found

    def _has_needle(self, columns: Any) -> ColumnElement[bool]:
        either = [
            columns.instance.icontains(self.needle, autoescape=True),
            columns.actual.icontains(self.needle, autoescape=True),
        ]
        if self.needle_rules:
            either.insert(0, among(columns.rule_id, self.needle_rules))
        if self.needle_hosts:
            either.insert(0, among(columns.host_id, self.needle_hosts))
        return or_(*either)


def among(column: Any, values: tuple[int, ...]) -> ColumnElement[bool]:
    """The column's value is one of these whole numbers of ours; written into the statement, since they may be
    thousands."""
    if len(values) == 1:
        return and_(column == literal_column(str(int(values[0]))))
    listed: Any = bindparam(None, list(values), expanding=True, literal_execute=True)
    return and_(column.in_(listed))


def narrowed(connection: Connection, asker: Asker, given: HitFilter) -> Narrowed:
    """What a filter means to this asker: departments that they do not see are not in it."""
    needle = given.text.strip()
    rules = needle_rules = None
    if given.rule or given.pack or given.clause:
        rules = _rules(connection, given)
    if needle:
        said = [
            column.icontains(needle, autoescape=True)
            for column in (rule.c.name, rule.c.title_zh, rule.c.title_en)
        ]
        needle_rules = _ids(connection, rule, or_(*said))
    ages = (given.max_age, given.min_age)
    after, before = (None if days is None else _ago(asker.now, days) for days in ages)
    return Narrowed(
        states=_states(given),
        severities=tuple(SEVERITY[word] for word in given.severity) or None,
        departments=_departments(connection, asker, given),
        rules=rules,
        hosts=_hosts(connection, asker, given),
        owner=_owner(connection, asker, given.owner),
        verdict=given.verdict,
        ticket=given.ticket.strip(),
        after=after,
        before=before,
        needle=needle,
        needle_rules=needle_rules or (),
        needle_hosts=_named(connection, needle) if needle else (),
    )


def _ago(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


def _states(given: HitFilter) -> tuple[int, ...]:
    if "all" in given.state:
        states = tuple(STATE.values())
    else:
        states = tuple(sorted({STATE[word] for word in given.state if word != "all"}))
        states = states or ((STATE["fixed"],) if given.verdict == "pass" else OPEN_STATES)
    if given.verdict == "pass":
        return tuple(state for state in states if state == STATE["fixed"])
    if given.verdict:
        return tuple(state for state in states if state != STATE["fixed"])
    return states


def _departments(connection: Connection, asker: Asker, given: HitFilter) -> tuple[int, ...] | None:
    if not given.department:
        return None if asker.scope is None else tuple(sorted(asker.scope))
    names = ["" if name == NOBODY else name for name in given.department]
    found = _ids(connection, department, department.c.name.in_(names))
    return tuple(one for one in found if asker.sees(one))


def _rules(connection: Connection, given: HitFilter) -> tuple[int, ...]:
    wanted = []
    if given.rule:
        wanted.append(rule.c.name == given.rule)
    if given.pack:
        of_pack = select(rule_pack.c.rule_id).where(rule_pack.c.pack == given.pack)
        wanted.append(rule.c.id.in_(of_pack))
    if given.clause:
        clause = given.clause.strip().rstrip(".")
        begins = rule_clause.c.clause.startswith(clause + ".", autoescape=True)
        of_clause = select(rule_clause.c.rule_id).where(
            rule_clause.c.standard == STANDARD, or_(rule_clause.c.clause == clause, begins)
        )
        wanted.append(rule.c.id.in_(of_clause))
    return _ids(connection, rule, and_(*wanted))


def _hosts(connection: Connection, asker: Asker, given: HitFilter) -> tuple[int, ...] | None:
    wanted: list[ColumnElement[bool]] = []
    if given.system:
        wanted.append(host.c.system == given.system)
    if given.region:
        wanted.append(host.c.region == given.region)
    if given.host:
        wanted.append(or_(host.c.name == given.host, host.c.key == given.host))
    if not wanted:
        return None
    found = connection.execute(
        asker.scoped(select(host.c.id).where(*wanted).order_by(host.c.id), host.c.department_id)
    )
    return tuple(found.scalars())


def _named(connection: Connection, needle: str) -> tuple[int, ...]:
    said = [one.icontains(needle, autoescape=True) for one in (host.c.name, host.c.key)]
    return _ids(connection, host, or_(*said))


def _owner(connection: Connection, asker: Asker, name: str) -> int | None:
    if not name:
        return None
    if name == "none":
        return 0
    if name == "me":
        return asker.person.id if asker.person else -1
    found = connection.execute(select(user.c.id).where(user.c.name == name)).scalar()
    return -1 if found is None else found


def _ids(connection: Connection, table: Any, wanted: ColumnElement[bool]) -> tuple[int, ...]:
    found = connection.execute(select(table.c.id).where(wanted).order_by(table.c.id))
    return tuple(found.scalars())

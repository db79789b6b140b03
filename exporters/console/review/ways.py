"""How a page of hits is found among a million within its time: by one of two ways, whichever is the cheaper.

*Gathering*: where the tallies, or an index of few entries, say that few hits are in question, all of those are taken
and sorted. *Walking*: else enough are in question to meet them soon on the way along the index that has the list's order;
what filters ask is answered from the entries of that index. A walk looks at no more than so many entries: where it has
not found a page by then, the page has what was found and says how far it looked, and the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, func, literal, select

from exporters.console.review.narrowing import Narrowed, among
from exporters.console.review.order import Key, beyond, ordered
from exporters.console.schema import hit, hit_tally, host, host_tally, rule

GATHERED: Final = 6000  # hits at most
WALKED: Final = 40_000  # entries of an index
READ: Final = 8000  # where each of them needs the hit itself
INDEXED: Final = frozenset({"id", "state", "severity", "rule_id", "department_id", "host_id"})


@dataclass(frozen=True)
class Way:
    """`index` is what hits are gathered by, empty where the list is walked. `count` is exact, None where no tally
    says it."""

    index: str
    count: int | None
    rules: tuple[int, ...] | None = None  # those that have any


@dataclass(frozen=True)
class Found:
    """Ids in order. `stopped` are the keys of the last entry that was looked at, where there may be more beyond."""

    ids: list[int]
    stopped: tuple[Any, ...] | None = None
    count: int | None = None


def way(connection: Connection, asked: Narrowed) -> Way:
    """How to find them."""
    rules, count, by_rules = _by_rules(connection, asked)
    if count == 0:
        return Way("ix_hit_rule", 0, ())
    costs = {"ix_hit_rule": by_rules}
    exact = count if asked.tallied and asked.hosts is None else None
    if asked.hosts is not None or asked.departments is not None:
        of_hosts, in_states = _by_hosts(connection, asked)
        costs["ix_hit_host_id"] = in_states
        if asked.tallied and asked.rules is None:
            exact = of_hosts
    for index, column, applies in (
        ("ix_hit_owner", "owner_id", bool(asked.owner)),
        ("ix_hit_ticket", "ticket", bool(asked.ticket)),
        ("ix_hit_unseen", "unseen_since", asked.verdict == "unknown"),
        ("ix_hit_age", "first_seen", bool(asked.after or asked.before)),
    ):
        if applies:
            costs[index] = _few(connection, asked, column)
    index = min(costs, key=costs.__getitem__)
    return Way(index if costs[index] <= GATHERED else "", exact, rules)


def _by_rules(connection: Connection, asked: Narrowed) -> tuple[tuple[int, ...] | None, int, int]:
    """The rules that have such hits, how many these are, and how many their entries of the index."""
    matching = select(hit_tally.c.rule_id, hit_tally.c.severity, func.sum(hit_tally.c.hits))
    matching = matching.where(among(hit_tally.c.state, asked.states))
    if asked.rules is not None:
        matching = matching.where(among(hit_tally.c.rule_id, asked.rules))
    if asked.severities is not None:
        matching = matching.where(among(hit_tally.c.severity, asked.severities))
    scoped = matching
    if asked.departments is not None:
        scoped = matching.where(among(hit_tally.c.department_id, asked.departments))
    columns = (hit_tally.c.rule_id, hit_tally.c.severity)
    found = connection.execute(scoped.where(hit_tally.c.hits > 0).group_by(*columns)).all()
    rules = tuple(sorted({row[0] for row in found}))
    count = sum(row[2] for row in found)
    if not count or asked.departments is None or count > GATHERED:
        return rules, count, count
    all_of = connection.execute(
        select(func.sum(hit_tally.c.hits)).where(
            among(hit_tally.c.rule_id, rules), among(hit_tally.c.state, asked.states)
        )
    ).scalar_one()
    return rules, count, int(all_of)


def _by_hosts(connection: Connection, asked: Narrowed) -> tuple[int, int]:
    """How many such hits the hosts in question have by their tallies, and how many of any severity."""
    counted = func.sum(host_tally.c.hits)
    statement = (
        select(host_tally.c.severity, counted)
        .where(among(host_tally.c.state, asked.states))
        .group_by(host_tally.c.severity)
    )
    if asked.hosts is not None:
        statement = statement.where(among(host_tally.c.host_id, asked.hosts))
    if asked.departments is not None:
        of_departments = select(host.c.id).where(among(host.c.department_id, asked.departments))
        statement = statement.where(host_tally.c.host_id.in_(of_departments))
    found = {row[0]: int(row[1]) for row in connection.execute(statement)}
    wanted = asked.severities
    return sum(n for s, n in found.items() if wanted is None or s in wanted), sum(found.values())


def _few(connection: Connection, asked: Narrowed, column: str) -> int:
    """How many entries an index has for what is asked of its column, GATHERED + 1 where more."""
    alone = Narrowed(
        states=(),
        owner=asked.owner if column == "owner_id" else None,
        ticket=asked.ticket if column == "ticket" else "",
        verdict="unknown" if column == "unseen_since" else "",
        after=asked.after if column == "first_seen" else None,
        before=asked.before if column == "first_seen" else None,
    )
    entries = select(hit.c.id).where(*alone.conditions(hit.c)[1:]).limit(GATHERED + 1).subquery()
    return connection.execute(select(func.count()).select_from(entries)).scalar_one()


# --- gathering


def gather(
    connection: Connection,
    asked: Narrowed,
    by: Way,
    order: Sequence[Key],
    start: Sequence[Any] | None,
    want: int,
) -> Found:
    """The first `want` in order beyond `start`, and how many there are in all."""
    gathered = candidates(asked, by).cte("gathered").prefix_with("MATERIALIZED")
    whole = select(func.count()).select_from(gathered).scalar_subquery()
    statement = select(gathered.c.id, whole).select_from(gathered)
    columns: dict[str, Any] = dict(gathered.c)
    if any(key.name == "host_name" for key in order):
        statement = statement.join(host, host.c.id == gathered.c.host_id)
        columns["host_name"] = host.c.name
    if any(key.name == "rule_name" for key in order):
        statement = statement.join(rule, rule.c.id == gathered.c.rule_id)
        columns["rule_name"] = rule.c.name
    if start is not None:
        statement = statement.where(beyond(columns, order, start))
    found = connection.execute(statement.order_by(*ordered(columns, order)).limit(want)).all()
    count = found[0][1] if found else (0 if start is None else None)
    return Found([row[0] for row in found], None, count)


def candidates(asked: Narrowed, by: Way) -> Select[Any]:
    """All hits that are asked for, with what orders are made of; by the index of `by` where it has one."""
    names = ("id", "severity", "state", "first_seen", "last_seen", "changed", "host_id", "rule_id")
    statement = select(*(hit.c[name] for name in (*names, "department_id", "version")))
    statement = statement.where(*asked.conditions(hit.c))
    if by.index == "ix_hit_rule" and by.rules is not None:
        statement = statement.where(among(hit.c.rule_id, by.rules))
    if by.index == "ix_hit_host_id" and asked.hosts is None and asked.departments is not None:
        of_departments = select(host.c.id).where(among(host.c.department_id, asked.departments))
        statement = statement.where(hit.c.host_id.in_(of_departments))
    if by.index:
        statement = statement.with_hint(hit, f"INDEXED BY {by.index}", "sqlite")
    return statement


def counted(connection: Connection, asked: Narrowed, most: int) -> tuple[int, bool]:
    """How many are asked for, up to `most`, of the entries that are looked at; and whether that is all of them."""
    own = {"first_seen"}
    bound = WALKED if asked.columns <= INDEXED | own else READ
    entries = select(hit.c.id, *(hit.c[name] for name in sorted(asked.columns - {"id"})))
    entries = entries.order_by(hit.c.first_seen, hit.c.id).limit(bound)
    looked = entries.with_hint(hit, "INDEXED BY ix_hit_age", "sqlite").subquery("looked")
    matching = select(literal(1)).select_from(looked).where(*asked.conditions(looked.c))
    number = connection.execute(
        select(func.count()).select_from(matching.limit(most).subquery())
    ).scalar_one()
    if number >= most:
        return number, False
    beyond_it = select(hit.c.id).order_by(hit.c.first_seen, hit.c.id).offset(bound).limit(1)
    return number, connection.execute(beyond_it).first() is None

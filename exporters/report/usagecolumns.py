"""Columns of the tables of use: departments, systems, showback, what is held, exemptions, follow-ups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from exporters.report.amountcolumns import amounts, load, named, sums
from exporters.report.columns import Column, Table, local
from exporters.report.document import (
    Cost,
    Department,
    Document,
    Exemption,
    FollowUp,
    Held,
    System,
)
from exporters.report.tablewords import STEP
from exporters.usage.amounts import department
from exporters.usage.holdingwords import KIND, of
from exporters.usage.words import ADVICE
from rules.model import Text
from rules.usagejudgement import ADVICES, STATES, Amount


class SystemRow(NamedTuple):
    department: str
    system: System


class CostRow(NamedTuple):
    department: str
    currency: str
    cost: Cost


def _state(state: str) -> Column[Department]:
    return Column(f"state_{state}", "count", lambda it, _: it.states.get(state, 0), True)


def _advice(advice: str) -> Column[Department]:
    return Column(f"advice_{advice}", "count", lambda it, _: it.advice.get(advice, 0), True)


DEPARTMENTS: Final[Table[Department]] = Table(
    "departments",
    Text("部门排名", "Ranking"),
    "a department, the one that wastes most first; what is unassigned is last and has no rank",
    (
        Column("rank", "count", lambda it, _: it.rank),
        Column("rank_before", "count", lambda it, _: it.rank_before),
        Column("department", "text", lambda it, lang: department(it.name, lang), width=30),
        Column("resources", "count", lambda it, _: it.granted.resources, True),
        *sums("granted", lambda it: it.granted),
        Column("granted_core_hours", "hours", lambda it, _: it.granted_core_hours, True),
        Column("known_core_hours", "hours", lambda it, _: it.known_core_hours, True),
        Column("used_core_hours", "hours", lambda it, _: _if_known(it), True),
        Column("waste", "hours", lambda it, _: it.waste, True),
        Column("used", "percent", lambda it, _: _used(it), per=("used_core_hours", "known_core_hours")),
        Column("used_before", "percent", lambda it, _: it.cpu_before),
        Column("change", "points", lambda it, _: it.change),
        Column("change_reason", "long", lambda it, _: it.reason),
        *load(lambda it: it.load)[1:-1],
        Column("coverage", "percent", lambda it, _: _coverage(it),
               per=("known_core_hours", "granted_core_hours")),
        Column("memory_used", "percent", lambda it, _: it.memory),
        *map(_state, STATES),
        *map(_advice, ADVICES),
        *sums("due", lambda it: it.due),
        *sums("watched", lambda it: it.watched),
        Column("granted_cost", "money", lambda it, _: _money(it, "granted_cost"), True),
        Column("known_cost", "money", lambda it, _: _money(it, "known_cost"), True),
        Column("used_cost", "money", lambda it, _: _money(it, "used_cost"), True),
        Column("reclaimable_cost", "money", lambda it, _: _money(it, "reclaimable_cost"), True),
        Column("unsized_hours", "hours", lambda it, _: _money(it, "unsized"), True),
        Column("unsized_volume_hours", "hours", lambda it, _: _money(it, "unsized_volumes"), True),
        Column("costs_complete", "text", lambda it, _: _money(it, "complete"), width=10),
        Column("costs_days", "amount", lambda it, _: _money(it, "days")),
    ),
    lambda document: document.departments,
)  # fmt: skip


def _if_known(one: Department) -> float | None:
    """What is used of nothing known is not known."""
    return one.used_core_hours if one.known_core_hours or not one.granted_core_hours else None


def _money(one: Department, part: str) -> float | None:
    found: float | None = None if one.showback is None else getattr(one.showback, part)
    return found


def _used(one: Department) -> float | None:
    return 100 * one.used_core_hours / one.known_core_hours if one.known_core_hours else None


def _coverage(one: Department) -> float | None:
    if not one.granted_core_hours:
        return None
    return 100 * one.known_core_hours / one.granted_core_hours


def system_columns() -> tuple[Column[System], ...]:
    return (
        Column("system", "text", lambda it, _: it.name, width=24),
        Column("resources", "count", lambda it, _: it.granted.resources, True),
        *sums("granted", lambda it: it.granted),
        *load(lambda it: it.load),
        *(_system_state(state) for state in STATES),
        *sums("due", lambda it: it.due),
    )


def _system_state(state: str) -> Column[System]:
    return Column(f"state_{state}", "count", lambda it, _: it.states.get(state, 0), True)


def _of_system(column: Column[System]) -> Column[SystemRow]:
    return Column(
        column.key,
        column.kind,
        lambda it, language: column.value(it.system, language),
        column.adds,
        column.per,
        column.width,
    )


SYSTEMS: Final[Table[SystemRow]] = Table(
    "systems",
    Text("业务系统", "Systems"),
    "a system of a department; `system` is empty for what belongs to none",
    (named(lambda it: it.department), *map(_of_system, system_columns())),
    lambda document: [
        SystemRow(one.name, system) for one in document.departments for system in one.systems
    ],
)
SHOWBACK: Final[Table[CostRow]] = Table(
    "showback",
    Text("费用分摊", "Showback"),
    "an item of a department's showback; what has no price, or a size that is not known, has no cost",
    (
        named(lambda it: it.department),
        Column("item", "text", lambda it, _: it.cost.title, width=12),
        Column("unit", "text", lambda it, _: it.cost.unit, width=12),
        # amounts of different items are in different units: they do not add up
        Column("granted", "hours", lambda it, _: it.cost.granted),
        Column("used_amount", "hours", lambda it, _: it.cost.used),
        Column("used_known", "text", lambda it, _: it.cost.used_known, width=10),
        Column("unpriced", "hours", lambda it, _: it.cost.unpriced),
        Column("unknown_size_hours", "hours", lambda it, _: it.cost.unsized),
        Column("granted_cost", "money", lambda it, _: it.cost.granted_cost, True),
        Column("known_cost", "money", lambda it, _: it.cost.known_cost, True),
        Column("used_cost", "money", lambda it, _: it.cost.used_cost, True),
        Column("currency", "text", lambda it, _: it.currency, width=8),
        Column("prices", "long", lambda it, _: "; ".join(it.cost.prices)),
    ),
    lambda document: None if document.showback is None else list(costs(document)),
)


def costs(document: Document) -> Iterator[CostRow]:
    for one in document.departments:
        if one.showback is not None:
            for cost in one.showback.lines:
                yield CostRow(one.name, one.showback.currency, cost)


HELD: Final[Table[Held]] = Table(
    "held",
    Text("占而未用", "Held without use"),
    "a stopped server, or a volume attached to nothing",
    (
        Column("resource", "text", lambda it, _: it.resource, width=24),
        Column("name", "text", lambda it, _: it.name),
        Column("kind", "text", lambda it, language: of(KIND, it.kind, language), width=9),
        named(lambda it: it.department),
        Column("system", "text", lambda it, _: it.system),
        Column("since", "moment", lambda it, _: local(it.since)),
        Column("days", "amount", lambda it, _: it.days),
        *amounts("held", lambda it: it.amount),
        Column("long_enough", "text", lambda it, _: it.due, width=12),
    ),
    lambda document: document.held,
)
EXEMPTIONS: Final[Table[Exemption]] = Table(
    "exemptions",
    Text("豁免", "Exemptions"),
    "an exemption that is in force, or ended within the month; a resource may be in the scope of several",
    (
        Column("exemption", "text", lambda it, _: it.id, width=12),
        Column("exemption_reason", "text", lambda it, _: it.reason, width=30),
        Column("owner", "text", lambda it, _: it.owner, width=12),
        Column("approver", "text", lambda it, _: it.approver, width=12),
        Column("expires", "date", lambda it, _: it.expires),
        Column("days_left", "count", lambda it, _: it.days_left),
        Column("resources", "count", lambda it, _: it.resources),
        *sums("granted", lambda it: it.granted, added=False),
        Column("departments", "long", lambda it, lang: _listed(it.departments, lang)),
    ),
    lambda document: document.exemptions,
)


def _listed(names: Iterable[str], language: str) -> str:
    return Text("、", ", ").of(language).join(department(it, language) for it in names)


FOLLOW_UPS: Final[Table[FollowUp]] = Table(
    "followups",
    Text("整改跟踪", "Follow-up"),
    "one advice on its way",
    (
        Column("id", "text", lambda it, _: it.id),
        Column("resource", "text", lambda it, _: it.resource, width=24),
        Column("name", "text", lambda it, _: it.name),
        named(lambda it: it.department),
        Column("system", "text", lambda it, _: it.system),
        Column("advice", "text", lambda it, lang: of(ADVICE, it.advice, lang), width=8),
        Column("step", "text", lambda it, _: STEP[it.step], width=10),
        Column("notified", "text", lambda it, _: it.notified, width=10),
        Column("told", "count", lambda it, _: it.months),
        Column("confirmed", "date", lambda it, _: it.confirmed),
        Column("carried_out", "date", lambda it, _: it.carried_out),
        Column("reviewed", "date", lambda it, _: it.reviewed),
        *amounts("planned", lambda it: it.planned),
        *amounts("realised", lambda it: it.realised or Amount()),
        Column("saved_cost", "money", lambda it, _: it.saved_cost, True),
        Column("by", "text", lambda it, _: it.by, width=12),
        Column("note", "long", lambda it, _: it.note),
    ),
    lambda document: None if document.follow_ups is None else document.follow_ups.rows,
)
STEPS: Final[Table[tuple[str, int]]] = Table(
    "followup_steps",
    Text("整改进度", "Follow-up steps"),
    "a step, and how many are at it, ended ones of months before included",
    (
        Column("step", "text", lambda it, language: of(STEP, it[0], language), width=12),
        Column("count", "count", lambda it, _: it[1], True),
    ),
    lambda document: None if document.follow_ups is None else steps(document.follow_ups.steps),
)


def steps(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """In order; steps that are not told of are none of them."""
    return [(step, counts[step]) for step in STEP if step in counts]

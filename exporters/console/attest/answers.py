"""What people answered to manual rules, as far as it stands today. Other rooms show it beside the agents' verdicts.

An answer never changes a verdict, and an expired one stands for nothing: the question is open again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Final, Literal, get_args

import msgspec
from sqlalchemy import Connection, Select, select

from exporters.console.schema import attestation

Said = Literal["pass", "fail", "not_applicable"]
SAID: Final[tuple[Said, ...]] = get_args(Said)


class Answer(msgspec.Struct, frozen=True):
    """`host_id` is null for all hosts of the department; `expires` is its last day."""

    id: int
    rule_id: int
    department_id: int
    host_id: int | None
    answer: Said
    text: str
    by: str
    created: datetime
    expires: date


def in_force(
    connection: Connection, today: date, departments: Collection[int] | None = None
) -> Mapping[tuple[int, int], Answer]:
    """By (rule id, department id) the answer for all hosts of the department, or that for a host of it which is `fail`: the
    worst counts. Answers for one host alone that are not do not speak for the others. `departments`: those
    that may be seen, None for all of them. `today` is by the site's clock."""
    found: dict[tuple[int, int], Answer] = {}
    for one in _standing(connection, today, departments):
        key = one.rule_id, one.department_id
        known = found.get(key)
        if one.answer == "fail" or (one.host_id is None and (known is None)):
            found[key] = one
    return found


def of_hosts(
    connection: Connection, today: date, departments: Collection[int] | None = None
) -> Mapping[tuple[int, int], Answer]:
    """By (rule id, host id) the answers for single hosts; before those of their department."""
    return {
        (one.rule_id, one.host_id): one
        for one in _standing(connection, today, departments)
        if one.host_id is not None
    }


def _standing(
    connection: Connection, today: date, departments: Collection[int] | None
) -> list[Answer]:
    statement: Select[tuple[int, int, int, int | None, str, str, str, datetime, date]] = (
        select(*(attestation.c[name] for name in Answer.__struct_fields__))
        .where(attestation.c.withdrawn.is_(None), attestation.c.expires >= today)
        .order_by(attestation.c.id)
    )
    if departments is not None:
        statement = statement.where(attestation.c.department_id.in_(sorted(departments)))
    return [Answer(**row._mapping) for row in connection.execute(statement)]

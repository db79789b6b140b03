"""The assessment sheet: every item of GB/T 22239 of a level in the standard's order, with what is known of it.

An item counts the hosts on which each of its rules came out so (outcome_tally), the open and the waived hits of these
rules (hit_tally), and the answers of people that hold today (attestation). Where no rule was judged and nobody answered, it
is not assessed, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from sqlalchemy import func, select

from exporters.console.review import assessed
from exporters.console.review.assessed import Answer, Waived
from exporters.console.review.filters import Words
from exporters.console.schema import (
    host,
)
from exporters.console.web.asker import Asker
from rules import clauses
from rules.model import Outcome, Text

_ANSWERS: Final = 50  # of an item that are shown
_WAIVERS: Final = 50


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`department`: its name, `-` for hosts that are nobody's, empty for all that the asker sees."""

    department: Words = ""
    level: Annotated[int, msgspec.Meta(ge=2, le=3)] = 3


class Judged(msgspec.Struct, frozen=True):
    """A rule of an item, and on how many hosts it came out so."""

    rule: str
    title: Text
    hosts: dict[Outcome, int]
    unanswered: int  # hosts of which a person has yet to answer
    open: int
    waived: int


Verdict = Literal["fail", "unknown", "manual", "pass", "not_applicable", "not_assessed"]


class AssessedItem(msgspec.Struct, frozen=True):
    """`verdict` is the worst of its rules on any host and of its answers; `manual`: a question that nobody answered.
    `by_person`: it is what people answered, no rule came out so."""

    clause: str
    unit: str
    control: Text
    summary: Text
    verdict: Verdict
    by_person: bool
    rules: tuple[Judged, ...]
    answers: tuple[Answer, ...]
    waivers: tuple[Waived, ...]
    open: int
    waived: int


class Sheet(msgspec.Struct, frozen=True):
    level: int
    department: str
    hosts: int
    items: tuple[AssessedItem, ...]
    verdicts: dict[str, int]


def assessment(asker: Asker, given: Asked) -> Sheet:
    """Raises NotFound for a department that is not there for this asker."""
    today = asker.now.astimezone(asker.zone).date()
    with asker.database.reading() as connection:
        chosen = assessed.department_id(connection, asker, given.department)
        hosts = connection.execute(
            assessed.within(
                asker, select(func.count()).select_from(host), host.c.department_id, chosen
            )
        ).scalar_one()
        rules = assessed.rules(connection)
        outcomes = assessed.outcomes(connection, asker, chosen)
        hits = assessed.hits(connection, asker, chosen)
        answers = assessed.answers(connection, asker, chosen, today)
        unanswered = assessed.unanswered(connection, asker, chosen, today)
        waivers = assessed.waivers(connection, asker, chosen, today)
    items = []
    for clause in clauses.catalogue().values():
        if int(clause.id.partition(".")[0]) - 5 != given.level:
            continue
        # a rule names the item of either level
        own = {**rules.get(clause.id, {}), **rules.get(clause.other, {})}
        items.append(_item(clause, own, outcomes, unanswered, hits, answers, waivers))
    verdicts: Counter[str] = Counter(item.verdict for item in items)
    return Sheet(given.level, given.department, hosts, tuple(items), dict(verdicts))


def _item(
    clause: clauses.Clause,
    rules: dict[int, tuple[str, Text]],
    outcomes: dict[int, dict[Outcome, int]],
    unanswered: Counter[int],
    hits: dict[int, Counter[str]],
    answers: dict[int, list[Answer]],
    waivers: dict[str, list[Waived]],
) -> AssessedItem:
    judged = [
        Judged(
            name,
            title,
            outcomes.get(identity, {}),
            unanswered[identity],
            hits.get(identity, Counter())["open"],
            hits.get(identity, Counter())["waived"],
        )
        for identity, (name, title) in sorted(rules.items(), key=lambda one: one[1][0])
    ]
    told = [one for identity in sorted(rules) for one in answers.get(identity, [])]
    of_people = [
        one for name in sorted(judge.rule for judge in judged) for one in waivers.get(name, [])
    ]
    return AssessedItem(
        clause.id,
        clause.unit,
        clause.control,
        clause.summary,
        *_verdict(judged, told),
        tuple(judged),
        tuple(told[:_ANSWERS]),
        tuple(of_people[:_WAIVERS]),
        sum(one.open for one in judged),
        sum(one.waived for one in judged),
    )


def _verdict(judged: Iterable[Judged], answers: Iterable[Answer]) -> tuple[Verdict, bool]:
    """And whether it is a person's alone."""
    came: set[str] = set()
    for one in judged:
        came |= {outcome for outcome, hosts in one.hosts.items() if hosts and outcome != "manual"}
        if one.unanswered:
            came.add("manual")
    said = came | {one.answer for one in answers}
    order: tuple[Verdict, ...] = ("fail", "unknown", "manual", "pass", "not_applicable")
    verdict: Verdict = next((one for one in order if one in said), "not_assessed")
    return verdict, verdict in said - came

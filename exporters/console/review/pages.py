"""Pages of the review: the list of hits and one hit."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, get_args

from sqlalchemy import Row, Select, select

from exporters.console.overview.tallied import packs
from exporters.console.review import assessment, exports, filters, forms, onehit, views
from exporters.console.review.filters import NOBODY, HitFilter, Sort
from exporters.console.review.groups import groups
from exporters.console.review.listing import listing
from exporters.console.schema import department, user
from exporters.console.web.asker import ALLOWED, Asker
from exporters.console.web.routing import Answer, Nothing, Page, Shown
from exporters.console.words import WORDS, say
from exporters.findings.text import words as in_words
from rules.model import SEVERITIES, WORKFLOWS

SIZES: Final = (50, 100, 200)
_OWNERS: Final = 1000


@dataclass(frozen=True)
class Choices:
    """What the form of the filters offers: values and their words."""

    severities: list[tuple[str, str]]
    states: list[tuple[str, str]]
    verdicts: list[tuple[str, str]]
    departments: list[tuple[str, str]]
    packs: list[tuple[str, str]]
    sorts: list[tuple[str, str]]
    directions: list[tuple[str, str]]
    groups: list[tuple[str, str]]
    sizes: list[tuple[int, str]]
    owners: list[Row[Any]]
    opened: bool


class WordedChip(NamedTuple):
    name: str
    words: str
    without: str


def hits(asker: Asker, given: HitFilter) -> Answer:
    grouped = given.group != "none"
    return Shown(
        "review/hits.html.j2",
        {
            "given": given,
            "query": filters.query,
            "choices": choices(asker, given),
            "chips": [_worded(asker, chip) for chip in filters.chips(given)],
            "views": views.views(asker, Nothing()).views,
            "groups": groups(asker, given) if grouped else None,
            "listing": None if grouped else listing(asker, given),
        },
    )


def hit(asker: Asker, given: onehit.ById) -> Answer:
    words = functools.partial(_said, asker.language)
    return Shown(
        "review/hit.html.j2",
        {
            "whole": onehit.one(asker, given),
            "shown": _shown,
            "said": words,
            "query": filters.query,
            "owners": _owners(asker),
        },
    )


def _owners(asker: Asker) -> list[Row[Any]]:
    """Who may be given a hit that this asker may give: users of their departments, or of all."""
    if not asker.may("review"):
        return []
    roles = [role for role, allowed in ALLOWED.items() if "review" in allowed]
    statement: Select[Any] = (
        select(user.c.name, user.c.full_name, user.c.departments)
        .where(user.c.role.in_(roles), user.c.disabled.is_(False))
        .order_by(user.c.name)
        .limit(_OWNERS)
    )
    with asker.database.reading() as connection:
        rows = list(connection.execute(statement))
    mine = asker.person.departments if asker.person else ()
    return [
        row
        for row in rows
        if mine is None or row.departments is None or not set(mine).isdisjoint(row.departments)
    ]


def _said(language: str, prefix: str, word: str) -> str:
    """A word that the tables have, in the asker's language where the catalogue knows it."""
    key = f"{prefix}.{word}"
    return say(key, language) if key in WORDS else word


def _shown(value: Any) -> str:
    """Evidence to be read: one field a line."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {in_words(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "\n".join(in_words(one) for one in value)
    return in_words(value) or "—"


def assessed(asker: Asker, given: assessment.Asked) -> Answer:
    nobody = say("nobody_department", asker.language)
    names = _departments(asker)
    shown = {NOBODY: nobody, "": say("all", asker.language)}.get(given.department, given.department)
    return Shown(
        "review/assessment.html.j2",
        {
            "sheet": assessment.assessment(asker, given),
            "given": given,
            "department": shown,
            "departments": [(name or NOBODY, name or nobody) for name in names],
            "levels": [
                (3, say("review.level_3", asker.language)),
                (2, say("review.level_2", asker.language)),
            ],
        },
    )


def _departments(asker: Asker) -> list[str]:
    statement = asker.scoped(select(department.c.name).order_by(department.c.name), department.c.id)
    with asker.database.reading() as connection:
        return list(connection.execute(statement).scalars())


def choices(asker: Asker, given: HitFilter) -> Choices:
    def worded(prefix: str, values: Any) -> list[tuple[str, str]]:
        return [(value, say(f"{prefix}.{value}", asker.language)) for value in values]

    with asker.database.reading() as connection:
        known = packs(connection, asker)
    names = _departments(asker)
    nobody = say("nobody_department", asker.language)
    return Choices(
        severities=worded("severity", reversed(SEVERITIES)),
        states=[*worded("state", WORKFLOWS), ("all", say("all", asker.language))],
        verdicts=worded("verdict", ("fail", "unknown", "pass")),
        departments=[(name or NOBODY, name or nobody) for name in names],
        packs=[(pack, pack) for pack in known],
        sorts=worded("review.sort", get_args(Sort)),
        directions=worded("review.direction", ("", "asc", "desc")),
        groups=worded("review.group", ("none", "rule", "host")),
        sizes=[(size, str(size)) for size in SIZES],
        owners=_owners(asker),
        opened=any(
            getattr(given, name) not in ("", None, ())
            for name in given.__struct_fields__
            if name not in (*filters.LOOKS, "severity", "state", "text")
        ),
    )


def _worded(asker: Asker, chip: filters.Chip) -> WordedChip:
    value = chip.value
    if chip.name == "department" and value == NOBODY:
        value = say("nobody_department", asker.language)
    elif chip.name in ("severity", "state", "verdict") and value != "all":
        value = say(f"{chip.name}.{value}", asker.language)
    elif f"review.{chip.name}.{value}" in WORDS:
        value = say(f"review.{chip.name}.{value}", asker.language)
    return WordedChip(chip.name, value, chip.without)


PAGES: Final = (
    Page("/assessment/sheet", "view", assessed, assessment.Asked),
    Page("/hits", "view", hits, HitFilter),
    Page("/hits.csv", "view", exports.as_csv, HitFilter),
    Page("/hits.ocsf", "view", exports.as_ocsf, HitFilter),
    Page("/hits/bulk", "review", forms.bulk_form, forms.BulkForm, "POST"),
    Page("/hits/views", "view", forms.view_form, forms.ViewForm, "POST"),
    Page("/hits/{id}", "view", hit, onehit.ById),
    Page("/hits/{id}", "review", forms.hit_form, forms.HitForm, "POST"),
)

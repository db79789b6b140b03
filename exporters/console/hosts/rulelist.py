"""The rules of all packs, by pack: how many hosts each came out how on, and its open hits. From the tallies."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.hosts.keyset import Cursor, Words
from exporters.console.overview.scores import title
from exporters.console.schema import hit_tally, outcome_tally, rule, rule_clause
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid
from rules import clauses
from rules.model import OUTCOMES, SEVERITIES, Outcome, Severity, Text

PAGE: Final = 100
_Key = tuple[
    Annotated[str, msgspec.Meta(max_length=300)], Annotated[str, msgspec.Meta(max_length=300)]
]


class RuleFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`clause` is an item of GB/T 22239 or what it begins with; `text` is part of an id or title; `outcome`: rules that
    came out so on some host, `none`: on no host at all."""

    pack: Words = ""
    clause: Words = ""
    text: Words = ""
    outcome: Literal["", "pass", "fail", "not_applicable", "unknown", "manual", "none"] = ""
    cursor: Cursor = ""


class RuleRow(msgspec.Struct, frozen=True):
    """A rule in one pack. `hosts` by outcome, all nothing where no host has told; `open` are hits of the rule, which
    are the same ones in each of its packs, and null where no host of this pack has told."""

    pack: str
    pack_title: Text
    rule: str
    title: Text
    severity: Severity
    clauses: tuple[str, ...]
    manual: bool
    hosts: dict[Outcome, int]
    open: int | None


class RuleList(msgspec.Struct, frozen=True):
    rules: tuple[RuleRow, ...]
    cursor: str
    count: int
    packs: tuple[str, ...]


def rules(asker: Asker, given: RuleFilter) -> RuleList:
    with asker.database.reading() as connection:
        rows = every(connection, asker)
    kept = [row for row in rows if _lets(given, row)]
    rest = kept
    if given.cursor:
        try:
            at = msgspec.json.decode(given.cursor, type=_Key)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise Invalid("bad_parameter", "cursor", name="cursor", problem="?") from error
        rest = [row for row in kept if (row.pack, row.rule) > at]
    page = rest[:PAGE]
    more = len(rest) > PAGE
    return RuleList(
        tuple(page),
        msgspec.json.encode((page[-1].pack, page[-1].rule)).decode() if more else "",
        len(kept),
        tuple(sorted({row.pack for row in rows})),
    )


def every(connection: Connection, asker: Asker, name: str = "") -> list[RuleRow]:
    """Of this console's packs and of what audits told, by pack and id: a thousand or two; of one rule, with its name."""
    services = asker.services
    told: dict[int, Any] = {}
    hosts: dict[tuple[str, str], dict[Outcome, int]] = {}
    statement = select(rule)
    if name:
        statement = statement.where(rule.c.name == name)
    told = {row.id: row for row in connection.execute(statement)}
    tally = outcome_tally.c
    counted = select(
        tally.pack, tally.rule_id, tally.outcome, func.sum(tally.hosts).label("hosts")
    ).group_by(tally.pack, tally.rule_id, tally.outcome)
    hits = (
        select(hit_tally.c.rule_id, func.sum(hit_tally.c.hits).label("hits"))
        .where(hit_tally.c.state.in_(OPEN_STATES))
        .group_by(hit_tally.c.rule_id)
    )
    mapped = select(rule_clause).where(rule_clause.c.standard == clauses.STANDARD)
    if name:
        counted = counted.where(tally.rule_id.in_(told))
        hits = hits.where(hit_tally.c.rule_id.in_(told))
        mapped = mapped.where(rule_clause.c.rule_id.in_(told))
    for row in connection.execute(asker.scoped(counted, tally.department_id)):
        key = (row.pack, told[row.rule_id].name)
        of_rule = hosts.setdefault(key, dict.fromkeys(OUTCOMES, 0))
        of_rule[OUTCOMES[row.outcome]] += int(row.hosts)
    open_hits = {
        told[row.rule_id].name: int(row.hits)
        for row in connection.execute(asker.scoped(hits, hit_tally.c.department_id))
    }
    about: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(mapped):
        about[told[row.rule_id].name].append(row.clause)
    found: dict[tuple[str, str], RuleRow] = {}
    for pack in services.packs.values():
        for one in pack.rules:
            if name in ("", one.id):
                key = (pack.pack, one.id)
                found[key] = RuleRow(
                    *(pack.pack, pack.title, one.id, one.title, one.severity),
                    one.maps.get(clauses.STANDARD, ()),
                    one.manual is not None,
                    hosts.get(key, dict.fromkeys(OUTCOMES, 0)),
                    open_hits.get(one.id, 0) if key in hosts else None,
                )
    by_name = {row.name: row for row in told.values()}
    for pack_name, rule_name in hosts.keys() - found.keys():
        one = by_name[rule_name]
        found[pack_name, rule_name] = RuleRow(
            pack_name,
            title(services, pack_name),
            rule_name,
            Text(one.title_zh, one.title_en),
            SEVERITIES[one.severity],
            tuple(sorted(about[rule_name])),
            bool(one.question_zh or one.question_en),
            hosts[pack_name, rule_name],
            open_hits.get(rule_name, 0),
        )
    return [found[key] for key in sorted(found)]


def _lets(given: RuleFilter, row: RuleRow) -> bool:
    if given.pack not in ("", row.pack):
        return False
    if given.clause and not any(
        one == given.clause or one.startswith(given.clause.rstrip(".") + ".") for one in row.clauses
    ):
        return False
    if given.outcome == "none":
        if any(row.hosts.values()):
            return False
    elif given.outcome and not row.hosts[given.outcome]:
        return False
    needle = given.text.casefold()
    return needle in f"{row.rule}\n{row.title.zh}\n{row.title.en}".casefold()

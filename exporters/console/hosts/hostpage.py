"""One host: what is known of it, how every rule came out, its open hits by rule, its lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Row, func, select

from exporters.console.codes import OPEN_STATES
from exporters.console.hosts.keyset import Words
from exporters.console.hosts.linelist import WORST_LINES, LineRow, of_host
from exporters.console.overview.attention import OLD
from exporters.console.overview.matrix import WORST
from exporters.console.overview.scores import title
from exporters.console.schema import department, hit, host, host_pack, rule, unjudged
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.refusals import NotFound
from rules.model import OUTCOMES, SEVERITIES, Outcome, Severity, Text

MANY: Final = 500  # rules of hits
_NOT_PASSED: Final[tuple[Outcome, ...]] = ("fail", "unknown", "manual")
_OUTCOMES: Final = msgspec.json.Decoder(dict[int, int])


class OneHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`outcome` and `pack` narrow the rules that are told; without an outcome these are those that did not pass."""

    id: Id
    outcome: Literal["", "all", "pass", "fail", "not_applicable", "unknown", "manual"] = ""
    pack: Words = ""


class PackOf(msgspec.Struct, frozen=True):
    pack: str
    title: Text
    time: datetime
    score: float | None
    counts: dict[Outcome, int]


class Unjudged(msgspec.Struct, frozen=True):
    rule: str
    title: Text
    reason: str


class HitsOf(msgspec.Struct, frozen=True):
    rule: str
    title: Text
    severity: Severity
    open: int
    first_seen: datetime


class Judged(msgspec.Struct, frozen=True):
    pack: str
    rule: str
    title: Text
    severity: Severity
    outcome: Outcome


class HostFacts(msgspec.Struct, frozen=True):
    """`old`: its last audit is older than two days, or there was none. Of a silent or old one nothing new is known: its
    hits stay open."""

    id: int
    key: str
    name: str
    department: str
    system: str
    region: str
    level: str
    labels: dict[str, str]
    source: str
    target: str
    version: str
    first_seen: datetime
    last_audit: datetime | None
    heard: datetime | None
    silent_since: datetime | None
    problem: str
    old: bool
    left_out: int
    open: int
    packs: tuple[PackOf, ...]
    unjudged: tuple[Unjudged, ...]
    hits: tuple[HitsOf, ...]
    lines: tuple[LineRow, ...]  # the worst
    more_lines: bool
    rules: tuple[Judged, ...]


def host_of(asker: Asker, given: OneHost) -> HostFacts:
    """Raises NotFound, also for one that may not be seen."""
    with asker.database.reading() as connection:
        row = connection.execute(
            select(host, department.c.name.label("department_name"))
            .join(department, department.c.id == host.c.department_id)
            .where(host.c.id == given.id)
        ).first()
        if row is None or not asker.sees(row.department_id):
            raise NotFound("not_found")
        lines = of_host(connection, asker, row.id)
        packs = connection.execute(
            select(host_pack).where(host_pack.c.host_id == row.id).order_by(host_pack.c.pack)
        ).all()
        return HostFacts(
            *(row.id, row.key, row.name, row.department_name, row.system, row.region, row.level),
            labels=row.labels or {},
            source=row.source,
            target=row.target,
            version=row.version,
            first_seen=row.first_seen,
            last_audit=row.last_audit,
            heard=row.heard,
            silent_since=row.silent_since,
            problem=row.problem,
            old=row.last_audit is None or row.last_audit < asker.now - OLD,
            left_out=row.left_out,
            open=row.hits,
            packs=tuple(
                PackOf(
                    one.pack,
                    title(asker.services, one.pack),
                    one.time,
                    one.score,
                    _whole(one.counts),
                )
                for one in packs
            ),
            unjudged=_unjudged(connection, row.id),
            hits=_hits(connection, row.id),
            lines=lines[:WORST_LINES],
            more_lines=len(lines) > WORST_LINES,
            rules=_judged(connection, packs, given),
        )


def _whole(counts: dict[str, int]) -> dict[Outcome, int]:
    return {outcome: int(counts.get(outcome, 0)) for outcome in OUTCOMES}


def _unjudged(connection: Connection, host_id: int) -> tuple[Unjudged, ...]:
    statement = (
        select(rule.c.name, rule.c.title_zh, rule.c.title_en, unjudged.c.reason)
        .join_from(unjudged, rule, rule.c.id == unjudged.c.rule_id)
        .where(unjudged.c.host_id == host_id)
        .order_by(rule.c.name)
        .limit(MANY)
    )
    return tuple(
        Unjudged(row.name, Text(row.title_zh, row.title_en), row.reason)
        for row in connection.execute(statement)
    )


def _hits(connection: Connection, host_id: int) -> tuple[HitsOf, ...]:
    counted = (
        select(
            hit.c.rule_id,
            func.max(hit.c.severity).label("severity"),
            func.count().label("open"),
            func.min(hit.c.first_seen).label("first_seen"),
        )
        .where(hit.c.host_id == host_id, hit.c.state.in_(OPEN_STATES))
        .group_by(hit.c.rule_id)
        .subquery()
    )
    statement = (
        select(counted, rule.c.name, rule.c.title_zh, rule.c.title_en)
        .join(rule, rule.c.id == counted.c.rule_id)
        .order_by(counted.c.severity.desc(), counted.c.open.desc(), rule.c.name)
        .limit(MANY)
    )
    return tuple(
        HitsOf(
            row.name,
            Text(row.title_zh, row.title_en),
            SEVERITIES[row.severity],
            row.open,
            row.first_seen,
        )
        for row in connection.execute(statement)
    )


def _judged(
    connection: Connection, packs: Iterable[Row[Any]], given: OneHost
) -> tuple[Judged, ...]:
    wanted = _NOT_PASSED if not given.outcome else OUTCOMES
    if given.outcome in OUTCOMES:
        wanted = (given.outcome,)
    found = {
        (one.pack, number): OUTCOMES[code]
        for one in packs
        if given.pack in ("", one.pack)
        for number, code in _OUTCOMES.decode(one.outcomes).items()
        if OUTCOMES[code] in wanted
    }
    statement = select(rule).where(rule.c.id.in_({number for _, number in found}))
    rules = {row.id: row for row in connection.execute(statement)}
    judged = [
        Judged(
            pack,
            rules[number].name,
            Text(rules[number].title_zh, rules[number].title_en),
            SEVERITIES[rules[number].severity],
            outcome,
        )
        for (pack, number), outcome in found.items()
    ]
    judged.sort(
        key=lambda one: (
            WORST.index(one.outcome),
            -SEVERITIES.index(one.severity),
            one.rule,
            one.pack,
        )
    )
    return tuple(judged)

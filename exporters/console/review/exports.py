"""What a list of hits has, as a file: CSV for spreadsheets, OCSF events for other systems.

Both go out as they are read, a batch of hits at a time along their ids, so that a million of them need no more memory than
a few. Which of them are asked for is as in the list (filters.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, Select, select

from exporters.console import example
from exporters.console.review import ways
from exporters.console.review.filters import HitFilter
from exporters.console.review.narrowing import Narrowed, narrowed
from exporters.console.schema import department, hit, host, rule, rule_clause, user
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Reply
from exporters.console.words import say
from exporters.findings import ocsf
from exporters.findings.text import words
from exporters.findings.told import CHANGED, CLOSED, of_hit
from exporters.report import sheet
from rules.clauses import STANDARD
from rules.model import SEVERITIES, WORKFLOWS, Hit, Host, Text

_BATCH: Final = 1000
_HEADS: Final = (
    *("id", "severity", "state", "title", "rule", "clause", "department", "host", "host_id"),
    *("instance", "actual", "expected", "source", "owner", "ticket", "waiver"),
    *("first_seen", "last_seen", "changed", "fingerprint"),
)
Maps = dict[int, dict[str, tuple[str, ...]]]


def as_csv(asker: Asker, given: HitFilter) -> Reply:
    """The columns are named in the asker's language; times are by the site's clock."""
    heads = [say(f"review.csv.{name}", asker.language) for name in _HEADS]
    said = example.mark(asker.services.settings, asker.language)
    content = example.table(said, heads, _cells(asker, given))
    return Reply(sheet.blocks(content), "text/csv; charset=utf-8", f"hits-{_stamp(asker)}.csv")


def as_ocsf(asker: Asker, given: HitFilter) -> Reply:
    """OCSF 1.5 Compliance Findings, a line each."""
    content = sheet.blocks(_events(asker, given))
    return Reply(content, "application/x-ndjson", f"hits-{_stamp(asker)}.ocsf.ndjson")


def _stamp(asker: Asker) -> str:
    return asker.now.astimezone(asker.zone).strftime("%Y%m%d-%H%M")


def _cells(asker: Asker, given: HitFilter) -> Iterator[Sequence[sheet.Cell]]:
    language, zone = asker.language, asker.zone
    for maps, row in _rows(asker, given):
        title = Text(row.title_zh, row.title_en)
        times = [
            one.astimezone(zone).replace(tzinfo=None)
            for one in (row.first_seen, row.last_seen, row.changed)
        ]
        yield (
            row.id,
            say(f"severity.{SEVERITIES[row.severity]}", language),
            say(f"state.{WORKFLOWS[row.state]}", language),
            title.of(language),
            row.rule_name,
            " ".join(maps.get(row.rule_id, {}).get(STANDARD, ())),
            row.department_name or say("nobody_department", language),
            row.host_name,
            row.host_key,
            row.instance,
            words(msgspec.json.decode(row.actual)),
            words(msgspec.json.decode(row.expected)),
            row.source,
            row.owner_name or "",
            row.ticket,
            row.waiver,
            *times,
            bytes(row.fingerprint).hex(),
        )


def _events(asker: Asker, given: HitFilter) -> Iterator[bytes]:
    labels = example.labels(asker.services.settings)
    for maps, row in _rows(asker, given):
        found = _hit(row, maps.get(row.rule_id, {}))
        activity = CLOSED if found.state == "fixed" else CHANGED
        told = of_hit(found, row.last_seen, activity, asker.services.rules)
        yield ocsf.encode(told, labels) + b"\n"


def _hit(row: Row[Any], maps: dict[str, tuple[str, ...]]) -> Hit:
    return Hit(
        fingerprint=bytes(row.fingerprint).hex(),
        host=Host(row.host_key, row.host_name),
        rule=row.rule_name,
        title=Text(row.title_zh, row.title_en),
        severity=SEVERITIES[row.severity],
        state=WORKFLOWS[row.state],
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        changed=row.changed,
        instance=row.instance,
        packs=msgspec.json.decode(row.packs, type=tuple[str, ...]),
        actual=msgspec.json.decode(row.actual),
        expected=msgspec.json.decode(row.expected),
        source=row.source,
        evidence=row.evidence,
        maps=maps,
        unseen_since=row.unseen_since,
        waiver=row.waiver,
        by=row.by,
        note=row.note,
    )


# --- which


def _rows(asker: Asker, given: HitFilter) -> Iterator[tuple[Maps, Row[Any]]]:
    """All hits asked for, by id. A transaction lasts for a batch alone: nobody waits for a slow reader."""
    with asker.database.reading() as connection:
        asked = narrowed(connection, asker, given)
        if asked.nothing:
            return
        by = ways.way(connection, asked)
        maps = _maps(connection)
        chosen = None
        if by.index:
            found = ways.candidates(asked, by)
            chosen = sorted(row.id for row in connection.execute(found))
    batches = _walked(asker, asked) if chosen is None else _chosen(asker, asked, chosen)
    for rows in batches:
        for row in rows:
            yield maps, row


def _chosen(asker: Asker, asked: Narrowed, ids: Sequence[int]) -> Iterator[Sequence[Row[Any]]]:
    for begin in range(0, len(ids), _BATCH):
        some = ids[begin : begin + _BATCH]
        with asker.database.reading() as connection:
            statement = _whole().where(hit.c.id.in_(some), *asked.conditions(hit.c))
            rows = connection.execute(statement.order_by(hit.c.id)).all()
        yield rows


def _walked(asker: Asker, asked: Narrowed) -> Iterator[Sequence[Row[Any]]]:
    last = -1
    while True:
        with asker.database.reading() as connection:
            entries = select(hit.c.id).where(hit.c.id > last).order_by(hit.c.id).limit(_BATCH)
            ids = list(connection.execute(entries).scalars())
            if not ids:
                return
            statement = _whole().where(
                hit.c.id > last, hit.c.id <= ids[-1], *asked.conditions(hit.c)
            )
            rows = connection.execute(statement.order_by(hit.c.id)).all()
        last = ids[-1]
        yield rows


def _whole() -> Select[Any]:
    return (
        select(
            hit,
            host.c.key.label("host_key"),
            host.c.name.label("host_name"),
            department.c.name.label("department_name"),
            rule.c.name.label("rule_name"),
            rule.c.title_zh,
            rule.c.title_en,
            user.c.name.label("owner_name"),
        )
        .join(host, host.c.id == hit.c.host_id)
        .join(department, department.c.id == hit.c.department_id)
        .join(rule, rule.c.id == hit.c.rule_id)
        .outerjoin(user, user.c.id == hit.c.owner_id)
    )


def _maps(connection: Any) -> Maps:
    """The clauses of all rules, by rule and standard."""
    found: dict[int, dict[str, list[str]]] = {}
    columns = (rule_clause.c.rule_id, rule_clause.c.standard, rule_clause.c.clause)
    for identity, standard, clause in connection.execute(select(*columns).order_by(*columns)):
        found.setdefault(identity, {}).setdefault(standard, []).append(clause)
    return {
        identity: {standard: tuple(ones) for standard, ones in of.items()}
        for identity, of in found.items()
    }

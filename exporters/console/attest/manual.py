"""Manual items: what no program can judge, asked of people by department; their answers with evidence, until a day.

An answer never changes the verdict of an agent. A new one takes the place of the one before, which is kept; an expired
one leaves the item open again.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, Select, or_, select
from sqlalchemy.exc import IntegrityError

from exporters.console.attest import texts, uploads
from exporters.console.attest.answers import Answer, Said
from exporters.console.attest.manuallist import (
    ManualItem,
    ManualKey,
    item_of,
)
from exporters.console.schema import attachment, attestation, host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id, Natural
from exporters.console.web.refusals import Conflict, Invalid, NotFound
from exporters.console.web.routing import Upload

PAGE: Final = 20  # of the history


class ManualAnswer(msgspec.Struct, frozen=True):
    """An answer to a rule's question for a department, or for one host of it by name or id. `seen` is the id of the answer
    that stands now, as the asker saw it; 0: there was none."""

    rule_id: Id
    department_id: Id
    answer: Said
    text: str
    expires: date
    host: str = ""
    seen: Natural = 0
    files: tuple[Upload, ...] = ()


class ManualWithdrawal(msgspec.Struct, frozen=True):
    id: Id
    version: Id


class ManualFile(msgspec.Struct, frozen=True):
    """An attachment; its bytes are at /manual/attachments/{id}."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str


class ManualAnswered(msgspec.Struct, frozen=True):
    """One answer, old or standing. `standing`: nothing took its place, and it is not expired."""

    answer: Answer
    host: str
    standing: bool
    expired: bool
    withdrawn: datetime | None
    version: int
    files: tuple[ManualFile, ...]


class ManualShown(msgspec.Struct, frozen=True):
    """`answers` are all that there were, the newest first; `before` asks for more of them, 0: these are the last."""

    item: ManualItem
    answers: tuple[ManualAnswered, ...]
    before: int


def answered(asker: Asker, given: ManualAnswer) -> int:
    """The new answer's id. Raises Invalid, NotFound, and Conflict where somebody else answered meanwhile."""
    text = texts.written("text", given.text, lines=True)
    expires = texts.last_day("expires", given.expires, texts.today(asker))
    files = uploads.checked(given.files, asker.services.settings.upload_bytes)
    try:
        with asker.database.writing() as connection:
            item = item_of(asker, connection, ManualKey(given.rule_id, given.department_id))
            its_host = _host(connection, given) if given.host.strip() else None
            _replaced(asker, connection, given, its_host)
            id: int = connection.execute(
                attestation.insert()
                .values(
                    rule_id=given.rule_id,
                    department_id=given.department_id,
                    host_id=its_host.id if its_host else None,
                    answer=given.answer,
                    text=text,
                    by=asker.name,
                    created=asker.now,
                    expires=expires,
                )
                .returning(attestation.c.id)
            ).scalar_one()
            for one in files:
                values = msgspec.structs.asdict(one) | {"size": len(one.content)}
                connection.execute(attachment.insert().values(attestation_id=id, **values))
            detail = {
                "department": item.department,
                "host": its_host.name if its_host else "",
                "answer": given.answer,
                "text": text,
                "expires": expires.isoformat(),
                "files": [{"name": one.name, "sha256": one.sha256} for one in files],
            }
            asker.record(connection, "manual.answer", item.rule, detail)
            return id
    except IntegrityError as error:  # both saw that there was none
        raise Conflict("conflict") from error


def withdrawn(asker: Asker, given: ManualWithdrawal) -> ManualKey:
    """The item is open again. Raises NotFound, Conflict."""
    with asker.database.writing() as connection:
        row = connection.execute(
            asker.scoped(_rows(), attestation.c.department_id).where(attestation.c.id == given.id)
        ).first()
        if row is None:
            raise NotFound("not_found")
        done = connection.execute(
            attestation.update()
            .where(
                attestation.c.id == given.id,
                attestation.c.version == given.version,
                attestation.c.withdrawn.is_(None),
            )
            .values(withdrawn=asker.now, version=attestation.c.version + 1)
        )
        if done.rowcount != 1:
            raise Conflict("conflict")
        key = ManualKey(row.rule_id, row.department_id)
        item = item_of(asker, connection, key)
        detail = {"department": item.department, "host": row.host or "", "answer": row.answer}
        asker.record(connection, "manual.withdraw", item.rule, detail)
    return key


def shown(asker: Asker, key: ManualKey) -> ManualShown:
    """Raises NotFound."""
    statement = _rows().where(
        attestation.c.rule_id == key.rule_id, attestation.c.department_id == key.department_id
    )
    if key.before:
        statement = statement.where(attestation.c.id < key.before)
    statement = asker.scoped(statement, attestation.c.department_id)
    with asker.database.reading() as connection:
        item = item_of(asker, connection, key)
        rows = connection.execute(statement.order_by(attestation.c.id.desc()).limit(PAGE + 1)).all()
        files = _files(connection, [row.id for row in rows[:PAGE]])
    today = texts.today(asker)
    answers = tuple(_answered(row, today, files.get(row.id, ())) for row in rows[:PAGE])
    return ManualShown(item, answers, rows[PAGE - 1].id if len(rows) > PAGE else 0)


def file(asker: Asker, id: int) -> Row[Any]:
    """An attachment with its content. Raises NotFound."""
    columns: list[Any] = [*attachment.c]
    statement: Select[Any] = (
        select(*columns)
        .join(attestation, attestation.c.id == attachment.c.attestation_id)
        .where(attachment.c.id == id)
    )
    with asker.database.reading() as connection:
        row = connection.execute(asker.scoped(statement, attestation.c.department_id)).first()
    if row is None:
        raise NotFound("not_found")
    return row


def _rows() -> Select[Any]:
    columns: list[Any] = [*attestation.c, host.c.name.label("host")]
    return select(*columns).outerjoin(host, host.c.id == attestation.c.host_id)


def _host(connection: Connection, given: ManualAnswer) -> Row[Any]:
    name = texts.optional("host", given.host, texts.NAME)
    columns: list[Any] = [host.c.id, host.c.name]
    found = connection.execute(
        select(*columns)
        .where(
            host.c.department_id == given.department_id,
            or_(host.c.name == name, host.c.key == name),
        )
        .order_by(host.c.id)
        .limit(2)
    ).all()
    if len(found) != 1:
        raise Invalid("manual.no_host", "host", name=name)
    return found[0]


def _replaced(
    asker: Asker, connection: Connection, given: ManualAnswer, its_host: Row[Any] | None
) -> None:
    """Raises Conflict where what stands is not what was seen."""
    standing = [attestation.c.rule_id == given.rule_id, attestation.c.withdrawn.is_(None)]
    if its_host is None:
        standing += [
            attestation.c.department_id == given.department_id,
            attestation.c.host_id.is_(None),
        ]
    else:
        standing.append(attestation.c.host_id == its_host.id)
    known = connection.execute(select(attestation.c.id).where(*standing).with_for_update()).scalar()
    # the page shows the department's answer; one for a host takes the place of whatever was there
    if its_host is None and (known or 0) != given.seen:
        raise Conflict("conflict")
    if known is not None:
        done = connection.execute(
            attestation.update()
            .where(attestation.c.id == known, attestation.c.withdrawn.is_(None))
            .values(withdrawn=asker.now, version=attestation.c.version + 1)
        )
        if done.rowcount != 1:
            raise Conflict("conflict")


def _files(connection: Connection, ids: list[int]) -> dict[int, tuple[ManualFile, ...]]:
    columns = [attachment.c[name] for name in ManualFile.__struct_fields__]
    statement: Select[Any] = (
        select(attachment.c.attestation_id, *columns)
        .where(attachment.c.attestation_id.in_(ids))
        .order_by(attachment.c.id)
    )
    found: dict[int, tuple[ManualFile, ...]] = {}
    for owner, *values in connection.execute(statement):
        found[owner] = (*found.get(owner, ()), ManualFile(*values))
    return found


def _answered(row: Row[Any], today: date, files: tuple[ManualFile, ...]) -> ManualAnswered:
    answer = Answer(**{name: getattr(row, name) for name in Answer.__struct_fields__})
    expired = row.expires < today
    standing = row.withdrawn is None and not expired
    return ManualAnswered(
        answer, row.host or "", standing, expired, row.withdrawn, row.version, files
    )

"""Users, as administrators keep them. A user is never deleted, since the log names them; who leaves is disabled.

Administrators and auditors are of the whole site: whoever sees one department only may do neither.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select, update
from sqlalchemy.exc import IntegrityError

from exporters.console.people import passwords, sessions, totp
from exporters.console.people.oneself import in_a_session, person, whole_site
from exporters.console.schema import department, user
from exporters.console.web.asker import Asker, Role
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound, Refused
from exporters.console.web.routing import Nothing
from exporters.findings.text import neutral

PAGE: Final = 100
_NAME: Final = 64  # characters
_MAIL: Final = re.compile(r"[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,190}")
_WHOLE_SITE: Final = ("administrator", "auditor")


class Known(msgspec.Struct, frozen=True):
    id: int
    name: str
    full_name: str
    mail: str
    role: Role
    departments: tuple[str, ...] | None  # None: all
    origin: str
    disabled: bool
    locked_until: datetime | None
    totp: bool
    must_change: bool
    last_login: datetime | None
    version: int


class List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names after `after`; of those that have `text` in a name or the mail."""

    text: str = ""
    after: str = ""


class Users(msgspec.Struct, frozen=True):
    users: tuple[Known, ...]
    next: str  # `after` of the next page; empty: there is none


class UserId(msgspec.Struct, frozen=True):
    id: Id


class Create(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    role: Role
    full_name: str = ""
    mail: str = ""
    departments: tuple[str, ...] | None = None


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Id
    version: Id
    role: Role
    full_name: str = ""
    mail: str = ""
    departments: tuple[str, ...] | None = None
    disabled: bool = False


class Password(msgspec.Struct, frozen=True):
    """The initial one, to be shown this once; changed at the next login."""

    id: int
    name: str
    password: str


def listed(asker: Asker, given: List) -> Users:
    whole_site(asker)
    statement = select(user).where(user.c.name > given.after).order_by(user.c.name).limit(PAGE + 1)
    if given.text:
        statement = statement.where(
            user.c.name.icontains(given.text, autoescape=True)
            | user.c.full_name.icontains(given.text, autoescape=True)
            | user.c.mail.icontains(given.text, autoescape=True)
        )
    with asker.database.reading() as connection:
        rows = connection.execute(statement).all()
    known = tuple(_known(asker, row) for row in rows[:PAGE])
    return Users(known, known[-1].name if len(rows) > PAGE else "")


def get(asker: Asker, given: UserId) -> Known:
    whole_site(asker)
    with asker.database.reading() as connection:
        row = connection.execute(select(user).where(user.c.id == given.id)).first()
    if row is None:
        raise NotFound("not_found")
    return _known(asker, row)


def departments(asker: Asker) -> list[str]:
    """Those that hosts are of."""
    with asker.database.reading() as connection:
        found = connection.execute(select(department.c.name).order_by(department.c.name)).scalars()
        return [name for name in found if name]


def create(asker: Asker, given: Create) -> Password:
    _keeps(asker)
    name = unicodedata.normalize("NFKC", given.name.strip())
    if not is_name(name):
        raise Invalid("users.name_wrong", "name")
    fields = _fields(given)
    people, door = asker.services.settings.people, asker.services.door
    password = passwords.initial(name, people.password)
    hashed = door.hashed(password)
    try:
        with asker.database.writing() as connection:
            number = connection.execute(
                user.insert()
                .values(
                    name=name,
                    password_hash=hashed,
                    password_changed=asker.now,
                    must_change=True,
                    created=asker.now,
                    **fields,
                )
                .returning(user.c.id)
            ).scalar_one()
            asker.record(connection, "users.create", name, fields)
    except IntegrityError as error:
        raise Conflict("users.name_taken", "name") from error
    return Password(number, name, password)


def change(asker: Asker, given: Update) -> Known:
    _keeps(asker)
    fields = {**_fields(given), "disabled": given.disabled}
    with asker.database.writing() as connection:
        administrators = _administrators(connection)
        row = _row(connection, given.id)
        if row.version != given.version:
            raise Conflict("conflict")
        changed = {name: value for name, value in fields.items() if getattr(row, name) != value}
        rights = changed.keys() & {"role", "departments", "disabled"}
        if rights and row.id == person(asker).id:
            raise Forbidden("users.oneself")
        if rights and administrators == [row.id]:
            raise Refused("users.last_administrator")
        if changed:
            done = connection.execute(
                update(user)
                .where(user.c.id == row.id, user.c.version == given.version)
                .values(**changed, version=user.c.version + 1)
            )
            if done.rowcount != 1:
                raise Conflict("conflict")
            if rights:
                sessions.end_all(connection, row.id)
            detail = {name: [getattr(row, name), value] for name, value in changed.items()}
            asker.record(connection, "users.change", row.name, detail)
        return _known(asker, _row(connection, row.id))


def reset_password(asker: Asker, given: UserId) -> Password:
    _keeps(asker)
    _another(asker, given.id)
    people, door = asker.services.settings.people, asker.services.door
    with asker.database.reading() as connection:
        row = connection.execute(select(user).where(user.c.id == given.id)).first()
    if row is None:
        raise NotFound("not_found")
    if row.origin != "local":
        raise Refused("profile.password_elsewhere")
    password = passwords.initial(row.name, people.password)
    hashed = door.hashed(password)
    with asker.database.writing() as connection:
        passwords.store(connection, people.password, row, hashed, asker.now, must_change=True)
        asker.record(connection, "users.reset_password", row.name)
    return Password(row.id, row.name, password)


def unlock(asker: Asker, given: UserId) -> Nothing:
    _keeps(asker)
    with asker.database.writing() as connection:
        row = _row(connection, given.id)
        connection.execute(
            update(user).where(user.c.id == row.id).values(failures=0, locked_until=None)
        )
        asker.record(connection, "users.unlock", row.name)
    return Nothing()


def reset_totp(asker: Asker, given: UserId) -> Nothing:
    """Of a user who has lost their authenticator; their sessions are over."""
    _keeps(asker)
    _another(asker, given.id)
    with asker.database.writing() as connection:
        row = _row(connection, given.id)
        totp.forget(connection, row.id)
        sessions.end_all(connection, row.id)
        asker.record(connection, "users.reset_totp", row.name)
    return Nothing()


def is_name(name: str) -> bool:
    """Small letters and digits of any script, and `._@-` inside: a name that looks like another is none."""
    return (
        0 < len(name) <= _NAME
        and name == unicodedata.normalize("NFKC", name).lower()
        and name[0].isalnum()
        and all(one.isalnum() or one in "._@-" for one in name)
    )


def _fields(given: Create | Update) -> dict[str, Any]:
    full_name, mail = neutral(given.full_name.strip()), given.mail.strip()
    if len(full_name) > 64:
        raise Invalid("users.full_name_long", "full_name", length=64)
    if mail and not (_MAIL.fullmatch(mail) and mail.isprintable()):
        raise Invalid("users.mail_wrong", "mail")
    names = None
    if given.departments is not None:
        stripped = (neutral(one.strip()) for one in given.departments)
        names = sorted({one for one in stripped if one})
        if len(names) > 200 or any(len(one) > 128 for one in names):
            raise Invalid("users.departments_wrong", "departments")
        if given.role in _WHOLE_SITE:
            raise Invalid("users.whole_site", "departments")
    return {"full_name": full_name, "mail": mail, "role": given.role, "departments": names}


def _keeps(asker: Asker) -> None:
    whole_site(asker)
    in_a_session(asker)


def _another(asker: Asker, user_id: int) -> None:
    if user_id == person(asker).id:
        raise Forbidden("users.oneself")


def _administrators(connection: Connection) -> list[int]:
    """Those who can log in, locked in order: of two who disable each other at once one is refused."""
    found = connection.execute(
        select(user.c.id)
        .where(user.c.role == "administrator", user.c.disabled.is_(False))
        .order_by(user.c.id)
        .with_for_update()
    )
    return list(found.scalars())


def _row(connection: Connection, user_id: int) -> Row[Any]:
    row = connection.execute(select(user).where(user.c.id == user_id).with_for_update()).first()
    if row is None:
        raise NotFound("not_found")
    return row


def _known(asker: Asker, row: Row[Any]) -> Known:
    locked = row.locked_until is not None and row.locked_until > asker.now
    return Known(
        id=row.id,
        name=row.name,
        full_name=row.full_name,
        mail=row.mail,
        role=row.role,
        departments=None if row.departments is None else tuple(row.departments),
        origin=row.origin,
        disabled=row.disabled,
        locked_until=row.locked_until if locked else None,
        totp=bool(row.totp_secret),
        must_change=row.must_change,
        last_login=row.last_login,
        version=row.version,
    )

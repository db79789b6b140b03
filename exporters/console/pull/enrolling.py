"""Enrolment: an administrator gets one line for one machine; the machine's agent changes the one-time token in it for a
token of its own, POST /api/v1/enrol. Who knows the one-time token can only become a host that is not known yet, unless
the administrator allows it to replace one."""

from __future__ import annotations

import hashlib
import secrets
import shlex
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import Row, select, update

from collectors.strictyaml import DocumentError, read
from exporters.console.people.oneself import in_a_session
from exporters.console.people.sessions import hashed
from exporters.console.pull import tokens
from exporters.console.schema import enrolment, host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound, Unknown
from exporters.console.web.routing import Nothing
from exporters.findings.told import line

ENVIRONMENT: Final = "JIANWEI_ENROL_TOKEN"
MAX_KEY: Final = 300  # characters of a host's id

Label = Annotated[str, msgspec.Meta(max_length=200)]


class Enrol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels of the host to come. `replaces`: it may be one that is known already, installed anew."""

    department: Label = ""
    system: Label = ""
    region: Label = ""
    level: Label = ""
    hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 24
    replaces: bool = False


class Line(msgspec.Struct, frozen=True):
    """What is to be run on the machine. It is not told again: the token is in it."""

    id: int
    line: str
    expires: datetime


class Which(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Id


class State(msgspec.Struct, frozen=True):
    """`waiting`, `enrolled` (its token was used, no audit has come), `arrived`, or `expired`."""

    id: int
    state: Literal["waiting", "enrolled", "arrived", "expired"]
    expires: datetime
    host_id: int | None = None
    host_name: str = ""


class EnrolledHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]
    name: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] = ""


class Enrolling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: EnrolledHost
    version: str = ""


class Enrolled(msgspec.Struct, frozen=True):
    """The agent's own token, told once."""

    token: str


class Authority(msgspec.Struct, frozen=True):
    """PEM of who signed the console's certificate; empty where any system knows it."""

    pem: str = ""


def create(asker: Asker, given: Enrol) -> Line:
    in_a_session(asker)
    labels = {
        name: value.strip()
        for name in ("department", "system", "region", "level")
        if (value := getattr(given, name)).strip()
    }
    for name, value in labels.items():
        if not value.isprintable():
            raise Invalid("bad_parameter", name, name=name, problem=line(value))
    mine = asker.person.departments if asker.person else None
    if mine is not None and labels.get("department", "") not in mine:
        raise Forbidden("fleet.other_department")
    token = secrets.token_urlsafe(24)
    expires = asker.now + timedelta(hours=given.hours)
    with asker.database.writing() as connection:
        made = connection.execute(
            enrolment.insert().values(
                token_hash=hashed(token),
                labels=labels,
                replaces=given.replaces,
                created_by=asker.name,
                created=asker.now,
                expires=expires,
            )
        ).inserted_primary_key
        number = int(made[0]) if made else 0
        detail = {**labels, "hours": given.hours, "replaces": given.replaces}
        asker.record(connection, "fleet.enrol", str(number), detail)
    return Line(number, _line(asker, token), expires)


def state(asker: Asker, given: Which) -> State:
    with asker.database.reading() as connection:
        row = connection.execute(
            select(enrolment, host.c.name.label("host_name"), host.c.department_id)
            .outerjoin(host, host.c.id == enrolment.c.host_id)
            .where(enrolment.c.id == given.id)
        ).first()
    if row is None or not _sees(asker, row):
        raise NotFound("not_found")
    if row.host_id is not None:
        return State(row.id, "arrived", row.expires, row.host_id, row.host_name)
    if row.used is not None:
        return State(row.id, "enrolled", row.expires)
    return State(row.id, "expired" if row.expires <= asker.now else "waiting", row.expires)


def enrol(asker: Asker, given: Enrolling) -> Enrolled:
    """By the agent, with the one-time token as its bearer token."""
    if not asker.token:
        raise Unknown("fleet.token_missing")
    key = given.host.id
    if not key.isprintable():
        raise Invalid("bad_parameter", "host", name="host", problem=line(key))
    mark = hashed(asker.token)
    with asker.database.writing() as connection:
        row = connection.execute(
            select(enrolment).where(enrolment.c.token_hash == mark).with_for_update()
        ).first()
        if row is None:
            raise Forbidden("fleet.enrol_unknown")
        if row.used is not None:
            raise Forbidden("fleet.enrol_used")
        if row.expires <= asker.now:
            raise Forbidden("fleet.enrol_expired")
        if (
            not row.replaces
            and connection.execute(select(host.c.id).where(host.c.key == key)).first()
        ):
            raise Conflict("fleet.enrol_known")
        token = tokens.issue(connection, key, row.labels, asker.now)
        connection.execute(
            update(enrolment).where(enrolment.c.id == row.id).values(used=asker.now, host_key=key)
        )
        detail = {"enrolment": row.id, "name": line(given.host.name), "by": row.created_by}
        asker.record(connection, "fleet.enrolled", line(key), detail)
    return Enrolled(token)


def authority(asker: Asker, _: Nothing) -> Authority:
    """Open to all: it is no secret, and an agent takes it only if its fingerprint is that of its line."""
    return Authority(_pem(asker).decode("ascii", "replace"))


def _pem(asker: Asker) -> bytes:
    path = asker.services.settings.pull.authority
    if not path:
        return b""
    try:
        return read(path)
    except DocumentError as error:
        raise Conflict("fleet.no_authority", problem=error.problem) from error


def _line(asker: Asker, token: str) -> str:
    """The token is in the environment: a process's arguments are for everybody on its machine to see."""
    settings = asker.services.settings
    url = settings.public_url.rstrip("/") or f"http://{settings.listen[0]}"
    parts = [f"{ENVIRONMENT}={token}", "jianwei", "enrol", shlex.quote(url)]
    if pem := _pem(asker):
        parts += ["--ca-sha256", hashlib.sha256(pem).hexdigest()]
    return " ".join(parts)


def _sees(asker: Asker, row: Row[Any]) -> bool:
    mine = asker.person.departments if asker.person else None
    return mine is None or row.labels.get("department", "") in mine

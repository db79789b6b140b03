"""Enrolment: an administrator gets one line for one machine; the machine's agent changes the one-time token in it for a
token of its own, POST /api/v1/enrol. Who knows the one-time token can only become a host that is not known yet, or the
one that the administrator named."""

from __future__ import annotations

import hashlib
import secrets
import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import Select, select, update

from collectors.strictyaml import DocumentError, read
from exporters.console.people.oneself import in_a_session
from exporters.console.people.sessions import hashed
from exporters.console.pull import tokens
from exporters.console.schema import agent_token, enrolment, host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound, Unknown
from exporters.console.web.routing import Nothing
from exporters.findings.told import line

ENVIRONMENT: Final = "JIANWEI_ENROL_TOKEN"
MAX_KEY: Final = 300  # characters of a host's id
_LABELS: Final = ("department", "system", "region", "level")

Label = Annotated[str, msgspec.Meta(max_length=200)]


class Enrol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels of the host to come. `replaces`: the id of one that is known already, and is installed anew; what is not
    said of it stays as it is."""

    department: Label = ""
    system: Label = ""
    region: Label = ""
    level: Label = ""
    hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 24
    replaces: Annotated[str, msgspec.Meta(max_length=MAX_KEY)] = ""


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
    labels = {name: value.strip() for name in _LABELS if (value := getattr(given, name)).strip()}
    replaces = given.replaces.strip()
    for name, value in (*labels.items(), ("replaces", replaces)):
        if not value.isprintable():
            raise Invalid("bad_parameter", name, name=name, problem=line(value))
    if replaces:
        labels = {**_replaced(asker, replaces), **labels}
    if not _mine(asker, labels):
        raise Forbidden("fleet.other_department")
    token = secrets.token_urlsafe(24)
    expires = asker.now + timedelta(hours=given.hours)
    with asker.database.writing() as connection:
        made = connection.execute(
            enrolment.insert().values(
                token_hash=hashed(token),
                labels=labels,
                replaces=replaces,
                created_by=asker.name,
                created=asker.now,
                expires=expires,
            )
        ).inserted_primary_key
        number = int(made[0]) if made else 0
        detail = {**labels, "hours": given.hours, "replaces": replaces}
        asker.record(connection, "fleet.enrol", str(number), detail)
    return Line(number, _line(asker, token), expires)


def state(asker: Asker, given: Which) -> State:
    with asker.database.reading() as connection:
        row = connection.execute(
            select(enrolment, host.c.name.label("host_name"), host.c.department_id)
            .outerjoin(host, host.c.id == enrolment.c.host_id)
            .where(enrolment.c.id == given.id)
        ).first()
    if row is None or not _mine(asker, row.labels):
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
    one = select(enrolment).where(enrolment.c.token_hash == hashed(asker.token))
    with asker.database.reading() as connection:  # strangers keep nobody waiting
        if connection.execute(one).first() is None:
            raise Forbidden("fleet.enrol_unknown")
    with asker.database.writing() as connection:
        row = connection.execute(one.with_for_update()).one()
        if row.used is not None:
            raise Forbidden("fleet.enrol_used")
        if row.expires <= asker.now:
            raise Forbidden("fleet.enrol_expired")
        if row.replaces:
            if row.replaces != key:
                raise Conflict("fleet.enrol_other")
        elif any(connection.execute(statement).first() for statement in _known(key)):
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


def _known(key: str) -> tuple[Select[Any], Select[Any]]:
    """The host of this key, and the token of who enrolled as it and may not have pushed yet."""
    return (
        select(host.c.labels).where(host.c.key == key),
        select(agent_token.c.labels).where(
            agent_token.c.host_key == key, agent_token.c.revoked.is_(None)
        ),
    )


def _replaced(asker: Asker, key: str) -> Mapping[str, str]:
    """What is said of a host already; raises Invalid where it is none that the asker sees."""
    with asker.database.reading() as connection:
        found = [row.labels for it in _known(key) if (row := connection.execute(it).first())]
    if not found or not _mine(asker, found[0]):
        raise Invalid("fleet.enrol_nobody", "replaces")
    return {name: found[0][name] for name in _LABELS if found[0].get(name)}


def _mine(asker: Asker, labels: Mapping[str, str]) -> bool:
    mine = asker.person.departments if asker.person else None
    return mine is None or labels.get("department", "") in mine

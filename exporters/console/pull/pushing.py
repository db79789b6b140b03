"""Audits that agents push: POST /api/v1/findings with the bytes of their /findings, gzip or not; and their sign of life,
POST /api/v1/alive, which says whether the console lacks the audit that they have."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Final

import msgspec
from sqlalchemy import Row, select, update

from exporters.console.intake.arrived import Arrived, Taken
from exporters.console.intake.decode import MAX_BYTES, Refused, decoded
from exporters.console.intake.take import take
from exporters.console.pull import hearing, tokens
from exporters.console.schema import agent_token, enrolment, host, target
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, TooLarge, TooMany
from exporters.findings.told import line

MAX_VERSION: Final = 40  # characters
PATIENCE: Final = 5.0  # seconds that a push waits for others, with a thread that pages need, too
BUSY: Final = 30  # seconds, for which it is sent away then
_GZIP: Final = b"\x1f\x8b"  # RFC 1952; JSON never begins so


class Pushed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`content` is the whole body; `version` the agent's."""

    content: bytes
    version: str = ""


class Alive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`digest`: SHA-256, in hexadecimal, of the audit that the agent has; empty where it has none."""

    digest: str = ""
    version: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """Whether that audit is to be pushed."""

    wanted: bool


def push(asker: Asker, given: Pushed) -> Taken:
    token = tokens.admitted(asker)
    if not asker.services.taking.acquire(timeout=PATIENCE):
        raise TooMany("too_many", BUSY)
    try:
        content = inflated(given.content)
        with asker.services.turn(content):
            return _taken(asker, content, given.version, token)
    finally:
        asker.services.taking.release()


def _taken(asker: Asker, content: bytes, told: str, token: Row[Any]) -> Taken:
    try:
        result = decoded(content, asker.now)
    except Refused as error:
        raise Invalid("fleet.bad_audit", problem=str(error)) from error
    if result.host.id != token.host_key:
        raise Forbidden("fleet.other_host")
    _check_unpulled(asker, token.host_key)
    digest = hashlib.sha256(content).hexdigest()
    version = line(told)[:MAX_VERSION]
    arrived = Arrived("push", token.labels, version=version, digest=digest)
    taken = take(asker.database, asker.services, arrived, result, asker.now)
    with asker.database.writing() as connection:
        hearing.heard(connection, [taken.host_id], asker.now)
        connection.execute(
            update(agent_token).where(agent_token.c.id == token.id).values(digest=digest)
        )
        connection.execute(
            update(enrolment)
            .where(enrolment.c.host_key == token.host_key, enrolment.c.host_id.is_(None))
            .values(host_id=taken.host_id)
        )
    return taken


def alive(asker: Asker, given: Alive) -> Wanted:
    token = tokens.admitted(asker)
    with asker.database.writing() as connection:
        known = connection.execute(select(host.c.id).where(host.c.key == token.host_key)).scalar()
        if known is not None:
            hearing.heard(connection, [known], asker.now)
    return Wanted(bool(given.digest) and (known is None or given.digest != token.digest))


def inflated(content: bytes) -> bytes:
    """Raises TooLarge and Invalid."""
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(content, MAX_BYTES + 1)
    except zlib.error as error:
        raise Invalid("fleet.bad_gzip") from error
    if len(plain) > MAX_BYTES:
        raise TooLarge("too_large", limit=MAX_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise Invalid("fleet.bad_gzip")
    return plain


def _check_unpulled(asker: Asker, key: str) -> None:
    """One way for each host: two with different labels would move it to and fro."""
    with asker.database.reading() as connection:
        url = connection.execute(
            select(target.c.url)
            .join(host, host.c.id == target.c.host_id)
            .where(host.c.key == key)
            .limit(1)
        ).scalar()
    if url is not None:
        raise Conflict("fleet.pulled_too", url=url)

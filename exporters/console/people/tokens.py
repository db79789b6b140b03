"""API tokens: a user's own, named, for a year at most. They act with the user's role and scope; shown once, kept as
hashes. A token does not make another: what it may do ends with it."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from sqlalchemy import delete, func, select

from exporters.console.people import sessions
from exporters.console.people.oneself import in_a_session, person
from exporters.console.schema import api_token
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Invalid, NotFound, Refused
from exporters.console.web.routing import Nothing
from exporters.findings.text import neutral

_MOST: Final = 20  # of a user
_NAME: Final = 64


class Token(msgspec.Struct, frozen=True):
    id: int
    name: str
    created: datetime
    expires: datetime
    used: datetime | None


class Tokens(msgspec.Struct, frozen=True):
    tokens: tuple[Token, ...]


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 90


class Made(msgspec.Struct, frozen=True):
    """`token` is shown this once."""

    id: int
    token: str
    expires: datetime


class TokenId(msgspec.Struct, frozen=True):
    id: Id


def listed(asker: Asker, _: Nothing) -> Tokens:
    with asker.database.reading() as connection:
        rows = connection.execute(
            select(api_token)
            .where(api_token.c.user_id == person(asker).id)
            .order_by(api_token.c.id)
        ).all()
    return Tokens(
        tuple(Token(row.id, row.name, row.created, row.expires, row.used) for row in rows)
    )


def create(asker: Asker, given: NewToken) -> Made:
    in_a_session(asker)
    name = neutral(given.name.strip())
    if not name or len(name) > _NAME:
        raise Invalid("tokens.name_wrong", "name", length=_NAME)
    token = sessions.TOKEN_PREFIX + secrets.token_urlsafe(32)
    expires = asker.now + timedelta(days=given.days)
    with asker.database.writing() as connection:
        user_id = person(asker).id
        connection.execute(
            delete(api_token).where(
                api_token.c.user_id == user_id, api_token.c.expires <= asker.now
            )
        )
        count = connection.execute(
            select(func.count()).select_from(api_token).where(api_token.c.user_id == user_id)
        ).scalar_one()
        if count >= _MOST:
            raise Refused("tokens.too_many", most=_MOST)
        number = connection.execute(
            api_token.insert()
            .values(
                user_id=user_id,
                token_hash=sessions.hashed(token),
                name=name,
                created=asker.now,
                expires=expires,
            )
            .returning(api_token.c.id)
        ).scalar_one()
        asker.record(connection, "tokens.create", asker.name, {"id": number, "name": name})
    return Made(number, token, expires)


def revoke(asker: Asker, given: TokenId) -> Nothing:
    with asker.database.writing() as connection:
        done = connection.execute(
            delete(api_token).where(
                api_token.c.id == given.id, api_token.c.user_id == person(asker).id
            )
        )
        if done.rowcount != 1:
            raise NotFound("not_found")
        asker.record(connection, "tokens.revoke", asker.name, {"id": given.id})
    return Nothing()

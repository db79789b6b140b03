"""A login that has begun at the provider's, kept in a cookie of the browser that began it, signed by the consoles.

What somebody else began does not end here: the cookie has the `state`, which the answer must have too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import select

from exporters.console.database import Database
from exporters.console.schema import setting

COOKIE: Final = "jianwei_oidc"
LASTS: Final = 600  # seconds
_KEY: Final = "oidc.key"


class Attempt(msgspec.Struct, frozen=True):
    state: str
    nonce: str
    verifier: str
    next: str
    ends: float  # Unix time


def begun(path: str, now: datetime) -> Attempt:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    ends = (now + timedelta(seconds=LASTS)).timestamp()
    return Attempt(state, nonce, verifier, path[:1000], ends)


def sealed(attempt: Attempt, key: bytes) -> str:
    content = base64.urlsafe_b64encode(msgspec.json.encode(attempt)).decode()
    return f"{content}.{_mark(content, key)}"


def opened(cookie: str, key: bytes, state: str, now: datetime) -> Attempt | None:
    """None where it is not ours, is over, or is of another login than `state`."""
    content, _, mark = cookie.rpartition(".")
    if not hmac.compare_digest(mark.encode(), _mark(content, key).encode()):
        return None
    found = msgspec.json.decode(base64.urlsafe_b64decode(content), type=Attempt)
    same = hmac.compare_digest(found.state.encode(), state.encode("utf-8", "surrogatepass"))
    return found if same and now.timestamp() < found.ends else None


def key(database: Database) -> bytes:
    """Of all consoles of this database: made by the first that needs it."""
    of_ours = select(setting.c.value).where(setting.c.name == _KEY)
    with database.reading() as connection:
        found = connection.execute(of_ours).scalar_one_or_none()
    if found is None:
        with database.writing() as connection:
            made = database.upsert(setting).values(name=_KEY, value=secrets.token_hex(32))
            connection.execute(made.on_conflict_do_nothing())
            found = connection.execute(of_ours).scalar_one()
    return bytes.fromhex(found)


def _mark(content: str, key: bytes) -> str:
    return hmac.new(key, content.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

"""Basic authentication (RFC 7617) against bcrypt hashes, as exporter-toolkit does it.

A check costs tens of milliseconds of CPU, hence: off the event loop, one at a time, and a success
is remembered. What is remembered is an HMAC under a key of this process, never a password. An
unknown user costs as much time as a known one.
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Mapping
from typing import NamedTuple

from exporters.prometheus.pool import Pool

REMEMBERED = 100
CHECK_TIMEOUT = 20.0  # seconds, with those before in the line
WAITING = 64
_BCRYPT_BYTES = 72  # bcrypt sees no more of a password


class Credentials(NamedTuple):
    user: str
    password: bytes


def credentials(authorization: str) -> Credentials | None:
    """User and password of an Authorization header; None if it is not of the Basic scheme."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return Credentials(user.decode(), password) if colon else None
    except ValueError:  # not base64, not ASCII or not UTF-8
        return None


class Passwords:
    """Checks credentials; raises pool.Busy when too many wait for a check."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._known: dict[bytes, None] = {}
        self._pool = Pool("password", 1, WAITING)

    async def correct(self, given: Credentials, users: Mapping[str, bytes]) -> bool:
        """Whether it is the password of a user; `users` are bcrypt hashes by name."""
        known = given.user in users
        hashed = users[given.user] if known else _decoy(users)
        digest = self._digest(given, hashed)
        if digest in self._known:
            return True

        def check() -> bool:
            import bcrypt

            # whoever waited in line may find it answered; a set of keys is read atomically
            return digest in self._known or bcrypt.checkpw(given.password[:_BCRYPT_BYTES], hashed)

        if not await self._pool.run(check, CHECK_TIMEOUT) or not known:
            return False
        self._known[digest] = None
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return True

    def _digest(self, given: Credentials, hashed: bytes) -> bytes:
        """Of all three, so that a changed hash is another question."""
        parts = (given.user.encode(), hashed, given.password)
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, message, "sha256")


def _decoy(users: Mapping[str, bytes]) -> bytes:
    """A hash of nobody's password, as costly as the costliest of the users'."""
    cost = max(int(hashed[4:6]) for hashed in users.values())
    return b"$2b$%02d$%s" % (cost, b"." * 53)

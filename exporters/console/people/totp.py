"""One-time codes of an authenticator (TOTP, RFC 6238: SHA-1, 6 digits, 30 s) and recovery codes.

A code is good in its own 30 seconds and those beside them, once: the step of the last one used is kept. Recovery codes
are random, each good once, and kept as hashes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from datetime import datetime
from typing import Any, Final

import pyotp
import segno
from sqlalchemy import Connection, Row, delete, update

from exporters.console.schema import recovery_code, user

STEP: Final = 30  # seconds
WINDOW: Final = 1  # steps that a clock may be off
CODES: Final = 10
ISSUER: Final = "Jianwei"


def new_secret() -> str:
    return pyotp.random_base32()


def uri(secret: str, name: str) -> str:
    return pyotp.TOTP(secret, name=name, issuer=ISSUER).provisioning_uri()


def picture(secret: str, name: str) -> bytes:
    """The QR code as SVG, with attributes and no style."""
    out = io.BytesIO()
    segno.make(uri(secret, name), error="m").save(
        out, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False
    )
    return out.getvalue()


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The step that a code is of; None where it is of none near now."""
    digits = code.replace(" ", "")
    here, found = int(now.timestamp()) // STEP, None
    generator = pyotp.TOTP(secret)
    for step in range(here - WINDOW, here + WINDOW + 1):
        expected = generator.generate_otp(step)
        if hmac.compare_digest(expected.encode(), digits.encode("utf-8", "surrogatepass")):
            found = step
    return found


def spend(connection: Connection, row: Row[Any], code: str, now: datetime) -> bool:
    """Whether a user's code is good; it is not a second time."""
    if not row.totp_secret:
        return False
    step = step_of(row.totp_secret, code, now)
    if step is None:
        return _spend_recovery(connection, row.id, code)
    done = connection.execute(
        update(user).where(user.c.id == row.id, user.c.totp_last < step).values(totp_last=step)
    )
    return done.rowcount == 1


def new_codes(connection: Connection, user_id: int) -> tuple[str, ...]:
    """Recovery codes to be shown once; older ones are good no more."""
    connection.execute(delete(recovery_code).where(recovery_code.c.user_id == user_id))
    codes = tuple(_new_code() for _ in range(CODES))
    connection.execute(
        recovery_code.insert(),
        [{"user_id": user_id, "code_hash": _hashed(code)} for code in codes],
    )
    return codes


def forget(connection: Connection, user_id: int) -> None:
    """The user has no second factor any more. `totp_last` stays: what was spent is spent."""
    connection.execute(delete(recovery_code).where(recovery_code.c.user_id == user_id))
    connection.execute(update(user).where(user.c.id == user_id).values(totp_secret=""))


def _spend_recovery(connection: Connection, user_id: int, code: str) -> bool:
    done = connection.execute(
        delete(recovery_code).where(
            recovery_code.c.user_id == user_id, recovery_code.c.code_hash == _hashed(code)
        )
    )
    return done.rowcount == 1


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def _hashed(code: str) -> str:
    plain = code.replace("-", "").replace(" ", "").lower()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()

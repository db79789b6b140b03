"""What a password must be, and what happens to who guesses: numbers that would pass our own mlps-l3 pack.

A site may make them stricter and never weaker; tests/console/test_people_policy.py holds them against
rules/packs/mlps/identity.yaml (GB/T 22239-2019 8.1.4.1).
"""

from __future__ import annotations

import string
import unicodedata
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from exporters.console.people.common import COMMON
from exporters.console.web.refusals import Invalid

BYTES: Final = 72  # bcrypt takes no more

_TURNED: Final = str.maketrans("@013457$!", "aoieastsi")
_HUNG_ON: Final = string.digits + string.punctuation
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`min_classes`: of capitals, small letters, digits and others. `failures` in a row lock a user for
    `lock_seconds`."""

    min_length: Annotated[int, msgspec.Meta(ge=8, le=64)] = 8
    min_classes: Annotated[int, msgspec.Meta(ge=3, le=4)] = 3
    max_days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 90
    min_days: Annotated[int, msgspec.Meta(ge=1, le=30)] = 1
    warn_days: Annotated[int, msgspec.Meta(ge=7, le=60)] = 7
    remember: Annotated[int, msgspec.Meta(ge=5, le=24)] = 5
    failures: Annotated[int, msgspec.Meta(ge=1, le=5)] = 5
    lock_seconds: Annotated[int, msgspec.Meta(ge=600, le=86_400)] = 600


class PeopleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`totp`: who needs a second factor; `privileged` are administrators and approvers. `rounds` is bcrypt's cost.
    `tries` in a row may come from one address, and one more each `pause` seconds."""

    totp: Literal["optional", "privileged", "required"] = "optional"
    password: Policy = Policy()
    rounds: Annotated[int, msgspec.Meta(ge=12, le=16)] = 12
    tries: _Count = 30
    pause: Annotated[float, msgspec.Meta(gt=0)] = 2.0

    def needs_totp(self, role: str) -> bool:
        if self.totp == "privileged":
            return role in ("administrator", "approver")
        return self.totp == "required"


def check(password: str, name: str, policy: Policy) -> None:
    """Raises Invalid that says what is wrong with a new password. That it is none of the last ones is another's
    business (passwords.py): that takes hashes."""
    field = "password"
    if any(unicodedata.category(one) in ("Cc", "Cs") for one in password):
        raise Invalid("people.password_character", field)
    if len(password.encode()) > BYTES:
        raise Invalid("people.password_long", field, limit=BYTES)
    if len(password) < policy.min_length:
        raise Invalid("people.password_short", field, length=policy.min_length)
    if classes(password) < policy.min_classes:
        raise Invalid("people.password_classes", field, classes=policy.min_classes)
    plain = password.casefold()
    if name and (name.casefold() in plain or name.casefold()[::-1] in plain):
        raise Invalid("people.password_name", field)
    if _guessable(plain) or len(set(plain)) < policy.min_length // 2:
        raise Invalid("people.password_common", field)


def classes(password: str) -> int:
    """How many of the four there are; a Chinese character is one of the others."""
    kinds = {
        "upper" if one in string.ascii_uppercase
        else "lower" if one in string.ascii_lowercase
        else "digit" if one in string.digits
        else "other"
        for one in password
    }  # fmt: skip
    return len(kinds)


def expired(changed: datetime | None, policy: Policy, now: datetime) -> bool:
    return changed is None or now - changed >= timedelta(days=policy.max_days)


def days_left(changed: datetime | None, policy: Policy, now: datetime) -> int:
    """Whole days until it must be changed."""
    if changed is None:
        return 0
    return max(0, (changed + timedelta(days=policy.max_days) - now).days)


def _guessable(plain: str) -> bool:
    """`P@ssw0rd123!` is `password`: signs that stand for letters, and what is hung on."""
    bare = (plain, plain.strip(_HUNG_ON), plain.rstrip(_HUNG_ON))
    return any(form in COMMON for one in bare for form in (one, one.translate(_TURNED)))

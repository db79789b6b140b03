"""What a request is refused with: a status (RFC 9110) and words of the catalogue."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """`key` is of the catalogue, `values` go into its words; `field` is what of the request is wrong."""

    status = 400

    def __init__(self, key: str, field: str = "", **values: Any) -> None:
        super().__init__(key)
        self.key, self.field, self.values = key, field, values
        self.seconds = 0  # until it may be tried again; 0 where that is of no use


class Invalid(Refused):
    """Bad input: nothing was changed."""

    status = 422


class Unknown(Refused):
    """Nobody knows who asks."""

    status = 401


class Forbidden(Refused):
    status = 403


class NotFound(Refused):
    """Not there, or not for this user: which of them is not told."""

    status = 404


class Conflict(Refused):
    """Somebody else changed it meanwhile: nothing was changed, and this one is told."""

    status = 409


class TooLarge(Refused):
    status = 413


class Later(Refused):
    """`seconds` until it may be tried again."""

    status = 503

    def __init__(self, key: str, seconds: int, **values: Any) -> None:
        super().__init__(key, seconds=seconds, **values)
        self.seconds = seconds


class TooMany(Later):
    status = 429


class Broken(Refused):
    """A fault of ours."""

    status = 500

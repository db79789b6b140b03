"""Transactions that were in each other's way are begun again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import OperationalError

TRIES: Final = 10
_AGAIN: Final = ("40001", "40P01")  # SQLSTATE: could not be serialised, deadlock

T = TypeVar("T")


class Contended(Exception):
    """Somebody else changed what this transaction had read."""


def retried(work: Callable[[], T]) -> T:
    """What a whole transaction gives, begun again where another one was in its way."""
    for number in range(1, TRIES):
        try:
            return work()
        except Contended:
            pass
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _AGAIN:
                raise
        time.sleep(random.uniform(0, 0.01 * 2**number))  # noqa: S311 - no secret
    return work()

"""Small numbers that stand for words in the tables, and the moments that they hold.

The numbers are part of the schema: a word's number never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

from rules.model import OUTCOMES, SEVERITIES, WORKFLOWS, Outcome, Severity, Workflow

SEVERITY: Final[Mapping[Severity, int]] = {word: n for n, word in enumerate(SEVERITIES)}
STATE: Final[Mapping[Workflow, int]] = {word: n for n, word in enumerate(WORKFLOWS)}
OUTCOME: Final[Mapping[Outcome, int]] = {word: n for n, word in enumerate(OUTCOMES)}

OPEN_STATES: Final = tuple(STATE[word] for word in ("new", "acknowledged", "regressed"))

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A time in UTC as whole microseconds since 1970: the same, exact and in order, in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else moment(value)


def micros(when: datetime) -> int:
    """Of an aware time."""
    return (when - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)

"""Where a page of a list begins: the value that it is sorted by and the id of the last row before it, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, or_

from exporters.console.codes import moment
from exporters.console.web.refusals import Invalid

SIZE: Final = 50  # rows of a page
Words = Annotated[str, msgspec.Meta(max_length=200)]
Cursor = Annotated[str, msgspec.Meta(max_length=1000)]
NOBODY: Final = "-"  # the department of hosts that are nobody's, as in lists of hits

_Key = tuple[float | str, Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]]


def written(value: float | str, number: int) -> str:
    return msgspec.json.encode((value, number)).decode()


def read(cursor: str, kind: type[str] | type[float]) -> tuple[Any, int]:
    """Raises Invalid for one that is none of ours."""
    try:
        value, number = msgspec.json.decode(cursor, type=_Key)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise Invalid("bad_parameter", "cursor", name="cursor", problem="?") from error
    if isinstance(value, str) is not (kind is str) or "\0" in str(value):
        raise Invalid("bad_parameter", "cursor", name="cursor", problem="?")
    return value, number


def when(value: float) -> datetime:
    """Of whole microseconds; raises Invalid."""
    try:
        return moment(int(value))
    except (OverflowError, ValueError) as error:
        raise Invalid("bad_parameter", "cursor", name="cursor", problem="?") from error


def beyond(
    value: ColumnElement[Any], number: ColumnElement[int], at: tuple[Any, int], *, falling: bool
) -> ColumnElement[bool]:
    """Whether a row comes after these in the order of `value`, then of `number`."""
    further = value < at[0] if falling else value > at[0]
    return or_(further, and_(value == at[0], number > at[1]))

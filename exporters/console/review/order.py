"""The orders that a list of hits can have, and cursors: where in an order a page begins.

Every order ends with the hit's id, so that no two hits are equal in it. A cursor is the values of its keys as JSON in
base64, with the direction in which the page goes on from there.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, false, literal, or_

from exporters.console.codes import micros, moment
from exporters.console.review.filters import Sort
from exporters.console.web.refusals import Invalid

_MOMENTS: Final = ("first_seen", "last_seen", "changed")
_TEXTS: Final = ("host_name", "rule_name")


class Key(NamedTuple):
    """A column of the order; `falling`: its greatest value is first."""

    name: str
    falling: bool = False


ORDERS: Final[Mapping[Sort, tuple[Key, ...]]] = {
    "severity": (Key("severity", True), Key("first_seen"), Key("id")),
    "age": (Key("first_seen"), Key("id")),
    "last_seen": (Key("last_seen", True), Key("id", True)),
    "changed": (Key("changed", True), Key("id", True)),
    "host": (Key("host_name"), Key("host_id"), Key("first_seen"), Key("id")),
    "rule": (Key("rule_name"), Key("rule_id"), Key("state"), Key("first_seen"), Key("id")),
}


def keys(sort: Sort, reverse: bool) -> tuple[Key, ...]:
    return tuple(Key(one.name, one.falling != reverse) for one in ORDERS[sort])


def ordered(columns: Mapping[str, Any], order: Sequence[Key]) -> list[ColumnElement[Any]]:
    return [columns[one.name].desc() if one.falling else columns[one.name] for one in order]


def beyond(
    columns: Mapping[str, Any], order: Sequence[Key], values: Sequence[Any]
) -> ColumnElement[bool]:
    """Whether a row comes after these values in the order."""
    found: ColumnElement[bool] = false()
    for key, value in reversed(list(zip(order, values, strict=True))):
        column = columns[key.name]
        bound = literal(value, column.type)
        further = column < bound if key.falling else column > bound
        found = further if key is order[-1] else or_(further, and_(column == bound, found))
    # said once more, so that an index is entered where the page begins
    first, bound = columns[order[0].name], literal(values[0], columns[order[0].name].type)
    return and_(first <= bound if order[0].falling else first >= bound, found)


class Cursor(NamedTuple):
    """`back`: the page is what comes before these values."""

    values: tuple[Any, ...]
    back: bool = False

    def text(self) -> str:
        plain = [micros(one) if hasattr(one, "tzinfo") else one for one in self.values]
        document = json.dumps([self.back, *plain], ensure_ascii=True, separators=(",", ":"))
        return urlsafe_b64encode(document.encode()).decode().rstrip("=")


def read(text: str, sort: Sort) -> Cursor:
    """Raises Invalid for a cursor that is none of this order."""
    try:
        document = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        back, *values = document
        found = [_value(key, one) for key, one in zip(ORDERS[sort], values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Invalid("hits.bad_cursor", "cursor") from error
    return Cursor(tuple(found), bool(back))


def _value(key: Key, value: Any) -> Any:
    if key.name in _TEXTS:
        if not isinstance(value, str) or "\0" in value or not value.isprintable():
            raise ValueError(value)
        return value
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 62:
        raise ValueError(value)
    return moment(value) if key.name in _MOMENTS else value

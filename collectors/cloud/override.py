"""One row of the override table: which resources, whose they are, and on which days."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from collectors.cloud.glob import is_glob
from collectors.cloud.model import ResourceKind
from collectors.cloud.owners import MAX_NAME, Owner

Selector = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Words = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
_DATE: Final = re.compile(
    r"(\d{4})(?:(?P<sep>[-/.])(\d{1,2})(?P=sep)(\d{1,2})|年(\d{1,2})月(\d{1,2})日?|(\d{2})(\d{2}))"
    r"(?:[ T]0{1,2}:00(?::00)?)?"
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.I)
DAY: Final = timedelta(days=1)
DATE_REMEDY: Final = "write for example 2026-03-15"


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`resource` is an id, `name` and `project` (name or id) may have `*` and `?`. The row holds
    from the day `valid_from` to the day `valid_to`, both of them included; None is without end."""

    resource: Selector | None = None
    name: Selector | None = None
    project: Selector | None = None
    kind: ResourceKind | None = None
    department: Name
    system: Words = ""
    region: Words = ""
    environment: Words = ""
    valid_from: date | None = None
    valid_to: date | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""

    @property
    def owner(self) -> Owner:
        return Owner(self.department, self.system, self.region, self.environment)

    @property
    def selector(self) -> tuple[str | None, ...]:
        """Equal of two rows for the same resources."""
        ids = (one and same_id(one) for one in (self.resource, self.project))
        return *ids, self.name, self.kind

    def on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )

    @property
    def changes(self) -> Iterator[date]:
        """The days on which it begins to hold and not to hold any more."""
        if self.valid_from not in (None, date.min):
            yield self.valid_from
        if self.valid_to not in (None, date.max):
            yield self.valid_to + DAY

    def overlaps(self, other: Override) -> bool:
        return (self.valid_from or date.min) <= (other.valid_to or date.max) and (
            other.valid_from or date.min
        ) <= (self.valid_to or date.max)

    @property
    def weight(self) -> tuple[bool, int, int, bool]:
        """What is larger is nearer to one resource: by id, by a whole name, by more of a name, by
        more of a project, by kind."""
        return self.resource is not None, literal(self.name), literal(self.project), bool(self.kind)


def same_id(text: str) -> str:
    """A UUID in small letters, as clouds write it; spreadsheets and other tools have large ones.
    Any other id or name as it is."""
    return text if text.islower() or not _UUID.fullmatch(text) else text.lower()


def literal(pattern: str | None) -> int:
    """How much of a name a pattern fixes; a whole name is more than any pattern."""
    if pattern is None:
        return 0
    if not is_glob(pattern):
        return 1000
    return len(pattern) - pattern.count("*") - pattern.count("?")


def day_before(day: date) -> str:
    return str(day - DAY) if day > date.min else str(day)


def dated(value: Any) -> Any:
    """A date as people and spreadsheets write it (2026-03-15, 2026/3/15, 2026年3月15日, 20260315) as
    msgspec takes it; anything else as it is."""
    if isinstance(value, datetime):
        return value.date() if not (value.hour or value.minute or value.second) else value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # 20260315 in YAML
    if isinstance(value, str) and (match := _DATE.fullmatch(value.strip())):
        year, _, *parts = match.groups()
        month, day = (int(part) for part in parts if part is not None)
        return f"{year}-{month:02}-{day:02}"
    return value


class Seen(NamedTuple):
    """What rows are compared with: a resource, with the id and the name of its project."""

    id: str
    name: str
    kind: ResourceKind | Literal["project"]
    project: str
    project_name: str

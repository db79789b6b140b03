"""What of the hits is asked for: the parameters of a list in its URL; `narrowing.py` has what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec

from exporters.console.web import binding
from rules.model import Severity, Workflow

Words = Annotated[str, msgspec.Meta(max_length=200)]
Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]
Sort = Literal["severity", "age", "last_seen", "host", "rule", "changed"]
NATURAL: Final[Mapping[Sort, Literal["asc", "desc"]]] = {
    "severity": "desc",
    "age": "desc",
    "last_seen": "desc",
    "changed": "desc",
    "host": "asc",
    "rule": "asc",
}
NOBODY: Final = "-"  # the department of hosts that are nobody's


class HitFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A list of hits, as in its URL. `state`: `all` for every one; none: the open ones. `department`: names, `-` for
    hosts that are nobody's. `owner`: a user's name, `me` or `none`. `clause`: an item of GB/T 22239 or what it begins
    with. `pack`: of the rule. `min_age`, `max_age`: days since first seen. `cursor` is where a page begins."""

    severity: tuple[Severity, ...] = ()
    verdict: Literal["", "fail", "unknown", "pass"] = ""
    state: tuple[Workflow | Literal["all"], ...] = ()
    clause: Words = ""
    pack: Words = ""
    department: tuple[Words, ...] = ()
    system: Words = ""
    region: Words = ""
    host: Words = ""
    rule: Words = ""
    owner: Words = ""
    min_age: Days | None = None
    max_age: Days | None = None
    text: Words = ""
    ticket: Words = ""
    sort: Sort = "severity"
    direction: Literal["", "asc", "desc"] = ""
    group: Literal["none", "rule", "host"] = "none"
    size: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=2000)] = ""

    @property
    def reverse(self) -> bool:
        """Against the order that its sort begins with."""
        return bool(self.direction) and self.direction != NATURAL[self.sort]


LOOKS: Final = ("sort", "direction", "group", "size", "cursor")  # how it is shown, not what


def query(given: HitFilter, **changes: Any) -> str:
    """The URL's query of a filter, `?` and all; nothing that is as it would be without."""
    found: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(given, **changes))
    text = urlencode({name: one for name, one in found.items() if one not in ("", None)}, True)
    return f"?{text}" if text else ""


def parsed(text: str) -> HitFilter:
    """From such a query; raises Invalid."""
    return binding.bound(HitFilter, parse_qsl(text.removeprefix("?"), keep_blank_values=True))


class Chip(NamedTuple):
    """One value of a filter in force, and the list's query without it."""

    name: str
    value: str
    without: str


def chips(given: HitFilter) -> list[Chip]:
    found = []
    for name in given.__struct_fields__:
        value = getattr(given, name)
        if name in LOOKS or value in ("", None, ()):
            continue
        if isinstance(value, tuple):
            for one in value:
                rest = tuple(other for other in value if other != one)
                found.append(Chip(name, one, query(given, **{name: rest}, cursor="")))
        else:
            empty = None if isinstance(value, int) else ""
            found.append(Chip(name, str(value), query(given, **{name: empty}, cursor="")))
    return found

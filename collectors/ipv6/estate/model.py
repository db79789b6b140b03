"""The estate: which sites and hosts there are, whose they are, and what stands behind what.

`file.py` reads it from YAML or CSV; docs/estate.md describes the file for people who write one.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple, get_args

import msgspec

from collectors.link.lines import LEVELS as LEVELS
from collectors.link.lines import Level

Kind = Literal["site", "host"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MAX_HOSTS = 200  # behind one site
RECORDED = "recorded:"
LOCAL = "local"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=150)]
Words = Annotated[str, msgspec.Meta(max_length=150)]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class Asked(NamedTuple):
    """Where a host is asked: over SSH, from a recording, or (neither) on this machine."""

    host: str | None
    recorded: str | None


class EstateRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One site (`url`) or one host: `host` is `ssh://…`, `local`, or `recorded: DIR`.

    `hosts` are the names of the hosts that stand behind a site.
    """

    name: Name
    kind: Kind
    department: Words = ""
    level: Level | None = None
    url: Address | None = None
    host: Address | None = None
    hosts: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_HOSTS)] = ()
    owner: Words = ""

    @property
    def target(self) -> str:
        return (self.url if self.kind == "site" else self.host) or ""

    @property
    def asked(self) -> Asked:
        """Of a host."""
        place = self.host or LOCAL
        if place.startswith(RECORDED):
            return Asked(None, place.removeprefix(RECORDED).strip())
        return Asked(None if place == LOCAL else place, None)


class Estate(msgspec.Struct, frozen=True):
    """A whole file."""

    path: str
    rows: tuple[EstateRow, ...]

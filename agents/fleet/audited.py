"""Which hosts `jianwei audit --inventory` asks, and how: of a fleet's inventory, or of a file of the estate.

A file of the estate (docs/estate.md) names hosts in `hosts` or `subjects`, also this machine and recordings, and all
are asked as the configuration's `ssh` says. What only a fleet's inventory has (docs/fleet-inventory.md) makes it one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from agents.errors import UserError
from agents.fleet import inventory as inventories
from agents.fleet.inventoryfile import HEADS, is_table
from agents.fleet.inventoryrow import HostRow
from agents.fleet.inventorysecrets import Ask
from collectors import csvtable, strictyaml
from collectors.ipv6.estate import file as estates
from collectors.ipv6.estate.model import Asked, EstateRow
from collectors.link import linescsv
from collectors.sources.ssh.settings import SshSettings
from collectors.strictyaml import Document

_ONLY: Final = frozenset(HostRow.__struct_fields__) - frozenset(EstateRow.__struct_fields__)
_PLACE: Final = re.compile(r"ssh://|recorded:|\blocal\b")
_TOP: Final = ("defaults", "groups", "import")


class Audited(NamedTuple):
    """One host; `target` is as it is written, `ssh` how it is reached."""

    name: str
    target: str
    asked: Asked
    department: str
    owner: str
    ssh: SshSettings


def hosts(
    path: str, ssh: SshSettings, limit: Collection[str] = (), asking: Ask | None = None
) -> tuple[Audited, ...]:
    """The hosts of a file; `ssh` counts where it says nothing. Raises as inventory.load."""
    content = strictyaml.read(path)
    if is_fleet(content, path):
        return tuple(
            Audited(it.name, it.address, Asked(it.address, None), it.department, it.owner, it.ssh)
            for it in inventories.load(path, limit, asking, ssh)
        )
    if limit:
        raise UserError(
            f"--limit: {path} is a file of the estate; an inventory of the fleet has it"
        )
    return tuple(
        Audited(row.name, row.target, row.asked, row.department, row.owner, ssh)
        for row in estates.hosts(path)
    )


def is_fleet(content: bytes, path: str) -> bool:
    """Whether it has what only a fleet's inventory has. Raises DocumentError."""
    if is_table(content, path):
        columns = csvtable.known_columns(content, HEADS)
        if not columns >= set(HEADS.required):
            return False
        if not columns.isdisjoint(_ONLY | {"remark"}):
            return True
        # a place of the estate has a scheme, without which it cannot be read as one
        of_the_estate = csvtable.known_columns(content, estates.HOST_HEADS)
        places = _PLACE.search(csvtable.decoded(content, path))
        return not places and of_the_estate.isdisjoint(("kind", "url", "hosts"))
    data = Document(content, path, []).data
    if not isinstance(data, dict) or estates.KEY in data:
        return False
    if any(key in data for key in _TOP):
        return True
    rows = data.get("hosts")
    return isinstance(rows, list) and any(
        not row.keys().isdisjoint(_ONLY) or "[" in str(row.get("name"))
        for row in rows
        if isinstance(row, dict)
    )


def names_hosts(content: bytes, path: str) -> bool:
    """Whether it is a file of hosts at all, and no configuration and no file of lines."""
    if path.endswith((".csv", ".tsv")) or csvtable.looks_like(content, HEADS):
        columns = csvtable.known_columns(content, HEADS)
        lines = csvtable.known_columns(content, linescsv.HEADS)
        return columns >= set(HEADS.required) and len(columns) > len(lines)
    return bool(re.search(rb"(?m)(?:^|\A\{\s*)([\"']?)(hosts|import|defaults)\1[ \t]*:", content))

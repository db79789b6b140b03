"""Groups and what is wrong with them: /etc/group, group(5); entries of NIS, nsswitch.conf(5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File
from collectors.security.identity.accounts import (
    BLANKS,
    GROUP,
    PASSWD,
    entries,
    id_number,
    members,
    parse_passwd,
)


class GroupsCollector(Collector, frozen=True):
    """`groups` and `nis_entries`.

    groups: name, gid, gid_count and name_count (how many groups have the same), members (by name,
    those whose own group it is among them), password (whether it has one in /etc/group itself).
    nis_entries: path and line of what begins with `+` or `-` in passwd or group.
    """

    name: ClassVar[str] = "groups"
    facts: ClassVar[tuple[str, ...]] = ("groups", "nis_entries")

    def readings(self) -> tuple[File, ...]:
        return (PASSWD, GROUP)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        passwd, group = answers.text(PASSWD), answers.text(GROUP)
        own: dict[int, list[str]] = {}
        for account in parse_passwd(passwd):
            own.setdefault(account["gid"], []).append(account["name"])
        groups = list(parse_groups(group))
        gids = Counter(row["gid"] for row in groups)
        names = Counter(row["name"] for row in groups)
        rows = [
            {
                **row,
                "members": sorted({*row["members"], *own.get(row["gid"], [])}),
                "gid_count": gids[row["gid"]],
                "name_count": names[row["name"]],
            }
            for row in groups
        ]
        yield Fact("groups", rows, {"": GROUP.path})
        found = [*_nis(PASSWD.path, passwd), *_nis(GROUP.path, group)]
        yield Fact("nis_entries", found, {"": PASSWD.path})


def parse_groups(text: str) -> Iterator[dict[str, Any]]:
    """The groups of group(5) in their order; what is none is skipped."""
    for number, fields in entries(text):
        gid = id_number(fields[2]) if len(fields) > 2 else None
        if gid is not None and fields[0]:
            yield {
                "name": fields[0],
                "gid": gid,
                "members": members(fields),
                "password": fields[1] not in ("", "x", "*", "!", "!!"),
                "source": f"{GROUP.path}:{number}",
            }


def _nis(path: str, text: str) -> Iterator[dict[str, str]]:
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.lstrip(BLANKS)
        if line[:1] in ("+", "-"):
            source = f"{path}:{number}"
            yield {"line": source, "path": path, "entry": line.split(":")[0], "source": source}

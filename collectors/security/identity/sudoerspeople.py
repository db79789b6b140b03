"""Who is root, and whom sudo never asks for a password, by passwd(5) and group(5): for sudoers(5).

Netgroups and directories are not seen: what they may hold is taken to be there.
"""

from __future__ import annotations

from collections.abc import Iterable

from collectors.security.identity.accounts import id_number, parse_group, parse_passwd


class People:
    """The accounts and groups of one host, as the names in sudo's lists mean them."""

    def __init__(self, passwd: str = "", group: str = "") -> None:
        names, by_member = parse_group(group)
        self._gids = {name: gid for gid, name in names.items()}
        self._groups: dict[str, set[str]] = {}
        self._by_uid: dict[int, str] = {}
        self._roots = {"root"}
        self._root_gids = {0}
        for account in parse_passwd(passwd):
            name, uid = account["name"], account["uid"]
            own = names.get(account["gid"])
            self._by_uid.setdefault(uid, name)
            them = self._groups.setdefault(name, set(by_member.get(name, ())))
            them.update([own] if own else [])
            if uid == 0:
                self._roots.add(name)
                self._root_gids.add(account["gid"])
        root_groups = {
            "root",
            *(group for name in self._roots for group in by_member.get(name, ())),
        }
        self._root_gids.update(self._gids[name] for name in root_groups if name in self._gids)
        self._root_groups = root_groups | {names[gid] for gid in self._root_gids if gid in names}

    def can_be_root(self, runas: Iterable[str]) -> bool:
        """Whether root is among those to run as. ALL without root is no less: it holds whoever can be root."""
        return any(self._is_root(name) for name in runas if not name.startswith("!"))

    def _is_root(self, name: str) -> bool:
        if name.startswith("%#"):
            return id_number(name[2:]) in self._root_gids
        if name.startswith("#"):
            return id_number(name[1:]) == 0
        if name.startswith("%") and not name.startswith("%:"):
            return name[1:] in self._root_groups
        return name == "ALL" or name in self._roots or name[:1] in ("+", "%")

    def asked(self, exempt: frozenset[str]) -> frozenset[str] | None:
        """Users and %groups of which nobody is in these groups; None where there is no such group."""
        if not exempt:
            return None
        if not exempt <= self._gids.keys():
            return frozenset()
        there = {name for name, groups in self._groups.items() if groups & exempt}
        not_asked = exempt.union(*(self._groups[name] for name in there))
        users = self._groups.keys() - there
        uids = (f"#{uid}" for uid, name in self._by_uid.items() if name in users)
        return frozenset({*users, *uids, *(f"%{group}" for group in self._gids.keys() - not_asked)})

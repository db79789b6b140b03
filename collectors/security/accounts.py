"""Accounts and the state of their passwords: /etc/passwd, /etc/group, shadow(5).

Lines are read as the C library reads them: what is no account is skipped, the first of a name wins
at login, an empty shell is /bin/sh. No password hash comes here: sources reduce them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Inventory,
    ParseError,
    Reading,
    Unavailable,
)
from collectors.rows import ShadowEntry

PASSWD = File("/etc/passwd")
GROUP = File("/etc/group")
SHADOW = Inventory("shadow")

# Programs that end at once or do one thing: no way in.
NO_LOGIN = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})

_OWN_STATES = {"": "empty", "x": "shadow", "*": "disabled", "!": "locked", "!!": "locked"}


class AccountsCollector(Collector, frozen=True):
    """`accounts`, and `passwords`, which takes the right to read shadow.

    accounts: name, uid, gid, home, shell, login (whether the shell lets anyone in), groups,
    uid_count and name_count (how many accounts have the same).
    passwords: name, uid, login, state (empty, locked, disabled, missing, or a hash's scheme such
    as `$y$`), usable (whether there is a hash), min_days, max_days, warn_days (-1: not set).
    """

    name: ClassVar[str] = "accounts"
    facts: ClassVar[tuple[str, ...]] = ("accounts", "passwords")

    def readings(self) -> tuple[Reading, ...]:
        return (PASSWD, GROUP, SHADOW)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        accounts = list(parse_passwd(answers.text(PASSWD)))
        if not accounts:
            raise ParseError("/etc/passwd: no account")
        yield Fact("accounts", _with_groups(accounts, answers.text(GROUP)), {"": PASSWD.path})
        try:
            entries = answers.rows(SHADOW, ShadowEntry)
        except Unavailable as error:
            yield Fact("passwords", None, unavailable=f"{error.state}: {error}")
        else:
            yield Fact("passwords", _passwords(accounts, entries), {"": "/etc/shadow"})


def parse_passwd(text: str) -> Iterator[dict[str, Any]]:
    """The accounts of passwd(5); `password` is empty, locked, disabled, shadow or hash."""
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.strip().split(":")
        if len(fields) < 4 or not fields[0] or fields[0][0] in "#+-":
            continue
        uid, gid = _number(fields[2]), _number(fields[3])
        if uid is None or gid is None:
            continue
        home, shell = [*fields[5:7], "", ""][:2]
        yield {
            "name": fields[0],
            "uid": uid,
            "gid": gid,
            "home": home,
            "shell": shell or "/bin/sh",
            "login": shell.rpartition("/")[2] not in NO_LOGIN,
            "password": _OWN_STATES.get(fields[1], "hash"),
            "source": f"{PASSWD.path}:{number}",
        }


def parse_group(text: str) -> tuple[dict[int, str], dict[str, list[str]]]:
    """Of group(5): names by gid, and for each member the groups beside its own."""
    names: dict[int, str] = {}
    groups: dict[str, list[str]] = defaultdict(list)
    for line in text.split("\n"):
        fields = line.strip().split(":")
        gid = _number(fields[2]) if len(fields) > 3 else None
        if gid is None or fields[0][:1] in ("", "#", "+", "-"):
            continue
        names.setdefault(gid, fields[0])
        for member in filter(None, fields[3].split(",")):
            groups[member].append(fields[0])
    return names, groups


def _with_groups(accounts: list[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    names, groups = parse_group(group)
    uids = Counter(account["uid"] for account in accounts)
    same = Counter(account["name"] for account in accounts)
    rows = []
    for account in accounts:
        own = names.get(account["gid"])
        row = {
            **account,
            "groups": sorted({*([own] if own else []), *groups.get(account["name"], [])}),
            "uid_count": uids[account["uid"]],
            "name_count": same[account["name"]],
        }
        del row["password"]
        rows.append(row)
    return rows


def _passwords(accounts: list[dict[str, Any]], entries: list[ShadowEntry]) -> list[dict[str, Any]]:
    by_name: dict[str, ShadowEntry] = {}
    for entry in entries:
        by_name.setdefault(entry.name, entry)
    rows = []
    for account in accounts:
        state, source = account["password"], account["source"]
        found = by_name.get(account["name"])
        if state == "shadow":
            state = found.password if found else "missing"
            source = f"/etc/shadow:{found.line}" if found else source
        rows.append(
            {
                "name": account["name"],
                "uid": account["uid"],
                "login": account["login"],
                "state": state,
                "usable": state not in ("empty", "locked", "disabled", "missing"),
                "min_days": _days(found.min_days if found else None),
                "max_days": _days(found.max_days if found else None),
                "warn_days": _days(found.warn_days if found else None),
                "source": source,
            }
        )
    return rows


def _days(days: int | None) -> int:
    return -1 if days is None else days


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else None

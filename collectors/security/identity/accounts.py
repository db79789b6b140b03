"""Accounts and the state of their passwords: /etc/passwd, /etc/group, shadow(5).

Lines are read as the C library reads them (numbers as strtoul(3) does, blanks before a line passed
over): what is no account to it is told apart, the first of a name wins at login, an empty shell is
/bin/sh. No password hash comes here: sources reduce them.
"""

from __future__ import annotations

import re
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
from collectors.rows import Clock, ShadowEntry

PASSWD = File("/etc/passwd")
GROUP = File("/etc/group")
SHADOW = Inventory("shadow")
CLOCK = Inventory("clock")

DAY = 86400

# Programs that end at once or do one thing: no way in.
NO_LOGIN = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})

# blanks before it are passed over, a sign is one
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]{1,100})")
_ULONG_MAX = 2**64 - 1
BLANKS = " \t\v\f\r"  # of the C locale: a name may begin with any other

_OWN_STATES = {"": "empty", "x": "shadow", "*": "disabled", "!": "locked", "!!": "locked"}


class AccountsCollector(Collector, frozen=True):
    """`accounts`, `odd_accounts`, and `passwords`, which takes the right to read shadow.

    accounts: name, uid, gid, home, shell, login (whether the shell lets anyone in), group (its
    own, empty if there is none of that gid), groups, uid_count and name_count (how many accounts
    have the same), in_passwd (what passwd has for a password: shadow, empty, locked, disabled, hash).
    odd_accounts: name (path and line) of lines that are no account to the C library, and yet may be
    one to another program.
    passwords: name, uid, login, state (empty, locked, disabled, missing, or a hash's scheme such
    as `$y$`), usable (whether there is a hash), min_days, max_days, warn_days, inactive_days
    (-1: not set), changed_days (since the last change, -1: not known), expires (day since 1970,
    -1: never), expired.
    """

    name: ClassVar[str] = "accounts"
    facts: ClassVar[tuple[str, ...]] = ("accounts", "odd_accounts", "passwords")

    def readings(self) -> tuple[Reading, ...]:
        return (PASSWD, GROUP, SHADOW, CLOCK)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        text = answers.text(PASSWD)
        accounts = list(parse_passwd(text))
        if not accounts:
            raise ParseError("/etc/passwd: no account")
        yield Fact("accounts", _with_groups(accounts, answers.text(GROUP)), {"": PASSWD.path})
        yield Fact("odd_accounts", odd_lines(text), {"": PASSWD.path})
        try:
            entries, now = answers.rows(SHADOW, ShadowEntry), today(answers)
        except Unavailable as error:
            yield Fact("passwords", None, unavailable=f"{error.state}: {error}")
        else:
            yield Fact("passwords", passwords(accounts, entries, now), {"": "/etc/shadow"})


def today(answers: Answers) -> int:
    """Days since 1970, as shadow(5) counts them."""
    clocks = answers.rows(CLOCK, Clock)
    if len(clocks) != 1 or not 0 <= clocks[0].seconds < 1e12:
        raise ParseError("clock: no time")
    return int(clocks[0].seconds) // DAY


def parse_passwd(text: str) -> Iterator[dict[str, Any]]:
    """The accounts of passwd(5); `password` is empty, locked, disabled, shadow or hash."""
    for number, fields in entries(text):
        uid, gid = (id_number(field) for field in [*fields[2:4], "", ""][:2])
        if not fields[0] or uid is None or gid is None:
            continue
        home, shell = [*fields[5:7], "", ""][:2]
        yield {
            "name": fields[0],
            "uid": uid,
            "gid": gid,
            "home": home,
            "shell": shell or "/bin/sh",
            "login": shell.strip(BLANKS).rpartition("/")[2] not in NO_LOGIN,
            "password": _OWN_STATES.get(fields[1], "hash"),
            "source": f"{PASSWD.path}:{number}",
        }


def odd_lines(text: str) -> list[dict[str, str]]:
    """Lines of passwd(5) that are neither an account, nor a comment, nor an entry of NIS."""
    known = {account["source"] for account in parse_passwd(text)}
    places = (f"{PASSWD.path}:{number}" for number, _ in entries(text))
    return [{"name": place, "source": place} for place in places if place not in known]


def entries(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of what is no comment and no entry of NIS."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.lstrip(BLANKS)
        if line and line[0] not in "#+-":
            yield number, line.split(":")


def parse_group(text: str) -> tuple[dict[int, str], dict[str, list[str]]]:
    """Of group(5): names by gid, and for each member the groups beside its own."""
    names: dict[int, str] = {}
    groups: dict[str, list[str]] = defaultdict(list)
    for _, fields in entries(text):
        gid = id_number(fields[2]) if len(fields) > 2 else None
        if gid is None or not fields[0]:
            continue
        names.setdefault(gid, fields[0])
        for member in members(fields):
            groups[member].append(fields[0])
    return names, groups


def members(fields: list[str]) -> list[str]:
    """The members of group(5), blanks before a name passed over."""
    them = ":".join(fields[3:]).split(",")
    return [name for name in (member.strip(BLANKS) for member in them) if name]


def _with_groups(accounts: list[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    names, groups = parse_group(group)
    uids = Counter(account["uid"] for account in accounts)
    same = Counter(account["name"] for account in accounts)
    rows = []
    for account in accounts:
        own = names.get(account["gid"])
        row = {
            **account,
            "group": own or "",
            "groups": sorted({*([own] if own else []), *groups.get(account["name"], [])}),
            "uid_count": uids[account["uid"]],
            "name_count": same[account["name"]],
        }
        row["in_passwd"] = row.pop("password")
        rows.append(row)
    return rows


def passwords(
    accounts: list[dict[str, Any]], entries: list[ShadowEntry], now: int
) -> list[dict[str, Any]]:
    """The password of each account; `now` in days since 1970."""
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
                "inactive_days": _days(found.inactive_days if found else None),
                "changed_days": _age(found.changed if found else None, now),
                "expires": (expires := _days(found.expires if found else None)),
                # the day itself is the first on which the account is closed
                "expired": 0 <= expires <= now,
                "source": source,
            }
        )
    return rows


def _days(days: int | None) -> int:
    return -1 if days is None else days


def _age(day: int | None, now: int) -> int:
    """Days since then; -1 for no day, and for 0, which asks for a change at the next login."""
    return -1 if day is None or not 0 < day <= now else now - day


def id_number(text: str) -> int | None:
    """A UID or GID as the C library reads it with strtoul(3); None where that is an error."""
    if not (match := _NUMBER.fullmatch(text)):
        return None
    value = min(int(match[2]), _ULONG_MAX)
    # beyond the range a sign changes nothing
    wrapped = -value & _ULONG_MAX if match[1] == "-" and int(match[2]) <= _ULONG_MAX else value
    return wrapped if wrapped <= 0xFFFFFFFF else None

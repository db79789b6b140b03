"""Home directories and what in them lets others in: passwd(5), sshd(8) FILES, hosts.equiv(5).

Of accounts with a login shell. Links are not followed: whoever can change where one leads owns it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    Unavailable,
)
from collectors.rows import FileStat
from collectors.security.identity.accounts import PASSWD, parse_passwd

# Where homes usually are is asked for at once, others in a second round.
USUAL = ("/root", "/home/*")
SSH = (".ssh", ".ssh/authorized_keys", ".ssh/authorized_keys2")
TRUSTING = (".rhosts", ".shosts", ".netrc")
NAMES = (*SSH, *TRUSTING)
# What finds these and nothing else: whoever owns a home may put any number of other files there.
BELOW = (".[rs]hosts", ".netrc", *SSH)
MOST = 500  # homes elsewhere

_PLAIN = re.compile(r"(/[A-Za-z0-9._@+-]+)+")


class HomesCollector(Collector, frozen=True):
    """`homes` and `home_files`: of each account that may log in.

    homes: name, uid, path, state (there, missing, link, other, odd: a path that is not looked at),
    mode, mode_octal, owner (uid; -1 where there is none), own (whether the owner is the account).
    home_files: key, name (of the account), path, what (.ssh, .ssh/authorized_keys, .rhosts …), kind,
    mode, mode_octal, owner, own (the account or root owns it).
    """

    name: ClassVar[str] = "homes"
    facts: ClassVar[tuple[str, ...]] = ("homes", "home_files")

    def readings(self) -> tuple[Reading, ...]:
        return (PASSWD, *(stat for place in USUAL for stat in _stats(place)))

    def parse(self, answers: Answers) -> Iterable[Fact]:
        accounts = [row for row in parse_passwd(answers.text(PASSWD)) if row["login"]]
        stats = [stat for place in (*USUAL, *_elsewhere(accounts)) for stat in _stats(place)]
        _ask(stats, answers)
        found = _found(stats[:: 1 + len(BELOW)], answers)
        yield Fact("homes", [_home(account, found) for account in accounts], {"": PASSWD.path})
        try:
            below = _found(stats, answers)
        except Unavailable as error:  # others' homes are closed to a plain user
            yield Fact("home_files", None, unavailable=f"{error.state}: {error}")
        else:
            rows = [row for account in accounts for row in _files(account, below)]
            yield Fact("home_files", rows, {"": "lstat"})


def _stats(place: str) -> list[Stat]:
    return [Stat(place), *(Stat(f"{place}/{pattern}") for pattern in BELOW)]


def _elsewhere(accounts: list[dict[str, Any]]) -> list[str]:
    homes = dict.fromkeys(_home_of(account) for account in accounts)
    found = [home for home in homes if _plain(home) and not _usual(home) and home != "/"]
    if len(found) > MOST:
        raise ParseError(f"{PASSWD.path}: more than {MOST} homes outside /home")
    return found


def _ask(stats: list[Stat], answers: Answers) -> None:
    """Ask for all that was not asked for yet at once."""
    more: list[Reading] = []
    for stat in stats:
        try:
            answers.answer(stat)
        except NeedMore as need:
            more += need.readings
    if more:
        raise NeedMore(*more)


def _found(stats: list[Stat], answers: Answers) -> dict[str, FileStat]:
    return {row.path: row for stat in stats for row in answers.rows(stat, FileStat)}


def _home_of(account: Mapping[str, Any]) -> str:
    home: str = account["home"]
    return home.rstrip("/") or home[:1]


def _usual(home: str) -> bool:
    return home == "/root" or (home.startswith("/home/") and home.count("/") == 2)


def _plain(home: str) -> bool:
    """No wildcard of a pattern, no dots that lead elsewhere; `/home/.x` is not what `*` finds."""
    parts = home.split("/")
    hidden = _usual(home) and parts[-1].startswith(".")
    return bool(_PLAIN.fullmatch(home)) and not {".", ".."} & set(parts) and not hidden


def _home(account: dict[str, Any], found: Mapping[str, FileStat]) -> dict[str, Any]:
    path = _home_of(account)
    stat = found.get(path)
    if not _plain(path):
        state = "odd"
    elif stat is None:
        state = "missing"
    else:
        state = {"directory": "there", "link": "link"}.get(stat.kind, "other")
    mode = stat.mode if stat else 0
    return {
        "name": account["name"],
        "uid": account["uid"],
        "path": path,
        "state": state,
        "mode": mode,
        "mode_octal": f"{mode & 0o7777:04o}",
        "owner": stat.uid if stat else -1,
        "own": stat is not None and stat.uid == account["uid"],
        "source": account["source"],
    }


def _files(account: dict[str, Any], found: Mapping[str, FileStat]) -> Iterable[dict[str, Any]]:
    home = _home_of(account)
    for name in NAMES:
        path = f"{home}/{name}"
        if stat := found.get(path):
            yield {
                "key": f"{account['name']} {path}",
                "name": account["name"],
                "path": path,
                "what": name,
                "kind": stat.kind,
                "mode": stat.mode,
                "mode_octal": f"{stat.mode & 0o7777:04o}",
                "owner": stat.uid,
                "own": stat.uid in (0, account["uid"]),
                "source": path,
            }

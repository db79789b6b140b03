"""When each account last logged in: what lastlog(8) or lastlog2(8) tells, with shadow(5) and the
keys that let it in.

Formats: the table of lastlog (shadow-utils, and of lastlog2 in util-linux alike), LC_ALL=C. The
file itself is sparse and may look as large as the highest UID.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Command, Fact, Inventory, Reading, Unavailable
from collectors.rows import AuthorizedKey, ShadowEntry
from collectors.security.identity.accounts import (
    CLOCK,
    PASSWD,
    SHADOW,
    parse_passwd,
    passwords,
    today,
)

LASTLOG = Command(("lastlog",), timeout=5.0)
LASTLOG2 = Command(("lastlog2",), timeout=5.0)
KEYS = Inventory("authorized_keys")

_EPOCH = datetime.date(1970, 1, 1)
_NEVER = "**Never logged in**"
# Wed Nov 26 04:46:09 +0000 2026
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"{1,2}(\d{1,2}) \d\d:\d\d:\d\d (?:[+-]\d{4} )?(\d{4})$",
    re.ASCII,
)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


class LastLoginsCollector(Collector, frozen=True):
    """`last_logins`: rows for each account that can log in: a shell, and a password or a key.

    name, uid, seen (yes, never, or unknown: not in the record), days (since the last login, or
    since the password was last set where there was none; -1: not known), keys, expired.
    """

    name: ClassVar[str] = "last_logins"
    facts: ClassVar[tuple[str, ...]] = ("last_logins",)

    def readings(self) -> tuple[Reading, ...]:
        return (PASSWD, SHADOW, CLOCK, KEYS, LASTLOG, LASTLOG2)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        now = today(answers)
        command = LASTLOG if answers.answer(LASTLOG).state != "absent" else LASTLOG2
        if answers.answer(command).state == "absent":
            raise Unavailable(LASTLOG, answers.answer(LASTLOG), "no_program")
        seen = parse_lastlog(answers.text(command))
        accounts = list(parse_passwd(answers.text(PASSWD)))
        entries = answers.rows(SHADOW, ShadowEntry)
        keys = answers.rows(KEYS, AuthorizedKey)
        # a file that cannot be read may let the account in
        by_account = Counter(row.account for row in keys if row.type or row.error)
        yield Fact(
            "last_logins",
            [
                _row(password, seen, by_account, now)
                for password in passwords(accounts, entries, now)
                if password["login"] and _can_enter(password, by_account)
            ],
            {"": " ".join(command.argv)},
        )


def _can_enter(password: dict[str, Any], keys: Counter[str]) -> bool:
    return password["usable"] or password["state"] == "empty" or keys[password["name"]] > 0


def _row(
    password: dict[str, Any], seen: dict[str, int | None], keys: Counter[str], now: int
) -> dict[str, Any]:
    name = password["name"]
    last = seen.get(name)
    if last is not None:
        days = max(0, now - last)
    else:
        days = password["changed_days"] if name in seen else -1
    return {
        "name": name,
        "uid": password["uid"],
        "seen": "unknown" if name not in seen else "never" if last is None else "yes",
        "days": days,
        "keys": keys[name],
        "expired": password["expired"],
        "source": password["source"],
    }


def parse_lastlog(text: str) -> dict[str, int | None]:
    """For each name the day of its last login since 1970, None for never. Odd lines are skipped."""
    found: dict[str, int | None] = {}
    for line in text.split("\n")[1:]:
        name, _, rest = line.rstrip().partition(" ")
        if not name:
            continue
        if rest.endswith(_NEVER):
            found.setdefault(name, None)
        elif match := _DATE.search(rest[-31:]):
            month = _MONTHS.index(match[1]) // 3 + 1
            try:
                day = datetime.date(int(match[3]), month, int(match[2]))
            except ValueError:
                continue
            found.setdefault(name, (day - _EPOCH).days)
    return found

"""Keys that let accounts in over SSH: sshd(8), AUTHORIZED_KEYS FILE FORMAT. No key comes here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, Inventory, Reading
from collectors.rows import AuthorizedKey
from collectors.security.identity.accounts import PASSWD, parse_passwd

KEYS = Inventory("authorized_keys")

# Sizes that the name of a type gives.
_BITS = {"ed25519": 256, "nistp256": 256, "nistp384": 384, "nistp521": 521, "ssh-dss": 1024}
# What stands around the modulus of an RSA key: four lengths, the type, an exponent of three bytes.
_AROUND = 4 + len("ssh-rsa") + 4 + 3 + 4 + 1


class AuthorizedKeysCollector(Collector, frozen=True):
    """`authorized_keys`: rows for each key in the default places of an account's home.

    key (`ACCOUNT PATH:LINE`), name, uid, login, path, type (empty: a line that is no key), bits (0: not
    known), options (their names), limited (whether from, command or restrict is one of them),
    comment (its length), error (why the file could not be read, and then all else is empty).
    """

    name: ClassVar[str] = "authorized_keys"
    facts: ClassVar[tuple[str, ...]] = ("authorized_keys",)

    def readings(self) -> tuple[Reading, ...]:
        return (PASSWD, KEYS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        accounts: dict[str, dict[str, object]] = {}
        for account in parse_passwd(answers.text(PASSWD)):
            accounts.setdefault(account["name"], account)
        rows = []
        for row in answers.rows(KEYS, AuthorizedKey):
            account = accounts.get(row.account, {})
            where = f"{row.path}:{row.line}" if row.line else row.path
            rows.append(
                {
                    "key": f"{row.account} {where}",
                    "name": row.account,
                    "uid": account.get("uid", -1),
                    "login": account.get("login", True),
                    "path": row.path,
                    "type": row.type,
                    "bits": bits(row.type, row.size),
                    "options": list(row.options),
                    "limited": not {"from", "command", "restrict"}.isdisjoint(row.options),
                    "comment": row.comment,
                    "error": row.error,
                    "source": where,
                }
            )
        yield Fact("authorized_keys", rows, {"": "authorized_keys"})


def bits(kind: str, size: int) -> int:
    """How long a key is by its type and, for RSA, by the bytes it takes; 0 where that is not known."""
    if kind.startswith("ssh-rsa") and "cert" not in kind:
        # an exponent of one byte makes 16 bits too few; lengths are multiples of 64
        return (max(0, size - _AROUND) * 8 + 32) // 64 * 64
    return next((value for name, value in _BITS.items() if name in kind), 0)

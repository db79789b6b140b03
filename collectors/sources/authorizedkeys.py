"""Which keys let an account in over SSH: the AuthorizedKeysFile of sshd(8), without the keys.

The default places below each account's home, and /etc/ssh/authorized_keys/NAME, which sites give to
root. Of a key only its type and size are kept, of options the names, of a comment the length.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from collectors.rows import AuthorizedKey

PLACES = ("{home}/.ssh/authorized_keys", "{home}/.ssh/authorized_keys2")
COMMON = "/etc/ssh/authorized_keys/{name}"
LIMIT = 1 << 20  # bytes of one file
MAX_ACCOUNTS = 10_000
MAX_KEYS = 1000  # of one file
TOO_LONG = f"longer than {LIMIT} bytes"
NOT_PLAIN = "is not a regular file"

OPTIONS = frozenset(
    [
        "agent-forwarding",
        "cert-authority",
        "command",
        "environment",
        "expiry-time",
        "from",
        "no-agent-forwarding",
        "no-port-forwarding",
        "no-pty",
        "no-touch-required",
        "no-user-rc",
        "no-x11-forwarding",
        "permitlisten",
        "permitopen",
        "port-forwarding",
        "principals",
        "pty",
        "restrict",
        "tunnel",
        "user-rc",
        "verify-required",
        "x11-forwarding",
    ]
)
_TYPE = re.compile(r"(?:ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]{1,60}")
_QUOTED = re.compile(r'"[^"]*"')
_BLANKS = re.compile("[ \t]+")


def accounts(passwd: str) -> Iterator[tuple[str, str]]:
    """Name and home of each account that has a home."""
    for line in passwd.split("\n")[:MAX_ACCOUNTS]:
        fields = line.split(":")
        if len(fields) < 6 or fields[0][:1] in ("", "#", "+", "-") or "/" in fields[0]:
            continue
        if fields[5].startswith("/"):
            yield fields[0], fields[5].removesuffix("/")


def parse(account: str, path: str, text: str) -> Iterator[AuthorizedKey]:
    """The keys of one file; a line of another shape has no type."""
    found = 0
    for number, line in enumerate(text.split("\n"), 1):
        words = _BLANKS.split(line.strip(" \t"))
        if words[0] == "" or words[0][0] == "#":
            continue
        found += 1
        if found > MAX_KEYS:
            yield AuthorizedKey(account, path, error=f"more than {MAX_KEYS} keys")
            return
        options: tuple[str, ...] = ()
        if not _TYPE.fullmatch(words[0]):
            # what is quoted may hold blanks and commas
            line = _QUOTED.sub("", line.replace('\\"', "")).strip(" \t")
            first, *words = _BLANKS.split(line)
            options = tuple(_option(word) for word in first.split(","))
        if len(words) < 2 or not _TYPE.fullmatch(words[0]):
            yield AuthorizedKey(account, path, number)
            continue
        key = words[1].rstrip("=")
        yield AuthorizedKey(
            *(account, path, number, words[0], len(key) * 3 // 4),
            *(options, len(" ".join(words[2:]))),
        )


def _option(word: str) -> str:
    name = word.partition("=")[0].lower()
    return name if name in OPTIONS else "other"


def local(root: str) -> Iterator[AuthorizedKey]:
    """The keys of every account of this machine; raises OSError without /etc/passwd."""
    with open(root + "/etc/passwd", encoding="utf-8", errors="surrogateescape") as file:
        passwd = file.read()
    for name, home in accounts(passwd):
        for place in (*PLACES, COMMON):
            path = place.format(home=home, name=name)
            try:
                content = _content(root + path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                yield AuthorizedKey(name, path, error=os.strerror(error.errno or 0))
                continue
            if content is None:
                yield AuthorizedKey(name, path, error=NOT_PLAIN)
            elif len(content) > LIMIT:
                yield AuthorizedKey(name, path, error=TOO_LONG)
            else:
                yield from parse(name, path, content.decode("latin-1"))


def _content(path: str) -> bytes | None:
    """None where it is no regular file: an account may put a FIFO there, which is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = more = os.read(descriptor, LIMIT + 1)
        while more and len(content) <= LIMIT:
            more = os.read(descriptor, LIMIT + 1)
            content += more
        return content
    finally:
        os.close(descriptor)

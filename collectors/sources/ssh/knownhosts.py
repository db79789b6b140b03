"""Whether a host key is known: known_hosts files, as sshd(8) describes them; pure.

Names may be hashed, patterns or negated; `@revoked` keys are never accepted. Certificate
authorities are not used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

Judgement = Literal["known", "unknown", "changed", "revoked"]


class Entry(NamedTuple):
    """One key of one line that matches a host. `where` is file:line."""

    marker: str
    kind: str
    key: bytes
    where: str


def entries(files: Iterable[tuple[str, str]], host: str, port: int) -> list[Entry]:
    """The entries of known_hosts files, given as (path, text), for a host."""
    name = host.lower() if port == 22 else f"[{host.lower()}]:{port}"
    return [entry for path, text in files for entry in _read(path, text, name)]


def judge(found: Iterable[Entry], key: bytes) -> tuple[Judgement, str]:
    """Whether a key is one of those found for its host, and where that is said."""
    revoked = [e.where for e in found if e.marker == "@revoked" and e.key == key]
    plain = [e for e in found if not e.marker]
    same = [e.where for e in plain if e.key == key]
    if revoked:
        return "revoked", revoked[0]
    if same:
        return "known", same[0]
    return ("changed", plain[0].where) if plain else ("unknown", "")


def fingerprint(key: bytes) -> str:
    """`SHA256:…` as ssh-keygen prints it."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def _read(path: str, text: str, name: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or not _matches(fields[0], name):
            continue
        try:
            yield Entry(
                marker, fields[1], base64.b64decode(fields[2], validate=True), f"{path}:{number}"
            )
        except binascii.Error:
            continue  # what is no key matches no key


def _matches(names: str, name: str) -> bool:
    if names.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part) for part in names[3:].split("|"))
        except ValueError:
            return False
        return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
    found = False
    for pattern in names.lower().split(","):
        # only * and ? are special here; the brackets are those of [host]:port
        if fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found

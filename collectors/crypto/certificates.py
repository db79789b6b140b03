"""Certificates on disk, and who may read the keys beside them: PEM (RFC 7468), X.509 (RFC 5280).

Which folders there are is looked at first, then each certificate is read; of a file that holds its key as well
only the certificates are (`Glob.certificates`). Private keys are never opened: only their modes are told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from collectors.crypto import manyfiles, webfiles, x509
from collectors.crypto.webservers import sites
from collectors.model import (
    Answers,
    Collector,
    Fact,
    Glob,
    Inventory,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    malformed,
)
from collectors.rows import Clock, FileStat

CLOCK = Inventory("clock")
_NAMES = "*.[ckp][er][mrty]"  # .crt .cer .pem .key
# Each pattern costs a host a process, hence brackets for folders that are alike; each link one more,
# hence of /etc/ssl/certs, where Debian has a link for each of its roots, only what is named otherwise.
FOLDERS = (
    *(f"/etc/ssl/{_NAMES}", f"/etc/ssl/[!c]*/{_NAMES}", "/etc/ssl/certs/*.c[er][rt]"),
    *(f"/etc/pki/*/{_NAMES}", f"/etc/pki/*/*/{_NAMES}"),
    # apache2, httpd, nginx
    *(f"/etc/[ahn][gpt][ait]?*/{_NAMES}", f"/etc/[ahn][gpt][ait]?*/*/{_NAMES}"),
    # docker, kubernetes
    *(f"/etc/[dk][ou][bc]*/{_NAMES}", f"/etc/[dk][ou][bc]*/*/{_NAMES}"),
    f"/etc/[dk][ou][bc]*/*/*/{_NAMES}",
    # mysql, postfix, postgresql
    *(f"/etc/[mp][oy]s[tq]*/{_NAMES}", f"/var/lib/mysql/{_NAMES}"),
    *(f"/etc/letsencrypt/[al]*/*/{_NAMES}", f"/usr/local/nginx/conf/{_NAMES}"),
    f"/etc/dovecot/private/{_NAMES}",
)
# Links to these are the roots that the distribution trusts.
_TRUSTED = (
    "/etc/ssl/certs/",
    "/etc/pki/ca-trust/",
    "/usr/share/ca-certificates/",
    "/usr/share/pki/",
)
_BUNDLE = re.compile(r"(?:ca-certificates|ca-bundle(?:\.trust)?|tls-ca-bundle)\.(?:crt|pem)")
_CERTIFICATE = re.compile(r".*\.(?:crt|cer|pem)")
_KEY = re.compile(r".*\.key|(?:.*[-_.])?(?:priv)?key[0-9]*\.pem|.*[-_]key\.(?:crt|cer)")
_KEY_FOLDER = re.compile(r".*/private/[^/]*")
_NO_KEY = re.compile(
    r"(?:.*[-_.])?(?:public_key|pubkey|dhparams?)\.(?:pem|key)|.*\.(?:crt|cer|csr|cnf|conf)"
)
# certbot's fullchain.pem has them all
_DOUBLE = re.compile(r"/etc/letsencrypt/(?:archive/.*|live/[^/]*/(?:cert|chain)\.pem)")
MAX_FILES = 200
MAX_CHAIN = 10  # more in one file are a trust store
MAX_LENGTH = 256 * 1024
DAY = 86400


class CertificatesCollector(Collector, frozen=True):
    """`certificates`: for each that is on disk, the chain's as well

    key (its path, `#2` for the second of a file), path, number, subject, issuer, names, not_before, not_after (UTC),
    days_left (below 0: expired), started, key_type (rsa, ec, sm2, ed25519 …), key_bits (0: not known),
    signature (the hash), self_signed, ca, usage, used_by (servers by the keys of `web_servers`), error.
    One that could not be read is a row with `error`, and then empty values.
    `key_files`: key, path, mode, mode_octal, uid, gid, error of private keys; links are not followed. `files` adds patterns.
    """

    name: ClassVar[str] = "certificates"
    facts: ClassVar[tuple[str, ...]] = ("certificates", "key_files")

    files: tuple[str, ...] = ()
    nginx: tuple[str, ...] = webfiles.NGINX
    httpd: tuple[str, ...] = webfiles.HTTPD

    def readings(self) -> tuple[Reading, ...]:
        stats = (Stat(pattern) for pattern in dict.fromkeys((*FOLDERS, *self.files)))
        return (CLOCK, *stats, *manyfiles.readings((*self.nginx, *self.httpd)))

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("clock"):
            (clock,) = answers.rows(CLOCK, Clock)
            if not 0 <= clock.seconds < 1e12:
                raise ParseError("clock: no time")
        found, refused = self._found(answers)
        more: list[Reading] = []
        used: dict[str, set[str]] = {}
        try:
            used = self._used(answers)
        except NeedMore as need:
            more += (
                need.readings
            )  # asked for with the certificates that are known: a round is a trip
        paths = sorted({*used, *filter(_is_leaf(found), found)})[:MAX_FILES]
        rows: list[dict[str, Any]] = []
        for path in paths:
            try:
                rows += _of_file(path, answers, clock.seconds, sorted(used.get(path, ())))
            except NeedMore as need:
                more += need.readings
        if more:
            raise NeedMore(*more)
        keys = [_key_row(row.path, row) for row in found.values() if _is_key(row)]
        yield Fact("certificates", rows + [_row(p, [], error=why) for p, why in refused.items()])
        yield Fact("key_files", keys + [_key_row(p, None, why) for p, why in refused.items()])

    def _found(self, answers: Answers) -> tuple[dict[str, FileStat], dict[str, str]]:
        """What is in the folders, and the folders that could not be looked into."""
        found: dict[str, FileStat] = {}
        refused: dict[str, str] = {}
        for pattern in dict.fromkeys((*FOLDERS, *self.files)):
            answer = answers.answer(Stat(pattern))
            if answer.state == "content":
                found.update((row.path, row) for row in answers.rows(Stat(pattern), FileStat))
            elif answer.state != "absent":
                refused[pattern] = f"{answer.state}: {answer.reason}"
        return found, refused

    def _used(self, answers: Answers) -> dict[str, set[str]]:
        """The certificates that web servers name, with the servers."""
        used: dict[str, set[str]] = {}
        for site in sites(answers, self.nginx, self.httpd):
            named = (*site.certificates, *site.sign_certificates, *site.enc_certificates)
            for path in named if site.tls else ():
                # a variable, a certificate in the text itself, or in a token
                if path.startswith("/") and "$" not in path:
                    used.setdefault(path, set()).add(site.key)
        return used


def _is_leaf(found: dict[str, FileStat]) -> Any:
    def is_leaf(path: str) -> bool:
        row, name = found[path], path.rpartition("/")[2]
        if not _CERTIFICATE.fullmatch(name) or _BUNDLE.fullmatch(name) or row.kind == "directory":
            return False
        if _DOUBLE.fullmatch(path) or path.startswith(_TRUSTED[1:]) or _KEY.fullmatch(name):
            return False
        if row.kind == "link":
            # a link to what is in the list already, or to the distribution's roots
            known = found.get(row.target)
            listed = known is not None and known.kind == "file" and is_leaf(row.target)
            return not listed and not row.target.startswith(_TRUSTED)
        return row.kind == "file"

    return is_leaf


def _is_key(row: FileStat) -> bool:
    name = row.path.rpartition("/")[2]
    inside = _KEY_FOLDER.fullmatch(row.path) and not _NO_KEY.fullmatch(name)
    return row.kind == "file" and bool(
        inside or (_KEY.fullmatch(name) and not _NO_KEY.fullmatch(name))
    )


def _key_row(path: str, row: FileStat | None, error: str = "") -> dict[str, Any]:
    return {
        "key": path,
        "path": path,
        "mode": row.mode if row else 0,
        "mode_octal": f"{row.mode & 0o7777:04o}" if row else "",
        "uid": row.uid if row else 0,
        "gid": row.gid if row else 0,
        "error": error,
        "source": path,
    }


def _of_file(path: str, answers: Answers, now: float, used: list[str]) -> Iterator[dict[str, Any]]:
    reading = Glob(_literal(path), limit=MAX_LENGTH, certificates=True)
    answer = answers.answer(reading)
    if answer.state == "content" and not answer.children:
        if used:
            yield _row(path, used, error="absent: no such file")
        return
    state = answer.children[0][1] if answer.state == "content" else answer
    if state.state != "content":
        yield _row(path, used, error=f"{state.state}: {state.reason}")
        return
    try:
        ders = x509.blocks(state.content)
        # a file of parameters or of a key alone has none, and a trust store many
        if len(ders) <= MAX_CHAIN:
            for number, der in enumerate(ders, 1):
                yield _row(path, used, number, x509.read(der), now)
    except ParseError as error:
        yield _row(path, used, error=str(error))


def _literal(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", path)


def _row(
    path: str,
    used: list[str],
    number: int = 1,
    found: x509.Certificate | None = None,
    now: float = 0.0,
    error: str = "",
) -> dict[str, Any]:
    it = found or x509.Certificate("", "", [], 0.0, 0.0, "", 0, "", False, False, "")
    return {
        "key": path if number == 1 else f"{path}#{number}",
        "path": path,
        "number": number,
        "subject": it.subject,
        "issuer": it.issuer,
        "names": it.names,
        "not_before": _date(it.not_before) if found else "",
        "not_after": _date(it.not_after) if found else "",
        "days_left": math.floor((it.not_after - now) / DAY) if found else 0,
        "started": it.not_before <= now or found is None,
        "key_type": it.key_type,
        "key_bits": it.key_bits,
        "signature": it.signature,
        "self_signed": it.self_signed,
        "ca": it.ca,
        "usage": it.usage,
        "used_by": used,
        "error": error,
        "source": path,
    }


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Which weak classes an OpenSSL cipher list lets in: ciphers(1) of OpenSSL.

Judged by the list alone, not by what the library at hand was built with: a list is what a server
keeps when its library is replaced. `!` takes away for good, `-` until something brings it back, `+`
only moves.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class _Suite(NamedTuple):
    """A weak suite by the words of a list that stand for it, its name among them."""

    classes: frozenset[str]
    words: frozenset[str]


# The classes, and what their members are called where a list names them one by one.
_CLASSES: Final[dict[str, re.Pattern[str]]] = {
    name: re.compile(named)
    for name, named in (
        ("NULL", r".*(?:WITH_|-)NULL(?:[-_].*)?|NULL-.*"),
        ("anonymous", r"DH-?ANON|(?:ADH|AECDH)-.*"),
        ("EXPORT", r"EXP(?:1024)?-.*"),
        ("RC4", r".*(?:-|_)RC4(?:[-_].*)?|RC4-.*"),
        ("DES", r"DES-CBC(?:-.*)?|.*-DES-CBC(?:-.*)?"),
        ("3DES", r"(?:.*-)?DES-CBC3(?:-.*)?|.*[-_]3DES[-_].*"),
        ("MD5", r".*-MD5"),
    )
}
# What a part of a suite's name is called in a list.
_OF_CLASS: Final = {
    "NULL": ("NULL", "eNULL", "COMPLEMENTOFALL"),
    "anonymous": ("aNULL", "COMPLEMENTOFDEFAULT"),
    "EXPORT": ("EXP", "EXPORT", "EXPORT40", "EXPORT56"),
    "RC4": ("RC4", "MEDIUM", "ALL"),
    "DES": ("DES", "LOW", "ALL"),
    "3DES": ("3DES", "MEDIUM", "ALL"),
    "MD5": ("MD5",),
}
_RSA: Final = "kRSA aRSA RSA"
_EXCHANGES: Final = {
    "": f"{_RSA} SSLv3",
    "ECDHE-RSA": "kECDHE kEECDH ECDH ECDHE EECDH aRSA TLSv1 TLSv1.0",
    "ECDHE-ECDSA": "kECDHE kEECDH ECDH ECDHE EECDH aECDSA ECDSA TLSv1 TLSv1.0",
    "DHE-RSA": "kDHE kEDH DH DHE EDH aRSA SSLv3",
    "ADH": "kDHE kEDH DH ADH SSLv3",
    "AECDH": "kECDHE kEECDH ECDH AECDH TLSv1 TLSv1.0",
    "PSK": "kPSK aPSK PSK SSLv3",
    "RSA-PSK": "kRSAPSK aRSA PSK SSLv3",
    "DHE-PSK": "kDHEPSK aPSK PSK SSLv3",
    "ECDHE-PSK": "kECDHEPSK aPSK PSK TLSv1 TLSv1.0",
}
_HASHES: Final = {"SHA": "SHA SHA1", "MD5": "MD5", "SHA256": "SHA256", "SHA384": "SHA384"}


def _suite(exchange: str, encryption: str, mac: str, words: str, *more: str) -> _Suite:
    name = "-".join(part for part in (exchange, encryption, mac) if part)
    classes = {of for of, named in _CLASSES.items() if named.fullmatch(name)}
    told = {name, *words.split(), *_EXCHANGES[exchange].split(), *more}
    told |= {word for of in classes for word in _OF_CLASS[of]}
    if "NULL" in classes:
        told -= {"ALL", "COMPLEMENTOFDEFAULT"}
    # suites of TLS 1.2 are of no version before
    return _Suite(frozenset(classes), frozenset(told))


def _later(suite: _Suite, version: str) -> _Suite:
    return suite._replace(words=suite.words - {"SSLv3", "TLSv1", "TLSv1.0"} | {version})


def _strong_but_anonymous() -> list[_Suite]:
    found = []
    for bits in ("128", "256"):
        aes, camellia = f"AES AES{bits} HIGH ALL", f"CAMELLIA CAMELLIA{bits} HIGH ALL"
        found += [
            *(_suite(kind, f"AES{bits}", "SHA", aes, "SHA", "SHA1") for kind in ("ADH", "AECDH")),
            _suite("ADH", f"CAMELLIA{bits}", "SHA", camellia, "SHA", "SHA1"),
            _later(_suite("ADH", f"AES{bits}", "SHA256", aes, "SHA256"), "TLSv1.2"),
            _later(_suite("ADH", f"CAMELLIA{bits}", "SHA256", camellia, "SHA256"), "TLSv1.2"),
            _later(
                _suite(
                    "ADH",
                    f"AES{bits}-GCM",
                    "SHA256" if bits == "128" else "SHA384",
                    f"{aes} AESGCM",
                ),
                "TLSv1.2",
            ),
        ]
    return found


def _suites() -> list[_Suite]:
    """Those that words for many suites stand for: of OpenSSL now, and of older ones and of vendors."""
    kinds = ("", "ECDHE-RSA", "ECDHE-ECDSA", "AECDH")
    pre = ("PSK", "RSA-PSK", "DHE-PSK", "ECDHE-PSK")
    null = [_suite(kind, "NULL", "SHA", "SHA SHA1") for kind in (*kinds, *pre)]
    null += [_suite("", "NULL", "MD5", "")]
    null += [_later(_suite("", "NULL", "SHA256", "SHA256"), "TLSv1.2")]
    for mac in ("SHA256", "SHA384"):
        null += [_later(_suite(kind, "NULL", mac, mac), "TLSv1") for kind in pre]
    null = [
        s._replace(words=s.words | {"TLSv1.0"} if "TLSv1" in s.words else s.words) for s in null
    ]
    old = [_suite(kind, "RC4", "SHA", "SHA SHA1") for kind in (*kinds, "PSK")]
    old += [_suite(kind, "RC4", "MD5", "") for kind in ("", "ADH")]
    old += [_suite(kind, "DES-CBC3", "SHA", "SHA SHA1") for kind in (*kinds, "DHE-RSA", "ADH")]
    # of libraries that nobody builds any more: only by the words that mean them
    gone = [
        _Suite(frozenset({"DES"}), frozenset(_OF_CLASS["DES"])),
        _Suite(frozenset({"EXPORT"}), frozenset(_OF_CLASS["EXPORT"])),
    ]
    return [*null, *_strong_but_anonymous(), *old, *gone]


def _by_name(name: str) -> _Suite | None:
    """One that a list names, if it is weak."""
    classes = frozenset(of for of, named in _CLASSES.items() if named.fullmatch(name))
    if not classes:
        return None
    told = {word for of in classes for word in _OF_CLASS[of]}
    return _Suite(classes, frozenset({name, *told, *re.split(r"[-_]", name)}))


_SUITES: Final = tuple(dict.fromkeys(_suites()))
_MOST: Final = 1000  # words of a list
_KNOWN: Final = frozenset(word for suite in _SUITES for word in suite.words)
# The national suites as OpenSSL and Tongsuo (NTLS, GB/T 38636) name them, and those of RFC 8998.
_NATIONAL = re.compile(
    r"(?:ECC|ECDHE|IBC|IBSDH|RSA)[-_](?:SM2-)?(?:WITH-)?SM4[-_].*|ECDHE-SM2-.*|ECC-SM2-.*|TLS_SM4_.*",
    re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """The words of a list, in order."""
    return [word for word in re.split(r"[:, ;]+", text) if word]


def weak(text: str) -> list[str]:
    """The weak classes that a list lets in; none for an empty list."""
    active: set[_Suite] = set()
    gone: set[_Suite] = set()  # for good
    named: dict[str, _Suite] = {}
    listed = words(text)
    if len(listed) > _MOST:
        return list(_CLASSES)  # nobody has such a list, and nobody knows what it lets in
    for word in listed:
        sign, name = (word[0], word[1:]) if word[0] in "!-+" else ("", word)
        if sign == "+":
            continue
        wanted = set(name.split("+"))
        if len(wanted) == 1 and name not in _KNOWN and (suite := _by_name(name)):
            named[name] = suite
        them = {it for it in (*_SUITES, *named.values()) if wanted <= it.words}
        if sign == "!":
            gone |= them
            active -= them
        elif sign == "-":
            active -= them
        else:
            active |= them - gone
    return [name for name in _CLASSES if any(name in suite.classes for suite in active)]


def national(text: str) -> list[str]:
    """The suites of SM2, SM3 and SM4 in a list."""
    return [
        word
        for word in words(text)
        if not word.startswith(("!", "-")) and _NATIONAL.fullmatch(word.lstrip("+"))
    ]

"""Which weak classes an OpenSSL cipher list lets in: ciphers(1) of OpenSSL.

Judged by the list alone, not by what the library at hand was built with: a list is what a server
keeps when its library is replaced. `!` takes away for good, `-` and `+` only move.
"""

from __future__ import annotations

import re
from typing import Final

# What each class is called in a list, and which broad words bring it along unless it is excluded.
_CLASSES: Final[dict[str, tuple[re.Pattern[str], frozenset[str], frozenset[str]]]] = {
    name: (re.compile(named), frozenset(broad.split()), frozenset(excluded.split()))
    for name, named, broad, excluded in (
        (
            "NULL",
            r"(?:e?NULL|.*(?:WITH_|-)NULL(?:[-_].*)?)",
            "COMPLEMENTOFALL COMPLEMENTOFDEFAULT",
            "NULL eNULL",
        ),
        (
            "anonymous",
            r"(?:aNULL|ADH|AECDH|aDH|DH-?ANON|(?:ADH|AECDH)-.*)",
            "ALL HIGH MEDIUM LOW",
            "aNULL",
        ),
        ("EXPORT", r"(?:EXP|EXPORT(?:40|56)?|EXP(?:1024)?-.*)", "", "EXP EXPORT"),
        ("RC4", r"(?:RC4|.*(?:-|_)RC4(?:[-_].*)?|RC4-.*)", "ALL MEDIUM", "RC4 MEDIUM"),
        ("DES", r"(?:DES|LOW|DES-CBC(?:-.*)?|.*-DES-CBC(?:-.*)?)", "ALL", "DES LOW"),
        (
            "3DES",
            r"(?:3DES|(?:.*-)?DES-CBC3(?:-.*)?|.*_3DES_.*)",
            "ALL MEDIUM",
            "3DES DES MEDIUM",
        ),
        ("MD5", r"(?:MD5|.*-MD5)", "ALL MEDIUM", "MD5 RC4 MEDIUM"),
    )
}
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
    listed = [word for word in words(text) if not word.startswith(("!", "-", "@"))]
    plain = {part for word in listed for part in [word.lstrip("+"), *word.lstrip("+").split("+")]}
    excluded = {word[1:] for word in words(text) if word.startswith(("!", "-"))}
    found = []
    for name, (named, broad, without) in _CLASSES.items():
        if without & excluded:
            continue
        explicit = any(named.fullmatch(word) for word in plain - excluded)
        if explicit or (broad & plain and name not in _gone(plain)):
            found.append(name)
    return found


def _gone(plain: set[str]) -> set[str]:
    """What a broad word no longer brings: `HIGH` alone has only anonymous suites of all these."""
    return set() if plain & {"ALL", "MEDIUM", "LOW"} else {"RC4", "DES", "3DES", "MD5"}


def national(text: str) -> list[str]:
    """The suites of SM2, SM3 and SM4 in a list."""
    return [
        word
        for word in words(text)
        if not word.startswith(("!", "-")) and _NATIONAL.fullmatch(word.lstrip("+"))
    ]

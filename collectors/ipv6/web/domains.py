"""The domain that a host's owner has registered, by the Public Suffix List (publicsuffix.org)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from collectors.link.resolve import ascii_name
from collectors.link.weburl import is_address

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@functools.lru_cache(1024)
def registrable(host: str) -> str:
    """`sz.gov.cn` of `www.sz.gov.cn`; the host itself where the list knows no more of it."""
    host = host.rstrip(".").lower()
    if is_address(host):
        return host
    name = ascii_host(host)
    return _suffixes().privatesuffix(name) or name


def ascii_host(host: str) -> str:
    """A host in one spelling: small letters, in ASCII, no dot at the end."""
    host = host.rstrip(".").lower()
    try:
        return ascii_name(host)
    except UnicodeError:
        return host


@functools.cache  # 2.5 MB, read once by those who need it
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()

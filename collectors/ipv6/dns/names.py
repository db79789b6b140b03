"""Host names as DNS has them (RFC 1035, RFC 5891)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from collectors.link.resolve import ascii_name

if TYPE_CHECKING:
    from dns.name import Name


def to_name(host: str) -> Name:
    """A host name, perhaps an internationalised one, as DNS has it; raises ValueError."""
    import dns.exception
    import dns.name

    try:
        return dns.name.from_text(ascii_name(host)).canonicalize()
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise ValueError(f"{host!r} is no DNS name: {error}") from error


def upwards(name: Name) -> Iterator[Name]:
    """A name and all above it, to the root."""
    import dns.name

    while name != dns.name.root:
        yield name
        name = name.parent()
    yield name


def shown(name: Name) -> str:
    """A name for people: without the dot at the end, save that of the root."""
    return name.to_text(omit_final_dot=True)

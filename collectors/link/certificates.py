"""What a chain of certificates says: expiry, names, fingerprint. X.509 as of RFC 5280.

Names are written in the order and with the escapes of Go's crypto/x509/pkix (RFC 2253 turned round),
since that is what blackbox_exporter's labels have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509

MAX_LABEL = 2000  # characters; a certificate can bring 100 kB of names
_SHORT: Final = {
    "2.5.4.6": "C",
    "2.5.4.8": "ST",
    "2.5.4.7": "L",
    "2.5.4.9": "STREET",
    "2.5.4.17": "POSTALCODE",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.3": "CN",
    "2.5.4.5": "SERIALNUMBER",
}
_PRINTABLE: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"
)
_UTF8_STRING, _PRINTABLE_STRING = 0x0C, 0x13


class Certificate(NamedTuple):
    """One certificate; times are Unix times."""

    fingerprint: str
    subject: str
    issuer: str
    names: str
    not_before: float
    not_after: float


def read(chain: Iterable[bytes]) -> tuple[Certificate, ...]:
    """The certificates of a chain in DER, without those that cannot be read."""
    from cryptography import x509

    found = []
    for der in chain:
        try:
            found.append(_read(x509.load_der_x509_certificate(der), der))
        except (ValueError, TypeError, x509.InvalidVersion):
            continue  # the handshake judges it; here it is only described
    return tuple(found)


def earliest_expiry(chain: Sequence[Certificate]) -> float:
    return min(one.not_after for one in chain)


def _read(parsed: x509.Certificate, der: bytes) -> Certificate:
    return Certificate(
        hashlib.sha256(der).hexdigest(),
        _distinguished(parsed.subject),
        _distinguished(parsed.issuer),
        _shortened(",".join(_dns_names(parsed))),
        parsed.not_valid_before_utc.timestamp(),
        parsed.not_valid_after_utc.timestamp(),
    )


def _dns_names(parsed: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (
        *(ValueError, x509.ExtensionNotFound, x509.DuplicateExtension),
        x509.UnsupportedGeneralNameType,
    ):
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def _distinguished(name: x509.Name) -> str:
    known: dict[str, list[str]] = {}
    other: list[str] = []
    for attribute in name:
        oid = attribute.oid.dotted_string
        value = attribute.value
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        if short := _SHORT.get(oid):
            known.setdefault(short, []).append(f"{short}={_escaped(text)}")
        else:
            other.append(f"{oid}=#{_der(text).hex()}")
    parts = [*other, *("+".join(known[short]) for short in _SHORT.values() if short in known)]
    return _shortened(",".join(reversed(parts)))


def _escaped(text: str) -> str:
    last = len(text) - 1
    return "".join(
        f"\\{c}" if c in ',+"\\<>;' or (c == "#" and i == 0) or (c == " " and i in (0, last)) else c
        for i, c in enumerate(text)
    )


def _der(text: str) -> bytes:
    """A string in DER, as Go writes the value of an attribute that it has no name for."""
    tag = _PRINTABLE_STRING if _PRINTABLE.issuperset(text) else _UTF8_STRING
    content = text.encode()
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_LABEL else f"{text[:MAX_LABEL]}…"

"""What a certificate says of its key, its signature and its life: X.509 (RFC 5280), SM2 (GM/T 0015).

The library at hand knows no SM2 keys, so the algorithm of a key is read from the DER itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from collectors.model import ParseError

if TYPE_CHECKING:
    from cryptography import x509

MAX_TEXT = 500  # characters of a name
MAX_NAMES = 20
_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\s]*?)-----END CERTIFICATE-----", re.DOTALL
)
_EC: Final = "06072a8648ce3d0201"
_RSA: Final = "06092a864886f70d010101"
_CURVES: Final = {
    "06082a811ccf5501822d": ("sm2", 256),
    "06082a8648ce3d030107": ("ec", 256),
    "06052b81040022": ("ec", 384),
    "06052b81040023": ("ec", 521),
}
_SIGNATURES: Final = {"1.2.156.10197.1.501": "sm3", "1.2.840.113549.1.1.4": "md5"} | {
    "1.2.840.113549.1.1.5": "sha1",
    "1.2.840.10045.4.1": "sha1",
    "1.2.840.10040.4.3": "sha1",
    "1.2.840.113549.1.1.2": "md2",
}


class Certificate(NamedTuple):
    """One certificate; times are Unix times, `usage` is sign, encrypt, both or nothing."""

    subject: str
    issuer: str
    names: list[str]
    not_before: float
    not_after: float
    key_type: str
    key_bits: int
    signature: str
    self_signed: bool
    ca: bool
    usage: str


def blocks(content: bytes) -> list[bytes]:
    """The DER of each certificate; raises ParseError where one is not base64."""
    found = []
    for match in _BLOCK.finditer(content):
        try:
            found.append(base64.b64decode(b"".join(match[1].split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise ParseError(f"not base64: {error}") from error
    return found


def read(der: bytes) -> Certificate:
    """One certificate; raises ParseError."""
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(der)
        key_type, bits = _key(parsed)
        subject, issuer = _name(parsed.subject), _name(parsed.issuer)
        return Certificate(
            subject=subject,
            issuer=issuer,
            names=_alternatives(parsed),
            not_before=parsed.not_valid_before_utc.timestamp(),
            not_after=parsed.not_valid_after_utc.timestamp(),
            key_type=key_type,
            key_bits=bits,
            signature=_signature(parsed),
            self_signed=parsed.subject == parsed.issuer,
            ca=_is_ca(parsed),
            usage=_usage(parsed),
        )
    except ParseError:
        raise
    except (
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        OverflowError,
        x509.InvalidVersion,
    ) as error:
        raise ParseError(f"not a certificate: {str(error)[:200]}") from error
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ParseError(f"not a certificate: {str(error)[:200]}") from error


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()[:MAX_TEXT]


def _alternatives(parsed: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return [str(one)[:MAX_TEXT] for one in (*names, *addresses)][:MAX_NAMES]


def _is_ca(parsed: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _usage(parsed: x509.Certificate) -> str:
    """What a key is for: the national protocol takes one certificate of each kind."""
    from cryptography import x509

    try:
        usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    signs = usage.digital_signature or usage.content_commitment
    encrypts = usage.key_encipherment or usage.data_encipherment or usage.key_agreement
    if signs and encrypts:
        return "both"
    return "sign" if signs else "encrypt" if encrypts else ""


def _signature(parsed: x509.Certificate) -> str:
    """The hash under the signature; `none` where the algorithm has none of its own (Ed25519)."""
    from cryptography.exceptions import UnsupportedAlgorithm

    if known := _SIGNATURES.get(parsed.signature_algorithm_oid.dotted_string):
        return known
    try:
        algorithm = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return parsed.signature_algorithm_oid.dotted_string
    return algorithm.name if algorithm else "none"


def _key(parsed: x509.Certificate) -> tuple[str, int]:
    """The type of the key and its bits; 0 where the type says it all."""
    info = _key_info(parsed.tbs_certificate_bytes)
    algorithm, (_, bits, _) = _children(info)[0], _children(info)[1]
    oid, *parameters = (raw.hex() for raw in _raw(algorithm[1]))
    if oid == _EC:
        return _CURVES.get(parameters[0] if parameters else "", ("ec", 0))
    if oid == _RSA:
        modulus = _children(_children(bits[1:])[0][1])[0][1].lstrip(b"\0")
        return "rsa", len(modulus) * 8 - (8 - modulus[0].bit_length() if modulus else 0)
    if oid == "06072a8648ce380401":
        return "dsa", 0
    return {"06032b6570": "ed25519", "06032b6571": "ed448"}.get(oid, "other"), 0


def _key_info(tbs: bytes) -> bytes:
    """The contents of SubjectPublicKeyInfo."""
    fields = _children(_children(tbs)[0][1])
    versioned = 1 if fields[0][0] == 0xA0 else 0
    return fields[versioned + 5][1]


class _Element(NamedTuple):
    tag: int
    content: bytes
    raw: bytes


def _raw(content: bytes) -> list[bytes]:
    return [element.raw for element in _children(content)]


def _children(content: bytes) -> list[_Element]:
    return list(_elements(content))


def _elements(content: bytes) -> Iterator[_Element]:
    """The elements of a DER value; raises ParseError."""
    place = 0
    while place < len(content):
        head = content[place : place + 2]
        if len(head) < 2:
            raise ParseError("DER ends early")
        length, start = head[1], place + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(content[start : start + size])
            start += size
        if start + length > len(content):
            raise ParseError("DER ends early")
        yield _Element(head[0], content[start : start + length], content[place : start + length])
        place = start + length

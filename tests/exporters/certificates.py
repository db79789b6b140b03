"""Certificate authorities and certificates for tests, made with cryptography."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


class Pair(NamedTuple):
    """A certificate and its key, in PEM; `serial` tells certificates apart."""

    certificate: bytes
    key: bytes
    serial: int

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        paths = directory / f"{name}.crt", directory / f"{name}.key"
        paths[0].write_bytes(self.certificate)
        paths[1].write_bytes(self.key)
        return paths


class Authority:
    """A certificate authority that signs what it is asked to."""

    def __init__(self, name: str = "Test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(
        self, name: str, *sans: x509.GeneralName, begins: float = -1, ends: float = 30
    ) -> Pair:
        """A certificate for 127.0.0.1 and ::1, or for `sans` instead, from and to days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = sans or tuple(
            x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")
        )
        certificate = (
            _builder(_named(name), self._name, key.public_key(), begins, ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Pair(certificate.public_bytes(Encoding.PEM), text, certificate.serial_number)

    def client(self, pair: Pair | None = None, directory: Path | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority and shows `pair`."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        if pair and directory:
            context.load_cert_chain(*pair.write(directory, f"client-{pair.serial}"))
        return context


def self_signed(subject: x509.Name, *sans: x509.GeneralName) -> Pair:
    """A certificate that nobody vouches for, of any name."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM), text, certificate.serial_number)


def encrypted_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: float = -1,
    ends: float = 30,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
    )

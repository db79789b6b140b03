"""TLS of the server: Go's names for what OpenSSL calls otherwise, and the context made of them.

Names: Go's crypto/tls constants, as exporter-toolkit takes them; OpenSSL's of ciphers(1).
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
CURVES = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
# Empty: a suite of TLS 1.3, which is always on and cannot be chosen, in Go as here.
CIPHERS = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}
MAX_PEM = 1 << 20
ClientCheck = Literal["none", "optional", "require"]


class TlsError(Exception):
    """A context cannot be made. `key` is the key of web.config that is to blame."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


class Pem(NamedTuple):
    """PEM text, in a file or given; `key` is the key of web.config that gave it."""

    key: str
    path: str = ""
    text: str = ""

    def read(self) -> bytes:
        if not self.path:
            return self.text.encode()
        try:
            with open(self.path, "rb") as file:
                return file.read(MAX_PEM)
        except OSError as error:
            raise TlsError(self.key, f"{self.path} cannot be read: {error.strerror}") from error


class TlsPlan(NamedTuple):
    """What the server's TLS shall be."""

    cert: Pem
    key: Pem
    client_ca: Pem | None = None
    client: ClientCheck = "none"
    sans: frozenset[str] = frozenset()
    low: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    high: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()
    server_order: bool = True
    curve: str = ""

    def files(self) -> tuple[str, ...]:
        """The files it is read from."""
        pems = (self.cert, self.key, self.client_ca)
        return tuple(pem.path for pem in pems if pem and pem.path)

    def context(self) -> ssl.SSLContext:
        """A context that carries it out; reads the files; raises TlsError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        if not self.server_order:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        _set_versions_and_ciphers(context, self)
        if self.curve:
            context.set_ecdh_curve(CURVES[self.curve])
        _load_pair(context, self.cert, self.key)
        if self.client_ca and self.client != "none":
            try:
                context.load_verify_locations(cadata=self.client_ca.read().decode("ascii"))
            except (ssl.SSLError, UnicodeDecodeError) as error:
                raise TlsError(self.client_ca.key, "is not a PEM certificate") from error
            context.verify_mode = (
                ssl.CERT_REQUIRED if self.client == "require" else ssl.CERT_OPTIONAL
            )
        return context


def _set_versions_and_ciphers(context: ssl.SSLContext, plan: TlsPlan) -> None:
    names = [CIPHERS[name] for name in plan.ciphers if CIPHERS[name]]
    low = plan.low
    if plan.ciphers and not names:  # nothing is left for TLS 1.2
        low = ssl.TLSVersion.TLSv1_3
    if low > plan.high:
        raise TlsError("cipher_suites", "has none for TLS12, the only version")
    context.minimum_version, context.maximum_version = low, plan.high
    if names:
        context.set_ciphers(":".join(names))


def _load_pair(context: ssl.SSLContext, cert: Pem, key: Pem) -> None:
    try:
        with _in_memory(cert.read()) as cert_path, _in_memory(key.read()) as key_path:
            # an encrypted key would ask for its password on the terminal
            context.load_cert_chain(cert_path, key_path, password="")
    except ssl.SSLError as error:
        raise _blame(error, cert, key) from error


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path under which OpenSSL finds `content`, so that an inline key never touches the disk."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _blame(error: ssl.SSLError, cert: Pem, key: Pem) -> TlsError:
    """OpenSSL tells little of what is wrong with a pair."""
    text = key.read()
    if b"ENCRYPTED" in text:
        return TlsError(key.key, "is encrypted, and nobody is there to be asked for the password")
    if b"PRIVATE KEY-----" not in text:
        return TlsError(key.key, "holds no PEM private key")
    if b"BEGIN CERTIFICATE-----" not in cert.read():
        return TlsError(cert.key, "is not a PEM certificate")
    if error.reason == "KEY_VALUES_MISMATCH":
        return TlsError(cert.key, f"does not belong to the {key.key}")
    return TlsError(cert.key, f"cannot be used with {key.key}: {error.reason or error}")


def san_allowed(certificate: dict[str, Any], allowed: frozenset[str]) -> bool:
    """Whether a verified client certificate has one of these subject alternative names.

    `certificate` as SSLObject.getpeercert gives it. DNS, IP, e-mail and URI; exact, as in Go.
    """
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            try:
                value = str(ipaddress.ip_address(value.strip()))
            except ValueError:
                continue
        if kind in ("DNS", "IP Address", "email", "URI") and value in allowed:
            return True
    return False

"""What this machine's own listening TCP sockets say to a TLS client: RFC 8446, RFC 5246.

A few handshakes each, which is slow and is seen by the servers: for a slow inventory, not for an audit. Nothing is
sent but handshakes; a server that first wants plain text (STARTTLS) or NTLS is one that speaks no TLS here.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from collectors.crypto import x509
from collectors.model import ParseError

_VERSIONS: Final = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_WEAK: Final = "aNULL:eNULL:3DES:RC4:DES:EXPORT:MD5:@SECLEVEL=0"
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to find such a server
DAY = 86400


class Probing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to look: seconds for one handshake and for all, handshakes at once, listeners at most."""

    timeout: float = 1.0
    deadline: float = 60.0
    workers: int = 8
    most: int = 200
    exclude_ports: tuple[int, ...] = ()


class TlsListener(msgspec.Struct, frozen=True):
    """One listener. `protocols` are those that it speaks, `weak_cipher` one that it agreed to, `certificate` the DER that
    it showed in hexadecimal; `error` says why it was not looked at."""

    address: str
    port: int
    tls: bool = False
    protocols: tuple[str, ...] = ()
    cipher: str = ""
    weak_cipher: str = ""
    certificate: str = ""
    error: str = ""


def observe_listeners(
    endpoints: Iterable[tuple[str, int]], settings: Probing | None = None
) -> list[TlsListener]:
    """Each listener once, in order of port and address. Never raises for what a server does."""
    settings = settings or Probing()
    wanted = sorted({(port, address) for address, port in endpoints})
    wanted = [one for one in wanted if one[0] not in settings.exclude_ports][: settings.most]
    prober = _Prober(settings)
    with ThreadPoolExecutor(settings.workers) as pool:
        return list(pool.map(lambda one: prober.look(one[1], one[0]), wanted))


class _Prober:
    def __init__(self, settings: Probing) -> None:
        self._timeout = settings.timeout
        self._end = time.monotonic() + settings.deadline
        with warnings.catch_warnings():  # that old versions are old is what is asked about
            warnings.simplefilter("ignore", DeprecationWarning)
            self._contexts = {name: _context(it, it) for name, it in _VERSIONS.items()}
            self._weak = _context(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2, _WEAK)

    def look(self, address: str, port: int) -> TlsListener:
        protocols: list[str] = []
        cipher, certificate = "", b""
        for name in reversed(_VERSIONS):
            if time.monotonic() > self._end:
                return TlsListener(address, port, error="not looked at in time")
            try:
                cipher_now, der = self._handshake(address, port, self._contexts[name])
            except TimeoutError:
                if not protocols:
                    break  # it waits for something else than a greeting of TLS
                return TlsListener(address, port, error=f"no answer in {self._timeout:g} s")
            except ssl.SSLError as error:
                if _is_no_tls(error) and not protocols:
                    break
                continue  # it speaks TLS, and not this version
            except OSError as error:
                if isinstance(error, ConnectionResetError | BrokenPipeError):
                    continue
                return TlsListener(address, port, error=str(error.strerror or error))
            protocols.insert(0, name)
            cipher, certificate = cipher or cipher_now, certificate or der
        if not protocols:
            return TlsListener(address, port)
        return TlsListener(
            address,
            port,
            tls=True,
            protocols=tuple(protocols),
            cipher=cipher,
            weak_cipher=self._weak_cipher(address, port),
            certificate=certificate.hex(),
        )

    def _weak_cipher(self, address: str, port: int) -> str:
        """A weak suite that the server takes where nothing else is offered; of those our library still has."""
        if self._weak is None:
            return ""
        try:
            return self._handshake(address, port, self._weak)[0]
        except OSError:  # ssl.SSLError is one
            return ""

    def _handshake(
        self, address: str, port: int, context: ssl.SSLContext | None
    ) -> tuple[str, bytes]:
        """The cipher and the certificate; raises OSError."""
        if context is None:
            raise ssl.SSLError("this version is not in our library")
        where = (_ANY.get(address, address), port)
        with (
            socket.create_connection(where, self._timeout) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            cipher = wrapped.cipher()
            return cipher[0] if cipher else "", wrapped.getpeercert(binary_form=True) or b""


def _context(
    least: ssl.TLSVersion, most: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0"
) -> ssl.SSLContext | None:
    """A client that trusts anybody, as it only describes; None where our library lacks it all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.minimum_version, context.maximum_version = least, most
        context.set_ciphers(ciphers)
    except (ssl.SSLError, ValueError):
        return None
    return context


def _is_no_tls(error: ssl.SSLError) -> bool:
    """Whether what came back was not in the form of TLS, or nothing came at all."""
    return error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST") or (
        isinstance(error, ssl.SSLEOFError)
    )


def rows(listeners: Sequence[TlsListener], now: float) -> list[dict[str, Any]]:
    """The rows of a fact `tls_listeners`: those that speak TLS, and those that could not be looked at.

    key (`tcp/[::]:443`), address, port, protocols, cipher, weak_cipher, subject, issuer, not_after, days_left,
    key_type, key_bits, signature, self_signed, error.
    """
    return [_row(one, now) for one in listeners if one.tls or one.error]


def _row(one: TlsListener, now: float) -> dict[str, Any]:
    found, error = x509.Certificate("", "", [], 0.0, 0.0, "", 0, "", False, False, ""), one.error
    if one.certificate:
        try:
            found = x509.read(bytes.fromhex(one.certificate))
        except (ParseError, ValueError) as problem:
            error = str(problem)
    known = bool(one.certificate) and not error
    shown = f"[{one.address}]" if ":" in one.address else one.address
    end = datetime.fromtimestamp(found.not_after, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "key": f"tcp/{shown}:{one.port}",
        "address": one.address,
        "port": one.port,
        "protocols": list(one.protocols),
        "cipher": one.cipher,
        "weak_cipher": one.weak_cipher,
        "subject": found.subject,
        "issuer": found.issuer,
        "not_after": end if known else "",
        "days_left": math.floor((found.not_after - now) / DAY) if known else 0,
        "key_type": found.key_type,
        "key_bits": found.key_bits,
        "signature": found.signature,
        "self_signed": found.self_signed,
        "error": error,
        "source": f"handshakes with port {one.port}",
    }

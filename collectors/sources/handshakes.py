"""What listening TCP sockets of this machine say to a TLS client: RFC 8446, RFC 5246.

A few handshakes each, which is slow and is seen by the servers: for a slow inventory, not for an audit. Nothing is
sent but handshakes; a server that first wants plain text (STARTTLS) or NTLS is one that speaks no TLS here.
"""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from collectors.model import Handshakes
from collectors.rows import TlsListener
from collectors.sources.listeners import listeners

_VERSIONS: Final = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_WEAK: Final = "aNULL:eNULL:3DES:RC4:DES:EXPORT:MD5:@SECLEVEL=0"
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to find such a server
_NOT_OURS = "is bound to an address that this machine does not have"
_TOO_MANY = "not looked at: there are too many listeners"


def observe_own(settings: Handshakes) -> list[TlsListener]:
    """Every listener of this machine; raises OSError where they cannot be told."""
    found = {(one.address, one.port) for one in listeners() if one.protocol == "tcp"}
    return observe_listeners(found, settings)


def own_addresses() -> dict[str, str]:
    """Addresses of this machine, and each with its zone where it needs one."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    entries = (one for device in psutil.net_if_addrs().values() for one in device)
    return {one.address.partition("%")[0]: one.address for one in entries if one.family in families}


def observe_listeners(
    endpoints: Iterable[tuple[str, int]], settings: Handshakes | None = None
) -> list[TlsListener]:
    """Each listener once, in order of port and address. Never raises for what a server does."""
    settings = settings or Handshakes()
    wanted = sorted({(port, address) for address, port in endpoints})
    wanted = [one for one in wanted if one[0] not in settings.exclude_ports]
    prober = _Prober(settings)
    with ThreadPoolExecutor(settings.workers) as pool:
        looked = pool.map(lambda one: prober.look(one[1], one[0]), wanted[: settings.most])
        rest = (TlsListener(it, port, error=_TOO_MANY) for port, it in wanted[settings.most :])
        return [*looked, *rest]


class _Prober:
    def __init__(self, settings: Handshakes) -> None:
        self._own = own_addresses()
        self._timeout = settings.timeout
        self._end = time.monotonic() + settings.deadline
        with warnings.catch_warnings():  # that old versions are old is what is asked about
            warnings.simplefilter("ignore", DeprecationWarning)
            self._contexts = {name: _context(it, it) for name, it in _VERSIONS.items()}
            self._weak = _context(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2, _WEAK)

    def look(self, address: str, port: int) -> TlsListener:
        # a socket may be bound to an address that has moved to another machine, ip(7) IP_FREEBIND
        if address not in _ANY and not address.startswith("127.") and address not in self._own:
            return TlsListener(address, port, error=_NOT_OURS)
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
        where = (_ANY.get(address) or self._own.get(address, address), port)
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

"""What a receiver of findings is to the agent, and how it is verified."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Protocol

from exporters.findings.settings import ClientTls


class SinkError(Exception):
    """A batch that was not taken whole. `str()` says why. The receiver has the first `taken` messages;
    `refused`: it will never have the next one, though it takes others."""

    def __init__(self, problem: str, taken: int = 0, refused: bool = False) -> None:
        super().__init__(problem)
        self.taken, self.refused = taken, refused


class Sink(Protocol):
    """`send` returns when the receiver has the batch as far as its protocol tells, or raises SinkError.

    `batch` is how many messages it takes at once. `close` ends what is under way, from another thread.
    """

    @property
    def batch(self) -> int: ...
    def send(self, bodies: Sequence[bytes]) -> None: ...
    def close(self) -> None: ...


def context(tls: ClientTls) -> ssl.SSLContext:
    """A client's: TLS 1.2 at least, chain and name verified. Raises ValueError that names the key."""
    try:
        made = ssl.create_default_context(cafile=tls.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"ca_file: {tls.ca_file}: {_why(error)}") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.cert_file:
        try:
            # an encrypted key would ask for its password on the terminal
            made.load_cert_chain(tls.cert_file, tls.key_file or None, password="")
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cert_file: {tls.cert_file}: {_why(error)}") from error
    return made


def told(error: OSError) -> str:
    """A failure of a connection in few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return _why(error)


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error.strerror or error)
    return error.strerror or str(error)

"""The section `tls_config` of a module: blackbox_exporter's keys, and the context they make."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from typing import Final, Literal

import msgspec

from collectors.link.connect import Failure

Protocol = Literal["ip4", "ip6"]
Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
_VERSIONS: Final[dict[Version, ssl.TLSVersion]] = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_ANY = "DEFAULT:@SECLEVEL=0"  # what is weak is to be seen as well


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server is verified and what we show it; files are PEM. Without `ca_file` the
    system's authorities are trusted."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"

    def __post_init__(self) -> None:
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file come together")
        if _VERSIONS[self.min_version] > _VERSIONS[self.max_version]:
            raise ValueError(f"min_version {self.min_version} is above {self.max_version}")

    def files(self) -> tuple[tuple[str, str], ...]:
        """The files it names, by key."""
        named = ((key, getattr(self, key)) for key in ("ca_file", "cert_file", "key_file"))
        return tuple((key, path) for key, path in named if path)


def context(config: TlsConfig, verify: bool, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A client's context, made anew when one of its files has changed; raises Failure."""
    paths = [path for _, path in config.files()] or [ssl.get_default_verify_paths().openssl_cafile]
    return _context(config, verify, alpn, tuple(map(_changed_at, paths)))


@lru_cache(maxsize=64)
def _context(
    config: TlsConfig, verify: bool, alpn: tuple[str, ...], changed: tuple[int, ...]
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old = config.min_version in ("TLS10", "TLS11")
    if old or not verify:
        made.set_ciphers(_ANY)
    made.minimum_version = _VERSIONS[config.min_version]
    made.maximum_version = _VERSIONS[config.max_version]
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    try:
        if verify and config.ca_file:
            made.load_verify_locations(cafile=config.ca_file)
        elif verify:
            made.load_default_certs()
        if config.cert_file:
            made.load_cert_chain(config.cert_file, config.key_file, password=lambda: b"")
    except OSError as error:
        files = ", ".join(path for _, path in config.files())
        problem = "no PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise Failure("error", f"cannot use {files}: {problem}") from error
    return made


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0

"""Connecting to a host over SSH, by way of its jump hosts; every host key is verified against
known_hosts.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from collectors.sources.ssh import knownhosts
from collectors.sources.ssh.auth import authenticate, plainly
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import Hop, LoginError, SshError

if TYPE_CHECKING:
    import paramiko

_LOG = __name__ + ".transport"


class HostKeyError(LoginError):
    """A host showed a key that is not known, has changed or is revoked."""

    def __init__(self, hop: Hop, kind: str, key: bytes, found: tuple[str, str]) -> None:
        self.host, self.kind, self.fingerprint = hop.host, kind, knownhosts.fingerprint(key)
        self.judgement, where = found
        remedy = {
            "unknown": "compare it with `ssh-keygen -lf` of the key in /etc/ssh on the host itself, "
            f"then `ssh-keyscan -p {hop.port} {hop.host}` gives the line for known_hosts",
            "changed": f"{where} has another: the host was installed anew, or somebody is in "
            "between; find out which before you replace that line",
            "revoked": f"it is revoked in {where}",
        }[self.judgement]
        super().__init__(f"{hop}: {self.judgement} {kind} key {self.fingerprint}: {remedy}")


def connect(
    hops: Sequence[Hop], settings: SshSettings, ciphers: Sequence[str] = ()
) -> list[paramiko.Transport]:
    """A connection to each hop, through the one before; the last is to the target. Close them in the
    opposite order. `ciphers` are preferred, those of them that are known. Raises SshError."""
    logging.getLogger(_LOG).setLevel(logging.CRITICAL)  # the same is raised and told by us
    transports: list[paramiko.Transport] = []
    try:
        for hop in hops:
            transports.append(_open(hop, transports, settings))
            _prefer(transports[-1], ciphers)
            _verify(hop, transports[-1], settings)
            authenticate(hop, transports[-1], settings)
    except BaseException:
        close(transports)
        raise
    return transports


def close(transports: list[paramiko.Transport]) -> None:
    """Close what `connect` gave, and forget it."""
    while transports:
        transports.pop().close()


def _open(
    hop: Hop, before: Sequence[paramiko.Transport], settings: SshSettings
) -> paramiko.Transport:
    import paramiko

    seconds = settings.connect_timeout
    there = (hop.host, hop.port)
    try:
        if before:
            way = before[-1].open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=seconds)
            transport = paramiko.Transport(way)
        else:
            transport = paramiko.Transport(socket.create_connection(there, seconds))
    except (OSError, paramiko.SSHException, EOFError) as error:
        raise SshError(f"{hop}: cannot connect: {plainly(error)}") from error
    transport.set_log_channel(_LOG)
    for name in ("banner_timeout", "handshake_timeout", "auth_timeout", "channel_timeout"):
        setattr(transport, name, seconds)
    return transport


def _prefer(transport: paramiko.Transport, ciphers: Sequence[str]) -> None:
    options = transport.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda name: name not in ciphers)


def _verify(hop: Hop, transport: paramiko.Transport, settings: SshSettings) -> None:
    import paramiko

    entries = knownhosts.entries(_known_hosts(settings), hop.known_as, hop.port)
    options = transport.get_security_options()
    known = {"rsa-sha2-512" if entry.kind == "ssh-rsa" else entry.kind for entry in entries}
    # a host has keys of several kinds: let it show one of those that are known
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in known)
    try:
        transport.start_client(timeout=settings.connect_timeout)
        key = transport.get_remote_server_key()
    except (OSError, paramiko.SSHException, EOFError) as error:
        raise SshError(f"{hop}: no SSH session: {plainly(error)}") from error
    found = knownhosts.judge(entries, key.asbytes())
    if found[0] != "known":
        raise HostKeyError(hop, key.get_name(), key.asbytes(), found)


def _known_hosts(settings: SshSettings) -> Iterator[tuple[str, str]]:
    for path in map(os.path.expanduser, settings.known_hosts):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                yield path, file.read()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SshError(f"{path}: cannot be read: {error.strerror}") from error

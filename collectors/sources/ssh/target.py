"""Where an SSH connection leads: `ssh://user@host:port`, jump hosts, ssh_config(5).

What is written in the address counts first, then our own settings, then ssh_config.
"""

from __future__ import annotations

import getpass
import os
import re
from typing import Any

import msgspec

from collectors.sources.ssh.settings import SshSettings


class SshError(Exception):
    """Why a host could not be asked. `str()` is one line that begins with the host."""


class LoginError(SshError):
    """A host that was reached and did not let us in, or we it: what no network mends."""


class Hop(msgspec.Struct, frozen=True):
    """One host on the way. `known_as` is its name in known_hosts."""

    host: str
    port: int
    user: str
    known_as: str
    key_files: tuple[str, ...] = ()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


class Address(msgspec.Struct, frozen=True):
    """What is written of a host; empty parts are said elsewhere."""

    host: str
    user: str = ""
    port: int | None = None


_ADDRESS = re.compile(
    r"(?:ssh://)?(?:([^@/:\s]+)@)?(?:\[([^\]\s]+)\]|([^@:/\[\]\s-][^@:/\[\]\s]*))(?::(\d+))?/?"
)


def parse_address(text: str) -> Address:
    """`[ssh://][user@]host[:port]`, an IPv6 address in brackets. Raises SshError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or (match[4] and not 0 < int(match[4]) < 65536):
        raise SshError(f"{text!r} is not ssh://user@host:port (an IPv6 address in brackets)")
    return Address(match[2] or match[3], match[1] or "", int(match[4]) if match[4] else None)


def route(text: str, settings: SshSettings) -> list[Hop]:
    """The hosts to connect to, one through the other; the last is the target. Raises SshError."""
    config = _config(settings.config_file)
    address = parse_address(text)
    entry = config.lookup(address.host) if config else {}
    if entry.get("proxycommand") and not settings.jump:
        raise SshError(f"{address.host}: ProxyCommand is not run; use ProxyJump")
    jump = settings.jump or entry.get("proxyjump") or ""
    jumps = [] if jump.lower() == "none" else [parse_address(j) for j in jump.split(",") if j]
    hops = [_hop(j, config.lookup(j.host) if config else {}, "", None) for j in jumps]
    return [*hops, _hop(address, entry, settings.user, settings.port)]


def _hop(address: Address, entry: Any, user: str, port: int | None) -> Hop:
    host = entry.get("hostname", address.host)
    try:
        return Hop(
            host,
            address.port or port or int(entry.get("port", 22)),
            address.user or user or entry.get("user") or getpass.getuser(),
            entry.get("hostkeyalias", host),
            tuple(entry.get("identityfile", ())),
        )
    except (ValueError, KeyError, OSError) as error:
        raise SshError(f"{address.host}: {error}") from error


def _config(path: str) -> Any:
    path = os.path.expanduser(path)
    if not path or not os.path.exists(path):
        return None
    import paramiko

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if re.search(r"^\s*match\b.*\bexec\b", text, re.IGNORECASE | re.MULTILINE):
            raise SshError(
                f"{path}: Match exec is not run; say it with Host, or name no config_file"
            )
        return paramiko.SSHConfig.from_text(text)
    except (OSError, UnicodeDecodeError, paramiko.SSHException) as error:
        raise SshError(f"{path}: {error}") from error

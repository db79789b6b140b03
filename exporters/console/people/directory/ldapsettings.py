"""The key `ldap` of the console's configuration: a directory that vouches for users. LDAP v3, RFC 4511 to 4516.

What speaks LDAP or OpenID Connect is loaded where one of them is configured: it takes 20 MiB.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Secret
from exporters.console.web.asker import Role

PLACE: Final = "{name}"


class LdapGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For members of the group with this DN, or for whose own entry the filter fits: one of the two."""

    role: Role
    group: str = ""
    filter: str = ""
    departments: tuple[str, ...] | None = None  # left out: all

    def __post_init__(self) -> None:
        if bool(self.group) == bool(self.filter):
            raise ValueError("give group (its DN) or filter, one of the two")
        if self.filter:
            _check(self.filter)


class LdapSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`: ldaps://host or ldap://host with `start_tls`; without TLS only on loopback and only if `insecure`.
    `ca_file`: PEM of those who sign its certificate, instead of the system's. Without `bind_dn` it is searched
    anonymously. `recheck`: so long after somebody was taken out of the directory their sessions last at most."""

    url: str
    base: str
    grants: Annotated[tuple[LdapGrant, ...], msgspec.Meta(min_length=1)]
    start_tls: bool = False
    insecure: bool = False
    ca_file: str = ""
    bind_dn: str = ""
    bind_password: Secret | None = None
    user_filter: str = "(&(objectClass=inetOrgPerson)(uid={name}))"
    name: str = "uid"  # the attribute that is the user's name
    full_name: str = "cn"
    mail: str = "mail"
    timeout: Duration = Duration(5)
    recheck: Duration = Duration(900)

    def __post_init__(self) -> None:
        _url(self)
        if PLACE not in self.user_filter:
            raise ValueError("user_filter has no {name}: everybody would be found by it")
        _check(self.user_filter.replace(PLACE, "name"))
        if bool(self.bind_dn) != bool(self.bind_password and self.bind_password.reveal()):
            raise ValueError(
                "bind_dn and bind_password go together; leave both out to be anonymous"
            )

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (636 if parts.scheme == "ldaps" else 389)

    @property
    def tls(self) -> bool:
        """From the first byte."""
        return self.url.startswith("ldaps://")

    def located(self, folder: str) -> LdapSettings:
        if not self.ca_file:
            return self
        path = os.path.join(folder, os.path.expanduser(self.ca_file))
        return msgspec.structs.replace(self, ca_file=path)


def _url(settings: LdapSettings) -> None:
    try:
        parts = urlsplit(settings.url)
        known = parts.scheme in ("ldap", "ldaps") and bool(parts.hostname)
        known = known and parts.path in ("", "/") and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or "@" in settings.url:
        raise ValueError("url: write ldaps://host or ldap://host, with :port where it is another")
    if parts.scheme == "ldaps" and settings.start_tls:
        raise ValueError("start_tls is for ldap://; ldaps:// has TLS from the start")
    if parts.scheme == "ldap" and not settings.start_tls:
        if not settings.insecure:
            raise ValueError(
                "passwords would be sent in the clear; use ldaps:// or start_tls: true"
            )
        if not loopback(parts.hostname or ""):
            raise ValueError("insecure is for loopback alone; use ldaps:// or start_tls: true")


def loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(text: str) -> None:
    from ldap3.core.exceptions import LDAPExceptionError
    from ldap3.operation.search import parse_filter

    try:
        parse_filter(text, None, False, False, None, False)  # type: ignore[no-untyped-call]
    except (LDAPExceptionError, ValueError) as error:
        raise ValueError(f"{text!r} is not a filter of RFC 4515: {error}") from error

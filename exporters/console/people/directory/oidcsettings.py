"""The key `oidc` of the console's configuration: an identity provider that people log in at. OpenID Connect Core 1.0."""

from __future__ import annotations

import os
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Secret
from exporters.console.people.directory.ldapsettings import loopback
from exporters.console.web.asker import Role

CALLBACK: Final = "/login/oidc/callback"
SCOPES: Final = ("openid", "profile", "email")


class OidcGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For those whose claim of groups has this one."""

    group: str
    role: Role
    departments: tuple[str, ...] | None = None  # left out: all

    def __post_init__(self) -> None:
        if not self.group:
            raise ValueError("a grant names its group")


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`issuer` is exactly as the provider writes it. The provider sends people back to public_url + /login/oidc/callback.
    `name`, `full_name`, `mail` and `groups` are claims, of the ID token or else of the userinfo endpoint. `recheck`: so
    long after somebody last logged in by the provider their API tokens count."""

    issuer: str
    client_id: Annotated[str, msgspec.Meta(min_length=1)]
    client_secret: Secret
    grants: Annotated[tuple[OidcGrant, ...], msgspec.Meta(min_length=1)]
    scopes: tuple[str, ...] = SCOPES
    name: str = "preferred_username"
    full_name: str = "name"
    mail: str = "email"
    groups: str = "groups"
    ca_file: str = ""
    timeout: Duration = Duration(5)
    recheck: Duration = Duration(30 * 86_400)

    def __post_init__(self) -> None:
        if not trusted(self.issuer, self.issuer):
            raise ValueError("issuer: write https://host/…; http:// is for loopback alone")
        if "openid" not in self.scopes:
            raise ValueError("scopes has no openid: no ID token would come")

    def located(self, folder: str) -> OidcSettings:
        if not self.ca_file:
            return self
        path = os.path.join(folder, os.path.expanduser(self.ca_file))
        return msgspec.structs.replace(self, ca_file=path)


def trusted(url: str, issuer: str) -> bool:
    """Whether secrets may be sent to this URL: by TLS, or on loopback where the issuer is there too."""
    try:
        parts, of = urlsplit(url), urlsplit(issuer)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or port == 0 or parts.fragment:
        return False
    clear = parts.scheme == of.scheme == "http" and loopback(host) and loopback(of.hostname or "")
    return parts.scheme == "https" or clear

"""Logging in at an identity provider: the authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from exporters.console.people.directory import idtoken, provider
from exporters.console.people.directory.attempt import Attempt
from exporters.console.people.directory.identity import Identity, Untrusted, fits
from exporters.console.people.directory.oidcsettings import CALLBACK, OidcGrant, OidcSettings


def address(settings: OidcSettings, attempt: Attempt, public_url: str) -> str:
    """Where the browser goes to log in. Raises DirectoryDown, Untrusted."""
    metadata = provider.discover(settings)
    return str(
        prepare_grant_uri(
            metadata.authorization_endpoint,
            settings.client_id,
            "code",
            redirect_uri=back(public_url),
            scope=list(settings.scopes),
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
    )


def identified(
    settings: OidcSettings, attempt: Attempt, code: str, public_url: str, now: datetime
) -> Identity | None:
    """Who has logged in there; None where they have no role here. Raises DirectoryDown, Untrusted."""
    metadata = provider.discover(settings)
    tokens = provider.exchange(settings, metadata, code, attempt.verifier, back(public_url))
    claims = idtoken.verified(
        tokens.id_token,
        provider.keys(settings, metadata),
        issuer=settings.issuer,
        client_id=settings.client_id,
        nonce=attempt.nonce,
        access_token=tokens.access_token,
        now=now,
    )
    wanted = {settings.name, settings.groups}
    if wanted - claims.keys() and metadata.userinfo_endpoint and tokens.access_token:
        more = provider.userinfo(settings, metadata, tokens.access_token)
        if more.get("sub") != claims["sub"]:
            raise Untrusted("userinfo is of somebody else")
        claims = {**more, **claims}
    return _identity(settings, claims)


def back(public_url: str) -> str:
    return public_url.rstrip("/") + CALLBACK


def _identity(settings: OidcSettings, claims: dict[str, Any]) -> Identity | None:
    name = _text(claims, settings.name)
    grant = _grant(settings, claims.get(settings.groups))
    if grant is None or not fits(name):
        return None
    return Identity(
        "oidc",
        f"{settings.issuer} {claims['sub']}",
        name,
        grant.role,
        grant.departments,
        _text(claims, settings.full_name),
        _text(claims, settings.mail),
    )


def _grant(settings: OidcSettings, claimed: Any) -> OidcGrant | None:
    groups = [claimed] if isinstance(claimed, str) else claimed
    if not isinstance(groups, list):
        return None
    return next((one for one in settings.grants if one.group in groups), None)


def _text(claims: dict[str, Any], name: str) -> str:
    found = claims.get(name)
    return found if isinstance(found, str) else ""

"""What is asked of an identity provider: OpenID Connect Discovery 1.0, JWKS (RFC 7517), the token endpoint (RFC 6749)
and userinfo. TLS is verified, redirections are not followed, an answer has an end in bytes and in time.
"""

from __future__ import annotations

import ssl
import time
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from exporters.console.people.directory.identity import DirectoryDown, Untrusted
from exporters.console.people.directory.oidcsettings import OidcSettings, trusted

T = TypeVar("T")
_BYTES: Final = 256 << 10
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class Metadata(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class _Keys(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, Any], ...]


def discover(settings: OidcSettings) -> Metadata:
    """Raises DirectoryDown, Untrusted."""
    _, content = _fetch(settings, "GET", settings.issuer.rstrip("/") + _WELL_KNOWN)
    found = _decoded(content, Metadata)
    if found.issuer != settings.issuer:
        raise Untrusted(f"it calls itself {found.issuer!r}")
    for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not trusted(url, settings.issuer):
            raise Untrusted(f"it names {url!r}, which is not https")
    return found


def keys(settings: OidcSettings, metadata: Metadata) -> tuple[dict[str, Any], ...]:
    """Raises DirectoryDown."""
    _, content = _fetch(settings, "GET", metadata.jwks_uri)
    return _decoded(content, _Keys).keys


def exchange(
    settings: OidcSettings, metadata: Metadata, code: str, verifier: str, back: str
) -> Tokens:
    """The tokens for a code. Raises DirectoryDown; Untrusted where the code is refused."""
    secret = settings.client_secret.reveal()
    more: dict[str, str] = {"code": code, "code_verifier": verifier}
    auth = None
    if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
        auth = (quote_plus(settings.client_id), quote_plus(secret))  # RFC 6749, 2.3.1
    else:
        more |= {"client_id": settings.client_id, "client_secret": secret}
    form = prepare_token_request("authorization_code", redirect_uri=back, **more)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, content = _fetch(
        settings, "POST", metadata.token_endpoint, content=form, headers=headers, auth=auth
    )
    if status != 200:
        raise Untrusted(f"it refuses the code with {status}: {content[:200]!r}")
    return _decoded(content, Tokens)


def userinfo(settings: OidcSettings, metadata: Metadata, access_token: str) -> dict[str, Any]:
    """Raises DirectoryDown, Untrusted."""
    if not trusted(metadata.userinfo_endpoint, settings.issuer):
        raise Untrusted(f"it names {metadata.userinfo_endpoint!r}, which is not https")
    headers = {"Authorization": f"Bearer {access_token}"}
    status, content = _fetch(settings, "GET", metadata.userinfo_endpoint, headers=headers)
    if status != 200:
        raise Untrusted(f"userinfo is refused with {status}")
    return _decoded(content, dict[str, Any])


def _fetch(settings: OidcSettings, method: str, url: str, **more: Any) -> tuple[int, bytes]:
    """Status and body; what is neither 200 nor a refusal is DirectoryDown."""
    deadline = time.monotonic() + 2 * settings.timeout
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | more.pop(
        "headers", {}
    )
    try:
        with (
            httpx.Client(
                verify=_trust(settings, url), timeout=settings.timeout, trust_env=False
            ) as client,
            client.stream(method, url, headers=headers, **more) as answer,
        ):
            status, content = answer.status_code, b""
            for part in answer.iter_raw():
                content += part
                if len(content) > _BYTES or time.monotonic() > deadline:
                    raise DirectoryDown(f"{url}: the answer has no end")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise DirectoryDown(f"{url}: {error}") from error
    if status != 200 and ((method == "GET" and "Authorization" not in headers) or status >= 500):
        raise DirectoryDown(f"{url}: it answers {status}")
    return status, content


def _trust(settings: OidcSettings, url: str) -> ssl.SSLContext:
    """Nobody where there is no TLS: reading who is to be trusted takes longer than asking."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and host name
    if settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    elif url.startswith("https:"):
        context.load_default_certs()
    return context


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DirectoryDown(f"its answer is not understood: {error}") from error
